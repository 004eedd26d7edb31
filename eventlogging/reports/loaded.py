"""Whether everything that was received on a day, and before it, is in its table."""

from __future__ import annotations

from pathlib import Path

import orjson
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.ledger.reading import PENDING
from eventlogging.ledger.sentence import grouped
from eventlogging.log import reader
from eventlogging.reports.days import next_day
from eventlogging.store.database import Database
from eventlogging.store.fixed import checkpoint, ledger

_FIRST_BYTES = 65_536


def not_loaded(database: Database, folder: Path, day: str) -> str | None:
    """Return what of the log in `folder` has to be loaded before a day is whole; None: nothing.

    A day that is not over is never whole. Raises OSError where the log cannot be read.
    """
    if day >= clock.day(clock.now_ms()):
        return "the day is not over"
    waiting = _waiting_bytes(database, folder, day)
    if waiting:
        return f"{grouped(waiting)} bytes of the log are not loaded yet"
    c = ledger.c
    query = sa.select(sa.func.sum(c["count"])).where(
        c.outcome == PENDING, c.minute >= day, c.minute < next_day(day)
    )
    with database.read() as connection:
        pending = int(connection.execute(query).scalar() or 0)
    return f"{grouped(pending)} events wait for their tables" if pending > 0 else None


def _waiting_bytes(database: Database, folder: Path, day: str) -> int:
    """Return how much of the log, received up to the end of a day, waits."""
    c = checkpoint.c
    with database.read() as connection:
        rows = connection.execute(sa.select(c.segment, c.position, c.finished)).all()
    known = {row.segment: (row.position, bool(row.finished)) for row in rows}
    total = 0
    for name in reader.segments(folder):
        position, finished = known.get(name, (0, False))
        if finished:
            continue
        waiting = reader.waiting_bytes(folder, name, position)
        # Received shortly before midnight, written shortly after it.
        if waiting and (name[:10] <= day or _received_on(folder, name, position) <= day):
            total += waiting
    return total


def _received_on(folder: Path, segment: str, position: int) -> str:
    """Return the day on which the oldest waiting event of a segment was received."""
    batches = reader.read_after(folder, segment, position, max_bytes=_FIRST_BYTES).batches
    moments = [
        moment
        for batch in batches[:1]
        for _, line in batch.lines
        if isinstance(moment := orjson.loads(line).get("received"), int)
    ]
    return clock.day(min(moments)) if moments else segment[:10]
