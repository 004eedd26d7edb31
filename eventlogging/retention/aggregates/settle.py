"""Settle a day before its raw rows go: computed a last time, small cells put together, final."""

from __future__ import annotations

from eventlogging.errors import StoreError
from eventlogging.registry.model import RegisteredSchema
from eventlogging.retention.aggregates import stored
from eventlogging.retention.aggregates.books import read_books
from eventlogging.retention.aggregates.cell import Cell, Suppressed, fold
from eventlogging.retention.aggregates.compute import compute_day, find_stale
from eventlogging.retention.aggregates.stored import SETTLED, State
from eventlogging.retention.policy import Aggregate, Policy
from eventlogging.store.database import Database

_TRIES = 5


def settle(database: Database, schema: RegisteredSchema, policy: Policy, day: str) -> int:
    """Make a day's aggregates final; return how many cells are kept of it for good.

    To be called before any raw row of the day goes; calling it again changes nothing. Raises
    StoreError where rows keep coming in the meantime, StoreUnavailable.
    """
    for _ in range(_TRIES):
        with database.read() as connection:
            known = stored.states(connection, schema.name, day=day)
            book = read_books(connection, schema, day).get(day)
        of_day = {name: state for (name, _), state in known.items()}
        if SETTLED in of_day or book is None:
            break
        names = {one.name for one in policy.aggregates}
        for name, state in of_day.items():
            if name not in names and not state.final:
                stored.drop(database, schema.name, name, day)
        stale = find_stale(policy.aggregates, of_day, book)
        if stale:
            compute_day(database, schema, stale, day, book)
        if all(_finish(database, schema, one, day) for one in policy.aggregates):
            if book.rows:
                stored.mark_settled(database, schema.name, day, book.source)
            break
    else:
        raise StoreError(f"events of {schema.name} of {day} keep coming while they are counted")
    with database.read() as connection:
        return sum(
            stored.number_of_cells(connection, schema.name, one.name, day, day)
            for one in policy.aggregates
        )


def _finish(database: Database, schema: RegisteredSchema, aggregate: Aggregate, day: str) -> bool:
    """Make one aggregate's day final; False where rows came or went since it was computed."""
    with database.read() as connection:
        state = stored.states(connection, schema.name, day=day).get((aggregate.name, day))
    if state is None or state.final:
        return True  # there is nothing of that day, or nothing left to do
    gone, changed, suppressed = _small(database, schema.name, aggregate, day)
    with database.write() as connection:
        book = read_books(connection, schema, day).get(day)
        if book is None or not _stands(state, aggregate, book.source):
            return False
        return stored.make_final(
            connection, (schema.name, aggregate.name, day), state,
            gone=gone, changed=changed, suppressed=suppressed,
        )  # fmt: skip


def _stands(state: State, aggregate: Aggregate, source: str) -> bool:
    return (state.source, state.definition) == (source, aggregate.definition)


def _small(
    database: Database, schema: str, aggregate: Aggregate, day: str
) -> tuple[list[str], list[Cell], Suppressed]:
    """Return the keys of cells that go, the cells that change, and what is not kept at all."""
    cells: list[Cell] = []
    suppressed = Suppressed()
    with database.read() as connection:
        for _, cell in stored.read_cells(connection, schema, aggregate.name, day, day):
            if isinstance(cell, Cell):
                cells.append(cell)
            else:
                suppressed += cell
    folded = fold(cells, aggregate.min_cell, suppressed)
    gone = [cell.key for cell in cells if cell.by is None]
    gone += [cell.key for cell in folded.small]
    trimmed = {id(cell) for cell in folded.trimmed}
    changed = [cell for cell in folded.cells if cell.by is None or id(cell) in trimmed]
    return gone, changed, folded.suppressed
