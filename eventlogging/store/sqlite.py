"""SQLite: one file, WAL, writers that wait for their turn."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from eventlogging.schema.columns import Column, Kind
from eventlogging.store.dialect import (
    CAPSULE_COLUMNS,
    CAPSULE_REQUIRED,
    INVALID_COLUMNS,
    INVALID_KEY,
    Stretch,
    Trouble,
    quoted,
    scrubbed_capsule,
)

_TYPES = {
    Kind.BOOLEAN: "BOOLEAN",
    Kind.BIGINT: "BIGINT",
    Kind.DOUBLE: "DOUBLE",
    Kind.TEXT: "TEXT",
    Kind.DATETIME: "TEXT",
    Kind.JSON: "TEXT",
}
_ABSTRACT = {"time": "TEXT", "uuid": "CHAR(36)", "boolean": "BOOLEAN", "double": "DOUBLE"}
_ABSTRACT |= {"bigint": "BIGINT", "long": "TEXT"}
_WAIT_SECONDS = 15
# Waiting, or mending the disk, helps; anything else is about the table at hand.
_SERVER = frozenset(
    {
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)  # fmt: skip
_MADE = ("already exists", "duplicate column name", "no such view")


class SQLite:
    """The dialect of SQLite 3.35 or newer."""

    name = "sqlite"
    remote = False

    def engine(self, url: str) -> sa.Engine:
        path = sa.engine.make_url(url).database
        if path and path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        # isolation_level None: transactions begin when `begin` says so, and as it says.
        engine = sa.create_engine(
            url, connect_args={"isolation_level": None, "timeout": _WAIT_SECONDS}
        )
        sa.event.listen(engine, "connect", _prepare)
        return engine

    def begin(self, connection: sa.Connection, *, write: bool) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    def assert_fit(self, connection: sa.Connection) -> list[str]:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        if mode == "wal":
            return []
        return [
            f"journal mode is {mode}, not wal: the data folder must lie on a local disk, "
            "not on a network share"
        ]

    def version(self, connection: sa.Connection) -> str:
        return f"SQLite {connection.exec_driver_sql('SELECT sqlite_version()').scalar()}"

    def column_type(self, column: Column) -> str:
        if column.kind is Kind.VARCHAR:
            return f"VARCHAR({column.length})"
        return _TYPES[column.kind]

    def event_table_ddl(self, table: str, columns: Sequence[Column], day: str) -> list[str]:
        lines = [_capsule_line(name, kind) for name, kind in CAPSULE_COLUMNS]
        lines += [f"{quoted(c.name)} {self.column_type(c)}" for c in columns]
        lines += ["`event_more` TEXT", "PRIMARY KEY (`dt`, `id`)"]
        body = ",\n  ".join(lines)
        # WITHOUT ROWID: the rows lie in key order, as they do on the other databases.
        return [f"CREATE TABLE IF NOT EXISTS {quoted(table)} (\n  {body}\n) WITHOUT ROWID"]

    def invalid_table_ddl(self, table: str, day: str) -> list[str]:
        lines = [f"{quoted(name)} {_abstract(kind)}" for name, kind in INVALID_COLUMNS]
        lines.append(f"PRIMARY KEY ({', '.join(map(quoted, INVALID_KEY))})")
        body = ",\n  ".join(lines)
        return [f"CREATE TABLE IF NOT EXISTS {quoted(table)} (\n  {body}\n) WITHOUT ROWID"]

    def existing_columns(self, connection: sa.Connection, table: str) -> dict[str, str]:
        rows = connection.exec_driver_sql(f"PRAGMA table_info({quoted(table)})")
        return {row[1]: row[2] for row in rows}

    def alter_ddl(
        self, table: str, present: Mapping[str, str], columns: Sequence[Column]
    ) -> list[str]:
        # SQLite holds texts of any length, so only new columns change anything.
        return [
            f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(c.name)} {self.column_type(c)}"
            for c in columns
            if c.name not in present
        ]

    def view_ddl(self, view: str, query: str) -> list[str]:
        return [f"DROP VIEW IF EXISTS {quoted(view)}", f"CREATE VIEW {quoted(view)} AS {query}"]

    def days_ddl(self, connection: sa.Connection, table: str, days: Iterable[str]) -> list[str]:
        return []

    def stretches(self, connection: sa.Connection, table: str) -> list[Stretch]:
        return []

    def drop_stretch(
        self, connection: sa.Connection, table: str, stretch: Stretch, may: Callable[[], bool]
    ) -> bool:
        return True  # a table has no parts: whichever is meant, it is not there

    def delete_some(
        self,
        connection: sa.Connection,
        table: str,
        key: Sequence[str],
        span: tuple[str, str],
        most: int,
        only: Mapping[str, int] | None = None,
    ) -> int:
        time, names = quoted(key[0]), ", ".join(map(quoted, key))
        also = "".join(f" AND {quoted(name)} = {value:d}" for name, value in (only or {}).items())
        result = connection.execute(
            sa.text(
                f"DELETE FROM {quoted(table)} WHERE ({names}) IN (SELECT {names} "
                f"FROM {quoted(table)} WHERE {time} >= :since AND {time} < :until{also} "
                f"ORDER BY {names} LIMIT {most:d})"
            ),
            {"since": span[0], "until": span[1]},
        )
        return int(result.rowcount)

    def tidy(self, connection: sa.Connection) -> None:
        # The log beside the file still holds the pages as they were. Whoever reads may keep it,
        # and is not waited for long: nobody can write meanwhile.
        connection.exec_driver_sql("PRAGMA busy_timeout = 500")
        try:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {_WAIT_SECONDS * 1000}")

    def insert_new(
        self,
        connection: sa.Connection,
        table: str,
        names: Sequence[str],
        rows: Sequence[Sequence[Any]],
        key: Sequence[str],
    ) -> int:
        columns = ", ".join(map(quoted, names))
        marks = ", ".join("?" * len(names))
        cursor = connection.connection.cursor()
        cursor.executemany(
            f"INSERT INTO {quoted(table)} ({columns}) VALUES ({marks}) "
            f"ON CONFLICT ({', '.join(map(quoted, key))}) DO NOTHING",
            rows,
        )
        return cursor.rowcount

    def add_counts(
        self,
        connection: sa.Connection,
        table: str,
        key: Sequence[str],
        counts: Sequence[str],
        rows: Sequence[Sequence[Any]],
    ) -> None:
        names = [*key, *counts]
        sums = ", ".join(f"{quoted(c)} = {quoted(c)} + excluded.{quoted(c)}" for c in counts)
        connection.connection.cursor().executemany(
            f"INSERT INTO {quoted(table)} ({', '.join(map(quoted, names))}) "
            f"VALUES ({', '.join('?' * len(names))}) "
            f"ON CONFLICT ({', '.join(map(quoted, key))}) DO UPDATE SET {sums}",
            rows,
        )

    def settle(self, connection: sa.Connection, tables: Sequence[str]) -> None:
        """Nothing to do: SQLite compares texts byte by byte."""

    def used_percent(self, connection: sa.Connection) -> tuple[float, str]:
        """The file may grow until its disk is full."""
        path = next(row[2] for row in connection.exec_driver_sql("PRAGMA database_list"))
        if not path:
            return 0.0, "memory"
        size = Path(path).stat().st_size
        free = shutil.disk_usage(Path(path).parent).free
        return 100 * size / (size + free), "the disk of the SQLite file"

    def trouble(self, error: BaseException) -> Trouble:
        cause = getattr(error, "orig", None) or error
        # The code and not the text, which may hold the name of a column such as `event_full`.
        if getattr(cause, "sqlite_errorcode", 0) & 0xFF in _SERVER:
            return "server"
        if isinstance(cause, sqlite3.OperationalError):
            return "made" if any(words in str(cause) for words in _MADE) else "table"
        if isinstance(cause, sqlite3.IntegrityError | sqlite3.DataError | sqlite3.InterfaceError):
            return "data"
        if isinstance(cause, OverflowError | UnicodeEncodeError | sqlite3.ProgrammingError):
            return "data"
        return "other"

    def scrubbed_table_ddl(
        self,
        table: str,
        present: Mapping[str, str],
        capsule: Sequence[str],
        columns: Sequence[Column],
        day: str,
    ) -> list[str]:
        around = [(n, _capsule_line(n, kind)) for n, kind in scrubbed_capsule(capsule)]
        if present:
            added = [
                f"ALTER TABLE {quoted(table)} ADD COLUMN {line}"
                for name, line in around
                if name not in present
            ]
            return [*added, *self.alter_ddl(table, present, columns)]
        lines = [line for _, line in around]
        lines += [f"{quoted(c.name)} {self.column_type(c)}" for c in columns]
        lines += ["`event_more` TEXT", "PRIMARY KEY (`dt`, `id`)"]
        body = ",\n  ".join(lines)
        return [f"CREATE TABLE IF NOT EXISTS {quoted(table)} (\n  {body}\n) WITHOUT ROWID"]

    def drop_columns_ddl(self, table: str, names: Sequence[str]) -> list[str]:
        return [f"ALTER TABLE {quoted(table)} DROP COLUMN {quoted(name)}" for name in names]


def _prepare(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _abstract(kind: str) -> str:
    return f"VARCHAR({kind[4:]})" if kind.startswith("text") else _ABSTRACT[kind]


def _capsule_line(name: str, kind: str) -> str:
    need = " NOT NULL" if name in CAPSULE_REQUIRED else ""
    return f"{quoted(name)} {_abstract(kind)}{need}"
