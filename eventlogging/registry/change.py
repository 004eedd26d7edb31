"""Change the settings of a registered schema, with what was and what is in the audit."""

from __future__ import annotations

from typing import Any

from eventlogging.errors import SchemaRefused, UnknownSchema
from eventlogging.governance.fields import declares
from eventlogging.registry import counter, stored
from eventlogging.registry.publish import put_settings
from eventlogging.registry.settings import Settings, merged
from eventlogging.registry.stored import StoredSchema
from eventlogging.registry.tables import unheld
from eventlogging.store.database import Database


def change_settings(
    database: Database, name: str, who: str, **stated: Any
) -> dict[str, tuple[Any, Any]]:
    """Put the stated settings in force and return field → (old, new) of those that changed.

    Keys are title, description, owners, sampling {rate, unit}, privacy, producers, origins,
    fill_defaults, readers. Raises UnknownSchema, SchemaRefused with every problem,
    StoreUnavailable.
    """
    with database.write() as connection:
        counter.lock(connection)
        standing = stored.stored_schema(connection, name)
        if standing is None:
            raise UnknownSchema(f"no schema is named {name!r}; see: GET /v1/schemas")
        settings, problems = merged(stated, standing.settings)
        problems += setting_problems(standing, settings)
        if problems:
            raise SchemaRefused(problems)
        if put_settings(connection, standing, settings, who):
            counter.move(connection)
        return standing.settings.changes_to(settings)


def setting_problems(standing: StoredSchema, settings: Settings) -> list[str]:
    """Return why a schema's documents and newest table do not allow these settings."""
    documents = list(standing.documents().values())
    problems = [
        f"privacy names {pointer!r}, which the schema does not declare"
        for pointer in settings.privacy
        if not any(declares(document, pointer) for document in documents)
    ]
    if settings.privacy != standing.settings.privacy:
        table, plan = standing.tables[standing.latest.major]
        document = standing.versions[standing.latest].document
        problems += [
            f"{change.what}; publish a new major version with this setting"
            for change in unheld(document, settings.privacy, table, plan.columns)
        ]
    return problems
