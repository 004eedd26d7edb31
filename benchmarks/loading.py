"""Loading: a ready log into the tables, against the fastest that a client can do with the rows."""

from __future__ import annotations

import itertools
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import sqlalchemy as sa

from benchmarks.figures import Figure, compare, number, spread, table
from benchmarks.ready_log import fresh_database, write_log
from benchmarks.section import Options, Section
from eventlogging.cli.processes import calm_garbage_collection, take_turns_quickly
from eventlogging.loader.loader import Loader
from eventlogging.registry.snapshot import RegistryCache
from eventlogging.store.database import Database
from tests.servers import MariaDB

TABLE = "NavigationTiming_1"
_TRANSACTION = 5000
# Dynamic since MariaDB 10.9; older ones keep what they started with, for all sides alike.
_SIZES = (
    "SET GLOBAL local_infile = 1",
    "SET GLOBAL innodb_buffer_pool_size = 536870912",
    "SET GLOBAL innodb_log_file_size = 268435456",
)


@dataclass(frozen=True, slots=True)
class Load:
    """One load: how long it took, and the CPU time of this process in it."""

    seconds: float
    cpu: float


@contextmanager
def mariadb(folder: Path) -> Iterator[MariaDB]:
    """A private MariaDB with room for the benchmarks."""
    server = MariaDB(folder)
    server.start()
    try:
        connection = pymysql.connect(host="127.0.0.1", port=server.port, user="root")
        for statement in _SIZES:
            try:
                connection.cursor().execute(statement)
            except pymysql.err.MySQLError as error:
                print(f"· {statement}: {error}")
        connection.close()
        yield server
    finally:
        server.stop()


def measure(options: Options, folder: Path) -> Section:
    """Return the ratios for SQLite and MariaDB."""
    calm_garbage_collection()  # both as in the loader's own process
    take_turns_quickly()
    log = folder / "log"
    options.say(f"loading: a log of {options.events} events")
    judge = fresh_database(f"sqlite:///{folder / 'judge.db'}")
    write_log(log, options.events, judge)
    judge.close()
    took: dict[str, list[Load]] = {}
    _sqlite(options, folder, log, took)
    with mariadb(folder / "m") as server:
        _mariadb(options, folder, log, server, took)
    rows = options.events

    def rate(name: str) -> list[float]:
        return [rows / load.seconds for load in took[name]]

    def figure(name: str, ours: str, theirs: str, target: float | None = None) -> Figure:
        return compare("loading", name, "rows/s", rate(ours), rate(theirs), target)

    figures = [
        figure("SQLite / raw executemany", "SQLite", "raw executemany", 0.8),
        figure("MariaDB / LOAD DATA of ready TSV", "MariaDB", "ready TSV", 0.25),
        figure("MariaDB, load_data / the same", "MariaDB, load_data", "ready TSV", 0.33),
        figure("MariaDB / ready INSERT statements", "MariaDB", "ready INSERT"),
        figure("ready INSERT / LOAD DATA of ready TSV", "ready INSERT", "ready TSV"),
    ]
    head = [["way", "rows/s, median (min–max)", "seconds", "client's CPU, µs/row"]]
    lines = [
        [
            name, str(spread(rate(name))), number(spread([one.seconds for one in loads]).median),
            number(spread([one.cpu / rows * 1e6 for one in loads]).median),
        ]
        for name, loads in took.items()
    ]  # fmt: skip
    raw = {name: [[one.seconds, one.cpu] for one in loads] for name, loads in took.items()}
    return Section(figures, {"rows": rows, "loads": raw}, table([*head, *lines]))


def _sqlite(options: Options, folder: Path, log: Path, took: dict[str, list[Load]]) -> None:
    rows: list[Any] = []
    for round_ in range(options.rounds):
        options.say(f"loading: SQLite, round {round_ + 1}")
        path = folder / f"ours-{round_}.db"
        database = fresh_database(f"sqlite:///{path}")
        took.setdefault("SQLite", []).append(_ours(database, log, options.events))
        if not rows:
            with database.read() as connection:
                # dt is a millisecond later in each row, so this is the order of the log.
                query = sa.text(f"SELECT * FROM {TABLE} ORDER BY dt")
                rows = [tuple(row) for row in connection.execute(query)]
                ddl = connection.execute(
                    sa.text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": TABLE}
                ).scalar_one()
        database.close()
        took.setdefault("raw executemany", []).append(
            _raw_sqlite(folder / f"raw-{round_}.db", ddl, rows)
        )
        for name in ("ours", "raw"):
            for file in folder.glob(f"{name}-{round_}.db*"):
                file.unlink()


def _raw_sqlite(path: Path, ddl: str, rows: Sequence[Any]) -> Load:
    """Insert ready rows as fast as Python's module can, durable as ours."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(ddl)
    statement = f"INSERT INTO {TABLE} VALUES ({', '.join('?' * len(rows[0]))})"

    def load() -> None:
        for start in range(0, len(rows), _TRANSACTION):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(statement, rows[start : start + _TRANSACTION])
            connection.execute("COMMIT")

    done = _timed(load)
    connection.close()
    return done


def _mariadb(
    options: Options, folder: Path, log: Path, server: MariaDB, took: dict[str, list[Load]]
) -> None:
    numbers = itertools.count(1)
    file = folder / "rows.tsv"
    statements: list[str] = []
    ddl = ""
    for round_ in range(options.rounds):
        options.say(f"loading: MariaDB, round {round_ + 1}")
        name = f"ours_{next(numbers)}"
        database = fresh_database(server.new_database(name))
        took.setdefault("MariaDB", []).append(_ours(database, log, options.events))
        database.close()
        fast = f"fast_{round_}"
        database = fresh_database(server.new_database(fast), load_data=True)
        took.setdefault("MariaDB, load_data", []).append(_ours(database, log, options.events))
        database.close()
        connection = _connect(server, name)
        if not ddl:
            ddl = _make_ready(connection, file, statements)
        _raw_mariadb(connection, server, ddl, took, "ready INSERT", statements)
        load = f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE {TABLE} CHARACTER SET utf8mb4"
        _raw_mariadb(connection, server, ddl, took, "ready TSV", [load])
        for done in (name, fast):
            connection.cursor().execute(f"DROP DATABASE {done}")
        connection.close()


def _connect(server: MariaDB, database: str) -> pymysql.Connection[Any]:
    connection = pymysql.connect(
        host="127.0.0.1", port=server.port, user="root", database=database,
        charset="utf8mb4", local_infile=True,
    )  # fmt: skip
    connection.cursor().execute("SET sql_mode = 'STRICT_ALL_TABLES', time_zone = '+00:00'")
    return connection


def _make_ready(
    connection: pymysql.Connection[Any], file: Path, statements: list[str]
) -> str:  # fmt: skip
    """Write the rows of a loaded table as TSV and as statements of 1 MB; return the table's DDL."""
    cursor = connection.cursor()
    cursor.execute(f"SELECT * FROM {TABLE} ORDER BY dt")
    rows = cursor.fetchall()
    with file.open("w", encoding="utf-8") as out:
        for row in rows:
            out.write("\t".join("\\N" if value is None else _text(value) for value in row) + "\n")
    texts, size = [], 0
    for row in rows:
        texts.append(f"({','.join(map(str, map(connection.literal, row)))})")
        size += len(texts[-1])
        if size > 1_000_000 or row is rows[-1]:
            statements.append(f"INSERT INTO {TABLE} VALUES {','.join(texts)}")
            texts, size = [], 0
    cursor.execute(f"SHOW CREATE TABLE {TABLE}")
    return str(cursor.fetchall()[0][1])


def _text(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _raw_mariadb(
    connection: pymysql.Connection[Any],
    server: MariaDB,
    ddl: str,
    took: dict[str, list[Load]],
    name: str,
    statements: Sequence[str],
) -> None:
    """Load ready statements into a fresh table, 5 MB or so in a transaction."""
    cursor = connection.cursor()
    before = _count(cursor)
    cursor.execute(f"DROP TABLE {TABLE}")
    cursor.execute(ddl)

    def load() -> None:
        for index, statement in enumerate(statements):
            cursor.execute(statement)
            if index % 5 == 4:
                connection.commit()
        connection.commit()

    took.setdefault(name, []).append(_timed(load))
    assert _count(cursor) == before, f"{name}: rows are missing on port {server.port}"


def _count(cursor: Any) -> int:
    cursor.execute(f"SELECT COUNT(*) FROM {TABLE}")
    return int(cursor.fetchone()[0])


def _ours(database: Database, log: Path, count: int) -> Load:
    registry = RegistryCache(database)
    registry.refresh()
    loader = Loader(database, registry, log)
    done = _timed(loader.drain)
    with database.read() as connection:
        stored = connection.execute(sa.text(f"SELECT COUNT(*) FROM {TABLE}")).scalar()
    assert stored == count, f"{stored} of {count} events were stored"
    return done


def _timed(work: Callable[[], Any]) -> Load:
    os.sync()
    cpu = time.process_time()
    begin = time.perf_counter()
    work()
    return Load(time.perf_counter() - begin, time.process_time() - cpu)
