"""Examples that a newcomer can send as they stand."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from eventlogging.registry.model import Snapshot
from eventlogging.store.database import Database
from eventlogging.store.fixed import schema_example


def passing_example(database: Database, snapshot: Snapshot) -> tuple[str, dict[str, Any]] | None:
    """Return (schema, payload) of the shortest passing example that needs no token; None: none."""
    anyone = [
        name
        for name, schema in snapshot.schemas.items()
        if schema.producers == "public" and not schema.origins and schema.state == "published"
    ]
    c = schema_example.c
    query = sa.select(c.schema, c.payload).where(c.passes, c.schema.in_(anyone))
    with database.read() as connection:
        found = min(connection.execute(query), key=lambda row: len(row.payload), default=None)
    return (found.schema, json.loads(found.payload)) if found else None
