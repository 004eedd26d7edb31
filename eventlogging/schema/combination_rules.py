"""What changed in conditions that combine subschemas: allOf, anyOf, oneOf, not, if and their like.

An `anyOf` may gain alternatives, parts of an `allOf` may grow wider; under
`not`, `oneOf` and `if` wider may mean narrower, so only the same is safe.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from eventlogging.schema.change_rules import Change, Spot, canonical, keyword_changed, label
from eventlogging.schema.field_rules import Compare, covers
from eventlogging.schema.local_refs import Place
from eventlogging.schema.version import Level

_LISTS = ("allOf", "anyOf", "oneOf")
_EXACT = ("not", "contains", "propertyNames", "if", "then", "else")
_EXACT_MAPS = ("dependentSchemas", "dependencies")
KEYWORDS = frozenset((*_LISTS, *_EXACT, *_EXACT_MAPS))


def combination_changes(compare: Compare, old: Place, new: Place, at: Spot) -> Iterator[Change]:
    """Yield what changed under the keywords of `KEYWORDS`."""
    for keyword in _LISTS:
        yield from _listed(compare, old, new, at, keyword)
    for keyword in _EXACT:
        yield from _exact(compare, old, new, at, keyword)
    for keyword in _EXACT_MAPS:
        if not _same_map(compare, old, new, at, keyword):
            yield keyword_changed(keyword, at)


def _listed(compare: Compare, old: Place, new: Place, at: Spot, keyword: str) -> Iterator[Change]:
    """Compare two lists of conditions, whose order is free."""
    was = [old.child(schema) for schema in old.get(keyword, ())]
    now = [new.child(schema) for schema in new.get(keyword, ())]
    gain = keyword == "anyOf" and bool(was) and bool(now)
    yield from _take_same(compare, was, now, at)
    if keyword == "allOf" and len(was) == len(now):
        for before, after in zip(was, now, strict=True):
            yield from compare(before, after, at)
        return
    if gain:
        yield from _take_wider(compare, was, now, at)
        if now and not was:
            what = f"{label(at.pointer)} accepts {len(now)} more under anyOf"
            yield Change(at.pointer, Level.MINOR, what, "alternative_added")
            return
    if was or now:
        what = f"the conditions of {label(at.pointer)} under {keyword} changed"
        yield Change(at.pointer, Level.MAJOR, what, "combination_changed")


def _take_same(compare: Compare, was: list[Place], now: list[Place], at: Spot) -> Iterator[Change]:
    """Remove the pairs that mean the same from both lists; yield what changed in their words."""
    texts = {id(place): canonical(place.node) for place in (*was, *now)}
    for before in tuple(was):
        text = texts[id(before)]
        for after in sorted(now, key=lambda place: texts[id(place)] != text):
            changes = _same(compare, before, after, at)
            if changes is not None:
                yield from changes
                was.remove(before)
                now.remove(after)
                break


def _take_wider(compare: Compare, was: list[Place], now: list[Place], at: Spot) -> Iterator[Change]:
    """Remove from both lists each alternative that has become wider; yield how."""
    for before in tuple(was):
        wider = next((one for one in now if covers(compare, one, before, at)), None)
        if wider is not None:
            yield from compare(before, wider, at)
            was.remove(before)
            now.remove(wider)


def _same(compare: Compare, old: Place, new: Place, at: Spot) -> list[Change] | None:
    """Return what changed in the words of two equal schemas, or None where they are not equal."""
    changes = compare(old, new, replace(at, exact=True))
    return changes if all(change.level <= Level.PATCH for change in changes) else None


def _exact(compare: Compare, old: Place, new: Place, at: Spot, keyword: str) -> Iterator[Change]:
    changes: list[Change] | None = None
    if keyword in old.node and keyword in new.node:
        was, now = old.child(old.get(keyword)), new.child(new.get(keyword))
        changes = _same(compare, was, now, at)
    elif keyword not in old.node and keyword not in new.node:
        changes = []
    yield from [keyword_changed(keyword, at)] if changes is None else changes


def _same_map(compare: Compare, old: Place, new: Place, at: Spot, keyword: str) -> bool:
    """Tell whether two maps from field names to schemas (or to lists of names) are the same."""
    was, now = old.get(keyword, {}), new.get(keyword, {})
    if set(was) != set(now):
        return False
    for name in was:
        if isinstance(was[name], list) or isinstance(now[name], list):
            if canonical(was[name]) != canonical(now[name]):
                return False
        elif _same(compare, old.child(was[name]), new.child(now[name]), at) is None:
            return False
    return True
