"""A stored invalid event on one line, with what the schema calls private masked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from eventlogging.schema.masking import lies_in, masked
from eventlogging.schema.walk import tokens_of

_MOST_CHARS = 500
_MOST_TEXT = 80


def shown(raw: str, private: Iterable[str]) -> str:
    """Return the payload in a stored event; empty where its text is cut or no JSON.

    `private` are pointers into the payload; what stands there now was hashed or dropped when
    it was stored, or became private later.
    """
    try:
        event = json.loads(raw)
    except ValueError:
        return ""
    if not isinstance(event, dict):
        return ""
    # The capsule has the payload inside; an event in EventGate's form is the payload.
    inside = event.get("event")
    payload = inside if "$schema" not in event and isinstance(inside, dict) else event
    hidden = _cut(masked(payload, [tokens_of(pointer) for pointer in private]))
    text = json.dumps(hidden, ensure_ascii=False)
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text if len(text) <= _MOST_CHARS else f"{text[: _MOST_CHARS - 1]}…"


def is_private(pointer: str, private: Iterable[str]) -> bool:
    """Whether a place in the payload is private; `*` stands for any step."""
    place = tokens_of(pointer)
    return any(lies_in(place, tokens_of(one)) for one in private)


def _cut(value: Any) -> Any:
    """Return a copy without long texts."""
    if isinstance(value, dict):
        return {key: _cut(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_cut(item) for item in value]
    if isinstance(value, str) and len(value) > _MOST_TEXT:
        return f"{value[: _MOST_TEXT - 1]}…"
    return value
