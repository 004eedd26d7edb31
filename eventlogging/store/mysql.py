"""MySQL and MariaDB: strict sessions, day partitions, one multi-row INSERT at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import orjson
import pymysql
import sqlalchemy as sa
from pymysql.constants import CLIENT
from pymysql.converters import escape_string

from eventlogging.schema.columns import Column, Kind
from eventlogging.store import load_data
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
    Kind.TEXT: "LONGTEXT",
    Kind.DATETIME: "DATETIME(3)",
    # Not JSON: MySQL's reorders keys and rounds numbers, MariaDB's refuses what nests deeply.
    Kind.JSON: "LONGTEXT",
}
_ABSTRACT = {
    "time": "DATETIME(3)",
    "uuid": "CHAR(36) CHARACTER SET ascii COLLATE ascii_bin",
    "boolean": "BOOLEAN",
    "double": "DOUBLE",
    "bigint": "BIGINT",
    "long": "LONGTEXT",
}
_SQL_MODE = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO"
_WORTH_A_FILE = 100  # rows from which on LOAD DATA is the faster road
_STATEMENT_BYTES = 1_000_000  # well below the least max_allowed_packet in use, 4 MB
_LOCK_WAIT, _SHORT_LOCK_WAIT = 5, 2  # seconds that DDL waits for whoever uses a table
_WIDEST_GAP_DAYS = 40  # days without events that still get a partition each

# Server error numbers, https://mariadb.com/kb/en/mariadb-error-codes/
_DATA = frozenset({1048, 1264, 1265, 1292, 1366, 1406, 3140, 4025})
_TABLE = frozenset({1030, 1054, 1114, 1118, 1136, 1146, 1205, 1412, 1526, 1932, 1034, 126, 1194})
_MADE = frozenset({1050, 1060, 1493, 1517})  # tables, columns, partitions that are there already
_SERVER = frozenset(
    {1021, 1040, 1041, 1044, 1045, 1049, 1053, 1152, 1158, 1159, 1160, 1161, 1203, 1213, 1226, 1290}
    | {1927, 2002, 2003, 2006, 2013, 2055, 1792, 1836, 3024, 1317, 1969, 1180, 1047}
)
# A login without LOCK TABLES: what is written in the instant before a drop is not seen then.
_NO_RIGHT = frozenset({1044, 1142, 1227})


class MySQL:
    """The dialect of MariaDB 10.6 or newer and MySQL 8."""

    name = "mysql"
    remote = True

    def __init__(self, *, load_data: bool = False) -> None:
        self._load_data = load_data
        self._collation = "utf8mb4_nopad_bin"

    def engine(self, url: str) -> sa.Engine:
        engine = sa.create_engine(
            url,
            pool_pre_ping=True,
            pool_recycle=600,
            connect_args={
                "charset": "utf8mb4",
                "connect_timeout": 5,
                "read_timeout": 60,
                "write_timeout": 60,
                "local_infile": self._load_data,
            },
        )
        sa.event.listen(engine, "do_connect", _count_changed_rows)
        sa.event.listen(engine, "connect", self._prepare)
        return engine

    def _prepare(self, connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            mariadb = "mariadb" in cursor.fetchone()[0].lower()
            self._collation = "utf8mb4_nopad_bin" if mariadb else "utf8mb4_0900_bin"
            cursor.execute(
                f"SET NAMES utf8mb4 COLLATE {self._collation}, SESSION sql_mode = '{_SQL_MODE}', "
                f"time_zone = '+00:00', lock_wait_timeout = {_LOCK_WAIT}, "
                "innodb_lock_wait_timeout = 10"
            )

    def begin(self, connection: sa.Connection, *, write: bool) -> None:
        connection.exec_driver_sql("BEGIN")

    def assert_fit(self, connection: sa.Connection) -> list[str]:
        row = connection.exec_driver_sql(
            "SELECT @@sql_mode, @@character_set_connection, @@max_allowed_packet, "
            "@@innodb_page_size, @@default_storage_engine"
        ).one()
        wrong = []
        if "STRICT_ALL_TABLES" not in row[0]:
            wrong.append(
                f"sql_mode is {row[0]!r} and cannot be made strict; allow STRICT_ALL_TABLES"
            )
        if row[1] != "utf8mb4":
            wrong.append(f"connection character set is {row[1]}; set character_set_server=utf8mb4")
        if int(row[2]) < 4 * _STATEMENT_BYTES:
            wrong.append(f"max_allowed_packet is {row[2]}; set max_allowed_packet=16M")
        if int(row[3]) < 16384:
            wrong.append(f"innodb_page_size is {row[3]}; row budgets are computed for 16384")
        if row[4] != "InnoDB":
            wrong.append(f"default_storage_engine is {row[4]}; set InnoDB")
        return wrong

    def version(self, connection: sa.Connection) -> str:
        text = str(connection.exec_driver_sql("SELECT VERSION()").scalar())
        return text if "mariadb" in text.lower() else f"MySQL {text}"

    def column_type(self, column: Column) -> str:
        if column.kind is Kind.VARCHAR:
            return f"VARCHAR({column.length})"
        return _TYPES[column.kind]

    def event_table_ddl(self, table: str, columns: Sequence[Column], day: str) -> list[str]:
        lines = [_capsule_line(name, kind) for name, kind in CAPSULE_COLUMNS]
        lines += [f"{quoted(c.name)} {self.column_type(c)}" for c in columns]
        lines += ["`event_more` LONGTEXT", "PRIMARY KEY (`dt`, `id`)"]
        return [self._create(table, lines, "dt", day)]

    def invalid_table_ddl(self, table: str, day: str) -> list[str]:
        lines = [
            f"{quoted(name)} {_abstract(kind)}{' NOT NULL' if name in INVALID_KEY else ''}"
            for name, kind in INVALID_COLUMNS
        ]
        lines.append(f"PRIMARY KEY ({', '.join(map(quoted, INVALID_KEY))})")
        return [self._create(table, lines, "received", day)]

    def _create(self, table: str, lines: Sequence[str], time_column: str, day: str) -> str:
        body = ",\n  ".join(lines)
        return (
            f"CREATE TABLE IF NOT EXISTS {quoted(table)} (\n  {body}\n) "
            f"ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 "
            f"COLLATE {self._collation}\n"
            f"PARTITION BY RANGE COLUMNS ({quoted(time_column)}) "
            f"(PARTITION p_old VALUES LESS THAN ('{day}'))"
        )

    def existing_columns(self, connection: sa.Connection, table: str) -> dict[str, str]:
        rows = connection.execute(
            sa.text(
                "SELECT column_name, column_type FROM information_schema.columns "
                "WHERE table_schema = DATABASE() AND table_name = :table ORDER BY ordinal_position"
            ),
            {"table": table},
        )
        return {row[0]: row[1] for row in rows}

    def alter_ddl(
        self, table: str, present: Mapping[str, str], columns: Sequence[Column]
    ) -> list[str]:
        changes = []
        for column in columns:
            wanted = f"{quoted(column.name)} {self.column_type(column)}"
            if column.name not in present:
                changes.append(f"ADD COLUMN {wanted}")
            elif column.kind is Kind.VARCHAR and _shorter(present[column.name], column.length):
                changes.append(f"MODIFY COLUMN {wanted}")
        return [f"ALTER TABLE {quoted(table)} {', '.join(changes)}"] if changes else []

    def view_ddl(self, view: str, query: str) -> list[str]:
        return [f"CREATE OR REPLACE SQL SECURITY INVOKER VIEW {quoted(view)} AS {query}"]

    def days_ddl(self, connection: sa.Connection, table: str, days: Iterable[str]) -> list[str]:
        wanted = max((date.fromisoformat(day) for day in days), default=None)
        bound = self._last_bound(connection, table)
        if wanted is None or bound is None or wanted < bound:
            return []
        parts = ", ".join(_partitions(bound, wanted))
        return [f"ALTER TABLE {quoted(table)} ADD PARTITION ({parts})"]

    def _last_bound(self, connection: sa.Connection, table: str) -> date | None:
        bounds = _bounds(connection, table)
        return date.fromisoformat(bounds[-1][1]) if bounds else None

    def stretches(self, connection: sa.Connection, table: str) -> list[Stretch]:
        bounds = _bounds(connection, table)
        before = [None, *(bound for _, bound in bounds)]
        return [
            Stretch(name, since, until)
            for (name, until), since in zip(bounds[:-1], before, strict=False)
        ]

    def drop_stretch(
        self, connection: sa.Connection, table: str, stretch: Stretch, may: Callable[[], bool]
    ) -> bool:
        # Locked, so that what `may` saw is all there is: transactions that wrote here are over.
        # Not waited for as long as usual, for whoever loads waits behind us.
        connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {_SHORT_LOCK_WAIT}")
        try:
            connection.exec_driver_sql(f"LOCK TABLES {quoted(table)} WRITE")
        except sa.exc.OperationalError as error:
            if error.orig is None or error.orig.args[0] not in _NO_RIGHT:
                raise
        finally:
            connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {_LOCK_WAIT}")
        try:
            if stretch.name not in (one.name for one in self.stretches(connection, table)):
                return True
            if not may():
                return False
            connection.exec_driver_sql(
                f"ALTER TABLE {quoted(table)} DROP PARTITION {quoted(stretch.name)}"
            )
            return True
        finally:
            connection.exec_driver_sql("UNLOCK TABLES")

    def delete_some(
        self,
        connection: sa.Connection,
        table: str,
        key: Sequence[str],
        span: tuple[str, str],
        most: int,
        only: Mapping[str, int] | None = None,
    ) -> int:
        time, order = quoted(key[0]), ", ".join(map(quoted, key))
        also = "".join(f" AND {quoted(name)} = {value:d}" for name, value in (only or {}).items())
        result = connection.execute(
            sa.text(
                f"DELETE FROM {quoted(table)} WHERE {time} >= :since AND {time} < :until{also} "
                f"ORDER BY {order} LIMIT {most:d}"
            ),
            {"since": span[0], "until": span[1]},
        )
        return int(result.rowcount)

    def tidy(self, connection: sa.Connection) -> None:
        """Nothing to do: InnoDB's own purge threads let go of deleted rows."""

    def insert_new(
        self,
        connection: sa.Connection,
        table: str,
        names: Sequence[str],
        rows: Sequence[Sequence[Any]],
        key: Sequence[str],
    ) -> int:
        first = quoted(key[0])
        if self._load_data and len(rows) >= _WORTH_A_FILE:
            names_text = ", ".join(map(quoted, names))
            loaded = load_data.try_load(connection, quoted(table), names_text, rows)
            if loaded is not None:
                return loaded
        # Not IGNORE, which would also swallow bad data: an existing row is set to itself.
        return _insert(connection, table, names, rows, f"{first} = {first}")

    def add_counts(
        self,
        connection: sa.Connection,
        table: str,
        key: Sequence[str],
        counts: Sequence[str],
        rows: Sequence[Sequence[Any]],
    ) -> None:
        sums = ", ".join(f"{quoted(c)} = {quoted(c)} + VALUES({quoted(c)})" for c in counts)
        _insert(connection, table, [*key, *counts], rows, sums)

    def settle(self, connection: sa.Connection, tables: Sequence[str]) -> None:
        """Give fixed tables the collation that compares texts exactly."""
        rows = connection.exec_driver_sql(
            "SELECT table_name, table_collation FROM information_schema.tables "
            "WHERE table_schema = DATABASE()"
        )
        collations = {row[0]: row[1] for row in rows}
        for table in tables:
            if collations.get(table, self._collation) != self._collation:
                connection.exec_driver_sql(
                    f"ALTER TABLE {quoted(table)} CONVERT TO CHARACTER SET utf8mb4 "
                    f"COLLATE {self._collation}"
                )

    def used_percent(self, connection: sa.Connection) -> tuple[float, str]:
        """Connections; how full the server's disk is, SQL does not say."""
        row = connection.exec_driver_sql("SHOW GLOBAL STATUS LIKE 'Threads_connected'").one()
        most = connection.exec_driver_sql("SELECT @@max_connections").scalar()
        return 100 * int(row[1]) / int(most or 1), "the connections of the database server"

    def trouble(self, error: BaseException) -> Trouble:
        cause = getattr(error, "orig", None) or error
        if isinstance(
            cause, pymysql.err.InterfaceError | TimeoutError | ConnectionError | EOFError
        ):
            return "server"
        if not isinstance(cause, pymysql.err.Error):
            return "other"
        number = cause.args[0] if cause.args and isinstance(cause.args[0], int) else 0
        if number in _DATA:
            return "data"
        if number in _TABLE:
            return "table"
        if number in _MADE:
            return "made"
        # From 2000 to 2999 they are the client's: no connection, lost connection.
        lost = 2000 <= number < 3000 or number == 0
        return "server" if lost or number in _SERVER else "other"

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
            missing = [f"ADD COLUMN {line}" for name, line in around if name not in present]
            added = [f"ALTER TABLE {quoted(table)} {', '.join(missing)}"] if missing else []
            return [*added, *self.alter_ddl(table, present, columns)]
        lines = [line for _, line in around]
        lines += [f"{quoted(c.name)} {self.column_type(c)}" for c in columns]
        lines += ["`event_more` LONGTEXT", "PRIMARY KEY (`dt`, `id`)"]
        return [self._create(table, lines, "dt", day)]

    def drop_columns_ddl(self, table: str, names: Sequence[str]) -> list[str]:
        # FORCE writes the table anew: an instant drop would leave the values on the disk.
        drops = ", ".join(f"DROP COLUMN {quoted(name)}" for name in names)
        return [f"ALTER TABLE {quoted(table)} {drops}, FORCE"] if names else []


def _count_changed_rows(
    _dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]
) -> None:
    # SQLAlchemy asks for rows found; an insert that met its own key must count as nothing done.
    parameters["client_flag"] = parameters.get("client_flag", 0) & ~CLIENT.FOUND_ROWS


def _insert(
    connection: sa.Connection,
    table: str,
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    on_duplicate: str,
) -> int:
    """Insert rows, many in one statement; return how many the server counts as changed."""
    head = f"INSERT INTO {quoted(table)} ({', '.join(map(quoted, names))}) VALUES ".encode()
    tail = f" ON DUPLICATE KEY UPDATE {on_duplicate}".encode()
    cursor = connection.connection.cursor()
    return sum(cursor.execute(b"%s%s%s" % (head, values, tail)) for values in _chunks(rows))


def _chunks(rows: Sequence[Sequence[Any]]) -> Iterator[bytes]:
    """Yield the rows as texts for VALUES, none much longer than a statement may be."""
    texts: list[bytes] = []
    size = 0
    for row in rows:
        text = _literals(row)
        texts.append(text)
        size += len(text)
        if size >= _STATEMENT_BYTES:
            yield b"(%s)" % b"),(".join(texts)
            texts, size = [], 0
    if texts:
        yield b"(%s)" % b"),(".join(texts)


def _literals(row: Sequence[Any]) -> bytes:
    """Return values (None, bool, int, finite float, str) as SQL literals between commas.

    JSON's are SQL's, ten times faster than one by one: null, true, numbers, and texts in double
    quotes (we set the SQL mode, so that they are texts and the backslash escapes). Only the
    escapes for the rarer control characters mean something else to the server.
    """
    text = orjson.dumps(row)[1:-1]
    if b"\\u" in text or b"\\f" in text:
        return ",".join(map(_literal, row)).encode()
    return text


def _literal(value: Any) -> str:
    if type(value) is str:
        return f"'{escape_string(value)}'"
    return orjson.dumps(value).decode()


def _bounds(connection: sa.Connection, table: str) -> list[tuple[str, str]]:
    """Return the partitions of a table with the day before which each one's rows lie, in order."""
    rows = connection.execute(
        sa.text(
            "SELECT partition_name, partition_description FROM information_schema.partitions "
            "WHERE table_schema = DATABASE() AND table_name = :table "
            "AND partition_name IS NOT NULL ORDER BY partition_ordinal_position"
        ),
        {"table": table},
    )
    return [(row[0], row[1].strip("'")[:10]) for row in rows]


def _partitions(bound: date, wanted: date) -> Iterator[str]:
    day = bound
    if (wanted - bound).days > _WIDEST_GAP_DAYS:
        day = wanted - timedelta(days=_WIDEST_GAP_DAYS)
        yield _partition(day - timedelta(days=1), day)
    while day <= wanted:
        yield _partition(day, day + timedelta(days=1))
        day += timedelta(days=1)


def _partition(day: date, bound: date) -> str:
    return f"PARTITION p{day:%Y%m%d} VALUES LESS THAN ('{bound.isoformat()}')"


def _shorter(present: str, length: int | None) -> bool:
    kind, _, size = present.lower().partition("(")
    return kind == "varchar" and int(size.rstrip(")")) < (length or 0)


def _abstract(kind: str) -> str:
    return f"VARCHAR({kind[4:]})" if kind.startswith("text") else _ABSTRACT[kind]


def _capsule_line(name: str, kind: str) -> str:
    need = " NOT NULL" if name in CAPSULE_REQUIRED else ""
    return f"{quoted(name)} {_abstract(kind)}{need}"
