"""Fill the defaults of a schema into payloads, as Ajv does with `useDefaults`.

A `default` counts where a property is declared: at the top, in nested objects, in the items of
an array, and in what `allOf` and `$ref` add to them. A property that is there keeps its value,
null as well; an object that is absent is made by a default of its own alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from eventlogging.intake.in_place import parts_of

_DEEPEST = 200  # levels; a schema whose default holds itself would go on for ever
Fill = Callable[[dict[str, Any]], dict[str, Any] | None]


@dataclass(slots=True, eq=False)
class _Place:
    """What may be filled in at one place: (name, default, bytes), and the places inside of it."""

    defaults: list[tuple[str, Any, int]] = field(default_factory=list)
    inner: list[tuple[str, _Place]] = field(default_factory=list)
    items: list[_Place] = field(default_factory=list)


class _TooMuch(Exception):
    """Ends filling a payload that would grow beyond all bounds."""


def compile_defaults(
    document: Mapping[str, Any], *, ref_is_alone: bool, max_bytes: int
) -> Fill | None:
    """Return a function that gives back a payload with defaults; None where there are none.

    It gives None where defaults would add more than `max_bytes` to one payload. What is passed
    in is never changed.
    """
    places: dict[int, _Place] = {}
    root = _place(document, document, ref_is_alone, places)
    _prune(list(places.values()))
    if not (root.defaults or root.inner):
        return None

    def fill(payload: dict[str, Any]) -> dict[str, Any] | None:
        try:
            filled: dict[str, Any] = _Filling(max_bytes).object(root, payload, 0)
        except _TooMuch:
            return None
        return filled

    return fill


def _place(
    schema: Any, document: Mapping[str, Any], ref_is_alone: bool, places: dict[int, _Place]
) -> _Place:
    known = places.get(id(schema))
    if known is not None:
        return known
    place = places[id(schema)] = _Place()
    for part in parts_of(schema, document, ref_is_alone=ref_is_alone):
        properties = part.get("properties")
        for name, member in properties.items() if isinstance(properties, dict) else ():
            if not isinstance(member, dict):
                continue
            if "default" in member:
                default = member["default"]
                size = len(orjson.dumps(default)) + len(name.encode()) + 4
                place.defaults.append((name, default, size))
            place.inner.append((name, _place(member, document, ref_is_alone, places)))
        if isinstance(part.get("items"), dict):
            place.items.append(_place(part["items"], document, ref_is_alone, places))
    return place


def _prune(places: list[_Place]) -> None:
    """Leave out all places that lead to no default."""
    useful = {place for place in places if place.defaults}
    before = -1
    while before < len(useful):
        before = len(useful)
        useful.update(
            place
            for place in places
            if any(inner in useful for _, inner in place.inner)
            or any(inner in useful for inner in place.items)
        )
    for place in places:
        place.inner = [(name, inner) for name, inner in place.inner if inner in useful]
        place.items = [inner for inner in place.items if inner in useful]


class _Filling:
    """Filling one payload; `left` is how many bytes may still be added."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def object(self, place: _Place, value: dict[str, Any], depth: int) -> dict[str, Any]:
        if depth > _DEEPEST:
            raise _TooMuch
        filled = value
        for name, default, size in place.defaults:
            if name not in filled:
                self.left -= size
                if self.left < 0:
                    raise _TooMuch
                if filled is value:
                    filled = value.copy()
                filled[name] = default
        for name, inner in place.inner:
            old = filled.get(name)
            new = self._any(inner, old, depth + 1)
            if new is not old:
                if filled is value:
                    filled = value.copy()
                filled[name] = new
        return filled

    def _any(self, place: _Place, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            return self.object(place, value, depth)
        if isinstance(value, list) and depth <= _DEEPEST:
            for inner in place.items:
                value = [self._any(inner, item, depth + 1) for item in value]
        return value
