"""Checks of the database: it answers, its settings fit, its tables have the newest form."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from eventlogging.config import Config
from eventlogging.doctor.finding import Finding, error, ok
from eventlogging.errors import StoreError, StoreUnavailable
from eventlogging.store.database import Database
from eventlogging.store.migrate import is_current, server_version, unfit


def reachable(config: Config, database: Database) -> Iterator[Finding]:
    """The database answers."""
    try:
        version = server_version(database)
    except StoreUnavailable as wrong:
        yield error(
            "database",
            " ".join(str(wrong).split()),
            f"start it, or correct EVENTLOGGING_DATABASE_URL ({shown(database.url)})",
        )
    else:
        yield ok("database", f"{shown(database.url)} answers: {version}")


def fitting(config: Config, database: Database) -> Iterator[Finding]:
    """The server's settings keep what is stored as it was sent."""
    wrong = unfit(database)
    for sentence in wrong:
        what, _, mend = sentence.rpartition("; ")
        yield error("database settings", what or sentence, mend if what else sentence)
    if not wrong:
        yield ok("database settings", "the database is strict and keeps texts as they are")


def migrated(config: Config, database: Database) -> Iterator[Finding]:
    """The fixed tables have the form that this program knows."""
    try:
        current = is_current(database)
    except StoreUnavailable:
        raise
    except StoreError as wrong:
        yield error("migrations", str(wrong), "install the newer EventLogging again")
        return
    if current:
        yield ok("migrations", "the fixed tables have the newest form")
    else:
        yield error(
            "migrations",
            "the fixed tables do not have the newest form",
            "`eventlogging serve` brings them there",
        )


def shown(url: str) -> str:
    """Return a database URL without its password."""
    return sa.engine.make_url(url).render_as_string(hide_password=True)
