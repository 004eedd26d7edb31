"""Past events as a reviewer may see them: private values masked, long ones cut."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from eventlogging.schema.walk import Tokens, tokens_of

MASK = "(private)"
_MOST_CHARS = 2_000
_MOST_TEXT = 200
_MOST_MEMBERS = 30


def shown(payload: Any, private: Iterable[str]) -> str:
    """Return an event as JSON for people; `private` are the pointers of what is not shown."""
    cut = _cut(_masked(payload, [tokens_of(pointer) for pointer in private]))
    text = json.dumps(cut, indent=2, ensure_ascii=False)
    return text if len(text) <= _MOST_CHARS else f"{text[: _MOST_CHARS - 1]}…"


def lies_in(place: Tokens, above: Tokens) -> bool:
    """Whether a place lies at or below another; `*` stands for any step."""
    return len(above) <= len(place) and all(
        one == other or "*" in (one, other) for one, other in zip(above, place, strict=False)
    )


def _masked(value: Any, places: list[Tokens]) -> Any:
    """Return a copy in which what stands at the places, or below them, is masked."""
    if any(not place for place in places):
        return None if value is None else MASK
    if not places:
        return value
    if isinstance(value, dict):
        return {key: _masked(member, _below(places, key)) for key, member in value.items()}
    if isinstance(value, list):
        return [_masked(item, _below(places, str(index))) for index, item in enumerate(value)]
    return value


def _below(places: list[Tokens], step: str) -> list[Tokens]:
    return [place[1:] for place in places if place[0] in ("*", step)]


def _cut(value: Any) -> Any:
    """Return a copy without what makes an event too long to look at."""
    if isinstance(value, str):
        return value if len(value) <= _MOST_TEXT else f"{value[: _MOST_TEXT - 1]}…"
    if isinstance(value, dict):
        return {key: _cut(value[key]) for key in list(value)[: 2 * _MOST_MEMBERS]}
    if isinstance(value, list):
        return [_cut(item) for item in value[:_MOST_MEMBERS]]
    return value
