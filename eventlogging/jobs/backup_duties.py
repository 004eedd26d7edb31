"""The duties of backups: make one, check them, put one back for practice. Each may be done twice.

A backup lies on the host whose jobs process made it; a host without any has nothing to check.
"""

from __future__ import annotations

import logging

from eventlogging.backup import model
from eventlogging.backup.check import check
from eventlogging.backup.copies import copies_of
from eventlogging.backup.drill import drill
from eventlogging.backup.locks import Busy
from eventlogging.backup.make import make
from eventlogging.backup.model import BackupError
from eventlogging.backup.mysql import MayNot
from eventlogging.jobs.duties import Result
from eventlogging.jobs.not_yet import NotYet
from eventlogging.ledger.sentence import grouped
from eventlogging.platform import Platform

_NONE = "no backup lies on this host"
_logger = logging.getLogger(__name__)


def back_up(platform: Platform, day: str) -> Result:
    """Make a backup of database and governance.

    Old ones are deleted by each host's job `retire-log`. What cannot be made is logged, and the run
    has failed.
    """
    if not platform.config.backup_keep_days:
        return Result("done", "backup_keep_days is 0: none is made by itself")
    try:
        made = make(platform, model.folder_of(platform.config.var))
    except Busy as error:
        raise NotYet(str(error)) from error
    except (BackupError, OSError) as error:
        _logger.error("backup: %s", error)
        return Result("failed", str(error))
    rows, size = grouped(made.figures.total), grouped(-(-made.bytes // 1000))
    return Result("done", f"{made.name}: {rows} rows of events, {size} kB")


def check_backups(platform: Platform, day: str) -> Result:
    """Check every backup of this host: its files, and the copy to its end.

    One that is not sound makes the run a warning.
    """
    found = model.find_all(model.folder_of(platform.config.var))
    if not found:
        return Result("done", _NONE)
    copies, kind = copies_of(platform.database), platform.database.dialect.name
    try:
        problems = [
            f"{one.name}: {problem}"
            for one in found
            for problem in check(one, copies if one.database == kind else None)
        ]
    except Busy as error:
        raise NotYet(str(error)) from error
    except BackupError as error:
        _logger.error("backup-check: %s", error)
        return Result("failed", str(error))
    for problem in problems:
        _logger.warning("backup-check: %s", problem)
    if problems:
        return Result("warning", "\n".join(problems))
    return Result("done", f"{grouped(len(found))} backups are sound: {found[-1].name} is the last")


def practise(platform: Platform, day: str) -> Result:
    """Put the newest backup back beside the database, and prove what is in it.

    One that would not bring everything back makes the run a warning, and so does an account
    that may not make a database to practise in.
    """
    found = model.find_all(model.folder_of(platform.config.var))
    if not found:
        return Result("done", _NONE)
    try:
        done = drill(found[-1], copies_of(platform.database))
    except Busy as error:
        raise NotYet(str(error)) from error
    except MayNot as error:
        return Result("warning", f"nothing was practised: {error}")
    except (BackupError, OSError) as error:
        _logger.error("restore-drill: %s", error)
        return Result("failed", str(error))
    if done.problems:
        _logger.warning("restore-drill: %s", done.report)
    return Result("warning" if done.problems else "done", done.report)
