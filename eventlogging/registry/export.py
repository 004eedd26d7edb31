"""Tell what the registry holds in the form of the governance folders."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from eventlogging.governance.model import DEFAULT_STATE, Governance, SchemaFolder
from eventlogging.registry import stored
from eventlogging.registry.stored import StoredSchema
from eventlogging.store.database import Database
from eventlogging.store.fixed import governance as documents


def held_documents(connection: sa.Connection) -> dict[tuple[str, str], Any]:
    """Return (folder, path inside it) → document of reviewers, alerts and purge."""
    c = documents.c
    query = sa.select(documents).order_by(c.folder, c.name)
    return {(row.folder, row.name): json.loads(row.document) for row in connection.execute(query)}


def registry_governance(database: Database) -> Governance:
    """Return what the registry says in the form of the folders. Raises StoreUnavailable."""
    with database.read() as connection:
        schemas = {}
        for name in stored.names(connection):
            held = stored.stored_schema(connection, name)
            if held is not None:
                schemas[name] = _folder(held)
        return Governance(schemas=schemas, documents=held_documents(connection))


def _folder(held: StoredSchema) -> SchemaFolder:
    settings = held.settings
    return SchemaFolder(
        name=held.name,
        title=settings.title,
        description=settings.description,
        owners=settings.owners,
        sampling_rate=settings.sampling_rate,
        sampling_unit=settings.sampling_unit,
        privacy=settings.privacy,
        producers=settings.producers,
        origins=settings.origins,
        fill_defaults=settings.fill_defaults,
        readers=settings.readers,
        state=None if held.state == DEFAULT_STATE else held.state,
        revisions={
            v.revision: str(v.version) for v in held.versions.values() if v.revision is not None
        },
        overrides={
            str(v.version): v.override for v in held.versions.values() if v.override is not None
        },
        versions={str(version): held.versions[version].source for version in sorted(held.versions)},
        examples=held.examples,
    )


def only_registered(folders: Governance, registry: Governance) -> list[str]:
    """Return, in sentences, what the registry holds and the folders do not: drift to export."""
    found = []
    for name, held in sorted(registry.schemas.items()):
        folder = folders.schemas.get(name)
        if folder is None:
            found.append(f"{name}: schema only in the database")
        else:
            found += [
                f"{name}: version {version} only in the database"
                for version in held.versions
                if version not in folder.versions
            ]
            if folder.state is None and held.state is not None:
                found.append(f"{name}: state {held.state} only in the database")
    found += [
        f"{'/'.join(key)}: only in the database"
        for key in sorted(set(registry.documents) - set(folders.documents))
    ]
    return found
