"""How commands show things: the colour of each outcome, columns, texts that came from outside.

`click.echo` takes the colours away where the output is no terminal.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

# One meaning each, the same as on pages and in mails; never without the word itself.
_COLOURS = {
    "valid": (0, 140, 140),
    "invalid": (213, 94, 0),
    "duplicate": (140, 122, 160),
    "sampled_out": (120, 170, 214),
    "suppressed": (112, 128, 144),
    "pending": (214, 148, 0),
    "unexplained": (220, 0, 30),
    "ok": (0, 140, 140),
    "warning": (214, 148, 0),
    "error": (213, 94, 0),
}


def paint(text: str, meaning: str) -> str:
    """Return a text in the colour of what it means, such as `valid` or `warning`."""
    return click.style(text, fg=_COLOURS[meaning])


def harmless(text: object) -> str:
    """Return a text from outside so that it cannot steer a terminal: one line, all of it seen."""
    return "".join(sign if sign.isprintable() else "�" for sign in str(text))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines with the first column to the left and numbers to the right."""
    every = [head, *rows]
    wide = [max(len(row[at]) for row in every) for at in range(len(head))]
    return [
        "  ".join([row[0].ljust(wide[0]), *(cell.rjust(w) for cell, w in _rest(row, wide))])
        for row in every
    ]


def _rest(row: Sequence[str], wide: Sequence[int]) -> list[tuple[str, int]]:
    return list(zip(row[1:], wide[1:], strict=True))
