"""Small registered schemas for tests, made without a database."""

from __future__ import annotations

from typing import Any

from eventlogging.registry.model import RegisteredSchema, RegisteredVersion, Snapshot
from eventlogging.schema.plan import plan_columns
from eventlogging.schema.version import Version

CLICK: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["target"],
    "properties": {
        "target": {"type": "string", "maxLength": 40},
        "count": {"type": "integer"},
        "ratio": {"type": "number"},
        "when": {"type": "string", "format": "date-time"},
        "user": {"type": "string"},
        "mail": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}


def registered(
    name: str = "Click",
    documents: dict[str, dict[str, Any]] | None = None,
    **settings: Any,
) -> RegisteredSchema:
    """A schema as the snapshot holds it; `documents` maps versions to documents."""
    documents = documents or {"1.0.0": CLICK}
    privacy = settings.get("privacy", {})
    versions, plans = {}, {}
    for text, document in documents.items():
        version = Version.parse(text)
        assert version is not None
        versions[text] = RegisteredVersion(
            name, version, document, "2020-12", None, f"{name}_{version.major}"
        )
        before = plans[version.major].columns if version.major in plans else ()
        plans[version.major] = plan_columns(document, privacy, before)
    values: dict[str, Any] = {
        "name": name,
        "title": name,
        "description": "",
        "owners": ("owner@example.org",),
        "producers": "public",
        "origins": (),
        "sampling_rate": 1.0,
        "sampling_unit": "pageview",
        "privacy": privacy,
        "keep_days": 90,
        "stem": name,
        "invalid_table": f"{name}_invalid",
        "versions": versions,
        "latest": list(documents)[-1],
        "plans": plans,
        "revisions": {},
    }
    return RegisteredSchema(**{**values, **settings})


def snapshot(*schemas: RegisteredSchema, counter: int = 1) -> Snapshot:
    return Snapshot(counter, {schema.name: schema for schema in schemas})
