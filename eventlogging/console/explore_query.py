"""Look through a table of events, the newest first, in short steps and for a bounded time.

A condition on a column has no index to help it. So we walk along the key, some thousand rows at a
time, each step a transaction of its own, and say how far we came.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from eventlogging.console.explore_filter import Asked
from eventlogging.console.row_pages import Row, Source, time_text
from eventlogging.store.database import Database
from eventlogging.store.dialect import quoted

Position = tuple[Any, Any]  # dt and id of a row
_STEP_ROWS = 10_000
_CHUNK_ROWS = 200  # an event has up to 256 KiB
_COUNT_SECONDS = 4.0


@dataclass
class Found:
    """What was found. `counts` maps a step of time to a number; `next` is where to go on.

    `looked_back_to` is set where time ran out: the moment down to which all was seen.
    """

    rows: list[Row] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    next: Position | None = None
    looked_back_to: str | None = None

    @property
    def total(self) -> int:
        """How many rows there are, as far as was looked."""
        return sum(self.counts.values())


def look(
    database: Database,
    source: Source,
    asked: Asked,
    *,
    most: int,
    step_chars: int,
    after: Position | None = None,
    seconds: float = _COUNT_SECONDS,
) -> Found:
    """Return the newest rows behind a position, and how many there are by step of time.

    `step_chars` is how much of a time's text names a step; on later pages, which go on `after` a
    position, nothing is counted. Raises StoreUnavailable.
    """
    found = Found()
    deadline = time.monotonic() + seconds
    counting = after is None
    for above, edge in _steps(database, source, asked, after):
        room = most + 1 - len(found.rows)
        with database.read() as connection:
            if counting:
                found.counts += _counted(connection, source, asked, above, edge, step_chars)
            if room > 0:
                found.rows += _rows(connection, source, asked, above, edge, room)
        if len(found.rows) > most and not counting:
            break
        if edge is not None and time.monotonic() > deadline:
            found.looked_back_to = time_text(edge[0])
            break
    if len(found.rows) > most:
        del found.rows[most:]
        found.next = position_of(found.rows[-1])
    elif found.looked_back_to is not None and edge is not None:
        found.next = edge
    return found


def stream(database: Database, source: Source, asked: Asked, most: int) -> Iterator[Row]:
    """Yield the newest rows, at most so many, reading as they are taken."""
    left = most
    for above, edge in _steps(database, source, asked, None):
        while left > 0:
            size = min(left, _CHUNK_ROWS)
            with database.read() as connection:
                rows = _rows(connection, source, asked, above, edge, size)
            yield from rows
            left -= len(rows)
            if len(rows) < size:
                break
            above = position_of(rows[-1])
        if left <= 0:
            return


def position_of(row: Row) -> Position:
    """Return where a row stands."""
    names = row.source.names
    return (row.values[names.index("dt")], row.values[names.index("id")])


def _steps(
    database: Database, source: Source, asked: Asked, after: Position | None
) -> Iterator[tuple[Position | None, Position | None]]:
    """Yield pairs of positions that rows lie between, the last pair open below."""
    above = after
    while True:
        where, values = _between(asked, above, None)
        query = (
            f"SELECT {quoted('dt')}, {quoted('id')} FROM {quoted(source.table)} WHERE {where} "
            f"ORDER BY {quoted('dt')} DESC, {quoted('id')} DESC LIMIT 1 OFFSET {_STEP_ROWS - 1}"
        )
        with database.read() as connection:
            row = connection.execute(sa.text(query), values).first()
        edge = (row[0], row[1]) if row is not None else None
        yield above, edge
        if edge is None:
            return
        above = edge


def _between(
    asked: Asked, above: Position | None, edge: Position | None
) -> tuple[str, dict[str, Any]]:
    """Return the condition of rows that come behind `above` and up to `edge`, newest first."""
    dt, key = quoted("dt"), quoted("id")
    conditions = [f"{dt} >= :start", f"{dt} < :until"]
    values: dict[str, Any] = {"start": asked.start, "until": asked.until}
    if above is not None:
        values |= {"above_dt": above[0], "above_id": above[1]}
        conditions += [
            f"{dt} <= :above_dt", f"({dt} < :above_dt OR ({dt} = :above_dt AND {key} < :above_id))"
        ]  # fmt: skip
    if edge is not None:
        values |= {"edge_dt": edge[0], "edge_id": edge[1]}
        conditions += [
            f"{dt} >= :edge_dt", f"({dt} > :edge_dt OR ({dt} = :edge_dt AND {key} >= :edge_id))"
        ]  # fmt: skip
    return " AND ".join(conditions), values


def _where(
    asked: Asked, above: Position | None, edge: Position | None
) -> tuple[str, dict[str, Any]]:
    where, values = _between(asked, above, edge)
    if asked.where is None:
        return where, values
    wanted, bound = asked.where.condition()
    return f"{where} AND {wanted}", values | bound


def _counted(
    connection: sa.Connection,
    source: Source,
    asked: Asked,
    above: Position | None,
    edge: Position | None,
    chars: int,
) -> Counter[str]:
    where, values = _where(asked, above, edge)
    step = f"SUBSTR({quoted('dt')}, 1, {chars})"
    query = f"SELECT {step}, COUNT(*) FROM {quoted(source.table)} WHERE {where} GROUP BY {step}"
    return Counter({str(row[0]): int(row[1]) for row in connection.execute(sa.text(query), values)})


def _rows(
    connection: sa.Connection,
    source: Source,
    asked: Asked,
    above: Position | None,
    edge: Position | None,
    limit: int,
) -> Sequence[Row]:
    where, values = _where(asked, above, edge)
    query = (
        f"SELECT {source.selected} FROM {quoted(source.table)} WHERE {where} "
        f"ORDER BY {quoted('dt')} DESC, {quoted('id')} DESC LIMIT {limit}"
    )
    return [Row(source, row, ()) for row in connection.execute(sa.text(query), values)]
