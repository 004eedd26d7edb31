"""Write one schema's rows; the caller owns the transaction, the audit and the counter."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.governance.model import Example
from eventlogging.registry.settings import Settings
from eventlogging.registry.tables import PlannedTable
from eventlogging.schema.names import table_stem
from eventlogging.schema.version import Version
from eventlogging.store.fixed import (
    event_schema,
    schema_column,
    schema_example,
    schema_owner,
    schema_table,
    schema_version,
)


def as_json(value: Any) -> str:
    """Return the text that the registry keeps of a value; the order of keys stays."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def add_schema(connection: sa.Connection, name: str, settings: Settings) -> None:
    """Add a schema that is not there yet."""
    now = clock.iso(clock.now_ms())
    stem = table_stem(name)
    connection.execute(
        sa.insert(event_schema).values(
            name=name,
            stem=stem,
            folded_stem=stem.casefold(),
            state="published",
            created_at=now,
            updated_at=now,
            **_columns(settings),
        )
    )
    _write_owners(connection, name, settings.owners)


def update_settings(connection: sa.Connection, name: str, settings: Settings) -> None:
    """Put other settings in force."""
    connection.execute(
        sa.update(event_schema)
        .where(event_schema.c.name == name)
        .values(updated_at=clock.iso(clock.now_ms()), **_columns(settings))
    )
    _write_owners(connection, name, settings.owners)


def _columns(settings: Settings) -> dict[str, Any]:
    return {
        "title": settings.title,
        "description": settings.description,
        "producers": settings.producers,
        "origins": as_json(list(settings.origins)),
        "sampling_rate": settings.sampling_rate,
        "sampling_unit": settings.sampling_unit,
        "privacy": as_json(dict(settings.privacy)),
        "fill_defaults": settings.fill_defaults,
        "readers": settings.readers,
    }


def _write_owners(connection: sa.Connection, name: str, owners: Iterable[str]) -> None:
    connection.execute(sa.delete(schema_owner).where(schema_owner.c.schema == name))
    rows = [
        {"schema": name, "email": email, "position": position}
        for position, email in enumerate(owners)
    ]
    connection.execute(sa.insert(schema_owner), rows)


def add_version(
    connection: sa.Connection, name: str, version: Version, *, source: Mapping[str, Any],
    document: Mapping[str, Any], draft: str, revision: int | None, changes: list[str],
    override: str | None, who: str,
) -> None:  # fmt: skip
    """Add a version that is not there yet."""
    connection.execute(
        sa.insert(schema_version).values(
            schema=name,
            major=version.major,
            minor=version.minor,
            patch=version.patch,
            source=as_json(source),
            document=as_json(document),
            draft=draft,
            revision=revision,
            changes=as_json(changes),
            override_reason=override,
            published_at=clock.iso(clock.now_ms()),
            published_by=who[:191],
        )
    )


def set_revision(connection: sa.Connection, name: str, version: Version, revision: int) -> None:
    """Record a classic revision number as another name of a version."""
    v = schema_version.c
    connection.execute(
        sa.update(schema_version)
        .where(v.schema == name, v.major == version.major)
        .where(v.minor == version.minor, v.patch == version.patch)
        .values(revision=revision)
    )


def write_table(connection: sa.Connection, name: str, major: int, table: PlannedTable) -> None:
    """Record which table serves a major version, and its columns in order."""
    connection.execute(sa.delete(schema_column).where(schema_column.c.table_name == table.name))
    connection.execute(sa.delete(schema_table).where(schema_table.c.table_name == table.name))
    connection.execute(
        sa.insert(schema_table).values(
            schema=name,
            major=major,
            table_name=table.name,
            overflow=as_json(list(table.plan.overflow)),
        )
    )
    rows = [
        {
            "table_name": table.name,
            "position": position,
            "pointer": column.pointer,
            "name": column.name,
            "kind": str(column.kind),
            "length": column.length,
        }
        for position, column in enumerate(table.plan.columns)
    ]
    if rows:
        connection.execute(sa.insert(schema_column), rows)


def write_examples(connection: sa.Connection, name: str, examples: Iterable[Example]) -> None:
    """Keep these examples and no others."""
    connection.execute(sa.delete(schema_example).where(schema_example.c.schema == name))
    rows = [
        {
            "schema": name,
            "name": example.name,
            "passes": example.passes,
            "payload": as_json(example.payload),
        }
        for example in examples
    ]
    if rows:
        connection.execute(sa.insert(schema_example), rows)
