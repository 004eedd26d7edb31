"""What is wrong with an event that the gate refused, told in bounded time.

The validator builds every error, with those of all alternatives, before it gives the first:
20 000 wrong items of a 60-way `oneOf` took 14 s. So of a large event a shortened copy is
asked about, and what only the shortening made wrong is left out.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import jsonschema_rs

from eventlogging.schema.walk import Tokens, locate, pointer

MAX_VALUES = 500  # an event of so many values is asked about as a whole
_KEPT = (50, 10, 3, 1)  # members kept of each array and object, ever fewer until it is small

# Rules that look at an object alone, not at what lies within its members.
_OWN = frozenset({"required", "additionalProperties", "type", "propertyNames", "falseSchema"})


def first_faults(
    gate: jsonschema_rs.Validator, payload: Any, at_most: int
) -> tuple[list[jsonschema_rs.ValidationError], tuple[str, ...]]:
    """Return (errors, pointers of the arrays and objects that were not read to their end).

    No errors mean that the event is valid, or that what is wrong lies in one of those.
    """
    if _is_small(payload):
        return list(islice(gate.iter_errors(payload), at_most)), ()
    cut: list[Tokens] = []
    short = payload
    for members in _KEPT:
        cut = []
        short = _shortened(payload, members, (), cut)
        if _is_small(short):
            break
    else:
        return [], ("",)
    above = {place[:length] for place in cut for length in range(len(place) + 1)}
    faults = []
    for error in gate.iter_errors(short):
        place, _, _ = locate(short, error.instance_path)
        own = error.kind.name in _OWN and place not in cut
        if own or place not in above:
            faults.append(error)
    return faults[:at_most], tuple(pointer(place) for place in cut[:at_most])


def _is_small(payload: Any) -> bool:
    waiting, seen = [payload], 0
    while waiting:
        seen += 1
        if seen > MAX_VALUES:
            return False
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        if len(waiting) > MAX_VALUES:
            return False
    return True


def _shortened(value: Any, members: int, place: Tokens, cut: list[Tokens]) -> Any:
    """Return a copy with at most so many members each; `cut` receives what lost some.

    Objects keep four times as many: their members are mostly declared ones.
    """
    if isinstance(value, dict):
        if len(value) > 4 * members:
            cut.append(place)
        return {
            key: _shortened(member, members, (*place, key), cut)
            for key, member in islice(value.items(), 4 * members)
        }
    if isinstance(value, list):
        if len(value) > members:
            cut.append(place)
        return [
            _shortened(member, members, (*place, str(i)), cut)
            for i, member in enumerate(islice(value, members))
        ]
    return value
