"""What the API shows of a registered schema."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from eventlogging.registry.model import RegisteredSchema, RegisteredVersion
from eventlogging.registry.tables import PlannedTable
from eventlogging.store.dialect import Dialect


def link(name: str, version: str | None = None) -> str:
    """Return the path of a schema, or of one of its versions."""
    path = f"/v1/schemas/{quote(name)}"
    return f"{path}/{version}" if version else path


def links(name: str, version: str) -> dict[str, str]:
    """Return the paths around one version."""
    return {"schema": link(name), "version": link(name, version), "latest": link(name, "latest")}


def summary(schema: RegisteredSchema) -> dict[str, Any]:
    """Return one line of the list of schemas."""
    return {
        "name": schema.name,
        "title": schema.title,
        "latest": schema.latest,
        "state": schema.state,
        "owners": list(schema.owners),
        "sampling": sampling(schema),
        "producers": schema.producers,
        "fill_defaults": schema.fill_defaults,
        "readers": schema.readers,
        "tables": tables(schema),
        "links": links(schema.name, schema.latest),
    }


def details(schema: RegisteredSchema) -> dict[str, Any]:
    """Return all settings of a schema, and its versions."""
    return {
        **summary(schema),
        "description": schema.description,
        "origins": list(schema.origins),
        "privacy": dict(schema.privacy),
        "keep_days": schema.keep_days,
        "versions": [
            {
                "version": text,
                "revision": version.revision,
                "draft": version.draft,
                "table": version.table,
                "link": link(schema.name, text),
            }
            for text, version in schema.versions.items()
        ],
    }


def version(schema: RegisteredSchema, found: RegisteredVersion, dialect: Dialect) -> dict[str, Any]:
    """Return a version's document and its table."""
    plan = schema.plans[found.version.major]
    table = PlannedTable(found.table, plan, plan.columns).as_dict(dialect)
    shown = ("name", "columns", "ddl", "overflow")
    return {
        "name": schema.name,
        "version": str(found.version),
        "latest": schema.latest,
        "revision": found.revision,
        "draft": found.draft,
        "schema": dict(found.document),
        "table": {key: table[key] for key in shown},
        "links": links(schema.name, str(found.version)),
    }


def for_clients(schema: RegisteredSchema) -> dict[str, Any]:
    """Return what a client needs before it sends events."""
    return {"version": schema.latest, "sampling": sampling(schema)}


def sampling(schema: RegisteredSchema) -> dict[str, Any]:
    """Return the sampling in force."""
    return {"rate": schema.sampling_rate, "unit": schema.sampling_unit}


def tables(schema: RegisteredSchema) -> dict[str, Any]:
    """Return the names of a schema's tables: one per major version, and that of invalid events."""
    valid = {str(v.version.major): v.table for v in schema.versions.values()}
    return {"valid": valid, "invalid": schema.invalid_table, "view": schema.stem}
