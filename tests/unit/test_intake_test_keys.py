"""What comes with a test key is judged like any other event, and stays out of the books."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from eventlogging import clock
from eventlogging.collector.request import context_of, names_test_key
from eventlogging.config import Config
from eventlogging.event import Outcome
from eventlogging.intake.accept import Accepted, Intake
from eventlogging.intake.context import Context
from eventlogging.intake.seal import PrivacyKey
from eventlogging.loader.prepare import Preparer
from eventlogging.registry.model import Snapshot
from eventlogging.registry.tokens import TEST_PREFIX, digest
from tests.schemas import registered, snapshot

SECRET = f"{TEST_PREFIX}abc"
KNOWN = Snapshot(1, {}, {digest(SECRET): frozenset({"test"})}, None, {digest(SECRET): "ann"})


def accept(
    body: Any, *, key: str = "ann", config: Config | None = None, **settings: Any
) -> Accepted:
    intake = Intake(config or Config(), PrivacyKey("secret"))
    intake.use(snapshot(registered(**settings)))
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    scopes = frozenset({"test"} if key else ())
    return intake.accept_body(data, Context(clock.now_ms(), scopes=scopes, test_key=key))


def click(target: Any = "a", **payload: Any) -> dict[str, Any]:
    return {"schema": "Click", "event": {"target": target, **payload}}


def line(accepted: Accepted, index: int = 0) -> Any:
    return orjson.loads(accepted.verdicts[index].line)


def test_verdicts_are_those_of_production_and_nothing_is_tallied() -> None:
    body = [click(), click(5), {"schema": "No", "event": {}}, {"schema": "Click"}]
    tried, real = accept(body), accept(body, key="")
    assert [(v.outcome, v.code, v.problems) for v in tried.verdicts] == [
        (v.outcome, v.code, v.problems) for v in real.verdicts
    ]
    assert tried.sent == {}
    assert sum(real.sent.values()) == 4


def test_a_line_says_that_it_is_a_test_and_whose() -> None:
    accepted = accept([click(), click(5)])
    valid, invalid = line(accepted), line(accepted, 1)
    assert (valid["outcome"], valid["verdict"], valid["test_key"]) == ("test", "valid", "ann")
    assert json.loads(valid["event"]) == {"target": "a"}
    assert (invalid["outcome"], invalid["verdict"], invalid["code"]) == (
        "test", "invalid", "type_mismatch"
    )  # fmt: skip
    assert invalid["errors"][0]["pointer"] == "/target"


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[]", b"5"])
def test_a_body_that_cannot_be_read_is_a_test_too(body: bytes) -> None:
    accepted = accept(body)
    assert accepted.sent == {}
    assert line(accepted)["outcome"] == "test"
    assert accepted.verdicts[0].outcome is Outcome.INVALID


def test_sampling_does_not_apply_to_tests() -> None:
    accepted = accept([click()] * 20, sampling_rate=0.0)
    assert {verdict.outcome for verdict in accepted.verdicts} == {Outcome.VALID}
    assert {v.outcome for v in accept([click()] * 20, key="", sampling_rate=0.0).verdicts} == {
        Outcome.SAMPLED_OUT
    }


def test_who_opted_out_is_suppressed_in_tests_too() -> None:
    accepted = accept([{**click("what they did"), "consent": False}])
    assert accepted.verdicts[0].outcome is Outcome.SUPPRESSED
    assert b"what they did" not in accepted.verdicts[0].line
    assert line(accepted)["verdict"] == "suppressed"


def test_private_fields_are_sealed_in_tests_too() -> None:
    accepted = accept(
        [click(user="ann", mail="a@b.c"), {**click(user="ann"), "event": {"user": "ann"}}],
        privacy={"/user": "hmac", "/mail": "drop"},
    )
    for verdict in accepted.verdicts:
        assert b'"ann"' not in verdict.line.replace(b'"test_key":"ann"', b"")
        assert b"a@b.c" not in verdict.line


def test_a_schema_for_servers_alone_takes_tests() -> None:
    assert accept([click()], producers="token").verdicts[0].outcome is Outcome.VALID


def test_tests_take_no_room_from_the_refused_events_of_production() -> None:
    config = Config(invalid_stored_per_minute=2)
    intake = Intake(config, PrivacyKey("secret"))
    intake.use(snapshot(registered()))
    body, now = json.dumps([click(5)] * 10).encode(), clock.now_ms()
    tried = intake.accept_body(body, Context(now, test_key="ann"))
    assert all(orjson.loads(v.line)["event"] for v in tried.verdicts)
    real = intake.accept_body(body, Context(now))
    assert [orjson.loads(v.line).get("kept", True) for v in real.verdicts] == [True] * 2 + [
        False
    ] * 8


def test_the_loader_makes_rows_of_them_that_are_booked_nowhere() -> None:
    accepted = accept([click(), click(5), {**click(), "consent": False}])
    preparer = Preparer(snapshot(registered()))
    prepared = preparer.prepare((n, v.line) for n, v in enumerate(accepted.verdicts))
    assert list(prepared.tables) == ["test_event"]
    assert [row.outcome for row in prepared.tables["test_event"].trials] == ["valid", "invalid"]
    assert not prepared.tables["test_event"].booked
    assert not prepared.counted


def test_a_reader_from_before_test_keys_takes_their_lines_for_nothing() -> None:
    for verdict in accept([click(), click(5), {**click(), "consent": False}]).verdicts:
        content = orjson.loads(verdict.line)
        assert content["outcome"] not in {str(outcome) for outcome in Outcome}
        assert content.get("kept", True)


def test_a_request_is_a_test_when_its_bearer_token_is_a_test_key() -> None:
    def context(value: str) -> Context:
        return context_of({"authorization": value}, 0, KNOWN, "admin-token")

    assert context(f"Bearer {SECRET}").test_key == "ann"
    assert context(f"bearer  {SECRET} ").test_key == "ann"
    assert context("Bearer admin-token").test_key == ""
    assert context("Bearer other").test_key == ""
    assert context(f"Basic {SECRET}").test_key == ""


def test_a_test_key_is_known_by_its_form_also_when_it_is_over() -> None:
    assert names_test_key({"authorization": f"Bearer {TEST_PREFIX}old"})
    assert not names_test_key({"authorization": "Bearer evl_other"})
    assert not names_test_key({})
