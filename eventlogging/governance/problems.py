"""A problem in a governance file: where it is, what is wrong, what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Found:
    """One problem; `path` is relative to the governance root, `line` counts from 1."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        text = " ".join(self.text.split())  # a problem is one line, whatever it quotes
        return f"{self.path}:{self.line}: {text}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'owners'?`, or the known words where none is near."""
    words = sorted(known)
    folded = {name.casefold(): name for name in words}
    near = difflib.get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.6)
    if near:
        return f"; did you mean {folded[near[0]]!r}?"
    if not words:
        return ""
    listed = ", ".join(words[:12]) + (", …" if len(words) > 12 else "")
    return f"; known are {listed}"


def shown(value: object, limit: int = 60) -> str:
    """Return a value as people read it, cut to `limit` characters."""
    text = f'"{value}"' if isinstance(value, str) else _plain(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _plain(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an empty list" if not value else f"a list of {len(value)}"
    return str(value)
