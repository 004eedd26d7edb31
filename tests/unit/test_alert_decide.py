"""What rules say of figures, and what is decided about it: without a clock or a database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlogging import clock
from eventlogging.alerts.decide import AGAIN_MS, Close, GoOn, Open, TellOthers, Wake, decide
from eventlogging.alerts.episode import Episode
from eventlogging.alerts.figures import (
    Counts,
    Figures,
    Growth,
    JobState,
    ProofRun,
    Spans,
)
from eventlogging.alerts.judge import ABOVE, BELOW, BETWEEN, Fact, judge
from eventlogging.alerts.loosen import loosened
from eventlogging.alerts.mask import marked
from eventlogging.alerts.rules import Rule, recipients_of, rules_of, webhooks_of
from eventlogging.event import UNKNOWN
from eventlogging.schema.masking import masked

NOW = 1_795_330_800_000  # 2026-11-22 07:00 UTC
MINUTE = 60_000


def rule(kind: str, schema: str = "Click", **values: float) -> Rule:
    return Rule(kind, schema, values)


def throughput(schema: str = "Click") -> Rule:
    return rule(
        "throughput", schema, above_per_second=200, window_minutes=5, rearm_below_per_second=160
    )


def invalid(schema: str = "Click") -> Rule:
    return rule(
        "invalid", schema, above_percent=5, window_minutes=15, at_least_events=20,
        rearm_below_percent=2,
    )  # fmt: skip


def figures(**more: Any) -> Figures:
    return Figures(NOW, **more)


def state(one: Rule, found: Figures) -> str:
    (fact,) = judge([one], found)
    return fact.state


# what rules say


@pytest.mark.parametrize(
    ("events", "expected"),
    [(60_001, ABOVE), (60_000, BETWEEN), (48_000, BETWEEN), (47_999, BELOW), (0, BELOW)],
)
def test_throughput_is_the_mean_over_the_window(events: int, expected: str) -> None:
    found = figures(windows={5: {"Click": Counts(events - events // 10, events // 10)}})
    assert state(throughput(), found) == expected


def test_what_was_not_measured_gives_no_fact() -> None:
    all_of_them = [throughput(), invalid(), rule("silent", after_minutes=5)]
    all_of_them += [rule("lag", "", above_seconds=1, rearm_below_seconds=1)]
    assert judge(all_of_them, figures()) == []


def test_all_together_say_nothing_that_a_schema_says_already() -> None:
    counts = {"Click": Counts(90_000), "Other": Counts(30_000)}
    facts = judge([throughput(), throughput("Other"), throughput("")], figures(windows={5: counts}))
    assert {fact.subject: fact.state for fact in facts} == {
        "Click": ABOVE, "Other": BELOW, "": BETWEEN,
    }  # fmt: skip


def test_many_schemas_that_are_fine_alone_may_be_too_much_together() -> None:
    counts = {f"S{number}": Counts(10_000) for number in range(7)}
    facts = judge([throughput(""), *map(throughput, counts)], figures(windows={5: counts}))
    assert [fact.subject for fact in facts if fact.state == ABOVE] == [""]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Counts(94, 6), ABOVE),
        (Counts(95, 5), BETWEEN),
        (Counts(99, 1), BELOW),
        (Counts(0, 19), BETWEEN),
        (Counts(0, 20), ABOVE),
        (Counts(), BELOW),
    ],
)
def test_invalid_is_a_share_of_enough_events(counts: Counts, expected: str) -> None:
    assert state(invalid(), figures(windows={15: {"Click": counts}})) == expected


def test_a_flood_of_unknown_names_is_told_of_as_all_together() -> None:
    counts = {"Click": Counts(100), UNKNOWN: Counts(0, 30)}
    assert state(invalid(""), figures(windows={15: counts})) == ABOVE


def test_silence_counts_only_where_everything_is_loaded() -> None:
    silent = rule("silent", after_minutes=30)
    assert state(silent, figures(heard={"Click": None})) == ABOVE
    assert state(silent, figures(heard={"Click": 30.0})) == BELOW
    assert judge([silent], figures(heard={"Click": None}, behind=True)) == []
    assert judge([silent], figures(heard={})) == [], "it never had an event"


RHYTHM = rule("rhythm", weeks=3, at_least_events=50)


@pytest.mark.parametrize(
    ("now", "past", "expected"),
    [
        (0, (50, 60, 70), ABOVE),
        (0, (50, 60, 49), BETWEEN),  # one week was as quiet
        (0, (500, 500), BETWEEN),  # too young to have a rhythm
        (1, (500, 500, 500), BELOW),
        (0, (3, 2, 4), BETWEEN),  # rare
        (0, (0, 0, 0), BETWEEN),
    ],
)
def test_a_schema_is_silent_against_its_own_weeks(
    now: int, past: tuple[int, ...], expected: str
) -> None:
    assert state(RHYTHM, figures(rhythm={60: {"Click": Spans(now, past)}})) == expected


def test_a_longer_span_notices_what_the_hour_cannot() -> None:
    found = {60: {"Click": Spans(0, (5, 9, 4))}, 1440: {"Click": Spans(0, (90, 80, 99))}}
    (fact,) = judge([RHYTHM], figures(rhythm=found))
    assert (fact.state, fact.value, fact.told["usual"]) == (ABOVE, 1440.0, 90)
    assert judge([RHYTHM], figures(rhythm=found, behind=True))[0].state == BETWEEN


VOLUME = rule("volume", weeks=6, deviations=6, at_least_events=500)


@pytest.mark.parametrize(
    ("now", "past", "expected"),
    [
        (1000, (1000, 1010, 990, 1005), BELOW),
        (1500, (1000, 1010, 990, 1005), BELOW),  # ten percent and chance are usual
        (2000, (1000, 1010, 990, 1005), ABOVE),
        (2000, (1000, 1010, 9_000, 1005, 1000), ABOVE),  # one odd week moves nothing
        (9000, (1000, 20_000, 4_000, 9_000), BELOW),  # it always varied
        (5, (1000, 1010, 990, 1005), ABOVE),
        (0, (1000, 1010, 990, 1005), BETWEEN),  # silence is not ours
        (4000, (1000, 1010), BELOW),  # too young
        (4000, (1000, 0, 0, 1010), BELOW),
        (400, (20, 30, 25), BELOW),  # too few to matter
    ],
)
def test_volume_is_unusual_against_the_same_hour_of_past_weeks(
    now: int, past: tuple[int, ...], expected: str
) -> None:
    assert state(VOLUME, figures(volume={"Click": Spans(now, past)})) == expected


@pytest.mark.parametrize(
    ("growth", "expected"),
    [
        (Growth(100_000, 100_000, 0), BELOW),
        (Growth(100_000, 49_000, 51_000), ABOVE),
        (Growth(100_000, 80_000, 20_000), BETWEEN),
        (Growth(500, 0, 500), BETWEEN),
        (Growth(0, 0, 0), BELOW),
    ],
)
def test_stored_is_held_against_accepted(growth: Growth, expected: str) -> None:
    one = rule(
        "stored", "", below_percent=50, window_minutes=5, at_least_bytes=20_000,
        rearm_above_percent=90,
    )  # fmt: skip
    assert state(one, figures(growth={5: growth}, host="h")) == expected


def test_residuals_that_cancel_each_other_count_both() -> None:
    one = rule("unexplained", "", above_events=0, window_minutes=60)
    assert state(one, figures(residual={60: {"A": 3, "B": -3}})) == ABOVE
    assert state(one, figures(residual={60: {}})) == BELOW


def test_disk_database_lag_and_jobs_have_their_limits() -> None:
    disk = rule("disk", "", below_gigabytes=5, rearm_above_gigabytes=6)
    assert [state(disk, figures(free_bytes=n * 10**8)) for n in (49, 55, 61)] == [
        ABOVE, BETWEEN, BELOW,
    ]  # fmt: skip
    database = rule("database", "", above_percent=85, rearm_below_percent=75)
    assert state(database, figures(database_percent=86.0)) == ABOVE
    lag = rule("lag", "", above_seconds=300, rearm_below_seconds=60)
    assert state(lag, figures(lag_seconds=301.0)) == ABOVE
    late = rule("jobs", "", late_minutes=60)
    jobs = (
        JobState("a", "d", "done", ""), JobState("b", "d", "failed", "x"),
        JobState("c", "d", "done", "", 61), JobState("e", "d", "", "", 60),
    )  # fmt: skip
    assert [fact.state for fact in judge([late], figures(jobs=jobs))] == [
        BELOW, ABOVE, ABOVE, BELOW,
    ]  # fmt: skip


def proof(outcome: str = "done", age: float = 0.5, job: str = "retention-verify") -> ProofRun:
    return ProofRun(job, "2026-11-21@here", outcome, "why", age)


@pytest.mark.parametrize(
    ("proofs", "watched", "expected"),
    [
        ([proof()], 0, BELOW),
        ([proof("failed")], 0, ABOVE),
        ([proof(), proof("failed", job="opt-out-canary")], 0, ABOVE),
        ([proof(), proof("warning", job="opt-out-canary")], 0, BELOW),
        ([proof(), proof("failed", age=30)], 0, BELOW),  # of a host that is gone
        ([proof(age=2.5)], 60, ABOVE),
        ([proof(age=2.5)], 59, BETWEEN),  # just started: it will be made good
        ([proof(age=2.5), proof(age=0.1)], 60, BELOW),
        ([], 60, ABOVE),
        ([], 0, BETWEEN),
        ([proof(job="opt-out-canary")], 60, ABOVE),
    ],
)
def test_the_certificate_must_be_clean_and_young(
    proofs: list[ProofRun], watched: float, expected: str
) -> None:
    one = rule("certificate", "", after_days=2)
    assert state(one, figures(proofs=tuple(proofs), watched_minutes=watched)) == expected


def test_what_the_certificate_names_comes_before_the_canary() -> None:
    one = rule("certificate", "", after_days=2)
    runs = (proof("failed", job="opt-out-canary"), proof("failed"))
    (fact,) = judge([one], figures(proofs=runs))
    assert fact.told["job"] == "retention-verify"
    assert not judge([one], figures()), "not measured"


# which rules are in force


def test_a_file_of_a_schema_replaces_what_it_states() -> None:
    five = {"above_per_second": 5, "window_minutes": 1, "rearm_below_per_second": 1}
    documents = {
        ("alerts", "default.toml"): {
            "recipients": ["all@example.org"], "webhooks": ["https://a.example/"],
            "throughput": {**five, "above_per_second": 200},
            "rhythm": {"weeks": 3, "at_least_events": 50},
            "lag": {"above_seconds": 300, "rearm_below_seconds": 60},
        },
        ("alerts", "Click.toml"): {
            "recipients": [], "throughput": five, "silent": {"after_minutes": 5},
        },
    }  # fmt: skip
    found = rules_of(documents, {"Click": "published", "Old": "retired", "New": "published"})
    assert [(one.kind, one.schema) for one in found] == [
        ("throughput", ""), ("lag", ""), ("throughput", "Click"), ("silent", "Click"),
        ("throughput", "New"), ("rhythm", "New"), ("throughput", "Old"),
    ]  # fmt: skip
    assert {one.schema: one.values["above_per_second"] for one in found[:5:2]} == {
        "": 200, "Click": 5, "New": 200,
    }  # fmt: skip
    assert recipients_of(documents, "Click") == ()
    assert recipients_of(documents, "New") == recipients_of(documents, "") == ("all@example.org",)
    assert webhooks_of(documents, "Click") == ("https://a.example/",)


# what is decided


def fact(how: str = ABOVE, subject: str = "Click", kind: str = "throughput") -> Fact:
    return Fact(Rule(kind, subject if "@" not in subject else ""), subject, how, 1.0)


def episode(minutes_ago: float = 10, **more: Any) -> Episode:
    opened = clock.iso(NOW - round(minutes_ago * MINUTE))
    detail = {"subject": more.pop("subject", "Click"), "measured_at": more.pop("measured", opened)}
    return Episode(1, more.pop("rule", "throughput"), "Click", opened, 1.0, detail, **more)


def decided(facts: list[Fact], *standing: Episode, known: tuple[str, ...] = ()) -> list[Any]:
    scope = {"throughput", "jobs"}
    return decide(facts, standing, NOW, scope=scope, known={"throughput:Click", *known})


def test_above_opens_once_goes_on_and_below_closes() -> None:
    assert decided([fact()]) == [Open(fact())]
    standing = episode()
    assert decided([fact()], standing) == [GoOn(standing, fact())]
    assert decided([fact(BETWEEN)], standing) == [GoOn(standing, fact(BETWEEN))]
    assert decided([fact(BELOW)], standing) == [Close(standing, fact(BELOW))]
    assert decided([fact(BETWEEN)]) == decided([fact(BELOW)]) == []


def test_an_episode_that_was_not_measured_goes_on_unless_its_rule_is_gone() -> None:
    standing = episode()
    assert decided([], standing) == []
    assert decide([], [standing], NOW, scope={"throughput"}, known=()) == [Close(standing, None)]
    assert decide([], [standing], NOW, scope={"lag"}, known=()) == [], "not ours to say"


def test_an_episode_of_a_host_that_is_gone_ends_after_a_day() -> None:
    here = episode(3000, rule="lag", subject="@gone", measured=clock.iso(NOW - 60 * MINUTE))
    lost = episode(3000, rule="lag", subject="@gone", measured=clock.iso(NOW - 25 * 60 * MINUTE))
    acted = {"acknowledged_at": clock.iso(NOW)}
    assert decided([], replace(here, **acted)) == []
    assert decided([], lost) == [Close(lost, None)]


def test_a_snooze_ends_and_outlasts() -> None:
    asleep = episode(snoozed_until=clock.iso(NOW + MINUTE))
    assert decided([fact()], asleep) == [GoOn(asleep, fact())]
    awake = episode(snoozed_until=clock.iso(NOW))
    assert decided([fact()], awake) == [GoOn(awake, fact()), Wake(awake, fact())]
    over = replace(asleep, closed_at=clock.iso(NOW - MINUTE))
    assert decided([fact()], over) == [Open(fact(), asleep.snoozed_until)]
    assert decided([fact(subject="Other")], over) == [Open(fact(subject="Other"))]


def test_others_are_told_after_a_day_unless_somebody_acted() -> None:
    old = episode(AGAIN_MS / MINUTE)
    assert decided([fact()], old) == [GoOn(old, fact()), TellOthers(old, fact())]
    young = episode(AGAIN_MS / MINUTE - 1)
    acted = replace(old, acknowledged_at=clock.iso(NOW))
    told = replace(old, told_again_at=clock.iso(NOW))
    asleep = replace(old, snoozed_until=clock.iso(NOW + MINUTE))
    for one in (young, acted, told, asleep):
        assert decided([fact()], one) == [GoOn(one, fact())]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([ABOVE, BETWEEN, BELOW]), max_size=30))
def test_whatever_happens_there_is_at_most_one_open_episode(states: list[str]) -> None:
    standing: list[Episode] = []
    for how in states:
        changes = decided([fact(how)], *standing)
        opened = [change for change in changes if isinstance(change, Open)]
        closed = [change for change in changes if isinstance(change, Close)]
        assert len(opened) + len(closed) <= 1
        if opened:
            assert how == ABOVE and not standing
            standing = [episode()]
        if closed:
            assert how == BELOW
            standing = []


# the ways out


DOCUMENT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "at"],
    "properties": {
        "id": {"type": "string", "maxLength": 3},
        "count": {"type": "integer", "maximum": 10},
        "kind": {"type": "string", "enum": ["a"]},
        "at": {"type": "object", "properties": {"x": {"type": ["integer", "null"]}}},
        "list": {"type": "array", "items": {"type": "string"}, "maxItems": 1},
    },
}


@pytest.mark.parametrize(
    ("rule_name", "place", "payload", "words", "path", "expected"),
    [
        ("type", ("count",), {"count": "7"}, "allow string beside integer", "count.type",
         ["integer", "string"]),
        ("type", ("count",), {"count": 1.5}, "fraction", "count.type", "number"),
        ("type", ("at", "x"), {"at": {"x": 0.5}}, "fraction", "at.properties.x.type",
         ["number", "null"]),
        ("type", ("list", "0"), {"list": [1]}, "allow integer", "list.items.type",
         ["string", "integer"]),
        ("enum", ("kind",), {"kind": "b"}, 'add "b"', "kind.enum", ["a", "b"]),
        ("maxLength", ("id",), {"id": "12345"}, "maxLength 5 instead of 3", "id.maxLength", 5),
        ("maximum", ("count",), {"count": 99}, "maximum 99", "count.maximum", 99),
        ("maxItems", ("list",), {"list": ["", ""]}, "maxItems 2", "list.maxItems", 2),
        ("additionalProperties", (), {"id": "", "new": True}, "declare new as boolean", "new.type",
         "boolean"),
    ],
)  # fmt: skip
def test_simple_faults_have_a_simple_change(
    rule_name: str, place: tuple[str, ...], payload: Any, words: str, path: str, expected: Any
) -> None:
    change = loosened(DOCUMENT, rule_name, place, payload)
    assert change is not None
    assert words in change[0]
    node: Any = change[1]["properties"]
    for step in path.split("."):
        node = node[step]
    assert node == expected


def test_a_field_need_not_be_there_any_more() -> None:
    change = loosened(DOCUMENT, "required", ("id",), {"at": {}})
    assert change is not None and change[1]["required"] == ["at"]


@pytest.mark.parametrize("rule_name", ["pattern", "oneOf", "not", ""])
def test_other_faults_have_none(rule_name: str) -> None:
    assert loosened(DOCUMENT, rule_name, ("id",), {"id": "x"}) is None
    assert loosened(DOCUMENT, "type", ("nowhere",), {"id": "x"}) is None
    for step in (5000 * "9", "²", "7"):
        assert loosened(DOCUMENT, "type", ("id", step), {"id": ["x"]}) is None


def test_the_document_itself_stays_as_it_is() -> None:
    before = repr(DOCUMENT)
    loosened(DOCUMENT, "enum", ("kind",), {"kind": "b"})
    assert repr(DOCUMENT) == before


# the event in the mail


def test_private_values_are_masked_wherever_they_lie() -> None:
    event = {"a": {"b": [1, {"c": "x"}]}, "d": 2, "e": None}
    assert masked(event, [("a", "b", "*", "c"), ("d",), ("e",)]) == {
        "a": {"b": [1, {"c": "(private)"}]}, "d": "(private)", "e": None,
    }  # fmt: skip
    assert masked(event, [("a",)])["a"] == "(private)"


def test_the_bad_line_is_marked_and_long_events_are_cut_around_it() -> None:
    assert marked({"a": 1, "b": {"c": [True]}}, ("b", "c", "0")).splitlines()[4].endswith("← here")
    assert marked({"a": 1}, ("b",)).splitlines()[0] == "{  ← here"
    many = {f"k{number}": number for number in range(200)}
    lines = marked(many, ("k150",)).splitlines()
    assert len(lines) <= 32 and any("k150" in line and "← here" in line for line in lines)
    assert lines[0] == lines[-1] == "…"
