"""Past events as a reviewer may see them: private values masked, long ones cut."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from eventlogging.schema.masking import masked
from eventlogging.schema.walk import tokens_of

_MOST_CHARS = 2_000
_MOST_TEXT = 200
_MOST_MEMBERS = 30


def shown(payload: Any, private: Iterable[str]) -> str:
    """Return an event as JSON for people; `private` are the pointers of what is not shown."""
    cut = _cut(masked(payload, [tokens_of(pointer) for pointer in private]))
    text = json.dumps(cut, indent=2, ensure_ascii=False)
    return text if len(text) <= _MOST_CHARS else f"{text[: _MOST_CHARS - 1]}…"


def _cut(value: Any) -> Any:
    """Return a copy without what makes an event too long to look at."""
    if isinstance(value, str):
        return value if len(value) <= _MOST_TEXT else f"{value[: _MOST_TEXT - 1]}…"
    if isinstance(value, dict):
        return {key: _cut(value[key]) for key in list(value)[: 2 * _MOST_MEMBERS]}
    if isinstance(value, list):
        return [_cut(item) for item in value[:_MOST_MEMBERS]]
    return value
