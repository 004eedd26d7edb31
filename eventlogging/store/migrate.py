"""Bring the fixed tables to the newest form (Alembic, from within the program)."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from eventlogging.errors import StoreError
from eventlogging.store.database import Database
from eventlogging.store.fixed import metadata

_FOLDER = Path(__file__).parent / "migrations"


def migrate(database: Database) -> None:
    """Upgrade the database; does nothing when it is already up to date.

    Raises StoreUnavailable when the server does not answer, StoreError when the
    database is newer than this program.
    """
    if is_current(database):
        return
    config = AlembicConfig()
    config.set_main_option("script_location", str(_FOLDER))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    with database.ddl() as connection:
        database.dialect.settle(connection, list(metadata.tables))


def is_current(database: Database) -> bool:
    """Whether the fixed tables have the newest form."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(_FOLDER))
    script = ScriptDirectory.from_config(config)
    with database.read() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    if present is None:
        return False
    if present not in {revision.revision for revision in script.walk_revisions()}:
        raise StoreError(
            f"a newer EventLogging migrated the database (revision {present}); upgrade this one"
        )
    return present == script.get_current_head()


def revision(database: Database) -> str:
    """Return the migration that the database has come to; empty where there was none yet."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision() or ""


def server_version(database: Database) -> str:
    """Return what the server says it is."""
    with database.read() as connection:
        return database.dialect.version(connection)


def unfit(database: Database) -> list[str]:
    """Return what is wrong with the server's settings, each with how to mend it."""
    with database.read() as connection:
        return database.dialect.assert_fit(connection)


def tables(connection: sa.Connection) -> list[str]:
    """Return the names of all tables that the database has now, views aside."""
    return sa.inspect(connection).get_table_names()
