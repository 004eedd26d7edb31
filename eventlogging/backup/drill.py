"""Put a backup back for practice, beside the database, and prove what is in it."""

from __future__ import annotations

from dataclasses import dataclass

from eventlogging.backup.check import check
from eventlogging.backup.copies import Copies
from eventlogging.backup.locks import locked
from eventlogging.backup.model import Backup, Progress, silent
from eventlogging.ledger.proof import prove
from eventlogging.ledger.sentence import grouped
from eventlogging.store.database import Database
from eventlogging.store.dialect import quoted
from eventlogging.store.migrate import migrate
from eventlogging.store.migrate import tables as tables_of


@dataclass(frozen=True)
class Drill:
    """What a drill came to. `problems`: why this backup would not bring everything back."""

    backup: Backup
    checked: str = ""
    problems: tuple[str, ...] = ()

    @property
    def report(self) -> str:
        """All of it in words."""
        if self.problems:
            return "\n".join([f"{self.backup.name} would not do:", *self.problems])
        return f"{self.backup.name} can be put back: {self.checked}"


def drill(backup: Backup, copies: Copies, *, progress: Progress = silent) -> Drill:
    """Restore a backup into a scratch database, prove its books, compare it with the manifest.

    Raises BackupError where there is no scratch database to be had, or somebody else is at work
    on the backups.
    """
    problems = check(backup, copies, deep=False)
    if problems:
        return Drill(backup, problems=tuple(problems))
    file = backup.folder / str(backup.manifest["copy"])
    with (
        locked(backup.folder.parent),
        copies.scratch(file, backup.folder.parent, progress) as database,
    ):
        migrate(database)
        proof = prove(database)
        problems = [*proof.discrepancies, *_differences(backup, database)]
    counted = ", ".join(f"{grouped(number)} {what}" for what, number in proof.checked.items())
    return Drill(backup, counted, tuple(problems))


def _differences(backup: Backup, database: Database) -> list[str]:
    stated = backup.figures.rows
    found = []
    with database.read() as connection:
        present = set(tables_of(connection))
        for table, rows in sorted(stated.items()):
            query = f"SELECT COUNT(*) FROM {quoted(table)}"
            counted = connection.exec_driver_sql(query).scalar() if table in present else 0
            if counted != rows:
                found.append(
                    f"{table} holds {grouped(int(counted or 0))} rows, and the manifest says "
                    f"{grouped(rows)}"
                )
    return found
