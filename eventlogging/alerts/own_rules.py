"""A schema's own rules: the governance document alerts/<Name>.toml, read and changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from eventlogging.governance.rules import alert_problems
from eventlogging.registry import own_document
from eventlogging.registry.own_document import Problem, Saved, standing
from eventlogging.store.database import Database

__all__ = ["read", "save", "standing", "why_not"]

_FOLDER = "alerts"


def why_not(schema: str) -> str | None:
    """Return why a schema of this name cannot have rules of its own (None: it can)."""
    return own_document.why_not(_FOLDER, schema)


def read(connection: sa.Connection, schema: str) -> Mapping[str, Any]:
    """Return what a schema's own document holds; empty where it has none."""
    return own_document.read(connection, _FOLDER, schema)


def save(
    database: Database, schema: str, document: Mapping[str, Any], since: str, who: str
) -> Saved:  # fmt: skip
    """Put a schema's own rules in force, as `own_document.save` does. Raises StoreUnavailable.

    The registry's counter stays: each look at alerts reads these documents anew.
    """

    def check(_: sa.Connection) -> Iterator[Problem]:
        reason = why_not(schema)
        yield from [((), reason)] if reason is not None else alert_problems(document)

    return own_document.save(database, _FOLDER, schema, document, since, who, check)
