"""The fixed tables reach their newest form from every older one, and keep what they hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from sqlalchemy.dialects.mysql import LONGTEXT

from eventlogging.registry.change import change_settings
from eventlogging.registry.export import registry_governance
from eventlogging.registry.snapshot import read_counter, read_snapshot
from eventlogging.schema.names import RESERVED_STEMS
from eventlogging.store import migrate as migrations
from eventlogging.store.database import Database
from eventlogging.store.fixed import metadata
from eventlogging.store.migrate import is_current, migrate

TIME = "2026-11-22T03:04:05.678Z"
DOCUMENT = {"type": "object", "properties": {"action": {"type": "string", "default": "save"}}}
ROWS: dict[str, dict[str, Any]] = {
    "event_schema": {
        "name": "Edit", "stem": "Edit", "folded_stem": "edit", "title": "Edits",
        "description": "What happens in the editor", "producers": "token",
        "origins": '["https://example.org"]', "sampling_rate": 0.25, "sampling_unit": "session",
        "privacy": '{"/action":"hmac"}', "state": "published", "created_at": TIME,
        "updated_at": TIME,
    },
    "schema_owner": {"schema": "Edit", "email": "owner@example.org", "position": 0},
    "schema_version": {
        "schema": "Edit", "major": 1, "minor": 0, "patch": 0, "source": json.dumps(DOCUMENT),
        "document": json.dumps(DOCUMENT), "draft": "2020-12", "revision": 7, "changes": "[]",
        "published_at": TIME, "published_by": "pm",
    },
    "schema_table": {"schema": "Edit", "major": 1, "table_name": "Edit_1", "overflow": "[]"},
    "schema_column": {
        "table_name": "Edit_1", "position": 0, "pointer": "/action", "name": "event_action",
        "kind": "varchar", "length": 64,
    },
}  # fmt: skip


@pytest.fixture
def old(database_url: str) -> Iterator[Database]:
    """A database of the first form that holds a schema."""
    database = Database(database_url)
    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent / "migrations"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    with database.ddl() as connection:
        database.dialect.settle(connection, list(metadata.tables))
    with database.write() as connection:
        for name, values in ROWS.items():
            table = sa.Table(name, sa.MetaData(), autoload_with=connection)
            connection.execute(sa.insert(table).values(values))
    yield database
    database.close()


def held(database: Database) -> dict[str, Any]:
    """The schema's row, as the first form knew it."""
    names = ", ".join(ROWS["event_schema"])
    with database.read() as connection:
        row = connection.execute(sa.text(f"SELECT {names} FROM event_schema")).mappings().one()
    return dict(row)


def test_a_database_of_the_first_form_keeps_its_schemas(old: Database) -> None:
    assert not is_current(old)
    before = held(old)
    migrate(old)
    assert is_current(old)
    assert held(old) == before == ROWS["event_schema"]
    schema = read_snapshot(old).schemas["Edit"]
    assert schema.fill_defaults == "eventgate"
    assert schema.readers == "analysts"
    assert (schema.producers, schema.sampling_rate) == ("token", 0.25)
    assert (schema.owners, schema.revisions) == (("owner@example.org",), {7: "1.0.0"})
    assert registry_governance(old).schemas["Edit"].fill_defaults == "eventgate"


def test_what_is_set_after_an_upgrade_survives_the_next_start(old: Database) -> None:
    migrate(old)
    counter = read_counter(old)
    changed = change_settings(old, "Edit", "pm", fill_defaults="always", readers="owners")
    assert changed == {
        "fill_defaults": ("eventgate", "always"), "readers": ("analysts", "owners"),
    }  # fmt: skip
    assert read_counter(old) == counter + 1
    migrate(old)
    assert read_snapshot(old).schemas["Edit"].fill_defaults == "always"
    assert read_snapshot(old).schemas["Edit"].readers == "owners"


def test_an_upgrade_that_was_interrupted_goes_on(old: Database) -> None:
    with old.ddl() as connection:
        connection.exec_driver_sql(
            "ALTER TABLE event_schema "
            "ADD COLUMN fill_defaults VARCHAR(16) DEFAULT 'eventgate' NOT NULL"
        )
        connection.exec_driver_sql(
            "ALTER TABLE event_schema ADD COLUMN readers VARCHAR(16) DEFAULT 'analysts' NOT NULL"
        )
    migrate(old)
    assert is_current(old)
    assert read_snapshot(old).schemas["Edit"].fill_defaults == "eventgate"


def differs(_context: Any, _here: Any, _there: Any, here: Any, there: Any) -> bool | None:
    """Let longer texts than were asked for pass: giving tables our collation lengthens them."""
    longer = isinstance(here, LONGTEXT) and isinstance(there, sa.Text)
    return False if longer else None


def test_migrations_lead_to_the_tables_that_the_program_knows(database_url: str) -> None:
    database = Database(database_url)
    migrate(database)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": differs})
        differences = compare_metadata(context, metadata)
    database.close()
    assert differences == []


def test_no_schema_can_take_the_name_of_a_fixed_table() -> None:
    assert set(metadata.tables) <= RESERVED_STEMS
