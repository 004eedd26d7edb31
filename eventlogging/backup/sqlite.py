"""Copies of an SQLite database: a file, of one moment, while others go on writing."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa

from eventlogging.backup.locks import locked
from eventlogging.backup.model import BackupError, Figures, Progress, synced
from eventlogging.store.database import Database
from eventlogging.store.dialect import quoted

_PAGES = 2000  # in one step, 8 MB
_PIECE = 1 << 20
_LEVEL = 3  # of gzip: three times faster than its best, and hardly larger
_BESIDE = ("-wal", "-shm", "-journal")
_KEYS = "epoch_key"
_CHECK = ".backup-check"  # the folder in which a copy is looked at


class SQLiteCopies:
    """Copies of the SQLite file that a database is."""

    file = "database.sqlite.gz"

    def __init__(self, database: Database) -> None:
        path = sa.engine.make_url(database.url).database
        if not path or path == ":memory:":
            raise BackupError("a database in memory cannot be backed up")
        self._database = database
        self._path = Path(path)

    def room(self) -> int:
        # The copy, the copy without its empty pages, and that one compressed beside it.
        return 2 * sum(p.stat().st_size for p in self._files() if p.exists()) + 10_000_000

    def write(self, folder: Path, progress: Progress) -> Figures:
        whole, lean = folder / "whole.sqlite", folder / "lean.sqlite"
        if not self._path.exists():
            raise BackupError(f"{self._path} does not exist; eventlogging serve makes it")
        try:
            _copy(self._path, whole, progress)
            _without_keys(whole, lean)
            whole.unlink()
            figures = figures_of(lean)
        except sqlite3.Error as error:
            raise BackupError(f"the database cannot be copied: {error}") from error
        _compress(lean, folder / self.file, progress)
        lean.unlink()
        return figures

    def problems(self, file: Path) -> list[str]:
        """Return what is wrong with a copy.

        It is unpacked beside the database, where a restore needs the room too: the backup may lie
        where nothing can be written. Raises BackupError where that place does not take it, Busy
        while another check is there.
        """
        try:
            with self._place_to_look() as place:
                _unpack(file, place / "check.sqlite", lambda *_: None)
                with closing(sqlite3.connect(place / "check.sqlite")) as connection:
                    found = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
        except (Unreadable, sqlite3.Error) as error:
            return [f"{file.name} cannot be opened: {error}"]
        except OSError as error:
            raise BackupError(
                f"{file.name} cannot be unpacked in {self._path.parent} to look at it: {error}"
            ) from error
        return [] if found == ["ok"] else [f"{file.name}: {line}" for line in found]

    @contextmanager
    def _place_to_look(self) -> Iterator[Path]:
        """Give an empty folder that one check has for itself; what another left in it goes."""
        folder = self._path.parent
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            place = folder / _CHECK
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(mode=0o700)
            try:
                yield place
            finally:
                shutil.rmtree(place, ignore_errors=True)

    def others(self) -> list[str]:
        return []  # the lock of the data folder says it

    def put_back(self, file: Path, figures: Figures, progress: Progress) -> None:
        """Put the copy in place of the file.

        The keys go into the copy, and what is still in the old file's WAL into the old file,
        before anything is removed, so that this may end anywhere and be done again.
        """
        self._database.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._beside("restoring")
        for left in (new, *(_with(new, ending) for ending in _BESIDE)):
            left.unlink(missing_ok=True)
        _unpack(file, new, progress)
        old = self._beside("replaced")
        if self._path.exists():
            _settle(self._path)
            _take_keys(self._path, new)
            shutil.copymode(self._path, new)
            if not old.exists():
                os.link(self._path, old)
        synced(new)
        for ending in _BESIDE:  # else SQLite would play the old file's last pages into the new
            _with(self._path, ending).unlink(missing_ok=True)
        synced(self._path.parent)
        new.replace(self._path)
        synced(self._path.parent)

    def finish(self) -> None:
        self._beside("replaced").unlink(missing_ok=True)

    @contextmanager
    def scratch(self, file: Path, folder: Path, progress: Progress) -> Iterator[Database]:
        place = Path(tempfile.mkdtemp(dir=folder, prefix=".drill-"))
        database = None
        try:
            _unpack(file, place / "drill.sqlite", progress)
            database = Database(f"sqlite:///{place / 'drill.sqlite'}")
            yield database
        finally:
            if database is not None:
                database.close()
            shutil.rmtree(place, ignore_errors=True)

    def _files(self) -> list[Path]:
        return [self._path, *(_with(self._path, ending) for ending in _BESIDE)]

    def _beside(self, word: str) -> Path:
        return self._path.with_name(f".{self._path.name}.{word}")


def figures_of(path: Path) -> Figures:
    """Return what a file's own books say that it holds."""
    with closing(sqlite3.connect(path)) as connection:
        if not _has_table(connection, "table_day"):
            return Figures()
        rows = connection.execute(
            "SELECT table_name, SUM(rows_in - rows_out) FROM table_day GROUP BY table_name"
        ).fetchall()
        newest = connection.execute("SELECT MAX(minute) FROM ledger").fetchone()[0]
        positions = connection.execute("SELECT segment, position FROM checkpoint").fetchall()
    return Figures({name: int(number) for name, number in rows}, newest or "", dict(positions))


def _copy(source: Path, target: Path, progress: Progress) -> None:
    """Copy a file as it is at one moment.

    A read transaction is opened first: the steps then all see its moment, and a writer neither
    waits nor makes the copy begin anew.
    """

    def report(_status: int, left: int, pages: int) -> None:
        progress("copying", pages - left, pages)

    _private(target)
    with closing(sqlite3.connect(source, timeout=15, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        with closing(sqlite3.connect(target)) as copy:
            connection.backup(copy, pages=_PAGES, progress=report, sleep=0.01)
        connection.execute("ROLLBACK")


def _without_keys(source: Path, target: Path) -> None:
    """Write a file anew without the keys of hashes: not in rows, and not in what is left of them.

    No journal is written: it would hold the keys.
    """
    _private(target)
    target.unlink()  # SQLite makes it, with the rights of the process; the folder is private
    with closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA journal_mode = MEMORY")
        if _has_table(connection, _KEYS):
            connection.execute(f"UPDATE {quoted(_KEYS)} SET secret = NULL")
            connection.execute(f"DELETE FROM {quoted(_KEYS)}")
        connection.execute("VACUUM INTO ?", (str(target),))
    target.chmod(0o600)


def _take_keys(old: Path, new: Path) -> None:
    """Copy the keys of hashes from the file that is replaced; a broken one has none to give."""
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        if not _has_table(connection, _KEYS):
            return
        with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(old)) as source:
            names = [row[1] for row in source.execute(f"PRAGMA table_info({quoted(_KEYS)})")]
            columns = ", ".join(map(quoted, names))
            rows = source.execute(f"SELECT {columns} FROM {quoted(_KEYS)}").fetchall()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"DELETE FROM {quoted(_KEYS)}")
            marks = ", ".join("?" * len(names))
            connection.executemany(
                f"INSERT INTO {quoted(_KEYS)} ({columns}) VALUES ({marks})", rows
            )
            connection.execute("COMMIT")


def _settle(path: Path) -> None:
    """Bring what is in the WAL into the file; a broken file stays as it is."""
    with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _has_table(connection: sqlite3.Connection, name: str) -> bool:
    query = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
    return bool(connection.execute(query, (name,)).fetchone()[0])


def _compress(source: Path, target: Path, progress: Progress) -> None:
    size, done = source.stat().st_size, 0
    _private(target)
    with source.open("rb") as file, gzip.open(target, "wb", compresslevel=_LEVEL) as packed:
        while piece := file.read(_PIECE):
            packed.write(piece)
            done += len(piece)
            progress("compressing", done, size)


class Unreadable(BackupError):
    """Raised when a copy cannot be read to its end: the fault is the copy's."""


def _unpack(source: Path, target: Path, progress: Progress) -> None:
    """Unpack a copy. Raises Unreadable for what is read, OSError for what is written."""
    _private(target)
    with target.open("wb") as file:
        for piece in _pieces(source, progress):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _pieces(source: Path, progress: Progress) -> Iterator[bytes]:
    try:
        size = source.stat().st_size
        with source.open("rb") as raw, gzip.open(raw) as packed:
            while piece := packed.read(_PIECE):
                yield piece
                progress("unpacking", raw.tell(), size)
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(str(error)) from error


def _private(path: Path) -> None:
    """Make an empty file that only its owner may read."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))


def _with(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
