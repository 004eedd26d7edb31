"""Which version a document becomes."""

from typing import Any

from eventlogging.registry.bump import Bump, bump
from eventlogging.schema.compatibility import Change
from eventlogging.schema.version import Level, Version

V = Version.parse


def document(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
        "required": list(required),
        "additionalProperties": False,
    }


ONE = document(a="integer")
WIDER = document(a="integer", b="string")
OTHER = document(a="string")


def decide(
    published: dict[str, Any],
    new: dict[str, Any],
    given: str | None = None,
    override: str | None = None,
    stiff: tuple[Change, ...] = (),
) -> Bump:
    known = {Version.parse(text): held for text, held in published.items()}
    asked = Version.parse(given) if given else None
    return bump("Edit", known, new, asked, override, lambda version: stiff)  # type: ignore[arg-type]


STIFF = (Change("/a", Level.MAJOR, "event_a cannot hold texts", "column_cannot_hold"),)


def test_the_first_version_is_one() -> None:
    assert decide({}, ONE).version == V("1.0.0")
    assert decide({}, ONE, given="2.3.4").version == V("2.3.4")


def test_the_version_follows_from_what_changed() -> None:
    assert decide({"1.0.0": ONE}, WIDER).version == V("1.1.0")
    assert decide({"1.0.0": ONE}, OTHER).version == V("2.0.0")
    assert decide({"1.0.0": ONE}, {**ONE, "description": "Edits"}).version == V("1.0.1")


def test_the_order_of_keys_does_not_count() -> None:
    turned = dict(reversed(list(ONE.items())))
    for given in (None, "1.0.0"):
        found = decide({"1.0.0": ONE}, turned, given)
        assert found.identical
        assert found.version == V("1.0.0")
        assert not found.conflicts


def test_another_way_of_writing_the_same_is_a_patch() -> None:
    found = decide({"1.0.0": ONE}, {**ONE, "maxProperties": 3}, None)
    assert found.level is Level.MAJOR
    found = decide({"1.0.0": {**ONE, "minProperties": 0}}, ONE)
    assert found.version == V("1.0.1")
    assert found.changes


def test_a_published_version_never_changes() -> None:
    found = decide({"1.0.0": ONE}, WIDER, given="1.0.0", override="I insist")
    assert not found.identical
    assert "never changes" in found.conflicts[0]


def test_a_larger_version_than_needed_is_accepted() -> None:
    for given in ("1.1.0", "1.7.2", "2.0.0", "9.0.0"):
        found = decide({"1.0.0": ONE}, WIDER, given)
        assert not found.conflicts
        assert found.version == V(given)


def test_a_smaller_version_than_needed_is_a_conflict_that_a_reason_overrides() -> None:
    found = decide({"1.0.0": ONE}, OTHER, "1.1.0")
    assert "too small" in found.conflicts[0]
    assert "2.0.0" in found.conflicts[0]
    assert not decide({"1.0.0": ONE}, OTHER, "1.1.0", "nobody sent it yet").conflicts


def test_a_version_before_a_published_one_is_a_conflict_even_with_a_reason() -> None:
    found = decide({"1.0.0": ONE, "1.2.0": WIDER}, {**WIDER, "title": "x"}, "1.1.0", "why not")
    assert "comes before 1.2.0" in found.conflicts[0]


def test_an_older_major_goes_on_from_its_own_latest() -> None:
    published = {"1.0.0": ONE, "2.0.0": OTHER}
    found = decide(published, WIDER, "1.1.0")
    assert not found.conflicts
    assert found.previous == V("1.0.0")
    assert found.computed == V("1.1.0")


def test_what_breaks_an_older_major_gets_a_free_number() -> None:
    published = {"1.0.0": ONE, "2.0.0": OTHER}
    found = decide(published, document(a="boolean"), "1.1.0")
    assert found.computed == V("3.0.0")
    assert found.conflicts


def test_a_major_between_two_others_may_be_filled() -> None:
    published = {"1.0.0": ONE, "3.0.0": OTHER}
    assert not decide(published, document(a="boolean"), "2.0.0").conflicts


def test_a_column_that_cannot_hold_it_makes_it_major_and_no_reason_mends_that() -> None:
    assert decide({"1.0.0": ONE}, WIDER, stiff=STIFF).version == V("2.0.0")
    assert STIFF[0] in decide({"1.0.0": ONE}, WIDER, stiff=STIFF).changes
    refused = decide({"1.0.0": ONE}, WIDER, "1.1.0", "small table", STIFF)
    assert "no override mends that" in refused.conflicts[0]
    assert "event_a cannot hold texts" in refused.conflicts[0]
