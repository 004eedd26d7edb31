"""Checks of backups: there is a young one, the log reaches back to it, no restore is half done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from eventlogging import clock
from eventlogging.backup import locks, model
from eventlogging.config import Config
from eventlogging.doctor.finding import Finding, error, ok, several, warning

_LATE_DAYS = 2  # since the newest backup, where one is made each night


def backups(config: Config) -> Iterator[Finding]:
    """What was stored after a backup is in the log still."""
    found = [one for one in model.find_all(model.folder_of(config.var)) if not one.problem]
    keep = config.backup_keep_days
    if keep and config.log_keep_days < keep:
        yield warning(
            "backups",
            f"the log is kept for {several(config.log_keep_days, 'day')}, backups for {keep}: a "
            "backup that is older than the log leaves a gap when it is restored",
            f"set log_keep_days to {keep} or more, or backup_keep_days to less",
        )
    if not found:
        if keep:
            yield ok("backups", "no backup lies in this data folder; the job backup makes one")
        return
    newest = found[-1]
    age = (date.fromisoformat(clock.day(clock.now_ms())) - date.fromisoformat(newest.day)).days
    text = f"the newest backup is {newest.name}, {several(age, 'day')} old"
    if age > config.log_keep_days:
        yield error(
            "backups",
            f"{text}; the log is kept for {several(config.log_keep_days, 'day')}, and what came "
            "between them could not be restored",
            "eventlogging backup",
        )
    elif keep and age > _LATE_DAYS:
        yield warning("backups", text, "see how the job backup went: eventlogging job list")
    else:
        yield ok("backups", text)


def restore(config: Config) -> Iterator[Finding]:
    """No restore was interrupted."""
    begun = locks.read_marker(config.var)
    if begun is not None:
        yield error(
            "restore",
            f"a restore of {begun.get('backup', 'a backup')} is at work, or was interrupted",
            f"finish it: eventlogging restore {begun.get('backup', 'BACKUP')} "
            f"--execute {begun.get('checksum', 'CHECKSUM')}",
        )
