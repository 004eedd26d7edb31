"""The pure parts of reviews: days, turns, differences, questions, tokens, letters."""

from datetime import UTC, datetime
from typing import Any

import pytest

from eventlogging.review import letters
from eventlogging.review.assign import Candidate, choose, fits
from eventlogging.review.differences import differences
from eventlogging.review.invitations import make_token, read_token
from eventlogging.review.questions import parse, unanswered
from eventlogging.review.working_days import add_working_days
from tests.servers import ROOT

TODAY = "2026-11-24"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# working days


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-11-23T10:00", 2, "2026-11-25T10:00"),  # Monday → Wednesday
        ("2026-11-26T10:00", 2, "2026-11-30T10:00"),  # Thursday → Monday
        ("2026-11-27T15:30", 4, "2026-12-03T15:30"),  # Friday → Thursday
        ("2026-11-28T09:00", 2, "2026-12-02T00:00"),  # Saturday → Wednesday, 0:00
        ("2026-11-29T23:59", 1, "2026-12-01T00:00"),  # Sunday → Tuesday, 0:00
        ("2026-11-28T09:00", 0, "2026-11-30T00:00"),
    ],
)
def test_time_at_a_weekend_does_not_count(start: str, days: int, end: str) -> None:
    assert add_working_days(at(start), days) == at(end)


def test_working_days_are_days_of_utc() -> None:
    start = datetime.fromisoformat("2026-11-28T00:30+01:00")  # Friday 23:30 UTC
    assert add_working_days(start, 1) == at("2026-11-30T23:30")


# turns


def person(email: str, *areas: str, **more: Any) -> Candidate:
    return Candidate(email, email.partition("@")[0], areas or ("*",), **more)


def chosen(*candidates: Candidate, admins: tuple[Candidate, ...] = (), **more: Any) -> str | None:
    words = {"schema": "analytics/Click", "excluded": (), "today": TODAY, **more}
    choice = choose(candidates, admins, **words)
    return choice.candidate.email if choice else None


def test_an_area_is_a_name_a_beginning_of_a_path_or_all() -> None:
    assert fits(("*",), "Click")
    assert fits(("analytics/",), "analytics/legacy/Click")
    assert fits(("Click",), "Click")
    assert not fits(("Click",), "ClickMore")
    assert not fits(("analytics",), "analytics/Click")
    assert not fits((), "Click")


def test_the_turn_goes_to_the_area_first_then_to_the_least_loaded() -> None:
    busy = person("busy@x", "analytics/", load=3)
    free = person("free@x", "analytics/", load=1)
    other = person("other@x", "Edit", load=0)
    assert chosen(busy, free, other) == "free@x"
    assert chosen(busy, other) == "busy@x"
    assert chosen(other) == "other@x"


def test_among_equals_the_longest_rest_decides_then_the_name() -> None:
    a = person("a@x", last_turn="2026-11-20T00:00:00.000Z")
    b = person("b@x", last_turn="2026-11-10T00:00:00.000Z")
    never = person("c@x")
    assert chosen(a, b) == "b@x"
    assert chosen(a, b, never) == "c@x"
    assert chosen(person("z@x"), person("y@x")) == "y@x"


def test_who_is_away_disabled_or_took_part_gets_no_turn() -> None:
    away = person("away@x", away_until=TODAY)
    back = person("back@x", away_until="2026-11-23", load=5)
    gone = person("gone@x", disabled=True)
    pm = person("pm@x")
    assert chosen(away, gone, pm, back, excluded={"pm@x"}) == "back@x"
    assert chosen(away, gone, pm, excluded={"pm@x"}) is None
    admins = (person("pm@x"), Candidate("root@x", "root"))
    assert chosen(away, gone, pm, excluded={"pm@x"}, admins=admins) == "root@x"
    assert chosen(back, admins=admins) == "back@x"


# differences


def body(fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"schema": {"type": "object", "properties": fields}, **more}


def test_the_difference_of_two_bodies_is_told_field_by_field() -> None:
    old = body({"a": {"type": "integer"}, "b": {"type": "string"}}, owners=["x@x"])
    new = body({"a": {"type": "number"}, "c": {"type": "string"}}, owners=["x@x", "y@y"])
    new["schema"]["required"] = ["a"]
    assert differences(old, new) == [
        "the field 'a' of the schema is required now",
        'the field \'a\': type was "integer" and is now "number"',
        "the field 'c' was added",
        "the field 'b' was removed",
        'owners was ["x@x"] and is now ["x@x", "y@y"]',
    ]
    assert differences(new, new) == []


def test_nested_fields_and_examples_have_names() -> None:
    old = body({"at": {"type": "object", "properties": {"x": {}}}}, examples=[{"name": "one"}])
    new = body({"at": {"type": "object", "properties": {"y": {}}}}, examples=[{"name": "two"}])
    assert differences(old, new) == [
        "the field 'at.y' was added",
        "the field 'at.x' was removed",
        "the example 'two' was added",
        "the example 'one' was removed",
    ]


def test_one_and_true_and_one_point_nothing_differ() -> None:
    assert differences(body({"a": {"const": 1}}), body({"a": {"const": 1.0}}))
    assert differences(body({"a": {"const": 1}}), body({"a": {"const": True}}))


@pytest.mark.parametrize(
    "odd", [None, 1, "x", [], [1], {"properties": 3}, {"properties": {"a": 1}}]
)
def test_bodies_of_any_form_can_be_compared(odd: Any) -> None:
    assert differences({"schema": odd}, {"schema": odd}) == []
    assert differences({"schema": odd}, body({"b": {}}))
    assert differences(body({"b": {}}), {"schema": odd, "examples": odd, "owners": odd})


# questions


def test_the_questions_are_those_of_request_md() -> None:
    asked = parse((ROOT / "reviewers" / "request.md").read_text("utf-8"))
    assert [one.key for one in asked] == [
        "question", "fields", "people", "volume", "time", "owners", "end",
    ]  # fmt: skip
    assert asked[2].text.endswith("hashed or dropped in `schema.toml`, and why not the others?")
    missing = unanswered(asked, {one.key: "Yes." for one in asked if one.key != "end"})
    assert missing == [
        "the question 'End' has no answer: When will you know enough to stop logging this?"
    ]
    assert len(unanswered(asked, {"question": "  "})) == 7


def test_any_text_of_questions_can_be_read() -> None:
    assert parse("") == []
    assert [one.key for one in parse("Say why.")] == ["request"]
    twice = parse("1. **Why?** a\n2. **Why?** b\n3. no title\n\nAn end.\n")
    assert [one.key for one in twice] == ["why", "why-2", "question-3"]
    assert twice[2].text == "no title"


# tokens of invitations


def test_a_token_tells_the_address_it_was_made_for() -> None:
    token = make_token("secret", "Ann@Example.org")
    assert read_token("secret", token) == "ann@example.org"
    assert read_token("other", token) is None
    name, _, signature = token.partition(".")
    forged = make_token("secret", "bob@example.org").partition(".")[0]
    assert read_token("secret", f"{forged}.{signature}") is None
    for wrong in ("", ".", name, f"{name}.", f"{name}.ü", "ü.a", "a.b.c", "/w.x", "\ud800"):
        assert read_token("secret", wrong) is None


# letters


def test_a_subject_quotes_the_beginning_of_a_reason() -> None:
    assert letters.first_line("\n Too wide.\nAnd more.") == "Too wide."
    assert len(letters.first_line("x" * 500)) == 100
    assert letters.quoted("a\n\nb") == "> a\n>\n> b"
