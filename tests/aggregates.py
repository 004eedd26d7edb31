"""Rows put straight into event tables, with their books, for tests of aggregates."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.registry.model import RegisteredSchema
from eventlogging.retention.aggregates import read
from eventlogging.retention.aggregates.read import Figures
from eventlogging.retention.policy import Aggregate
from eventlogging.schema.codec import compile_encoder
from eventlogging.store.database import Database
from eventlogging.store.dialect import CAPSULE_COLUMNS

_NAMES = [name for name, _ in CAPSULE_COLUMNS]
Event = tuple[Mapping[str, Any], Mapping[str, Any]]  # payload, capsule


def days_ago(days: int) -> str:
    return (date.fromisoformat(clock.day(clock.now_ms())) - timedelta(days=days)).isoformat()


def store(
    database: Database,
    schema: RegisteredSchema,
    day: str,
    events: Iterable[Event],
    major: int = 1,
) -> list[str]:
    """Store events of a day as the loader does, and book them; return their ids."""
    plan = schema.plans[major]
    table = next(v.table for v in schema.versions.values() if v.version.major == major)
    encode = compile_encoder(plan)
    rows = []
    for at, (payload, capsule) in enumerate(events):
        values, more = encode(dict(payload))
        seconds, ms = divmod(at * 7, 1000)
        dt = f"{day} {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"
        fixed = {
            "dt": dt, "id": str(uuid.uuid4()), "received": dt, "version": f"{major}.0.0",
            "sample_rate": 1.0, **capsule,
        }  # fmt: skip
        rows.append([*(fixed.get(name) for name in _NAMES), *values, more])
    names = [*_NAMES, *(column.name for column in plan.columns), "event_more"]
    with database.ddl() as connection:
        for statement in database.dialect.event_table_ddl(table, plan.columns, day):
            connection.exec_driver_sql(statement)
    with database.ddl() as connection:
        for statement in database.dialect.days_ddl(connection, table, [day]):
            connection.exec_driver_sql(statement)
    with database.write() as connection:
        for start in range(0, len(rows), 5000):
            database.dialect.insert_new(
                connection, table, names, rows[start : start + 5000], ("dt", "id")
            )
        book(database, connection, table, day, rows_in=len(rows))
    return [row[1] for row in rows]


def book(
    database: Database, connection: sa.Connection, table: str, day: str, rows_in: int = 0,
    rows_out: int = 0,
) -> None:  # fmt: skip
    database.dialect.add_counts(
        connection, "table_day", ("table_name", "day"), ("rows_in", "rows_out"),
        [(table, day, rows_in, rows_out)],
    )  # fmt: skip


def erase(database: Database, table: str, day: str, ids: Sequence[str]) -> None:
    """Delete rows and book it, as an erasure does."""
    with database.write() as connection:
        query = sa.text(f"DELETE FROM {table} WHERE id IN :ids")
        query = query.bindparams(sa.bindparam("ids", expanding=True))
        gone = connection.execute(query, {"ids": list(ids)}).rowcount
        assert gone == len(ids)
        book(database, connection, table, day, rows_out=gone)


def purge(database: Database, table: str, day: str) -> None:
    """Delete all rows of a day and book it."""
    with database.write() as connection:
        query = sa.text(f"DELETE FROM {table} WHERE dt >= :day AND dt < :next")
        following = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
        gone = connection.execute(query, {"day": day, "next": following}).rowcount
        book(database, connection, table, day, rows_out=gone)


def figures(
    database: Database, aggregate: Aggregate, start: str, end: str = "", per: str = "day",
    schema: str = "Click",
) -> Figures:  # fmt: skip
    """Read cells as the API does; without an end, of one day."""
    with database.read() as connection:
        return read.cells(connection, schema, aggregate, start, end or start, per)
