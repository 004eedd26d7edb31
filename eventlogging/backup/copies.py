"""What backups need of a database, whichever kind it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from eventlogging.backup.model import Figures, Progress
from eventlogging.backup.mysql import MySQLCopies
from eventlogging.backup.sqlite import SQLiteCopies
from eventlogging.store.database import Database


class Copies(Protocol):
    """Makes copies of one database and puts them back. Raises BackupError, OSError."""

    file: str  # how the copy's file is called in a backup

    def room(self) -> int:
        """Return how many bytes making a copy may need on the disk, at most."""

    def write(self, folder: Path, progress: Progress) -> Figures:
        """Write a copy of one moment into a folder; return what it holds."""

    def problems(self, file: Path) -> list[str]:
        """Return what is wrong with a copy, in sentences; it is read to its end.

        Raises BackupError where something else keeps it from being read.
        """

    def others(self) -> list[str]:
        """Return who else works with the database now, in words, as far as can be seen."""

    def put_back(self, file: Path, figures: Figures, progress: Progress) -> None:
        """Replace the database by a copy, all but the keys of hashes. May be done again."""

    def finish(self) -> None:
        """Forget what was replaced."""

    def scratch(
        self, file: Path, folder: Path, progress: Progress
    ) -> AbstractContextManager[Database]:
        """Give a copy as a database of its own, and take it away afterwards."""


def copies_of(database: Database) -> Copies:
    """Return what copies a database. Raises BackupError where it is in memory alone."""
    if database.dialect.name == "sqlite":
        return SQLiteCopies(database)
    return MySQLCopies(database)


def kept_rows(database: Database, tables: Sequence[Any]) -> Mapping[str, list[dict[str, Any]]]:
    """Return the rows of some fixed tables, for those that a restore must not take back."""
    with database.read() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(table.select()).mappings()]
            for table in tables
        }
