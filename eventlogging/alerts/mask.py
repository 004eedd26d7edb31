"""An event as JSON for a mail: the bad line marked, long texts cut."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from eventlogging.schema.walk import Tokens

MARK = "  ← here"
_MOST_LINES = 30
_LONGEST_LINE = 160


def marked(value: Any, place: Tokens) -> str:
    """Return JSON with line breaks, the line of that place marked; of a long one, the part there.

    A place that is not in the event marks the object that lacks it.
    """
    lines: list[tuple[Tokens, str]] = list(_lines(value, (), "", ""))
    at = _line_of(lines, place)
    start = max(0, min(at - _MOST_LINES // 2, len(lines) - _MOST_LINES))
    shown = [
        f"{_cut(text)}{MARK if number == at else ''}"
        for number, (_, text) in enumerate(lines)
        if start <= number < start + _MOST_LINES
    ]
    return "\n".join([*(["…"] if start else []), *shown,
                      *(["…"] if start + _MOST_LINES < len(lines) else [])])  # fmt: skip


def _lines(value: Any, place: Tokens, indent: str, head: str) -> Iterator[tuple[Tokens, str]]:
    """Yield (place, line) of what `json.dumps` with an indent of 2 would write."""
    if not value or not isinstance(value, dict | list):
        yield place, f"{indent}{head}{json.dumps(value, ensure_ascii=False)}"
        return
    is_map = isinstance(value, dict)
    opening, closing = ("{", "}") if is_map else ("[", "]")
    yield place, f"{indent}{head}{opening}"
    members = list(value.items() if isinstance(value, dict) else _numbered(value))
    for number, (key, member) in enumerate(members):
        name = f"{json.dumps(key, ensure_ascii=False)}: " if is_map else ""
        inner = list(_lines(member, (*place, key), indent + "  ", name))
        if number + 1 < len(members):
            inner[-1] = (inner[-1][0], inner[-1][1] + ",")
        yield from inner
    yield place, f"{indent}{closing}"


def _numbered(items: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    return ((str(at), item) for at, item in enumerate(items))


def _line_of(lines: Sequence[tuple[Tokens, str]], place: Tokens) -> int:
    """Return the first line of a place, or of the nearest place above it."""
    while True:
        for number, (here, _) in enumerate(lines):
            if here == place:
                return number
        if not place:
            return 0
        place = place[:-1]


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
