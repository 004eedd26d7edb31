"""Read rows of event tables in pages, in the order of their key.

The database alone compares keys: ids and texts order by its collations, not by Python's. A page
is put together from short reads, each a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from eventlogging.registry.model import RegisteredSchema
from eventlogging.schema.columns import ColumnPlan
from eventlogging.store.database import Database
from eventlogging.store.dialect import CAPSULE_COLUMNS, INVALID_COLUMNS, INVALID_KEY, quoted

EVENT_KEY = ("dt", "id")
_NUMBER = "table_number"
_CHUNK_ROWS = 200  # an event has up to 256 KiB


@dataclass(frozen=True)
class Source:
    """One table to read: its number orders rows whose keys are the same in two tables.

    `names` are the columns to read; those that the table lacks so far are read as NULL. A table
    without any is made with its first event.
    """

    number: int
    table: str
    names: tuple[str, ...]
    present: frozenset[str]
    plan: ColumnPlan | None = None

    @property
    def selected(self) -> str:
        """The columns for SELECT."""
        return ", ".join(quoted(n) if n in self.present else "NULL" for n in self.names)


@dataclass(frozen=True)
class Window:
    """Which times to read, [start, end) as `2026-11-22 03:04:05.678`; None is open."""

    start: str | None = None
    end: str | None = None


@dataclass(frozen=True)
class Row:
    """One row: its table, its values in the order of `source.names`, and where it stands."""

    source: Source
    values: Sequence[Any]
    position: tuple[Any, ...]


@dataclass(frozen=True)
class Chunk:
    """Some rows in order, and whether there are more behind them."""

    rows: list[Row]
    more: bool


def event_sources(database: Database, schema: RegisteredSchema) -> list[Source]:
    """Return the tables of a schema's valid events, one per major version."""
    capsule = tuple(name for name, _ in CAPSULE_COLUMNS)
    tables = {v.version.major: v.table for v in schema.versions.values()}
    found = []
    with database.read() as connection:
        for major in sorted(tables):
            present = database.dialect.existing_columns(connection, tables[major])
            plan = schema.plans[major]
            names = (*capsule, *(column.name for column in plan.columns), "event_more")
            found.append(Source(major, tables[major], names, frozenset(present), plan))
    return found


def invalid_sources(database: Database, table: str) -> list[Source]:
    """Return a table of invalid events."""
    with database.read() as connection:
        present = database.dialect.existing_columns(connection, table)
    names = tuple(name for name, _ in INVALID_COLUMNS)
    return [Source(0, table, names, frozenset(present))]


def key_of(sources: Sequence[Source]) -> tuple[str, ...]:
    """Return the key that these tables are read by."""
    return EVENT_KEY if any(source.plan for source in sources) else INVALID_KEY


def read_chunk(
    database: Database,
    sources: Sequence[Source],
    window: Window,
    after: tuple[Any, ...] | None,
    limit: int,
) -> Chunk:
    """Return the next rows behind a position, at most `limit` of them and at most 200.

    A position is a row's key followed by its table's number. Raises StoreUnavailable.
    """
    sources = [source for source in sources if source.present]
    if not sources:
        return Chunk([], False)
    size = min(limit, _CHUNK_ROWS)
    key = key_of(sources)
    with database.read() as connection:
        order = _order(connection, sources, key, window, after, size + 1)
        rows: dict[tuple[Any, ...], Row] = {}
        for source in sources:
            own = [found for found in order[:size] if found[-1] == source.number]
            if own:
                rows |= _rows(connection, source, key, window, after, own[-1])
    # A row that went away in between is left out; one that came is on no page yet.
    found = [rows[position] for position in order[:size] if position in rows]
    return Chunk(found, len(order) > size)


def _order(
    connection: sa.Connection,
    sources: Sequence[Source],
    key: tuple[str, ...],
    window: Window,
    after: tuple[Any, ...] | None,
    limit: int,
) -> list[tuple[Any, ...]]:
    """Return the next positions over all tables, in the order that the database gives them."""
    columns = ", ".join(map(quoted, key))
    values: dict[str, Any] = {"limit": limit}
    parts = []
    for source in sources:
        where = _where(source, key, window, after, values)
        parts.append(
            f"SELECT * FROM (SELECT {columns}, {source.number} AS {_NUMBER} "
            f"FROM {quoted(source.table)}{where} ORDER BY {columns} LIMIT :limit) "
            f"AS {quoted(f't{source.number}')}"
        )
    query = f"{' UNION ALL '.join(parts)} ORDER BY {columns}, {_NUMBER} LIMIT :limit"
    return [tuple(row) for row in connection.execute(sa.text(query), values)]


def _rows(
    connection: sa.Connection,
    source: Source,
    key: tuple[str, ...],
    window: Window,
    after: tuple[Any, ...] | None,
    last: tuple[Any, ...],
) -> dict[tuple[Any, ...], Row]:
    """Return the rows of one table behind `after` and up to `last`, by position."""
    values: dict[str, Any] = {f"last_{index}": value for index, value in enumerate(last[:-1])}
    where = _where(source, key, window, after, values)
    until = _compare(key, "<", "<=", "last")
    query = (
        f"SELECT {source.selected} FROM {quoted(source.table)}"
        f"{where}{' AND ' if where else ' WHERE '}{until}"
    )
    places = [source.names.index(name) for name in key]
    found = {}
    for row in connection.execute(sa.text(query), values):
        position = (*(row[place] for place in places), source.number)
        found[position] = Row(source, row, position)
    return found


def _where(
    source: Source,
    key: tuple[str, ...],
    window: Window,
    after: tuple[Any, ...] | None,
    values: dict[str, Any],
) -> str:
    """Return the WHERE of a window behind a position; puts what it binds into `values`."""
    time = quoted(key[0])
    conditions = []
    if window.start is not None:
        values["start"] = window.start
        conditions.append(f"{time} >= :start")
    if window.end is not None:
        values["end"] = window.end
        conditions.append(f"{time} < :end")
    if after is not None:
        values |= {f"after_{index}": value for index, value in enumerate(after[:-1])}
        equal = ">=" if source.number > after[-1] else ">"
        conditions += [f"{time} >= :after_0", _compare(key, ">", equal, "after")]
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _compare(key: Sequence[str], sign: str, last_sign: str, prefix: str) -> str:
    """Return how a key compares with bound values, its first columns first."""
    *above, last = range(len(key))
    text = f"{quoted(key[last])} {last_sign} :{prefix}_{last}"
    for index in reversed(above):
        name, value = quoted(key[index]), f":{prefix}_{index}"
        text = f"({name} {sign} {value} OR ({name} = {value} AND {text}))"
    return text


def time_text(value: Any) -> str:
    """Return a time as `2026-11-22 03:04:05.678`, whichever way the driver gives it."""
    text = value.isoformat(" ", "milliseconds") if isinstance(value, datetime) else str(value)
    return text if len(text) > 19 else f"{text}.000"


def by_name(row: Row) -> Mapping[str, Any]:
    """Return a row's values by column name."""
    return dict(zip(row.source.names, row.values, strict=True))
