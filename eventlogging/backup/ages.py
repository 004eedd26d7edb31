"""Which backups are too old to be kept: they hold events that the tables have forgotten."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from eventlogging.backup.locks import Busy, locked
from eventlogging.backup.model import PART, Backup, find_all, folder_of


def keep_of(backup_keep_days: int, shortest: int) -> int:
    """Return for how many days backups are kept: never longer than the shortest keep of events.

    `backup_keep_days` is the setting, in which 0 says that none is made by itself.
    """
    return min(backup_keep_days, shortest) if backup_keep_days > 0 else shortest


def expired(var: Path, today: str, keep: int) -> list[Backup]:
    """Return an installation's backups that are older than `keep` days, the oldest first."""
    return [one for one in find_all(folder_of(var)) if _age(one.day, today) > keep]


def delete(backup: Backup) -> bool:
    """Delete a backup; return False where another process works on the backups now.

    Its name goes first, so that what is left of an interrupted deletion is no backup.
    """
    folder = backup.folder.parent
    try:
        with locked(folder):
            if backup.folder.is_dir():
                backup.folder.rename(backup.folder.with_name(backup.folder.name + PART))
            sweep(folder)
    except Busy:
        return False
    return True


def sweep(folder: Path) -> list[str]:
    """Delete what interrupted backups, deletions and drills have left; return their names.

    The caller holds the folder's lock.
    """
    left = [
        path
        for path in folder.iterdir()
        if path.is_dir() and (path.name.endswith(PART) or path.name.startswith(".drill-"))
    ]
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return sorted(path.name for path in left)


def _age(day: str, today: str) -> int:
    return (date.fromisoformat(today) - date.fromisoformat(day)).days
