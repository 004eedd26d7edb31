"""What a database leaves behind of deleted rows: in SQLite's free pages and its WAL."""

from __future__ import annotations

import mmap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from eventlogging.store.database import Database

_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Leavings:
    """What was done about them: in words, and whether it is settled."""

    settled: bool
    words: str


def scour(database: Database, needles: Sequence[bytes]) -> Leavings:
    """See to it that no byte of deleted rows is left in the files of a database that has files.

    Deleted rows are overwritten as they go; the WAL is emptied here, and the file is searched for
    `needles`. Where one is found all the same, the file is written anew. A server keeps its
    leavings where we do not reach: `doctor` names them. Raises StoreUnavailable.
    """
    if database.dialect.remote:
        return Leavings(True, "the database server's own logs: see doctor")
    path = Path(sa.engine.make_url(database.url).database or "")
    if not path.is_file():
        return Leavings(True, "the database has no file")
    if not _empty_wal(database):
        return Leavings(False, "somebody reads from the database: its WAL is emptied later")
    if not _holds(path, needles):
        return Leavings(True, "WAL emptied; the file holds nothing")
    with database.ddl() as connection:
        connection.exec_driver_sql("VACUUM")
    if not _empty_wal(database):
        return Leavings(False, "somebody reads from the database: its WAL is emptied later")
    if _holds(path, needles):
        return Leavings(True, "WAL emptied; the file still holds a hash: in rows that stay")
    return Leavings(True, "WAL emptied; the file was written anew, for a free page held a hash")


def _empty_wal(database: Database) -> bool:
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        with database.ddl() as connection:
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
        if not busy:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.2)


def _holds(path: Path, needles: Sequence[bytes]) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return any(data.find(needle) >= 0 for needle in needles)
