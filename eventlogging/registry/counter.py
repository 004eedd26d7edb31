"""The registry counter: one number that moves with every change, so that readers see it soon."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from eventlogging.errors import StoreError, StoreUnavailable
from eventlogging.store.dialect import Dialect
from eventlogging.store.fixed import registry_counter

_ROW = 1
_OPT_OUTS = 2  # the row of those who opted out; absent: nobody ever did


def read(connection: sa.Connection) -> int:
    """Return the counter's value; raises StoreError where the tables were never filled."""
    return _value(connection.execute(_query()))


def both(connection: sa.Connection) -> tuple[int, int]:
    """Return the registry's counter and that of opt-outs. Raises as `read` does."""
    c = registry_counter.c
    query = sa.select(c.id, c.value).where(c.id.in_((_ROW, _OPT_OUTS)))
    found = {row.id: int(row.value) for row in connection.execute(query)}
    if _ROW not in found:
        raise StoreError("the registry counter is missing; run: eventlogging doctor")
    return found[_ROW], found.get(_OPT_OUTS, 0)


def move_opt_outs(connection: sa.Connection, dialect: Dialect) -> None:
    """Say that opt-outs changed; readers see it once the transaction commits."""
    names = ("id", "value")
    dialect.insert_new(connection, registry_counter.name, names, [(_OPT_OUTS, 0)], ("id",))
    _move(connection, _OPT_OUTS)


def lock(connection: sa.Connection) -> int:
    """Return the counter's value and make all other writers of the registry wait.

    It must be the transaction's first statement: what is read after it is then the newest state.
    Raises StoreUnavailable when another change takes too long.
    """
    try:
        return _value(connection.execute(_query().with_for_update()))
    except sa.exc.OperationalError as error:
        raise StoreUnavailable(f"the registry cannot be changed now: {error.orig}") from error


def move(connection: sa.Connection) -> None:
    """Say that the registry changed; readers see it once the transaction commits."""
    _move(connection, _ROW)


def _move(connection: sa.Connection, row: int) -> None:
    connection.execute(
        sa.update(registry_counter)
        .where(registry_counter.c.id == row)
        .values(value=registry_counter.c.value + 1)
    )


def _query() -> sa.Select[Any]:
    return sa.select(registry_counter.c.value).where(registry_counter.c.id == _ROW)


def _value(result: sa.CursorResult[Any]) -> int:
    value = result.scalar()
    if value is None:
        raise StoreError("the registry counter is missing; run: eventlogging doctor")
    return int(value)
