"""What a process left behind in its file of the spool, read line by line."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from eventlogging_client.capsule import Event, encoded
from eventlogging_client.counts import Counts, Table

# What a line raises that is no JSON, or says something else than such lines say.
_NONSENSE = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)


class Report:
    """Counts on their way to the collector, under an id that every try repeats."""

    def __init__(self, id: str, counts: Table) -> None:
        self.id = id
        self.counts = counts


class Left:
    """What a process left behind: events in order, counts in no report, reports in no answer."""

    def __init__(self) -> None:
        self.events: dict[int, Event] = {}
        self.counts = Counts()
        self.reports: dict[str, Report] = {}

    @property
    def size(self) -> int:
        """Bytes of the events."""
        return sum(len(event.body) for event in self.events.values())

    def add(self, other: Left) -> None:
        """Add what another process left behind."""
        base = max(self.events, default=0) + 1
        for number, event in other.events.items():
            self.events[base + number] = event
        self.counts.add_all(other.counts.new)
        self.reports.update(other.reports)

    def read(self, path: Path) -> None:
        """Read a file. A torn line, as a crash leaves the last one, says nothing."""
        for line in _lines(path):
            with contextlib.suppress(*_NONSENSE):
                kind, *rest = json.loads(line)
                if kind in ("e", "k"):
                    number, name, content = rest
                    if not isinstance(content, dict) or not isinstance(name, str):
                        continue
                    self.events[int(number)] = Event(name, "", encoded(content), decided=True)
                    if kind == "e":
                        self.counts.add(self.counts.name(name), "attempted")
                elif kind == "d":
                    for number in rest[1]:
                        gone = self.events.pop(number, None)
                        if gone is not None:
                            self.counts.add(gone.name, rest[0])
                elif kind == "c":
                    self.counts.add_all(rest[0])
                elif kind == "r":
                    self.counts.take()
                    self.reports[rest[0]] = Report(rest[0], rest[1])
                elif kind == "a":
                    self.reports.pop(rest[0], None)


def _lines(path: Path) -> Iterator[bytes]:
    with contextlib.suppress(OSError), path.open("rb") as file:
        yield from file


def replaced_by(path: Path) -> Sequence[str]:
    """Return the names of the files that a file takes the place of."""
    try:
        with path.open("rb") as file:
            kind, names = json.loads(file.readline(1_000_000))
        return [str(name) for name in names] if kind == "x" else []
    except (OSError, *_NONSENSE):
        return []
