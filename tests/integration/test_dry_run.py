"""The dry run: what a proposed schema says to events that came, told with samples."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.review.dry_run import DryRun, dry_run, percent
from tests.console import House

THIN = "\N{THIN SPACE}"
PLAY: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title"],
    "properties": {
        "title": {"type": "string", "maxLength": 80},
        "duration": {"type": "number"},
        "quality": {"enum": ["low", "high"]},
        "userId": {"type": "integer"},
        "mail": {"type": "string"},
        "secret": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "at": {"type": "object", "properties": {"x": {"type": "number"}}},
    },
}
PRIVACY = {"/userId": "hmac", "/mail": "hmac", "/secret": "drop"}


def changed(**fields: Any) -> dict[str, Any]:
    """The schema with these fields said otherwise; None takes one away."""
    document = copy.deepcopy(PLAY)
    document["properties"] |= fields
    document["properties"] = {k: v for k, v in document["properties"].items() if v is not None}
    return document


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    house = House(database_url, tmp_path / "var")
    yield house
    house.close()


@pytest.fixture
def played(house: House) -> House:
    """A house in which the schema Play is published with its private fields."""
    house.publish("Play", PLAY, privacy=PRIVACY)
    return house


def send(house: House, *events: dict[str, Any], received: int | None = None) -> None:
    house.send(*({"schema": "Play", "event": event} for event in events), received=received)


def run(house: House, document: Any, name: str = "Play", **more: Any) -> DryRun:
    house.platform.registry.refresh()
    settings: dict[str, Any] = {"privacy": PRIVACY, "now_ms": clock.now_ms()} | more
    return dry_run(
        house.platform.database, house.platform.registry.snapshot, name, document, **settings
    )


def test_the_answer_is_one_sentence_with_its_reasons(played: House) -> None:
    send(
        played,
        *({"title": "a", "duration": n + 0.5} for n in range(49)),
        {"title": "a", "quality": "low"},
        {"title": "a", "speed": 3},
    )
    send(played, *({"title": "a", "duration": n} for n in range(2000)))
    found = run(played, changed(duration={"type": "integer"}, quality={"const": "high"},
                                speed={"type": "integer"}))  # fmt: skip
    assert found.sentence == (
        f"Of 2{THIN}051 events of the last 7 days, 50 now valid would be refused: "
        '98 % `duration` is a number, not an integer · 2 % `quality` is not "high"; '
        "1 invalid one would pass"
    )
    assert (found.total, found.looked_at, found.valid_now, found.refused_now) == (
        2051, 2051, 2050, 1
    )  # fmt: skip
    assert (found.newly_refused, found.newly_valid, found.complete) == (50, 1, True)
    assert not found.sampled
    first, second = found.reasons
    assert (first.pointer, first.rule, first.count, first.share) == ("/duration", "type", 49, 0.98)
    assert json.loads(first.sample)["duration"] % 1 == 0.5
    assert second.pointer == "/quality"
    assert [json.loads(text) for text in found.newly_valid_samples] == [{"title": "a", "speed": 3}]


def test_the_same_schema_changes_nothing(played: House) -> None:
    send(played, {"title": "a", "userId": 7, "mail": "a@b.org", "secret": "s"}, {"title": 3})
    found = run(played, PLAY)
    assert found.sentence == (
        "Of 2 events of the last 7 days, none now valid would be refused; no invalid one would pass"
    )
    assert found.reasons == ()


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({**PLAY, "required": ["title", "quality"]}, "`quality` is missing"),
        (changed(tags=None), "`tags` is not declared"),
        (changed(tags={"type": "array", "items": {"type": "integer"}}),
         "`tags[]` is a text, not an integer"),
        (changed(tags={"type": ["array", "null"], "maxItems": 1}), "`tags` has more than 1 item"),
        (changed(title={"type": "string", "maxLength": 3}), "`title` is longer than 3 characters"),
        (changed(title={"enum": ["a", "b"]}), "`title` is not among the values listed"),
        (changed(title={"type": "string", "pattern": "^a"}), '`title` does not match "^a"'),
        (changed(title={"type": "string", "format": "uuid"}), "`title` is not of the format uuid"),
        (changed(title={"type": "boolean"}), "`title` is a text, not true or false"),
        (changed(duration={"minimum": 10}), "`duration` is less than 10"),
        (changed(at={"type": "object", "properties": {"x": {"type": "string"}}}),
         "`at.x` is a number, not a text"),
        (changed(title={"anyOf": [{"type": "null"}, {"minLength": 90}]}),
         "`title` fits none of the forms that the schema offers"),
        ({**PLAY, "minProperties": 9}, "the event has fewer than 9 fields"),
    ],
)  # fmt: skip
def test_each_reason_says_what_is_wrong_in_plain_words(
    tmp_path: Path, document: Any, sentence: str
) -> None:
    house = House(f"sqlite:///{tmp_path / 'db'}", tmp_path / "var")
    house.publish("Play", PLAY)
    send(house, {"title": "A long song", "duration": 2, "tags": ["x", "y"], "at": {"x": 1.5}})
    assert [reason.sentence for reason in run(house, document, privacy={}).reasons] == [sentence]
    house.close()


def test_many_kinds_of_one_fault_are_one_reason(played: House) -> None:
    document = changed(duration={})
    played.publish("Play", document, privacy=PRIVACY)
    send(played, *({"title": "a", "duration": value} for value in ("x", "y", None, [1], 2)))
    (reason,) = run(played, changed(duration={"type": ["number", "boolean"]})).reasons
    assert (
        reason.sentence == "`duration` is a text or a list or null, not true or false or a number"
    )
    assert reason.count == 4


def test_values_that_privacy_hid_are_neither_judged_nor_shown(played: House) -> None:
    send(played, {"title": "ab", "userId": 12, "mail": "ann@example.org", "secret": "hush"})
    document = changed(
        userId={"type": "string", "pattern": "^u"},
        mail={"type": "string", "format": "email"},
        title={"type": "string", "maxLength": 1},
    )
    document["required"] = ["title", "secret", "userId"]
    found = run(played, document)
    (reason,) = found.reasons
    assert reason.sentence == "`title` is longer than 1 character"
    assert json.loads(reason.sample) == {"title": "ab", "userId": "(private)", "mail": "(private)"}
    assert set(found.notes) == {
        "`userId` is stored as a hash; its values were not judged",
        "`mail` is stored as a hash; its values were not judged",
        "`secret` is not stored; whether it was sent was not judged",
    }


def test_what_is_missing_or_null_is_judged_of_a_hashed_field_too(played: House) -> None:
    send(played, {"title": "a"}, {"title": "b", "mail": "ann@example.org"})
    found = run(played, {**PLAY, "required": ["mail"]})
    assert [reason.sentence for reason in found.reasons] == ["`mail` is missing"]
    # Any text will do for this field, and a hash is one.
    assert not any("mail" in note for note in found.notes)


def test_a_private_field_that_goes_is_a_reason_of_its_own(played: House) -> None:
    send(played, {"title": "a", "mail": "ann@example.org", "userId": 3, "secret": "s"})
    found = run(played, changed(mail=None, userId=None, secret=None))
    assert {reason.sentence for reason in found.reasons} == {
        "`mail` is not declared",
        "`userId` is not declared",
    }


def test_private_fields_of_items_are_left_out_as_well(house: House) -> None:
    person = {"type": "object", "properties": {"mail": {"type": "string"}, "pin": {}}}
    document = {"type": "object", "properties": {"people": {"type": "array", "items": person}}}
    privacy = {"/people/*/mail": "hmac", "/people/*/pin": "drop"}
    house.publish("Play", document, privacy=privacy)
    send(house, {"people": [{"mail": "ann@example.org", "pin": 1234}, {"mail": "b@c.org"}]})
    stricter = copy.deepcopy(document)
    inner = stricter["properties"]["people"]["items"]
    inner["properties"]["mail"] = {"type": "string", "maxLength": 9}
    inner["required"] = ["mail", "pin"]
    assert run(house, stricter, privacy=privacy).newly_refused == 0
    inner["required"] = ["mail", "name"]
    (reason,) = run(house, stricter, privacy=privacy).reasons
    assert reason.sentence == "`people[].name` is missing"
    assert "example.org" not in reason.sample and reason.sample.count("(private)") == 2


def test_values_that_are_not_listed_are_counted_beside_the_sentence(played: House) -> None:
    send(played, *({"title": title} for title in ("b", "c", "c", "d", "e", "e", "e")))
    (reason,) = run(played, changed(title={"enum": ["b"]})).reasons
    assert reason.sentence == "`title` is not among the values listed"
    assert reason.values == ('"e"', '"c"', '"d"')


def test_a_rule_over_private_fields_is_left_out_with_a_note(played: House) -> None:
    send(played, {"title": "a", "userId": 3})
    one = {"required": ["title"], "properties": {"userId": {"type": "integer"}}}
    found = run(played, {**PLAY, "anyOf": [one, {"required": ["tags"]}]})
    assert found.newly_refused == 0
    assert "the event: the rule 'anyOf' looks at private fields; it was not judged" in found.notes


def test_hashes_of_an_earlier_privacy_are_not_judged_either(house: House) -> None:
    house.publish("Play", PLAY, privacy=PRIVACY)
    send(house, {"title": "a", "mail": "ann@example.org"})
    house.publish("Play", changed(more={"type": "string"}), privacy={})
    found = run(house, changed(mail={"type": "string", "maxLength": 5}), privacy={})
    assert found.newly_refused == 0


def test_private_values_of_the_proposal_are_masked_as_well(played: House) -> None:
    send(played, {"title": "Ann's own song", "tags": ["a", "b"]})
    privacy = {**PRIVACY, "/title": "hmac", "/tags/*": "drop"}
    (reason,) = run(played, changed(title={"enum": ["a"]}), privacy=privacy).reasons
    assert reason.values == ()
    assert json.loads(reason.sample) == {"title": "(private)", "tags": ["(private)"] * 2}


def test_invalid_events_are_judged_as_they_were_wrapped(house: House) -> None:
    house.publish("Play", PLAY)
    house.send(
        {"schema": "Play", "event": {"title": 1}},
        {"$schema": "/Play/1.0.0", "meta": {"id": "a", "dt": "2026-11-22T00:00:00Z"}, "title": 2},
        {"schema": "Play", "event": {"title": "a", "quality": "medium"}},
        {"schema": "Play", "version": "9.0.0", "event": {"title": "a"}},
    )
    found = run(house, changed(title={"type": ["string", "integer"]}), privacy={})
    assert (found.refused_now, found.newly_valid) == (4, 2)
    assert [json.loads(text) for text in sorted(found.newly_valid_samples)] == [
        {"title": 1}, {"title": 2}
    ]  # fmt: skip
    assert found.sentence.endswith("; 2 invalid ones would pass")


def test_an_invalid_event_that_is_kept_in_part_only_is_noted(played: House) -> None:
    send(played, {"title": 1}, {"title": 2})
    with played.platform.database.write() as connection:
        rows = connection.execute(sa.text("SELECT raw FROM Play_invalid")).scalars().all()
        connection.execute(
            sa.text("UPDATE Play_invalid SET raw = :cut WHERE raw = :raw"),
            {"cut": rows[0][:-5], "raw": rows[0]},
        )
    found = run(played, changed(title={"type": "integer"}))
    assert (found.refused_now, found.newly_valid) == (2, 1)
    assert found.notes[-1] == "1 invalid event is kept in part only and could not be judged"


def test_defaults_mend_what_they_would_mend(house: House) -> None:
    wanting = {**changed(kind={"type": "string", "default": "song"}), "required": ["title", "kind"]}
    for setting, refused in (("always", 0), ("never", 1), ("eventgate", 0)):
        name = f"Play_{setting}"
        house.publish(name, PLAY, fill_defaults=setting)
        house.send({"schema": name, "event": {"title": "a"}})
        found = run(house, wanting, name, privacy={})
        assert found.newly_refused == refused, setting
        assert any("defaults" in note for note in found.notes) == (setting == "eventgate")


def test_all_majors_and_only_the_days_asked_for_are_looked_at(played: House) -> None:
    now = clock.now_ms()
    send(played, {"title": "old"}, received=now - 8 * clock.DAY_MS)
    send(played, {"title": "new"}, received=now - 2 * clock.DAY_MS)
    played.publish("Play", changed(title={"type": "integer"}), privacy=PRIVACY)
    send(played, {"title": 5})
    found = run(played, changed(title={"type": "boolean"}))
    assert (found.total, found.looked_at, found.newly_refused) == (2, 2, 2)
    assert run(played, PLAY, days=30).looked_at == 3


def test_a_sample_is_even_over_the_days_and_says_that_it_is_one(played: House) -> None:
    now = clock.now_ms()
    for day in range(5):
        events = [{"title": f"day {day}", "duration": n} for n in range(100)]
        send(played, *events, received=now - day * clock.DAY_MS)
    found = run(played, changed(title={"enum": ["x"]}), most=50)
    assert (found.looked_at, found.total, found.sampled, found.complete) == (50, 500, True, True)
    assert found.sentence.startswith("Of a sample of 50 of 500 events of the last 7 days, 50 now")
    assert run(played, changed(title={"enum": [f"day {n}" for n in (0, 1, 3, 4)]}),
               most=50).newly_refused == 10  # fmt: skip


def test_invalid_events_have_a_part_of_the_sample_of_their_own(played: House) -> None:
    send(played, *({"title": "a", "duration": n} for n in range(100)))
    send(played, *({"title": n} for n in range(100)))
    found = run(played, PLAY, most=50)
    assert (found.valid_now, found.refused_now) == (40, 10)


def test_a_run_out_of_time_gives_what_it_has(played: House) -> None:
    send(played, *({"title": "a", "duration": n} for n in range(300)))
    found = run(played, PLAY, seconds=0.0)
    assert not found.complete
    assert found.looked_at < 300
    assert "a sample of" in found.sentence or found.looked_at == 0


def test_without_traffic_the_sentence_says_so(played: House) -> None:
    assert run(played, PLAY).sentence == "Nothing to run it on: no event came in the last 7 days"
    assert run(played, PLAY, "Brandnew").sentence == (
        "Nothing to run it on: no version of this schema is published yet"
    )


@pytest.mark.parametrize(
    "document",
    [None, 5, "{", [], {}, {"type": "nothing"}, {"$ref": "/Nobody/1.0.0"}, {"$schema": "x:"}],
)
def test_a_document_that_is_none_is_not_run(tmp_path: Path, document: Any) -> None:
    house = House(f"sqlite:///{tmp_path / 'db'}", tmp_path / "var")
    house.publish("Play", PLAY)
    found = run(house, document)
    assert found.problems
    assert found.sentence == "Not run: the schema itself has problems"
    house.close()


def test_references_to_registered_schemas_are_followed(played: House) -> None:
    send(played, {"title": "a"})
    refers = {"type": "object", "properties": {"title": {"$ref": "/Play/1.0.0#/properties/tags"}}}
    (reason,) = run(played, refers).reasons
    assert reason.sentence == "`title` is a text, not a list"


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "100 %"), (0.999, "99 %"), (0.98, "98 %"), (0.004, "under 1 %"), (0.0, "0 %")],
)
def test_a_share_is_never_rounded_to_none_or_all(share: float, text: str) -> None:
    assert percent(share) == text
