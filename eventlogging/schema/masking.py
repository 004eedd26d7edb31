"""Take private values out of an event that people will look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventlogging.schema.walk import Tokens

MASK = "(private)"


def masked(value: Any, places: Sequence[Tokens]) -> Any:
    """Return a copy in which what stands at these places, or below them, is masked.

    `*` in a place stands for any step.
    """
    if any(not place for place in places):
        return None if value is None else MASK
    if not places:
        return value
    if isinstance(value, dict):
        return {key: masked(member, _below(places, key)) for key, member in value.items()}
    if isinstance(value, list):
        return [masked(item, _below(places, str(index))) for index, item in enumerate(value)]
    return value


def lies_in(place: Tokens, above: Tokens) -> bool:
    """Whether a place lies at or below another; `*` stands for any step, in either."""
    return len(above) <= len(place) and all(
        one == other or "*" in (one, other) for one, other in zip(above, place, strict=False)
    )


def _below(places: Sequence[Tokens], step: str) -> list[Tokens]:
    return [place[1:] for place in places if place[0] in ("*", step)]
