"""The tables aggregate_day and aggregate_cell: which days stand for what, and their cells."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.retention.aggregates.cell import OTHER, SUPPRESSED, Cell, Suppressed, by_text
from eventlogging.store.database import Database
from eventlogging.store.fixed import aggregate_cell, aggregate_day

SETTLED = ""  # the aggregate's name in the row that says: raw of this day may go from now on
_CHUNK = 200
_KEY = ("schema", "aggregate", "day")
_d, _c = aggregate_day.c, aggregate_cell.c


@dataclass(frozen=True, slots=True)
class State:
    """A computed day of an aggregate: from what, by which definition, and whether for good."""

    definition: str
    source: str
    events: int
    final: bool
    computed_at: str


def states(
    connection: sa.Connection, schema: str, *, day: str | None = None
) -> dict[tuple[str, str], State]:
    """Return (aggregate, day) → state, of a schema or of one day of it."""
    query = sa.select(
        _d.aggregate, _d.day, _d.definition, _d.source, _d.events, _d.final, _d.computed_at
    ).where(_d.schema == schema)
    if day is not None:
        query = query.where(_d.day == day)
    return {
        (row[0], row[1]): State(row[2], row[3], int(row[4]), bool(row[5]), row[6])
        for row in connection.execute(query)
    }


def replace(
    database: Database, schema: str, aggregate: str, day: str, state: State, cells: Iterable[Cell]
) -> bool:
    """Put a day's cells in place of those that are there; False where these are final."""
    rows = [_row(schema, aggregate, day, cell) for cell in cells]
    with database.write() as connection:
        # The row of the day comes first: whoever replaces it as well waits here.
        if not _claim(database, connection, (schema, aggregate, day), state):
            return False
        connection.execute(sa.delete(aggregate_cell).where(*_of(_c, schema, aggregate, day)))
        _insert(connection, rows)
    return True


def drop(database: Database, schema: str, aggregate: str, day: str) -> None:
    """Forget a day that is not final."""
    with database.write() as connection:
        gone = connection.execute(
            sa.delete(aggregate_day).where(*_of(_d, schema, aggregate, day), _d.final.is_(False))
        )
        if gone.rowcount:
            connection.execute(sa.delete(aggregate_cell).where(*_of(_c, schema, aggregate, day)))


def make_final(
    connection: sa.Connection,
    place: tuple[str, str, str],
    state: State,
    *,
    gone: Sequence[str] = (),
    changed: Sequence[Cell] = (),
    suppressed: Suppressed | None = None,
) -> bool:
    """Mark a day as final, take away and change cells; False where it is not as `state` says.

    `gone` are keys of cells; `place`: schema, aggregate, day.
    """
    marked = connection.execute(
        sa.update(aggregate_day)
        .where(*_of(_d, *place), _d.final.is_(False), _d.source == state.source)
        .where(_d.definition == state.definition, _d.computed_at == state.computed_at)
        .values(final=True)
    )
    if not marked.rowcount:
        return False
    keys = [*gone, *(cell.key for cell in changed)]
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        connection.execute(sa.delete(aggregate_cell).where(*_of(_c, *place), _c.cell.in_(chunk)))
    rows = [_row(*place, cell) for cell in changed]
    if suppressed is not None and suppressed.events:
        rows.append(_suppressed_row(*place, suppressed))
    _insert(connection, rows)
    return True


def mark_settled(database: Database, schema: str, day: str, source: str) -> None:
    """Say that a day's raw may go: an aggregate declared later is not computed from its rest."""
    with database.write() as connection:
        place = (schema, SETTLED, day)
        state = State("", source, 0, True, clock.iso(clock.now_ms()))
        _insert_day(database, connection, place, state)


def read_cells(
    connection: sa.Connection, schema: str, aggregate: str, first_day: str, last_day: str,
    only: Collection[str] | None = None, *, keys: Collection[str] | None = None,
) -> Iterator[tuple[str, Cell | Suppressed]]:  # fmt: skip
    """Yield (day, cell) from first to last day, in order of days; `only`: see `Cell.load`.

    `keys`: no other cells than those of these keys.
    """
    columns = (_c.day, _c.cell, _c.by, _c.events, _c["count"], _c.measures)
    query = (
        sa.select(*columns)
        .where(_c.schema == schema, _c.aggregate == aggregate, _c.day <= last_day)
        .order_by(_c.day, _c.cell)
        .limit(_CHUNK)
    )
    if keys is not None:
        query = query.where(_c.cell.in_(sorted(keys)))
    page = connection.execute(query.where(_c.day >= first_day)).all()
    while page:
        for day, key, by, events, count, measures in page:
            if key == SUPPRESSED:
                yield day, Suppressed(orjson.loads(measures)["merged"], int(events))
            else:
                is_other = key == OTHER
                yield day, Cell.load(by, events, count, measures, is_other=is_other, only=only)
        if len(page) < _CHUNK:
            return
        day, key = page[-1][:2]
        behind = sa.or_(_c.day > day, sa.and_(_c.day == day, _c.cell > key))
        page = connection.execute(query.where(_c.day >= day, behind)).all()


def counted_by(
    connection: sa.Connection, schema: str, aggregate: str, first_day: str, last_day: str
) -> dict[str, Mapping[str, Any]]:
    """Return key → what the cell is counted by, of all cells of single values in these days."""
    query = (
        sa.select(_c.cell, sa.func.min(_c.by))
        .where(_c.schema == schema, _c.aggregate == aggregate)
        .where(_c.day >= first_day, _c.day <= last_day, _c.cell.not_in((OTHER, SUPPRESSED)))
        .group_by(_c.cell)
    )
    return {key: orjson.loads(by) for key, by in connection.execute(query)}


def number_of_cells(
    connection: sa.Connection, schema: str, aggregate: str, first_day: str, last_day: str
) -> int:
    """Return how many cells are stored of these days."""
    query = sa.select(sa.func.count()).where(
        *(_c.schema == schema, _c.aggregate == aggregate, _c.cell != SUPPRESSED),
        *(_c.day >= first_day, _c.day <= last_day),
    )
    return int(connection.execute(query).scalar_one())


def _claim(
    database: Database, connection: sa.Connection, place: tuple[str, str, str], state: State
) -> bool:
    """Lock the row of a day and say what it stands for from now on; False where it is final."""
    _insert_day(database, connection, place, state)
    this = _of(_d, *place)
    if connection.execute(sa.select(_d.final).where(*this).with_for_update()).scalar():
        return False
    connection.execute(
        sa.update(aggregate_day)
        .where(*this)
        .values(
            definition=state.definition, source=state.source, events=state.events,
            computed_at=state.computed_at,
        )
    )  # fmt: skip
    return True


def _insert_day(
    database: Database, connection: sa.Connection, place: tuple[str, str, str], state: State
) -> None:
    names = (*_KEY, "definition", "source", "events", "final", "computed_at")
    values = (
        *place, state.definition, state.source, state.events, int(state.final), state.computed_at,
    )  # fmt: skip
    database.dialect.insert_new(connection, aggregate_day.name, names, [values], _KEY)


def _insert(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    for start in range(0, len(rows), _CHUNK):
        connection.execute(sa.insert(aggregate_cell), list(rows[start : start + _CHUNK]))


def _of(columns: Any, schema: str, aggregate: str, day: str) -> list[sa.ColumnElement[bool]]:
    return [columns.schema == schema, columns.aggregate == aggregate, columns.day == day]


def _row(schema: str, aggregate: str, day: str, cell: Cell) -> dict[str, Any]:
    return {
        "schema": schema, "aggregate": aggregate, "day": day, "cell": cell.key,
        "by": "{}" if cell.by is None else by_text(cell.by),
        "events": cell.events, "count": cell.count, "measures": cell.dump(),
    }  # fmt: skip


def _suppressed_row(schema: str, aggregate: str, day: str, what: Suppressed) -> dict[str, Any]:
    return {
        "schema": schema, "aggregate": aggregate, "day": day, "cell": SUPPRESSED, "by": "{}",
        "events": what.events, "count": 0.0,
        "measures": orjson.dumps({"merged": what.cells}).decode(),
    }  # fmt: skip
