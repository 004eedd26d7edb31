"""What the tables of events hold by day, and what their books say: counted where it lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging.clock import moved
from eventlogging.event import UNKNOWN
from eventlogging.loader.prepare import UNKNOWN_TABLE
from eventlogging.store.database import Database
from eventlogging.store.dialect import INVALID_KEY, SCRUBBED, quoted
from eventlogging.store.fixed import event_schema, schema_table, table_day
from eventlogging.store.migrate import tables as database_tables

_EARLIEST = "1000-01-01"  # the least that a DATETIME may be compared with


@dataclass(frozen=True, slots=True)
class EventTable:
    """A table of events: whose it is, and what lies in it: `valid`, `invalid` or `scrubbed`.

    `exists` is whether the database has it; a table may be known by its book alone.
    """

    schema: str
    name: str
    what: str
    exists: bool

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of its key; the first is the time that its days are counted by."""
        return INVALID_KEY if self.what == "invalid" else ("dt", "id")

    @property
    def time(self) -> str:
        return self.key[0]


def event_tables(connection: sa.Connection, schema: str | None = None) -> list[EventTable]:
    """Return the tables of a schema, or of all of them with that of unknown events."""
    present = set(database_tables(connection))
    found = []
    c = schema_table.c
    query = sa.select(c.schema, c.table_name).order_by(c.schema, c.major)
    for name, table in connection.execute(query):
        found.append(EventTable(name, table, "valid", table in present))
        stripped = table + SCRUBBED
        found.append(EventTable(name, stripped, "scrubbed", stripped in present))
    e = event_schema.c
    for name, stem in connection.execute(sa.select(e.name, e.stem).order_by(e.name)):
        table = f"{stem}_invalid"
        found.append(EventTable(name, table, "invalid", table in present))
    found.append(EventTable(UNKNOWN, UNKNOWN_TABLE, "invalid", UNKNOWN_TABLE in present))
    return [one for one in found if schema is None or one.schema == schema]


def days_before(
    connection: sa.Connection, table: EventTable, end: str, since: str | None = None
) -> Iterator[str]:
    """Yield the days before `end` that a table has rows of: one step along its key for each."""
    at = max(since or "", _EARLIEST)
    time, name = quoted(table.time), quoted(table.name)
    query = sa.text(
        f"SELECT {time} FROM {name} WHERE {time} >= :at AND {time} < :end ORDER BY {time} LIMIT 1"
    )
    while table.exists and at < end:
        moment = connection.execute(query, {"at": at, "end": end}).scalar()
        if moment is None:
            return
        day = str(moment)[:10]
        yield day
        at = moved(day, 1)


def open_days(connection: sa.Connection, table: str, end: str) -> list[str]:
    """Return the days before `end` whose book says that there are rows, or is wrong."""
    c = table_day.c
    query = sa.select(c.day).where(c.table_name == table, c.day < end, c.rows_in != c.rows_out)
    return list(connection.execute(query.order_by(c.day)).scalars())


def due_days(
    connection: sa.Connection, table: EventTable, end: str, is_due: Callable[[str], bool]
) -> tuple[str, ...]:
    """Return the days before `end` that are due and have rows, or a book that says so."""
    if end <= _EARLIEST:
        return ()
    days = {*days_before(connection, table, end), *open_days(connection, table.name, end)}
    return tuple(sorted(day for day in days if is_due(day)))


def rows_of(connection: sa.Connection, table: EventTable, days: Sequence[str]) -> int:
    """Return how many rows of some days a table has.

    By its book, which is proved each night, for counting millions of rows takes as long as
    deleting them; where the book knows nothing of rows that are there, they are counted.
    """
    if not table.exists or not days:
        return 0
    c = table_day.c
    query = sa.select(c.day, c.rows_in - c.rows_out).where(
        c.table_name == table.name, c.day >= days[0], c.day <= days[-1]
    )
    booked = {row[0]: int(row[1]) for row in connection.execute(query)}
    present = set(days_before(connection, table, moved(days[-1], 1), days[0]))
    return sum(
        booked[day] if booked.get(day, 0) > 0 else _count(connection, table, day)
        for day in days
        if day in present
    )


def _count(connection: sa.Connection, table: EventTable, day: str) -> int:
    time = quoted(table.time)
    query = sa.text(
        f"SELECT COUNT(*) FROM {quoted(table.name)} WHERE {time} >= :day AND {time} < :next"
    )
    return int(connection.execute(query, {"day": day, "next": moved(day, 1)}).scalar_one())


def days_with(
    connection: sa.Connection, table: EventTable, span: tuple[str, str], only: Mapping[str, int]
) -> dict[str, int]:
    """Return day → rows in a span of days whose columns have the values that `only` says."""
    if not table.exists or span[1] <= _EARLIEST:
        return {}
    also = "".join(f" AND {quoted(name)} = {value:d}" for name, value in only.items())
    time = quoted(table.time)
    query = sa.text(
        f"SELECT SUBSTR({time}, 1, 10) AS day, COUNT(*) FROM {quoted(table.name)} "
        f"WHERE {time} >= :since AND {time} < :until{also} GROUP BY day ORDER BY day"
    )
    values = {"since": max(span[0], _EARLIEST), "until": span[1]}
    return {str(row[0]): int(row[1]) for row in connection.execute(query, values)}


def oldest(connection: sa.Connection, table: EventTable) -> str | None:
    """Return the oldest day that a table has rows of."""
    time = quoted(table.time)
    query = sa.text(f"SELECT {time} FROM {quoted(table.name)} ORDER BY {time} LIMIT 1")
    moment = connection.execute(query).scalar() if table.exists else None
    return None if moment is None else str(moment)[:10]


def books(database: Database, table: str, days: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return day → (rows in, rows out) of some days, as they are in this instant."""
    c = table_day.c
    query = sa.select(c.day, c.rows_in, c.rows_out).where(c.table_name == table)
    wanted = set(days)
    with database.read() as connection:
        found = {row[0]: (int(row[1]), int(row[2])) for row in connection.execute(query)}
    return {day: found.get(day, (0, 0)) for day in sorted(wanted)}
