"""Read what the registry holds of one schema, for those who change it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from eventlogging.governance.model import DEFAULT_STATE, Example
from eventlogging.registry.settings import Settings
from eventlogging.registry.snapshot import read_plans
from eventlogging.schema.columns import ColumnPlan
from eventlogging.schema.version import Version
from eventlogging.store.fixed import (
    event_schema,
    schema_example,
    schema_owner,
    schema_table,
    schema_version,
)


@dataclass(frozen=True)
class StoredVersion:
    """A published version: `source` as it was proposed, `document` as it stands alone."""

    version: Version
    source: Mapping[str, Any]
    document: Mapping[str, Any]
    revision: int | None
    override: str | None = None


@dataclass(frozen=True)
class StoredSchema:
    """All that is held of a schema. `tables` maps a major version to (table, its plan)."""

    name: str
    stem: str
    settings: Settings
    versions: Mapping[Version, StoredVersion]
    tables: Mapping[int, tuple[str, ColumnPlan]] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()
    state: str = DEFAULT_STATE

    @property
    def latest(self) -> Version:
        """The highest version."""
        return max(self.versions)

    def documents(self) -> dict[Version, Mapping[str, Any]]:
        """Return every version's document."""
        return {version: stored.document for version, stored in self.versions.items()}

    def latest_of(self, major: int) -> StoredVersion:
        """Return the highest version of a major."""
        return self.versions[max(v for v in self.versions if v.major == major)]


def stored_schema(connection: sa.Connection, name: str) -> StoredSchema | None:
    """Return what is held of a schema, or None where it is not registered."""
    row = connection.execute(sa.select(event_schema).where(event_schema.c.name == name)).first()
    if row is None:
        return None
    owners = connection.execute(
        sa.select(schema_owner.c.email)
        .where(schema_owner.c.schema == name)
        .order_by(schema_owner.c.position)
    ).scalars()
    settings = Settings(
        title=row.title,
        description=row.description,
        owners=tuple(owners),
        producers=row.producers,
        origins=tuple(json.loads(row.origins)),
        sampling_rate=row.sampling_rate,
        sampling_unit=row.sampling_unit,
        privacy=json.loads(row.privacy),
        fill_defaults=row.fill_defaults,
        readers=row.readers,
    )
    return StoredSchema(
        name=name,
        stem=row.stem,
        settings=settings,
        versions=_versions(connection, name),
        tables=read_plans(connection, name).get(name, {}),
        examples=_examples(connection, name),
        state=row.state,
    )


def names(connection: sa.Connection) -> list[str]:
    """Return the names of all registered schemas, in order."""
    query = sa.select(event_schema.c.name).order_by(event_schema.c.name)
    return list(connection.execute(query).scalars())


def document_of(connection: sa.Connection, name: str, version: str) -> Mapping[str, Any] | None:
    """Return one published document, which stands alone; None where there is none."""
    parsed = Version.parse(version)
    if parsed is None:
        return None
    v = schema_version.c
    query = sa.select(v.document).where(
        v.schema == name, v.major == parsed.major, v.minor == parsed.minor, v.patch == parsed.patch
    )
    text = connection.execute(query).scalar()
    return None if text is None else json.loads(text)


def taken_names(connection: sa.Connection, except_for: str) -> dict[str, str]:
    """Return folded table or view name → the schema it belongs to, of all other schemas."""
    taken: dict[str, str] = {}
    query = sa.select(event_schema.c.name, event_schema.c.stem)
    for row in connection.execute(query.where(event_schema.c.name != except_for)):
        for table in (row.stem, f"{row.stem}_invalid"):
            taken[table.casefold()] = row.name
    tables = sa.select(schema_table.c.schema, schema_table.c.table_name)
    for row in connection.execute(tables.where(schema_table.c.schema != except_for)):
        taken[row.table_name.casefold()] = row.schema
    return taken


def _versions(connection: sa.Connection, name: str) -> dict[Version, StoredVersion]:
    v = schema_version.c
    query = sa.select(schema_version).where(v.schema == name).order_by(v.major, v.minor, v.patch)
    found = {}
    for row in connection.execute(query):
        version = Version(row.major, row.minor, row.patch)
        source, document = json.loads(row.source), json.loads(row.document)
        found[version] = StoredVersion(version, source, document, row.revision, row.override_reason)
    return found


def _examples(connection: sa.Connection, name: str) -> tuple[Example, ...]:
    query = sa.select(schema_example).where(schema_example.c.schema == name)
    return tuple(
        Example(row.name, bool(row.passes), json.loads(row.payload))
        for row in connection.execute(query.order_by(schema_example.c.name))
    )
