"""Examine an installation: every check in turn, none of them able to stop the others."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import sqlalchemy as sa

from eventlogging.config import Config
from eventlogging.doctor import (
    backups,
    clocks,
    databases,
    folders,
    leavings,
    loading,
    mails,
    reported,
    segments,
)
from eventlogging.doctor.finding import Finding, error
from eventlogging.errors import EventLoggingError
from eventlogging.store.database import Database

Check = Callable[[Config], Iterator[Finding]]
DatabaseCheck = Callable[[Config, Database], Iterator[Finding]]

# In the order in which trouble of one explains trouble of the next.
_IN_DATA_FOLDER: tuple[Check, ...] = (
    folders.disk_space,
    folders.secrets,
    folders.privacy_key,
    segments.log_folder,
    segments.torn_tails,
    segments.newest_segment,
    backups.restore,
    backups.backups,
)
_ANYWHERE: tuple[Check, ...] = (
    folders.governance,
    clocks.steady_clock,
    loading.loaders,
    mails.mail_server,
)
_ON_DATABASE: tuple[DatabaseCheck, ...] = (databases.fitting, databases.migrated)
_ON_TABLES: tuple[DatabaseCheck, ...] = (
    clocks.newest_receipt,
    leavings.binary_log,
    loading.loader_lag,
    reported.reported_by_clients,
    mails.waiting_mails,
)


def examine(config: Config) -> Iterator[Finding]:
    """Yield what each check finds, and mend nothing; checks that make no sense are left out."""
    fine = yield from _fine(folders.data_folder, config)
    for check in _IN_DATA_FOLDER if config.var.is_dir() else ():
        yield from _fine(check, config)
    for check in _ANYWHERE:
        yield from _fine(check, config)
    if config.database_url or fine:  # else it is SQLite in a folder that is not there
        yield from _database(config)


def _database(config: Config) -> Iterator[Finding]:
    try:
        database = Database(config.effective_database_url)
    except (EventLoggingError, sa.exc.ArgumentError, ImportError) as wrong:
        yield error("database", str(wrong), "correct EVENTLOGGING_DATABASE_URL")
        return
    try:
        fine = yield from _fine(databases.reachable, config, database)
        for check in _ON_DATABASE if fine else ():
            fine = yield from _fine(check, config, database)
        for check in _ON_TABLES if fine else ():
            yield from _fine(check, config, database)
    finally:
        database.close()


def _fine(
    check: Callable[..., Iterator[Finding]], *arguments: object
) -> Generator[Finding, None, bool]:
    """Yield what a check finds; return whether it found no error."""
    fine = True
    name = check.__name__.replace("_", " ")
    try:
        for finding in check(*arguments):
            fine = fine and finding.level != "error"
            yield finding
    except Exception as wrong:  # a check that breaks is a finding, and the others go on
        yield error(name, f"could not be checked: {wrong}", "mend what the message names")
        return False
    return fine
