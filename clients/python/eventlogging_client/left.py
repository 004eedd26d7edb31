"""What a process left behind in its file of the spool, read line by line."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from eventlogging_client.capsule import Event, encoded
from eventlogging_client.counts import Counts, Table


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

    def read(self, path: Path) -> None:
        """Add what a file says. A torn line, as a crash leaves the last one, says nothing."""
        base = max(self.events, default=0) + 1  # numbers of another file
        counts, reports = Counts(), {}
        for line in _lines(path):
            with contextlib.suppress(ValueError, TypeError, KeyError, IndexError, AttributeError):
                kind, *rest = json.loads(line)
                if kind in ("e", "k"):
                    number, name, content = rest
                    if not isinstance(content, dict) or not isinstance(name, str):
                        continue
                    event = Event(name, "", encoded(content), decided=True)
                    event.number = base + number
                    self.events[event.number] = event
                    if kind == "e":
                        counts.add(counts.name(name), "attempted")
                elif kind == "d":
                    for number in rest[1]:
                        gone = self.events.pop(base + number, None)
                        if gone is not None:
                            counts.add(gone.name, rest[0])
                elif kind == "c":
                    counts.add_all(rest[0])
                elif kind == "r":
                    counts.take()
                    reports[rest[0]] = Report(rest[0], rest[1])
                elif kind == "a":
                    reports.pop(rest[0], None)
        self.counts.add_all(counts.new)
        self.reports.update(reports)


def _lines(path: Path) -> Iterator[bytes]:
    with contextlib.suppress(OSError), path.open("rb") as file:
        yield from file


def replaced_by(path: Path) -> Sequence[str]:
    """Return the names of the files that a file takes the place of."""
    try:
        with path.open("rb") as file:
            kind, names = json.loads(file.readline(1_000_000))
        return [str(name) for name in names] if kind == "x" else []
    except (OSError, ValueError, TypeError):
        return []
