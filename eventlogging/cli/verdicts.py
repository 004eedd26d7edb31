"""The verdicts in the log, one after another: those there are, and those that come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from eventlogging.log import reader

Filter = Callable[["Line"], bool]


@dataclass(frozen=True, slots=True)
class Line:
    """One event's verdict as the log keeps it; `received` in milliseconds.

    `schema` is what it is booked under; `claimed` what the sender named, where that differs.
    `test_key` names the test key it came with: such an event is in no table and no sum.
    """

    received: int
    outcome: str
    schema: str
    claimed: str
    version: str
    id: str | None
    code: str
    problems: tuple[dict[str, Any], ...]
    test_key: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as the JSON output shows it."""
        return {
            "received": self.received,
            "outcome": self.outcome,
            "schema": self.schema,
            "claimed": self.claimed,
            "version": self.version,
            "id": self.id,
            "code": self.code,
            "errors": list(self.problems),
            "test_key": self.test_key or None,
        }


class Follower:
    """Reads a log folder from where it left off; new segments are found by themselves."""

    def __init__(self, folder: Path, wanted: Filter) -> None:
        self._folder = folder
        self._wanted = wanted
        self._positions: dict[str, int] = {}
        self._finished: set[str] = set()

    def last(self, number: int) -> list[Line]:
        """Return the last lines there are, oldest first, and go on behind them.

        The segments still being written are all looked into; of the others the newest, as
        many as it takes.
        """
        newest: list[Line] = []
        for segment in reversed(self._segments()):
            if len(newest) >= number and self._skip(segment):
                continue
            tail: deque[Line] = deque(self._read(segment), maxlen=number)
            newest += tail
        newest.sort(key=_by_time)
        return newest[-number:] if number else []

    def new(self) -> list[Line]:
        """Return the lines that came since the last call, by time of receipt."""
        lines = [line for segment in self._segments() for line in self._read(segment)]
        lines.sort(key=_by_time)
        return lines

    def all(self) -> Iterator[Line]:
        """Yield all lines, segment after segment, without holding them in memory."""
        for segment in self._segments():
            yield from self._read(segment)

    def _segments(self) -> list[str]:
        return [name for name in reader.segments(self._folder) if name not in self._finished]

    def _skip(self, segment: str) -> bool:
        """Pass over a segment that nobody writes any more; return whether it is one."""
        try:
            size = reader.waiting_bytes(self._folder, segment, 0)
            closed = reader.read_after(self._folder, segment, size).finished
        except FileNotFoundError:  # retired since we listed it
            closed = True
        if closed:
            self._finished.add(segment)
        return closed

    def _read(self, segment: str) -> Iterator[Line]:
        while True:
            try:
                piece = reader.read_after(self._folder, segment, self._positions.get(segment, 0))
            except FileNotFoundError:  # retired since we listed it
                self._finished.add(segment)
                return
            self._positions[segment] = piece.end
            for batch in piece.batches:
                for _, text in batch.lines:
                    line = _line(text)
                    if line is not None and self._wanted(line):
                        yield line
            if piece.finished:
                self._finished.add(segment)
            if piece.finished or not piece.batches:
                return


def _line(text: bytes) -> Line | None:
    """Return the verdict in a line; None for one that is about no event, such as a probe."""
    content = orjson.loads(text)
    if "schema" not in content:
        return None
    schema = content["schema"]
    return Line(
        received=content["received"],
        outcome=content["verdict"] if "test_key" in content else content["outcome"],
        schema=schema,
        claimed=content.get("claimed", schema),
        version=content["version"],
        id=content.get("id"),
        code=content.get("code", ""),
        problems=tuple(content.get("errors", ())),
        test_key=content.get("test_key", ""),
    )


def _by_time(line: Line) -> int:
    return line.received
