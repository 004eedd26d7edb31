"""From any bytes to lines of the log: never an exception, never late, never a private value."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlogging.config import Config
from eventlogging.event import UNKNOWN, Outcome
from eventlogging.intake.accept import Accepted, Intake
from eventlogging.intake.context import Context
from eventlogging.intake.seal import PrivacyKey
from eventlogging.loader.prepare import Preparer
from tests.robustness import mutations
from tests.robustness.conftest import FUZZED
from tests.schemas import snapshot

NOW = 1_795_000_000_000
SECONDS = float(os.environ.get("EVENTLOGGING_FUZZ_SECONDS", "10"))
AT_ONCE = 25
SNAPSHOT = snapshot(mutations.SCHEMA)
PREPARER = Preparer(SNAPSHOT)
_LARGE = 65_536


_IN_TIME = settings(
    max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def new_intake() -> Intake:
    judge = Intake(Config(), PrivacyKey("secret"))
    judge.use(SNAPSHOT)
    return judge


@pytest.fixture(scope="module")
def judge() -> Intake:
    made = new_intake()
    made.accept_body(mutations.body(random.Random(0)), Context(NOW, user_agent="curl/8.0"))
    return made


def check(judge: Intake, body: bytes, tried: Counter[str]) -> None:
    """Judge a body and check all that must hold whatever it is."""
    context = Context(NOW, user_agent="curl/8.0")
    start = time.thread_time()
    accepted = judge.accept_body(body, context)
    took = time.thread_time() - start
    large = len(body) // _LARGE
    if took > 0.1 * (len(accepted.verdicts) + large):  # not for the collection of garbage
        start = time.thread_time()
        judge.accept_body(body, context)
        assert time.thread_time() - start < 0.1 * (len(accepted.verdicts) + large)
    lines = [verdict.line for verdict in accepted.verdicts]
    assert lines
    for line in lines:
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
    contents = [orjson.loads(line) for line in lines]
    booked = Counter(verdict.schema for verdict in accepted.verdicts)
    sent = Counter[str]()
    for (_, name), number in accepted.sent.items():
        sent[name] += number
    assert booked == sent, "each event ends under the name that it was sent under"
    assert set(sent) <= {"Click", UNKNOWN}
    rows = PREPARER.prepare(list(enumerate(lines)))
    assert rows.counted.total() + sum(table.lines for table in rows.tables.values()) == len(lines)
    storage_errors = [
        row
        for table in rows.tables.values()
        for row in table.invalid
        if row.code == "storage_error"
    ]
    assert not storage_errors
    tell_nothing(body, accepted, contents)
    for content in contents:
        tried[f"{content['outcome']} {content.get('code', '')}".strip()] += 1


def tell_nothing(body: bytes, accepted: Accepted, contents: list[Any]) -> None:
    """What stands in private fields alone is in no line, where the fields could be found."""
    try:
        events = json.loads(body)
    except (ValueError, RecursionError):
        return
    events = events if isinstance(events, list) else [events]
    if len(events) != len(contents):
        return
    for event, content, verdict in zip(events, contents, accepted.verdicts, strict=True):
        if not isinstance(event, dict):
            continue
        if verdict.outcome is not Outcome.VALID and not content.get("sealed"):
            continue
        payload = event if "$schema" in event else event.get("event")
        text, private = json.dumps(event), "".join(map(json.dumps, private_values(payload)))
        line = orjson.dumps(content).decode()
        for secret in mutations.SECRETS:
            if 0 < text.count(secret) == private.count(secret) and body.count(secret.encode()):
                assert secret not in line, body


def private_values(payload: Any) -> list[Any]:
    """What stands in the private fields of a payload; found here by other means than there."""
    if not isinstance(payload, dict):
        return []
    found = [payload[key] for key in ("user", "mail", "more") if key in payload]
    who, people = payload.get("who"), payload.get("people")
    if isinstance(who, dict) and "name" in who:
        found.append(who["name"])
    if isinstance(people, list | dict):
        each = people if isinstance(people, list) else people.values()
        found += [
            person["name"] for person in each if isinstance(person, dict) and "name" in person
        ]
    return found


def test_no_bytes_break_the_way_from_a_body_to_the_tables(
    judge: Intake, pytestconfig: pytest.Config
) -> None:
    tried: Counter[str] = Counter()
    end = time.monotonic() + SECONDS * 0.8
    bodies = 0

    @settings(_IN_TIME, max_examples=20)
    @given(st.integers(0, 2**64))
    def run(seed: int) -> None:
        nonlocal bodies
        chance = random.Random(seed)
        for _ in range(AT_ONCE):
            check(judge, mutations.body(chance), tried)
            bodies += 1

    while time.monotonic() < end:
        run()
    pytestconfig.stash[FUZZED] = (bodies, tried)
    assert {"valid", "sampled_out", "suppressed"} <= set(tried)
    assert len(tried) > 15, "nearly every kind of refusal was met"


def json_values() -> st.SearchStrategy[Any]:
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=20)
    )
    return st.recursive(
        leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
        max_leaves=20,
    )  # fmt: skip


@_IN_TIME
@given(st.binary(max_size=400))
def test_any_bytes_are_a_body(judge: Intake, body: bytes) -> None:
    check(judge, body, Counter())


@_IN_TIME
@given(json_values())
def test_any_json_is_a_body(judge: Intake, value: Any) -> None:
    check(judge, json.dumps(value).encode(), Counter())


_FIELDS = ["schema", "$schema", "version", "id", "dt", "host", "event", "meta", "consent"]


@_IN_TIME
@given(json_values(), st.sampled_from(_FIELDS))
def test_any_value_may_stand_anywhere_in_a_capsule(judge: Intake, value: Any, field: str) -> None:
    for event in ({"schema": "Click", "event": {"target": "a"}}, {"$schema": "/Click/1.0.0"}):
        check(judge, json.dumps({**event, field: value}).encode(), Counter())
