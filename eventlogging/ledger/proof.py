"""Prove that the tables hold what the books say: counts, sums, and nothing unexplained.

Each table and day is counted, and its book read, by one statement: both are of
one moment, whatever a loader does meanwhile and whichever isolation the server
is set to. No statement reads more than a day of one table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.ledger.reading import lines_of_truth
from eventlogging.ledger.sentence import grouped
from eventlogging.store.database import Database
from eventlogging.store.dialect import (
    CAPSULE_COLUMNS,
    INVALID_COLUMNS,
    SCRUBBED,
    SCRUBBED_REQUIRED,
    quoted,
)
from eventlogging.store.fixed import ledger, metadata, table_day
from eventlogging.store.migrate import tables as database_tables

_EVENT_COLUMNS = frozenset(name for name, _ in CAPSULE_COLUMNS) | {"event_more"}
_INVALID_COLUMNS = frozenset(name for name, _ in INVALID_COLUMNS)
_STRIPPED_COLUMNS = SCRUBBED_REQUIRED | {"event_more"}


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether the books hold. `discrepancies` are sentences; `checked` says what was looked at.

    `checked` counts `tables`, `days` (of a table each), `rows` and `schemas`, and, where there
    are any, how many of the tables hold `stripped` events.
    """

    discrepancies: tuple[str, ...] = ()
    checked: dict[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return not self.discrepancies

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, with `holds`."""
        return {"holds": self.holds} | asdict(self)


def prove(database: Database, *, days: int | None = None) -> Proof:
    """Count every table of events against its book, and the ledger against itself.

    `days`: count only the last so many days (of `dt`; of `received` for invalid events), today
    being one of them; None counts all. The sums are always over everything. Raises
    StoreUnavailable.
    """
    since = _first_day(days) if days is not None else "0000-00-00"
    # In this order: a table is made before its first row is booked.
    booked = _booked_days(database, since)
    times = _event_tables(database)
    checked = {"tables": len(times), "days": 0, "rows": 0, "schemas": 0}
    if stripped := sum(is_stripped(table) for table in times):
        checked["stripped"] = stripped
    doubtful: list[tuple[str, str]] = []
    for table in sorted(times.keys() | booked.keys()):
        found = set(_present_days(database, table, times[table], since)) if table in times else ()
        for day in sorted({*found, *booked[table]}):
            counted, expected = _count(database, table, times.get(table), day)
            checked["days"] += 1
            checked["rows"] += counted
            if counted != expected:
                doubtful.append((table, day))
    # A purge drops partitions outside of any transaction: what looked wrong is looked at again.
    discrepancies = [
        wrong
        for table, day in doubtful
        if (wrong := _discrepancy(database, table, times.get(table), day))
    ]
    discrepancies += _sums(database)
    with database.read() as connection:
        lines = lines_of_truth(connection)
    checked["schemas"] = len(lines)
    discrepancies += [
        f"{line.schema}: {grouped(line.residual)} of {grouped(line.sent)} sent are unexplained"
        for line in lines
        if line.residual
    ]
    return Proof(tuple(discrepancies), checked)


def _first_day(days: int) -> str:
    return clock.moved(clock.day(clock.now_ms()), 1 - days)


def _event_tables(database: Database) -> dict[str, str]:
    """Return table → the column of its days, of all tables that look like tables of events.

    By their form and not by the registry, so that a table nobody knows of is found too.
    """
    found = {}
    with database.read() as connection:
        for table in database_tables(connection):
            if table in metadata.tables:
                continue
            columns = database.dialect.existing_columns(connection, table).keys()
            if columns >= _EVENT_COLUMNS or (is_stripped(table) and columns >= _STRIPPED_COLUMNS):
                found[table] = "dt"
            elif columns >= _INVALID_COLUMNS:
                found[table] = "received"
    return found


def _booked_days(database: Database, since: str) -> defaultdict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    c = table_day.c
    with database.read() as connection:
        rows = connection.execute(sa.select(c.table_name, c.day).where(c.day >= since))
        for table, day in rows:
            found[table].add(day)
    return found


def _present_days(database: Database, table: str, time: str, since: str) -> Iterator[str]:
    """Yield the days that a table has rows of: one step along its key for each."""
    query = sa.text(
        f"SELECT {quoted(time)} FROM {quoted(table)} WHERE {quoted(time)} >= :at "
        f"ORDER BY {quoted(time)} LIMIT 1"
    )
    at = max(since, "1000-01-01")  # the least that a DATETIME may be compared with
    while True:
        with database.read() as connection:
            moment = connection.execute(query, {"at": at}).scalar()
        if moment is None:
            return
        day = str(moment)[:10]
        yield day
        at = clock.moved(day, 1)


def _count(database: Database, table: str, time: str | None, day: str) -> tuple[int, int]:
    """Return how many rows of a day a table has, and how many it should have."""
    counted = "0"
    if time is not None:
        counted = (
            f"(SELECT COUNT(*) FROM {quoted(table)} "
            f"WHERE {quoted(time)} >= :day AND {quoted(time)} < :next)"
        )
    query = sa.text(
        f"SELECT {counted}, (SELECT rows_in - rows_out FROM table_day "
        "WHERE table_name = :table AND day = :day)"
    )
    values = {"table": table, "day": day}
    if time is not None:
        values["next"] = clock.moved(day, 1)
    with database.read() as connection:
        row = connection.execute(query, values).one()
    return int(row[0]), int(row[1] or 0)


def _discrepancy(database: Database, table: str, time: str | None, day: str) -> str | None:
    counted, expected = _count(database, table, time, day)
    if counted == expected:
        return None
    held = f"holds {grouped(counted)}" if time is not None else "does not exist"
    return f"{table} of {day} {held}, and its book says {grouped(expected)}"


def is_stripped(table: str) -> bool:
    """Whether a table holds stripped events. No schema may have a name that ends so."""
    return table.endswith(SCRUBBED)


def _sums(database: Database) -> Iterator[str]:
    """Compare what the ledger says was kept with what the tables' books say came in.

    What is stripped came in once already.
    """
    kept = sa.select(sa.func.coalesce(sa.func.sum(ledger.c.kept), 0)).scalar_subquery()
    rows_in = (
        sa.select(sa.func.coalesce(sa.func.sum(table_day.c.rows_in), 0))
        .where(~table_day.c.table_name.endswith(SCRUBBED, autoescape=True))
        .scalar_subquery()
    )
    with database.read() as connection:
        row = connection.execute(sa.select(kept, rows_in)).one()
    if int(row[0]) != int(row[1]):
        yield (
            f"the ledger says that {grouped(int(row[0]))} rows were kept, and the tables' books "
            f"that {grouped(int(row[1]))} came in"
        )
