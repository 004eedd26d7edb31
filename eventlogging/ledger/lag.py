"""How much of the log is not loaded yet, and which lines wait for their table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.log import reader
from eventlogging.store.fixed import checkpoint, parked


@dataclass(frozen=True, slots=True)
class ParkedTable:
    """Lines that wait for one table, since when, and why the last of them were parked.

    A table in brackets, `(name version)`, is a schema version that is not registered.
    """

    table: str
    lines: int
    since: str
    reason: str


@dataclass(frozen=True, slots=True)
class Lag:
    """What the loader has still to do.

    `bytes` of the log in `segments` wait to be loaded. `oldest_segment` holds the oldest of
    them, received `age_seconds` ago; None where nothing waits.
    """

    bytes: int
    segments: int
    oldest_segment: str | None
    age_seconds: float | None
    parked: tuple[ParkedTable, ...]

    @property
    def parked_lines(self) -> int:
        """How many lines wait for their tables."""
        return sum(table.lines for table in self.parked)

    @property
    def is_loaded(self) -> bool:
        """Whether everything in the log is in its table."""
        return not self.bytes and not self.parked

    def as_dict(self) -> dict[str, Any]:
        """Return all figures."""
        return asdict(self) | {"parked_lines": self.parked_lines}


def read_lag(connection: sa.Connection, folder: Path) -> Lag:
    """Return what of the log in `folder` waits. Raises OSError where it cannot be read."""
    c = checkpoint.c
    rows = connection.execute(sa.select(c.segment, c.position, c.finished))
    known = {row.segment: (row.position, bool(row.finished)) for row in rows}
    waiting = _waiting(folder, known)
    oldest = next(iter(waiting), None)
    age = None
    if oldest is not None:
        received = _oldest_received(folder, oldest, known.get(oldest, (0, False))[0])
        age = max(0.0, (clock.now_ms() - received) / 1000)
    return Lag(sum(waiting.values()), len(waiting), oldest, age, read_parked(connection))


def read_parked(connection: sa.Connection) -> tuple[ParkedTable, ...]:
    """Return the tables that lines wait for, by name."""
    found: dict[str, ParkedTable] = {}
    for row in connection.execute(sa.select(parked).order_by(parked.c.id)):
        before = found.get(row.table_name)
        lines = row.lines + (before.lines if before else 0)
        since = min(row.since, before.since) if before else row.since
        found[row.table_name] = ParkedTable(row.table_name, lines, since, row.reason)
    return tuple(found[name] for name in sorted(found))


def opened_at(segment: str) -> int:
    """Return when a segment was opened, in milliseconds; its name says it.

    Raises ValueError where the name is not one that the writer gives.
    """
    day, _, rest = segment.partition("/")
    moment = datetime.strptime(f"{day} {rest[:9]}000", "%Y-%m-%d %H%M%S%f")
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)


def _waiting(folder: Path, known: Mapping[str, tuple[int, bool]]) -> dict[str, int]:
    """Return segment → bytes not loaded, the oldest segment first, those without any left out."""
    found = {}
    for name in reader.segments(folder):
        position, finished = known.get(name, (0, False))
        if not finished and (size := reader.waiting_bytes(folder, name, position)):
            found[name] = size
    return found


def _oldest_received(folder: Path, segment: str, position: int) -> int:
    """Return when the oldest waiting line was received, in milliseconds."""
    batches = reader.read_after(folder, segment, position, max_bytes=65_536).batches
    for _, line in batches[0].lines[:1] if batches else ():
        received = orjson.loads(line).get("received")
        if isinstance(received, int):
            return received
    return opened_at(segment)
