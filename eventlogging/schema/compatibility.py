"""Compare two versions of a schema, so that the tool and not a person says how much it breaks.

    patch   only words for people changed
    minor   every event that was valid still is: fields added as optional, wider enums and bounds
    major   anything else, and all that cannot be followed

Two ways of writing the same conditions (key order, `$ref` or in place) are no change. One
convention stands against "still is valid": an optional field may be added to an *open* object,
although an event may have sent that name undeclared in another form; the change says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from eventlogging.schema import change_rules, combination_rules
from eventlogging.schema.change_rules import (
    Change,
    Spot,
    canonical,
    differ,
    keyword_changed,
    label,
)  # fmt: skip
from eventlogging.schema.combination_rules import combination_changes
from eventlogging.schema.field_rules import field_changes, item_changes
from eventlogging.schema.local_refs import CONTAINERS, Place, effective, notes, place_of
from eventlogging.schema.version import Level

__all__ = ["Change", "Comparison", "compare"]

_MOST_COMPARED = 30_000  # pairs of subschemas: about a second
_DEEPEST = 100
_HANDLED = (
    change_rules.KEYWORDS
    | combination_rules.KEYWORDS
    | CONTAINERS
    | {
        "required", "properties", "patternProperties", "additionalProperties",
        "unevaluatedProperties", "dependentRequired", "items", "additionalItems",
        "unevaluatedItems",
    }
)  # fmt: skip
# What decides which fields and items an `unevaluated…` around it still sees.
_EVALUATORS = (
    "additionalProperties", "patternProperties", "items", "prefixItems", "additionalItems",
    "unevaluatedProperties", "unevaluatedItems",
)  # fmt: skip
_DYNAMIC = frozenset({"$dynamicRef", "$recursiveRef"})


@dataclass(frozen=True)
class Comparison:
    """How much a new version changes, and each change; `level` is the largest change's."""

    level: Level
    changes: tuple[Change, ...]


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Comparison:
    """Return what changed from `old` to `new`, two documents that are valid JSON Schemas.

    Documents too large or too deep to compare within about a second count as major.
    """
    try:
        changes = _documents(old, new)
    except (_TooMuch, RecursionError):
        what = "the schemas are too large or too deeply nested to be compared"
        changes = [Change("", Level.MAJOR, what, "too_complex")]
    unique = tuple(dict.fromkeys(changes))
    return Comparison(max((change.level for change in unique), default=Level.NONE), unique)


def _documents(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    if canonical(old) == canonical(new):
        return []
    was, now = place_of(old), place_of(new)
    changes = []
    if was.draft != now.draft:
        what = f"the schema is written in JSON Schema {now.draft}, was {was.draft}"
        changes.append(Change("", Level.MAJOR, what, "draft_changed"))
    return changes + _Walk().compare(was, now, Spot())


class _TooMuch(Exception):
    """Raised when two documents are too large or too deep to compare in a second."""


@dataclass
class _Walk:
    """One comparison under way: how much was done, and which pairs are being compared."""

    compared: int = 0
    open: set[tuple[int, int, bool, bool]] = field(default_factory=set)

    def compare(self, old: Place, new: Place, at: Spot) -> list[Change]:
        """Return what changed between two subschemas for the same value."""
        self.compared += 1
        if self.compared > _MOST_COMPARED or len(self.open) > _DEEPEST:
            raise _TooMuch
        old, new = effective(old), effective(new)
        if not (isinstance(old.node, Mapping) and isinstance(new.node, Mapping)):
            return list(_accepted(old.node, new.node, at))
        key = (old.identity, new.identity, at.exact, at.evaluating)
        if key in self.open:
            return []  # a recursive schema: this pair is being compared further out
        self.open.add(key)
        try:
            return list(self._keywords(old, new, at))
        finally:
            self.open.discard(key)

    def _keywords(self, old: Place, new: Place, at: Spot) -> Iterator[Change]:
        if any("unevaluated" in keyword for side in (old, new) for keyword in side.node):
            at = replace(at, evaluating=True)
        yield from _words(old, new, at)
        drafts = (old.draft, new.draft)
        yield from change_rules.keyword_changes(old.node, new.node, at.pointer, drafts)
        yield from field_changes(self.compare, old, new, at)
        yield from item_changes(self.compare, old, new, at)
        yield from combination_changes(self.compare, old, new, at)
        yield from _not_understood(old, new, at)


def _accepted(old: Any, new: Any, at: Spot) -> Iterator[Change]:
    """Compare where a side is `false`, which accepts nothing."""
    if old is False and new is not False:
        what = f"{label(at.pointer)} is now accepted"
        yield Change(at.pointer, Level.MINOR, what, "accepted")
    elif new is False and old is not False:
        what = f"{label(at.pointer)} is no longer accepted"
        yield Change(at.pointer, Level.MAJOR, what, "refused")


def _words(old: Place, new: Place, at: Spot) -> Iterator[Change]:
    """Texts for people are a patch."""
    for keyword in sorted(notes(old.draft) & notes(new.draft)):
        if differ(old.node, new.node, keyword):
            what = f"the {keyword.strip('$')} of {label(at.pointer)} changed"
            yield Change(at.pointer, Level.PATCH, what, "text_changed")


def _not_understood(old: Place, new: Place, at: Spot) -> Iterator[Change]:
    """Any other keyword must stay as it is, and so must a reference that cannot be followed."""
    known = _HANDLED | (notes(old.draft) & notes(new.draft))
    if "draft4" not in (old.draft, new.draft):  # draft 4 does not know const
        known |= {"const"}
    if old.draft == new.draft == "2020-12":
        known |= {"prefixItems"}
    for keyword in sorted({*old.node, *new.node} - known):
        # what a dynamic reference means depends on the way that led to it
        if keyword in _DYNAMIC or differ(old.node, new.node, keyword):
            yield keyword_changed(keyword, at)
    if at.evaluating:
        for keyword in _EVALUATORS:
            if _shape(old, keyword) != _shape(new, keyword):
                yield keyword_changed(keyword, at)


def _shape(place: Place, keyword: str) -> int:
    """Return -1 where the keyword is absent, the length of a list, else 0."""
    value = place.get(keyword)
    return len(value) if isinstance(value, list) else -1 if keyword not in place.node else 0
