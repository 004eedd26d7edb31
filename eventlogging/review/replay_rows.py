"""Stored invalid events: read page by page, in the order of their key; looked for; deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.store.database import Database
from eventlogging.store.dialect import INVALID_KEY, quoted
from eventlogging.store.fixed import table_day
from eventlogging.store.row_keys import MOST_ROWS, keys_where

PAGE_ROWS = 200  # an event has up to 64 KiB
Key = tuple[str, str, int, int]
_REST = (
    "version", "code", "id", "host", "wiki", "user_agent_browser", "client", "sealed", "raw"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """A table of invalid events; `booked` is the schema that the ledger has them under.

    `claimed` is the schema that they must name, None for any; `codes` those that are wanted.
    """

    table: str
    booked: str
    claimed: str | None
    codes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Refused:
    """A stored invalid event. `received` is a text such as `2026-11-22 03:04:05.678`."""

    received: str
    segment: str
    offset: int
    index: int
    version: str
    code: str
    id: str | None
    host: str | None
    wiki: str | None
    browser: str | None
    client: str | None
    sealed: bool
    raw: str

    @property
    def key(self) -> Key:
        """Its place: the table's key."""
        return self.received, self.segment, self.offset, self.index


def pages(
    database: Database, source: Source, since: str | None, until: str | None
) -> Iterator[tuple[list[Refused], int]]:
    """Yield pages, each with about how many rows are left; `since` and `until` are days.

    Raises StoreUnavailable.
    """
    if not source.codes:
        return
    with database.read() as connection:
        if not database.dialect.existing_columns(connection, source.table):
            return
    first = since or "1000-01-01"
    last = until or clock.day(clock.now_ms() + clock.DAY_MS)
    left = _booked(database, source.table, first, last)
    end = (date.fromisoformat(last) + timedelta(days=1)).isoformat()
    after: tuple[Any, ...] = (first, "", -1, -1)
    while True:
        page = _page(database, source, after, end)
        left = max(0, left - len(page))
        if page:
            yield page, left
        if len(page) < PAGE_ROWS:
            return
        after = page[-1].key


def present_keys(connection: sa.Connection, table: str, rows: Sequence[Refused]) -> set[Key]:
    """Return the keys of those of these rows that are stored still. Raises StoreUnavailable."""
    names = ", ".join(map(quoted, INVALID_KEY))
    found: set[Key] = set()
    for where, values in _named(rows):
        query = sa.text(f"SELECT {names} FROM {quoted(table)} WHERE {where}")
        for received, segment, offset, index in connection.execute(query, values):
            found.add((_text(received), segment, offset, index))
    return found


def delete(connection: sa.Connection, table: str, rows: Sequence[Refused]) -> int:
    """Delete rows; return how many of them were there. Raises StoreUnavailable."""
    return sum(
        connection.execute(sa.text(f"DELETE FROM {quoted(table)} WHERE {where}"), values).rowcount
        for where, values in _named(rows)
    )


def _named(rows: Sequence[Refused]) -> Iterator[tuple[str, dict[str, Any]]]:
    for start in range(0, len(rows), MOST_ROWS):
        yield keys_where(INVALID_KEY, [row.key for row in rows[start : start + MOST_ROWS]])


def _page(database: Database, source: Source, after: tuple[Any, ...], end: str) -> list[Refused]:
    values = {f"after_{n}": value for n, value in enumerate(after)}
    values |= {"end": end, "codes": sorted(source.codes), "most": PAGE_ROWS}
    where = f"`received` >= :after_0 AND `received` < :end AND code IN :codes AND {_behind()}"
    if source.claimed is not None:
        where += " AND `schema` = :claimed"
        values["claimed"] = source.claimed[:64]
    names = ", ".join(map(quoted, (*INVALID_KEY, *_REST)))
    order = ", ".join(map(quoted, INVALID_KEY))
    query = sa.text(
        f"SELECT {names} FROM {quoted(source.table)} WHERE {where} ORDER BY {order} LIMIT :most"
    ).bindparams(sa.bindparam("codes", expanding=True))
    with database.read() as connection:
        return [_refused(row) for row in connection.execute(query, values)]


def _refused(row: Any) -> Refused:
    values = list(row)
    values[0] = _text(values[0])
    values[-2:] = bool(values[-2]), values[-1] or ""
    return Refused(*values)


def _behind() -> str:
    text = ""
    for n, name in reversed(list(enumerate(INVALID_KEY))):
        more = f" OR ({quoted(name)} = :after_{n} AND {text})" if text else ""
        text = f"({quoted(name)} > :after_{n}{more})"
    return text


def _booked(database: Database, table: str, first: str, last: str) -> int:
    c = table_day.c
    query = sa.select(sa.func.sum(c.rows_in - c.rows_out)).where(
        c.table_name == table, c.day >= first, c.day <= last
    )
    with database.read() as connection:
        return int(connection.execute(query).scalar() or 0)


def _text(value: Any) -> str:
    """A stored time as it was inserted; MySQL's driver gives a datetime."""
    if isinstance(value, str):
        return value
    return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"
