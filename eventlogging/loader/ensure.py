"""Make sure that tables, columns and days exist before a transaction needs them.

The statements are idempotent and run on a connection of their own, for MySQL
commits around each of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.errors import StoreUnavailable, TableTrouble
from eventlogging.loader.prepare import TableRows
from eventlogging.registry.model import RegisteredSchema
from eventlogging.store.database import Database
from eventlogging.store.dialect import CAPSULE_COLUMNS, quoted

_TRIES = 5  # where other loaders make the same tables at the same time


class TableKeeper:
    """Remembers which tables are known to be ready, so that a quiet step asks nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ready: dict[str, tuple[tuple[str, ...], str]] = {}  # table → columns, last day

    def forget(self, rows: TableRows) -> None:
        """Look at these tables again before the next rows go into them."""
        self._ready.pop(rows.table, None)
        if rows.schema is not None:
            self._ready.pop(rows.schema.invalid_table, None)

    def ensure(self, rows: TableRows) -> None:
        """Make a table ready for these rows, and beside it the table of what it may refuse.

        Raises TableTrouble where it cannot be done now, StoreUnavailable where nothing can.
        """
        received = {row.received[:10] for row in rows.events}
        received |= {row.received[:10] for row in rows.invalid}
        if rows.major and rows.schema is not None:
            columns = tuple(column.name for column in rows.plan.columns)
            self._ensure(rows.table, columns, {row.dt[:10] for row in rows.events}, rows)
            self._ensure(rows.schema.invalid_table, (), received, None)
        else:
            self._ensure(rows.table, (), received, None)

    def _ensure(
        self, table: str, columns: tuple[str, ...], days: set[str], rows: TableRows | None
    ) -> None:
        if not days:
            return
        known, last = self._ready.get(table, (None, ""))
        if known == columns and max(days) <= last:
            return
        for tries_left in range(_TRIES - 1, -1, -1):
            try:
                with self._database.ddl() as connection:
                    self._make(connection, table, days, rows)
                break
            except StoreUnavailable:
                raise
            except Exception as error:
                if tries_left and self._database.dialect.trouble(error) == "made":
                    continue  # another loader was faster; what is left to make is less now
                self._ready.pop(table, None)
                raise TableTrouble(table, f"cannot be prepared: {error}") from error
        self._ready[table] = (columns, max(*days, last))

    def _make(
        self, connection: sa.Connection, table: str, days: set[str], rows: TableRows | None
    ) -> None:
        dialect = self._database.dialect
        today = clock.day(clock.now_ms())
        present = dialect.existing_columns(connection, table)
        if rows is not None and present:
            statements = dialect.alter_ddl(table, present, rows.plan.columns)
        elif rows is not None:
            statements = dialect.event_table_ddl(table, rows.plan.columns, today)
        else:
            statements = [] if present else dialect.invalid_table_ddl(table, today)
        _run(connection, statements)
        tomorrow = (date.fromisoformat(today) + timedelta(days=1)).isoformat()
        _run(connection, dialect.days_ddl(connection, table, days | {today, tomorrow}))
        if rows is not None and rows.schema is not None and statements:
            _run(connection, _view(self._database, connection, rows.schema))


def make_views(database: Database, schemas: Iterable[RegisteredSchema]) -> None:
    """Make the view of each schema that has a table, or make it anew. Raises StoreUnavailable."""
    with database.ddl() as connection:
        for schema in schemas:
            _run(connection, _view(database, connection, schema))


def _view(database: Database, connection: sa.Connection, schema: RegisteredSchema) -> list[str]:
    """The view that unites a schema's majors over the columns they share."""
    capsule = [name for name, _ in CAPSULE_COLUMNS]
    tables: dict[str, list[str]] = {}
    for version in schema.versions.values():
        table = version.table
        if table not in tables and database.dialect.existing_columns(connection, table):
            plan = schema.plans[version.version.major]
            tables[table] = [column.name for column in plan.columns]
    if not tables:
        return []
    first = next(iter(tables.values()))
    shared = [name for name in first if all(name in names for names in tables.values())]
    names = ", ".join(map(quoted, [*capsule, *shared, "event_more"]))
    query = " UNION ALL ".join(f"SELECT {names} FROM {quoted(table)}" for table in tables)
    return database.dialect.view_ddl(schema.stem, query)


def _run(connection: sa.Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)
