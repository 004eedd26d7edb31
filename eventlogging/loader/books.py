"""Checkpoints, ledger, table days and parked lines, as the loader's transactions write them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import add

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.loader.insert import Stored
from eventlogging.loader.prepare import LedgerKey, Report, TableRows
from eventlogging.store import fixed
from eventlogging.store.database import Database

_REPORT_KEY = ("day", "schema", "client")
_REPORT_COUNTS = ("attempted", "sampled_out", "suppressed", "dropped", "sent")
_LOOKUP = 400  # keys in one query
_LEDGER_KEY = ("minute", "schema", "version", "outcome", "reason")


class Overtaken(Exception):
    """Raised inside a transaction when another loader has moved the checkpoint; nothing is lost."""


@dataclass(frozen=True)
class ParkedLines:
    """Lines of one table, in one stretch of a segment, that wait for their table."""

    id: int
    segment: str
    start: int
    end: int
    table: str
    lines: int


def checkpoints(database: Database) -> dict[str, tuple[int, bool]]:
    """Return segment → (position, finished)."""
    table = fixed.checkpoint
    with database.read() as connection:
        rows = connection.execute(sa.select(table.c.segment, table.c.position, table.c.finished))
        return {row[0]: (row[1], bool(row[2])) for row in rows}


def open_checkpoint(database: Database, segment: str) -> None:
    """Give a segment a checkpoint at its start, unless it has one."""
    with database.write() as connection:
        names = ("segment", "position", "finished", "updated_at")
        row = (segment, 0, 0, clock.iso(clock.now_ms()))
        database.dialect.insert_new(connection, "checkpoint", names, [row], ("segment",))


def move_checkpoint(
    connection: sa.Connection, segment: str, old: int, new: int, *, finished: bool = False
) -> None:
    """Move a checkpoint from where we believe it is; the first statement of a transaction.

    Raises Overtaken when it is elsewhere: another loader has done this work.
    """
    table = fixed.checkpoint
    result = connection.execute(
        sa.update(table)
        .where(table.c.segment == segment, table.c.position == old, table.c.finished.is_(False))
        .values(position=new, finished=finished, updated_at=clock.iso(clock.now_ms()))
    )
    if result.rowcount != 1:
        raise Overtaken(segment)


def write_ledger(
    database: Database,
    connection: sa.Connection,
    counts: Counter[LedgerKey],
    kept: Counter[LedgerKey],
) -> None:
    """Add to the ledger; counts may be negative where `pending` is taken back."""
    rows = [(*key, counts[key], kept[key]) for key in sorted(counts) if counts[key]]
    if rows:
        database.dialect.add_counts(connection, "ledger", _LEDGER_KEY, ("count", "kept"), rows)


def write_days(database: Database, connection: sa.Connection, stored: Stored) -> None:
    """Add to `table_day` what came in."""
    rows = [(table, day, number, 0) for (table, day), number in sorted(stored.rows_in.items())]
    if rows:
        key, counts = ("table_name", "day"), ("rows_in", "rows_out")
        database.dialect.add_counts(connection, "table_day", key, counts, rows)


def write_reports(database: Database, connection: sa.Connection, reports: Iterable[Report]) -> None:
    """Add what clients counted; a report that came before is counted once.

    Raises Overtaken when another loader has counted one in the meantime.
    """
    new = {report.id: report for report in reversed(list(reports))}  # of copies, the first
    for id in _known_reports(connection, list(new)):
        new.pop(id, None)
    if not new:
        return
    dialect = database.dialect
    ids = [(id, new[id].day) for id in sorted(new)]
    if dialect.insert_new(connection, "client_report", ("id", "added"), ids, ("id",)) != len(ids):
        raise Overtaken("reports of clients")
    sums: dict[tuple[str, str, str], list[int]] = {}
    for report in new.values():
        for name, counts in report.counts.items():
            so_far = sums.setdefault((report.day, name, report.client), [0] * len(counts))
            sums[report.day, name, report.client] = list(map(add, so_far, counts))
    # In the order of their keys, as every loader writes them, lest two wait for each other.
    rows = [(*key, *sums[key]) for key in sorted(sums)]
    if rows:
        dialect.add_counts(connection, "client_count", _REPORT_KEY, _REPORT_COUNTS, rows)


def _known_reports(connection: sa.Connection, ids: Sequence[str]) -> Iterator[str]:
    c = fixed.client_report.c
    for start in range(0, len(ids), _LOOKUP):
        query = sa.select(c.id).where(c.id.in_(ids[start : start + _LOOKUP]))
        yield from connection.execute(query).scalars()


def pending(rows: TableRows, sign: int = 1) -> Counter[LedgerKey]:
    """Return the ledger's `pending` of a table's lines, or what takes it back."""
    counts: Counter[LedgerKey] = Counter()
    for (minute, schema, version), number in rows.booked.items():
        counts[minute, schema, version, "pending", ""] += sign * number
    return counts


def park(
    connection: sa.Connection, segment: str, start: int, end: int, rows: TableRows, reason: str
) -> None:
    """Note that a table's lines of a stretch are still to be stored."""
    connection.execute(
        sa.insert(fixed.parked).values(
            segment=segment,
            start=start,
            end=end,
            table_name=rows.table,
            lines=rows.lines,
            reason=reason[:500],
            since=clock.iso(clock.now_ms()),
        )
    )


def parked(database: Database) -> list[ParkedLines]:
    """Return all parked lines, oldest first."""
    table = fixed.parked
    with database.read() as connection:
        rows = connection.execute(
            sa.select(
                table.c.id, table.c.segment, table.c.start, table.c.end, table.c.table_name,
                table.c.lines,
            ).order_by(table.c.id)
        )  # fmt: skip
        return [ParkedLines(*row) for row in rows]


def unpark(connection: sa.Connection, lines: ParkedLines) -> None:
    """Take parked lines over; the first statement of a transaction.

    Raises Overtaken when another loader has taken them.
    """
    result = connection.execute(sa.delete(fixed.parked).where(fixed.parked.c.id == lines.id))
    if result.rowcount != 1:
        raise Overtaken(lines.segment)


def sent_counts(sent: Iterable[tuple[str, str, int]]) -> Counter[LedgerKey]:
    """Return the ledger's `sent` of tallies."""
    counts: Counter[LedgerKey] = Counter()
    for minute, schema, number in sent:
        counts[minute, schema, "", "sent", ""] += number
    return counts
