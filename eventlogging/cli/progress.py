"""How far a long command is: a line on a terminal that is written over, elsewhere nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

_EVERY_SECONDS = 0.1
_WIDE = 30


class Bar:
    """Shows `what` with a bar; call it with how much is done, of how much."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._what = ""
        self._next = 0.0
        self._length = 0

    def __call__(self, what: str, done: int, of: int) -> None:
        """Say that `done` of `of` is done; more than `of`, an estimate, counts as all."""
        now = time.monotonic()
        if not self._shown or (what == self._what and done < of and now < self._next):
            return
        self._what, self._next = what, now + _EVERY_SECONDS
        share = min(1.0, done / of) if of > 0 else 1.0
        full = round(share * _WIDE)
        text = f"{what} {'█' * full}{'·' * (_WIDE - full)} {share:4.0%}"
        click.echo(f"\r{text:<{self._length}}", nl=False, err=True)
        self._length = len(text)

    def clear(self) -> None:
        """Take the line away."""
        if self._length:
            click.echo(f"\r{'':<{self._length}}\r", nl=False, err=True)
            self._length = 0


@contextmanager
def bar(*, wanted: bool = True) -> Iterator[Bar]:
    """Give a bar on a terminal, and one that shows nothing elsewhere or where it is not wanted."""
    made = Bar(shown=wanted and sys.stderr.isatty())
    try:
        yield made
    finally:
        made.clear()
