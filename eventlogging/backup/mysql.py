"""Copies of a MariaDB or MySQL database: a dump of one moment, by the server's own programs."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import sqlalchemy as sa

from eventlogging.backup.model import BackupError, Figures, Progress
from eventlogging.backup.mysql_login import login_file
from eventlogging.backup.mysql_own import fixed_last, own_in_ruins, own_names
from eventlogging.loader.ensure import make_views
from eventlogging.registry.snapshot import RegistryCache
from eventlogging.store.database import Database
from eventlogging.store.dialect import quoted
from eventlogging.store.fixed import metadata
from eventlogging.store.migrate import tables as tables_of

_DUMP, _CLIENT = ("mariadb-dump", "mysqldump"), ("mariadb", "mysql")
_PACKAGE = "install it: apt-get install mariadb-client (or default-mysql-client)"
_KEYS = "epoch_key"
_SCRATCH = "_drill"
_MARK = "restore_drill_mark"
_LEVEL = 3
_PIECE = 1 << 20
_TRIES = 3  # a table that changes its form while it is read ends a dump
_GONE_SECONDS = 5.0  # that the server may take to notice that somebody left
_OPTIONS = (
    "--single-transaction", "--quick", "--skip-lock-tables", "--skip-add-locks",
    "--skip-triggers", "--no-tablespaces", "--hex-blob", "--skip-tz-utc",
    "--default-character-set=utf8mb4", "--net-buffer-length=1000000",
)  # fmt: skip
# What is looked for in the dump as it passes by, so that the manifest tells of this very moment.
_BOOKS = {
    b"table_day": re.compile(rb"\('([^']*)','\d{4}-\d\d-\d\d',(\d+),(\d+)\)"),
    b"ledger": re.compile(rb"\('(\d{4}-\d\d-\d\d \d\d:\d\d)','"),
    b"checkpoint": re.compile(rb"\('([^']*)',(\d+),[01],'"),
}
_INSERT = re.compile(rb"INSERT INTO `([a-z_]+)`")
_CHANGED = ("Table definition has changed", "doesn't exist")


class MySQLCopies:
    """Copies of one database on a server."""

    file = "database.sql.gz"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._url = sa.engine.make_url(database.url)
        self._name = self._url.database or ""

    def room(self) -> int:
        return self._bytes() // 2 + 10_000_000  # compressed it is a fifth, as a rule

    def write(self, folder: Path, progress: Progress) -> Figures:
        program = _program(_DUMP)
        target = folder / self.file
        for last in (False,) * (_TRIES - 1) + (True,):
            try:
                return self._dump(program, target, progress)
            except _Changed as error:
                if last:
                    raise BackupError(f"the database cannot be dumped: {error}") from error
        raise AssertionError

    def _dump(self, program: str, target: Path, progress: Progress) -> Figures:
        with self._database.read() as connection:
            own = own_names(connection)
            # Views are made anew: in a dump they name an account that need not be there.
            names = {_KEYS, *sa.inspect(connection).get_view_names()}
            # What is not named here is dumped: a table that is made this moment may be ours.
            names |= {name for name in tables_of(connection) if not own.has_table(name)}
        left_out = [f"--ignore-table={self._name}.{name}" for name in sorted(names)]
        books, size = _Books(), self._bytes()
        with login_file(self._url) as login, _messages() as messages:
            words = [program, f"--defaults-file=/dev/fd/{login}", *_OPTIONS, *left_out, self._name]
            with subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=messages,
                pass_fds=(login,),
            ) as dump:
                try:
                    assert dump.stdout is not None
                    _pack(dump.stdout, target, books, lambda done: progress("dumping", done, size))
                except BaseException:
                    dump.kill()
                    raise
            said = _said(messages)
        if dump.returncode:
            if any(words in said for words in _CHANGED):
                raise _Changed(said)
            raise BackupError(f"{program} ended with {dump.returncode}: {said or 'no message'}")
        if not books.complete:
            raise BackupError(f"{program} wrote no last line; is its server still there?")
        return books.figures

    def problems(self, file: Path) -> list[str]:
        books = _Books()
        try:
            with gzip.open(file) as packed:
                for line in packed:
                    books.read(line)
        except (OSError, EOFError, zlib.error) as error:
            return [f"{file.name} cannot be read: {error}"]
        if not books.complete:
            return [f"{file.name} does not end as a dump does: a part of it is missing"]
        return []

    def others(self) -> list[str]:
        """Return the connections of our account to this database that are not ours."""
        query = sa.text(
            "SELECT host, COUNT(*) FROM information_schema.processlist "
            "WHERE db = DATABASE() AND id != CONNECTION_ID() "
            "AND user = SUBSTRING_INDEX(CURRENT_USER(), '@', 1) GROUP BY host"
        )
        deadline = time.monotonic() + _GONE_SECONDS
        while True:
            self._database.close()
            with self._database.read() as connection:
                found = [str(row[0]) for row in connection.execute(query)]
            if not found or time.monotonic() > deadline:
                return [f"a connection from {host}" for host in sorted(found)]
            time.sleep(0.2)

    def put_back(self, file: Path, figures: Figures, progress: Progress) -> None:
        """Drop our tables, but that of the keys of hashes, and load the dump.

        It may end anywhere and be done again: what is dropped comes from the dump.
        """
        program = _program(_CLIENT)
        self._drop(figures)
        self._load(program, self._name, file, progress)
        with self._database.ddl() as connection:  # no dump brings it
            metadata.tables[_KEYS].create(connection, checkfirst=True)
        registry = RegistryCache(self._database)
        registry.refresh()
        make_views(self._database, registry.snapshot.schemas.values())

    def finish(self) -> None:
        """Nothing of what was replaced is left."""

    @contextmanager
    def scratch(self, file: Path, folder: Path, progress: Progress) -> Iterator[Database]:
        program = _program(_CLIENT)
        name = f"{self._name}{_SCRATCH}"
        with self._database.ddl() as connection:
            self._make_scratch(connection, name)
        database = Database(self._url.set(database=name).render_as_string(hide_password=False))
        try:
            self._load(program, name, file, progress)
            yield database
        finally:
            database.close()
            with self._database.ddl() as connection:
                connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted(name)}")

    def _make_scratch(self, connection: sa.Connection, name: str) -> None:
        there = sa.text("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = :n")
        if connection.execute(there, {"n": name}).scalar():
            marked = sa.text(
                "SELECT COUNT(*) FROM information_schema.tables "
                "WHERE table_schema = :n AND table_name = :mark"
            )
            if not connection.execute(marked, {"n": name, "mark": _MARK}).scalar():
                raise BackupError(f"a database {name} exists and is not left from a drill; move it")
            connection.exec_driver_sql(f"DROP DATABASE {quoted(name)}")
        try:
            connection.exec_driver_sql(f"CREATE DATABASE {quoted(name)} CHARACTER SET utf8mb4")
        except sa.exc.DBAPIError as error:
            raise MayNot(
                f"the account may not create the database {name}: GRANT ALL ON "
                f"{quoted(name)}.* would let it"
            ) from error
        connection.exec_driver_sql(f"CREATE TABLE {quoted(name)}.{quoted(_MARK)} (id INT)")

    def _load(self, program: str, name: str, file: Path, progress: Progress) -> None:
        size = file.stat().st_size
        with login_file(self._url) as login, _messages() as messages:
            words = [program, f"--defaults-file=/dev/fd/{login}", "--default-character-set=utf8mb4",
                     "--binary-mode", name]  # fmt: skip
            with subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=messages,
                pass_fds=(login,),
            ) as client:
                assert client.stdin is not None
                try:
                    with file.open("rb") as raw, gzip.open(raw) as packed:
                        while piece := packed.read(_PIECE):
                            client.stdin.write(piece)
                            progress("loading", raw.tell(), size)
                    client.stdin.close()
                except BrokenPipeError:
                    pass  # it has ended, and says why
                except BaseException:
                    client.kill()
                    raise
            said = _said(messages)
        if client.returncode:
            raise BackupError(f"{program} ended with {client.returncode}: {said or 'no message'}")

    def _drop(self, figures: Figures) -> None:
        with self._database.ddl() as connection:
            tables = tables_of(connection)
            try:
                own = own_names(connection)
            except sa.exc.SQLAlchemyError:
                stated = figures.rows.keys()
                own = own_in_ruins(connection, self._database.dialect, tables, stated)
            for view in sa.inspect(connection).get_view_names():
                if own.has_view(view):
                    connection.exec_driver_sql(f"DROP VIEW IF EXISTS {quoted(view)}")
            for table in fixed_last(tables):
                if table != _KEYS and own.has_table(table):
                    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quoted(table)}")

    def _bytes(self) -> int:
        query = sa.text(
            "SELECT SUM(data_length) FROM information_schema.tables WHERE table_schema = DATABASE()"
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar() or 0)


class MayNot(BackupError):
    """Raised when the account may not create a scratch database."""


class _Changed(Exception):
    """Raised when a table changed its form while it was dumped; another try helps."""


@dataclass
class _Books:
    """Reads the books in a dump that passes by."""

    rows: Counter[str] = field(default_factory=Counter)
    newest: str = ""
    positions: dict[str, int] = field(default_factory=dict)
    complete: bool = False
    _table: bytes = b""

    @property
    def figures(self) -> Figures:
        return Figures(dict(self.rows), self.newest, self.positions)

    def read(self, line: bytes) -> None:
        """Take one line of the dump in."""
        if match := _INSERT.match(line):
            self._table = match[1]
        if self._table in _BOOKS:
            self._count(_BOOKS[self._table], line)
        if line.endswith(b";\n"):
            self._table = b""
        if line.startswith(b"--"):
            self.complete = line.startswith(b"-- Dump completed")

    def _count(self, pattern: re.Pattern[bytes], line: bytes) -> None:
        for found in pattern.findall(line):
            if self._table == b"table_day":
                self.rows[found[0].decode()] += int(found[1]) - int(found[2])
            elif self._table == b"checkpoint":
                self.positions[found[0].decode()] = int(found[1])
            else:
                self.newest = max(self.newest, found.decode())


def _program(names: Sequence[str]) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    raise BackupError(f"the program {names[0]} is not there; {_PACKAGE}")


def _pack(source: IO[bytes], target: Path, books: _Books, progress: Callable[[int], None]) -> None:
    done = 0
    with gzip.open(target, "wb", compresslevel=_LEVEL) as packed:
        target.chmod(0o600)
        for line in source:
            books.read(line)
            packed.write(line)
            done += len(line)
            progress(done)


@contextmanager
def _messages() -> Iterator[IO[bytes]]:
    """Give a file for what a program says of its troubles: a pipe that nobody reads fills up."""
    with tempfile.TemporaryFile() as file:
        yield file


def _said(messages: IO[bytes]) -> str:
    messages.seek(0)
    return " ".join(messages.read(4000).decode("utf-8", "replace").split())
