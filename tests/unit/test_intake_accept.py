"""How one event is judged, and what the log keeps of it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.event import UNKNOWN, Outcome, Verdict
from eventlogging.intake.accept import Accepted, Intake
from eventlogging.intake.context import Context
from eventlogging.intake.seal import PrivacyKey
from tests.schemas import CLICK, registered, snapshot

NOW = 1_795_000_000_000
GOOD = {"schema": "Click", "event": {"target": "a"}}


def intake(*schemas: Any, **settings: Any) -> Intake:
    judge = Intake(Config(**settings), PrivacyKey("secret"))
    judge.use(snapshot(*(schemas or (registered(),))))
    return judge


def context(**values: Any) -> Context:
    return Context(**{"received": NOW, **values})


def send(judge: Intake, body: Any, **values: Any) -> Accepted:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return judge.accept_body(data, context(**values))


def one(judge: Intake, body: Any, **values: Any) -> Verdict:
    verdicts = send(judge, body, **values).verdicts
    assert len(verdicts) == 1
    return verdicts[0]


def kept(verdict: Verdict) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(verdict.line)
    return content


def test_a_capsule_without_a_version_is_judged_by_the_latest() -> None:
    verdict = one(intake(registered(documents={"1.0.0": CLICK, "1.1.0": CLICK})), GOOD)
    assert (verdict.outcome, verdict.version) == (Outcome.VALID, "1.1.0")
    line = kept(verdict)
    assert line["event"] == {"target": "a"}
    assert uuid.UUID(line["id"]).version == 4


def test_an_eventgate_body_is_judged_whole() -> None:
    body = {"$schema": "/Click/1.0.0", "meta": {"id": "x" * 36, "domain": "a.org"}, "target": "a"}
    verdict = one(intake(), body)
    assert verdict.outcome is Outcome.VALID
    assert kept(verdict)["event"] == {"target": "a"}
    assert kept(verdict)["capsule"]["host"] == "a.org"


def test_meta_is_payload_where_the_schema_declares_it() -> None:
    document = {**CLICK, "properties": {**CLICK["properties"], "meta": {"type": "object"}}}
    body = {"$schema": "/Click/1.0.0", "meta": {"id": "i"}, "target": "a"}
    verdict = one(intake(registered(documents={"1.0.0": document})), body)
    assert kept(verdict)["event"] == {"meta": {"id": "i"}, "target": "a"}


@pytest.mark.parametrize(
    ("body", "code", "schema"),
    [
        ({"event": {}}, "missing_schema", UNKNOWN),
        ({"schema": 5, "event": {}}, "bad_capsule", UNKNOWN),
        ({"schema": "Clock", "event": {}}, "unknown_schema", UNKNOWN),
        ({"schema": "Click", "version": "2.0.0", "event": {}}, "unknown_version", "Click"),
        ({"schema": "Click", "revision": 12, "event": {}}, "unknown_version", "Click"),
        ({"schema": "Click", "version": 1, "event": {}}, "bad_capsule", "Click"),
        ({"schema": "Click"}, "bad_capsule", "Click"),
        ({"schema": "Click", "event": []}, "bad_capsule", "Click"),
        ({**GOOD, "id": 5}, "bad_capsule", "Click"),
        ({**GOOD, "id": "x" * 256}, "bad_capsule", "Click"),
        ({**GOOD, "dt": "yesterday"}, "bad_capsule", "Click"),
        ({**GOOD, "sample_rate": 0}, "bad_capsule", "Click"),
        ({**GOOD, "sample_rate": "all"}, "bad_capsule", "Click"),
        ({"schema": "Click", "event": {}}, "missing_field", "Click"),
        ({"schema": "Click", "event": {"target": 5}}, "type_mismatch", "Click"),
        ({"schema": "Click", "event": {"target": "a", "x": 1}}, "undeclared_field", "Click"),
        ({"schema": "Click", "event": {"target": "a" * 41}}, "out_of_bounds", "Click"),
        ({"schema": "Click", "event": {"target": "a", "when": "now"}}, "bad_format", "Click"),
        ({"$schema": "file:///etc/passwd"}, "unknown_schema", UNKNOWN),
        ({"$schema": "/../../package.json"}, "unknown_schema", UNKNOWN),
        ({"$schema": "http://example.org/Click/1.0.0"}, "unknown_schema", UNKNOWN),
        ({"$schema": "/Click/1.0"}, "unknown_schema", UNKNOWN),
        ({"$schema": "/Click/9.9.9"}, "unknown_version", "Click"),
        ({"$schema": None}, "unknown_schema", UNKNOWN),
        (b"{", "malformed_json", UNKNOWN),
        (b'{"schema":"Click","event":{"target":"a"},"event":1}', "duplicate_key", "Click"),
    ],
)
def test_what_is_wrong_is_kept_with_its_code(body: Any, code: str, schema: str) -> None:
    verdict = one(intake(), body)
    assert (verdict.outcome, verdict.code, verdict.schema) == (Outcome.INVALID, code, schema)
    assert kept(verdict)["raw"]
    assert verdict.text
    assert 400 <= verdict.status < 500


def test_every_problem_is_listed_with_where_what_and_what_would_be_right() -> None:
    body = {"schema": "Click", "event": {"count": "3", "ratio": None, "x/y": 1}}
    problems = {p.pointer: p for p in one(intake(), body).problems}
    assert set(problems) == {"/target", "/count", "/ratio", ""}
    assert problems["/count"].found == 'the text "3"'
    assert problems["/count"].expected == "a whole number"
    assert "x/y" in problems[""].found


def test_one_bad_event_does_not_cost_its_batch() -> None:
    accepted = send(intake(), [GOOD, {"schema": "Click", "event": {}}, 5, GOOD])
    codes = [verdict.code for verdict in accepted.verdicts]
    assert codes == ["", "missing_field", "not_an_event", ""]
    assert [kept(verdict)["index"] for verdict in accepted.verdicts] == [0, 1, 2, 3]


def test_what_was_sent_is_tallied_before_any_rule() -> None:
    accepted = send(
        intake(registered(sampling_rate=0.0001)),
        [GOOD, {"schema": "Nope", "event": {}}, {}, {**GOOD, "consent": False}],
    )
    minute = clock.minute(NOW)
    assert accepted.sent == {(minute, "Click"): 2, (minute, UNKNOWN): 2}


def test_an_id_that_is_no_uuid_becomes_one_by_schema_and_text() -> None:
    ids = [one(intake(), {**GOOD, "id": "order-17"}).id for _ in range(2)]
    assert ids[0] == ids[1]
    assert uuid.UUID(ids[0]).version == 5
    text = "0F2B6C6E-9E5A-4A7B-8E43-1C0C6A2D9E11"
    assert one(intake(), {**GOOD, "id": text}).id == text.lower()


@pytest.mark.parametrize(
    ("offset", "trusted"),
    [(-29 * clock.DAY_MS, True), (-31 * clock.DAY_MS, False), (3_600_000, True)]
    + [(2 * clock.DAY_MS, False), (-40 * 365 * clock.DAY_MS, False)],
)
def test_a_clients_time_counts_only_inside_its_window(offset: int, trusted: bool) -> None:
    line = kept(one(intake(), {**GOOD, "id": "a", "dt": clock.iso(NOW + offset)}))
    assert line["dt"] == (NOW + offset if trusted else NOW)
    assert line["remember"] is not trusted, "a retry must still be found by its id"
    assert line["received"] == NOW


def test_a_time_without_a_zone_is_utc() -> None:
    line = kept(one(intake(), {**GOOD, "dt": clock.iso(NOW)[:-1]}))
    assert line["dt"] == NOW


def test_an_event_that_is_kept_for_one_day_only_is_never_dated_back() -> None:
    judge = intake(registered(keep_days=1))
    assert kept(one(judge, {**GOOD, "dt": clock.iso(NOW - 60_000)}))["dt"] == NOW


@pytest.mark.parametrize(
    ("body", "values"),
    [(GOOD, {"opted_out": True}), ({**GOOD, "consent": False}, {}), (b"{", {"opted_out": True})]
    + [({"$schema": "/Click/1.0.0", "meta": {"consent": False}, "target": "Ann"}, {})],
)
def test_a_person_who_said_no_is_counted_and_never_written(body: Any, values: Any) -> None:
    verdict = one(intake(), body, **values)
    assert verdict.outcome is Outcome.SUPPRESSED
    assert set(kept(verdict)) == {"outcome", "schema", "version", "received", "code", "kept"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"schema":"Click","consent":false,"event":{"target":"Ann","target":"Ann"}}',
        b'{"schema":"Click","consent":false,"event":{"target":"Ann","count":99999999999999999999}}',
        json.dumps({**GOOD, "consent": False, "event": {"mail": "Ann" * 200}}).encode(),
    ],
)
def test_a_flawed_event_of_a_person_who_said_no_is_not_written_either(body: bytes) -> None:
    verdict = one(intake(max_event_bytes=200), body)
    assert verdict.outcome is Outcome.SUPPRESSED
    assert b"Ann" not in verdict.line


def test_private_fields_are_hashed_or_dropped_before_the_log() -> None:
    judge = intake(registered(privacy={"/user": "hmac", "/mail": "drop"}))
    event = {"target": "a", "user": "ann", "mail": "ann@example.org"}
    line = kept(one(judge, {"schema": "Click", "event": event}))
    assert set(line["event"]) == {"target", "user"}
    assert line["event"]["user"].startswith(f"{PrivacyKey('secret').id}:")
    assert b"ann" not in json.dumps(line).encode()


def test_private_fields_of_an_invalid_event_are_sealed_too() -> None:
    judge = intake(registered(privacy={"/user": "hmac", "/mail": "drop"}))
    event = {"user": 4711, "mail": "ann@example.org"}
    verdict = one(judge, {"schema": "Click", "event": event})
    assert kept(verdict)["sealed"] is True
    assert b"4711" not in verdict.line
    assert b"example.org" not in verdict.line
    assert "4711" not in verdict.text


def test_a_flawed_event_of_a_known_schema_is_sealed_too() -> None:
    judge = intake(registered(privacy={"/user": "hmac"}))
    verdict = one(judge, b'{"schema":"Click","event":{"user":"ann","count":1,"count":2}}')
    assert verdict.code == "duplicate_key"
    assert kept(verdict)["sealed"] is True
    assert b"ann" not in verdict.line


def test_an_event_of_no_known_schema_cannot_be_sealed_and_says_so() -> None:
    assert kept(one(intake(), {"schema": "Nope", "event": {"user": "ann"}}))["sealed"] is False


def test_the_rate_that_remains_is_applied_and_stored() -> None:
    judge = intake(registered(sampling_rate=0.25))
    outcomes = [
        one(judge, {**GOOD, "sample_rate": 0.5, "sample_unit_id": f"unit-{n}"}) for n in range(800)
    ]
    valid = [verdict for verdict in outcomes if verdict.outcome is Outcome.VALID]
    assert {verdict.outcome for verdict in outcomes} == {Outcome.VALID, Outcome.SAMPLED_OUT}
    assert 140 < len(valid) < 260, "those units of all that are in the sample of 0.25"
    assert kept(valid[0])["capsule"]["sample_rate"] == 0.25
    assert b"unit-" not in b"".join(verdict.line for verdict in outcomes)


def test_a_sender_that_sampled_enough_is_not_sampled_again() -> None:
    judge = intake(registered(sampling_rate=0.5))
    line = kept(one(judge, {**GOOD, "sample_rate": 0.1}))
    assert line["capsule"]["sample_rate"] == 0.1


def test_a_schema_for_servers_takes_events_with_a_token_only() -> None:
    judge = intake(registered(producers="token"))
    assert one(judge, GOOD).code == "not_allowed"
    assert one(judge, GOOD, scopes=frozenset({"read"})).code == "not_allowed"
    assert one(judge, GOOD, scopes=frozenset({"produce"})).outcome is Outcome.VALID


def test_a_page_of_another_origin_may_not_send() -> None:
    judge = intake(registered(origins=("https://a.example",)))
    assert one(judge, GOOD, origin="https://b.example").code == "not_allowed"
    assert one(judge, GOOD, origin="https://a.example").outcome is Outcome.VALID
    assert one(judge, GOOD).outcome is Outcome.VALID, "servers send no origin"


@pytest.mark.parametrize(
    ("fill_defaults", "capsule", "body"),
    [("eventgate", {}, {"a": 1}), ("always", {"a": 1}, {"a": 1}), ("never", {}, {})],
)
def test_the_schema_says_which_events_get_its_defaults(
    fill_defaults: str, capsule: dict[str, Any], body: dict[str, Any]
) -> None:
    document = {"type": "object", "properties": {"a": {"type": "integer", "default": 1}}}
    judge = intake(registered("Filled", {"1.0.0": document}, fill_defaults=fill_defaults))
    assert kept(one(judge, {"schema": "Filled", "event": {}}))["event"] == capsule
    assert kept(one(judge, {"$schema": "/Filled/1.0.0"}))["event"] == body
    there = {"a": 5}
    assert kept(one(judge, {"schema": "Filled", "event": there}))["event"] == there


def test_a_default_makes_a_capsule_valid_and_is_sealed() -> None:
    document = {
        "type": "object",
        "required": ["user"],
        "properties": {"user": {"type": "string", "default": "nobody"}},
    }
    settings = {"privacy": {"/user": "hmac"}}
    event = {"schema": "Filled", "event": {}}
    usual = intake(registered("Filled", {"1.0.0": document}, **settings))
    assert one(usual, event).code == "missing_field"
    judge = intake(registered("Filled", {"1.0.0": document}, fill_defaults="always", **settings))
    line = kept(one(judge, event))
    assert line["outcome"] == "valid"
    assert "nobody" not in json.dumps(line)
    assert len(line["event"]["user"]) > 20


def test_defaults_that_make_a_capsule_too_large_are_refused() -> None:
    document = {"type": "object", "properties": {"a": {"$ref": "#", "default": {}}}}
    judge = intake(registered("Filled", {"1.0.0": document}, fill_defaults="always"))
    verdict = one(judge, {"schema": "Filled", "event": {}})
    assert (verdict.code, kept(verdict)["raw"]) == (
        "event_too_large",
        '{"schema":"Filled","event":{}}',
    )
    assert one(judge, {"schema": "Filled", "event": {"a": 1}}).code == "type_mismatch"


def test_a_retired_schema_takes_nothing() -> None:
    assert one(intake(registered(state="retired")), GOOD).code == "schema_retired"


def test_a_classic_revision_names_its_version() -> None:
    judge = intake(registered(documents={"1.0.0": CLICK, "2.0.0": CLICK}, revisions={77: "1.0.0"}))
    assert one(judge, {**GOOD, "revision": 77}).version == "1.0.0"


def test_beyond_the_cap_invalid_events_are_counted_and_not_stored() -> None:
    judge = intake(invalid_stored_per_minute=3)
    lines = [kept(one(judge, {"schema": "Click", "event": {}})) for _ in range(5)]
    assert [line.get("kept", True) for line in lines] == [True, True, True, False, False]
    later = one(judge, {"schema": "Click", "event": {}}, received=NOW + 60_000)
    assert kept(later).get("kept", True) is True, "the next minute has room again"


def test_the_cap_holds_where_minutes_come_mixed() -> None:
    """As those of edge logs do, and of routes that cut the time of receipt."""
    judge = intake(invalid_stored_per_minute=3)
    bad = {"schema": "Click", "event": {}}
    lines = [
        kept(one(judge, bad, received=NOW - minutes * 60_000))
        for _ in range(5)
        for minutes in (0, 7, 90, 91)
    ]
    assert [line.get("kept", True) for line in lines] == [True] * 12 + [False] * 8
    for minute in range(200):
        one(judge, bad, received=NOW + minute * 60_000)
    assert len(judge._refusals._stored) <= 60, "and what is remembered for it is bounded"


@pytest.mark.parametrize(
    "body",
    [
        {"consent": False, "events": [GOOD] * 11},
        {"events": [{**GOOD, "consent": False}] * 11},
        [{"$schema": "/Click/1.0.0", "meta": {"consent": False}, "target": "a"}] * 11,
        b'{"consent": false, "events": [',
        b'{"specversion": "1.0", "consent" : "False", "data": {',
        b'{"consent":false,"schema":"Click","event":{"target":"a"}} and more',
        {"consent": False, "events": []},
    ],
)
def test_who_says_no_in_a_body_that_cannot_be_taken_leaves_nothing(body: Any) -> None:
    verdict = one(intake(max_batch=10), body)
    assert (verdict.outcome, kept(verdict)["kept"]) == (Outcome.SUPPRESSED, False)


def test_a_no_at_the_start_of_a_body_that_is_too_large_is_seen() -> None:
    start = b'{"consent":false,"events":[{"schema":"Click","event":{"target":"' + b"a" * 8000
    accepted = intake().refuse_body("body_too_large", start, context())
    assert accepted.verdicts[0].outcome is Outcome.SUPPRESSED
    assert accepted.sent == {(clock.minute(NOW), UNKNOWN): 1}


def test_a_cloudevent_whose_dataschema_is_null_is_named_by_its_type() -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/a", "type": "Click", "dataschema": None}
    assert one(intake(), {**event, "data": {"target": "a"}}).outcome is Outcome.VALID


@pytest.mark.parametrize("rate", [1e-7, 3e-308, 0, -1, 1.1])
def test_a_rate_that_makes_one_event_stand_for_all_is_refused(rate: float) -> None:
    verdict = one(intake(), {**GOOD, "sample_rate": rate})
    assert verdict.code == "bad_capsule"
    assert verdict.problems[0].expected == "a number of at least 0.000001, at most 1"
    assert one(intake(), {**GOOD, "sample_rate": 1e-6}).outcome is Outcome.VALID


def test_so_is_that_of_a_cloudevent() -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/a", "type": "Click"}
    event |= {"data": {"target": "a"}, "sampledrate": 1_000_000}  # type: ignore[dict-item]
    assert one(intake(), event).outcome is Outcome.VALID
    verdict = one(intake(), {**event, "sampledrate": 1_000_001})
    assert [problem.pointer for problem in verdict.problems] == ["/sampledrate"]


def test_a_too_large_event_does_not_cost_its_batch() -> None:
    judge = intake(max_event_bytes=200)
    large = {"schema": "Click", "event": {"target": "a", "mail": "x" * 300}}
    assert [v.code for v in send(judge, [GOOD, large]).verdicts] == ["", "event_too_large"]


def test_the_raw_user_agent_is_never_kept() -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0 SecretBuild/7"
    verdict = one(intake(), GOOD, user_agent=agent)
    assert kept(verdict)["capsule"]["user_agent_browser"] == "Firefox"
    assert b"SecretBuild" not in verdict.line


def test_forged_capsule_fields_change_nothing() -> None:
    forged = {**GOOD, "received": 1, "user_agent": {"browser": "Forged"}, "outcome": "x"}
    line = kept(one(intake(), forged))
    assert line["received"] == NOW
    assert line["outcome"] == "valid"
    assert "Forged" not in json.dumps(line)


DIGITS = {"type": "object", "additionalProperties": {"type": "string"}}


@pytest.mark.parametrize("key", ["2024", "007", "+7", "0", "99999999999999999999", "-1", "1e3"])
def test_a_wrong_value_at_a_key_of_digits_is_told_with_its_key(key: str) -> None:
    document = {"type": "object", "properties": {"by_year": DIGITS}}
    judge = intake(registered(documents={"1.0.0": document}))
    verdict = one(judge, {"schema": "Click", "event": {"by_year": {key: 5}}})
    assert (verdict.outcome, verdict.code) == (Outcome.INVALID, "type_mismatch")
    assert [problem.pointer for problem in verdict.problems] == [f"/by_year/{key}"]
    assert verdict.problems[0].found == "the number 5"


def test_of_keys_that_cannot_be_told_apart_no_value_is_shown() -> None:
    judge = intake(registered(documents={"1.0.0": DIGITS}, privacy={"/007": "hmac"}))
    verdict = one(judge, {"schema": "Click", "event": {"7": "fine", "007": 12345}})
    assert verdict.outcome is Outcome.INVALID
    assert "12345" not in str(verdict.problems)
    assert "12345" not in verdict.line.decode()
