"""A schema's own rules: the governance document alerts/<Name>.toml, read and changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.governance.model import meaning
from eventlogging.governance.rules import alert_problems, misplaced
from eventlogging.governance.syntax import KeyPath
from eventlogging.registry import audit, counter, write
from eventlogging.store.database import Database
from eventlogging.store.fixed import governance as documents

_FOLDER = "alerts"
Problems = tuple[tuple[KeyPath, str], ...]  # where in the document, and what is wrong there


@dataclass(frozen=True)
class Saved:
    """What became of a change. `document` is what stands now; `overtaken`: somebody was first."""

    done: bool
    document: Mapping[str, Any]
    problems: Problems = ()
    overtaken: bool = False


def why_not(schema: str) -> str | None:
    """Return why a schema of this name cannot have rules of its own (None: it can)."""
    path = f"{_FOLDER}/{_name(schema)}"
    wrong = misplaced(path)
    return None if wrong is None else f"{path} {wrong}."


def read(connection: sa.Connection, schema: str) -> Mapping[str, Any]:
    """Return what a schema's own document holds; empty where it has none."""
    if why_not(schema) is not None:
        return {}
    found = _stored(connection, schema)
    return found if isinstance(found, dict) else {}


def standing(document: Mapping[str, Any]) -> str:
    """Return a short text that tells this state of the document from all others."""
    return hashlib.sha256(meaning(document).encode()).hexdigest()[:32]


def save(
    database: Database, schema: str, document: Mapping[str, Any], since: str, who: str
) -> Saved:  # fmt: skip
    """Put a schema's own rules in force; an empty document is removed.

    `since` is the `standing` of the document that the change began from. Nothing is written where
    that is not what stands, or where something is wrong. Raises StoreUnavailable.
    """
    reason = why_not(schema)
    problems = (((), reason),) if reason is not None else tuple(alert_problems(document))
    with database.write() as connection:
        counter.lock(connection)  # as `eventlogging apply` does: one after the other
        held = read(connection, schema)
        if standing(held) != since:
            return Saved(False, held, overtaken=True)
        if problems:
            return Saved(False, held, problems)
        if held != document:
            _put(connection, schema, document, who)
        # The counter stays: each look at alerts reads these documents anew.
        return Saved(True, document)


def _name(schema: str) -> str:
    return f"{schema}.toml"


def _stored(connection: sa.Connection, schema: str) -> Any:
    c = documents.c
    query = sa.select(c.document).where(c.folder == _FOLDER, c.name == _name(schema))
    text = connection.execute(query).scalar()
    return None if text is None else json.loads(text)


def _put(connection: sa.Connection, schema: str, document: Mapping[str, Any], who: str) -> None:
    c, name = documents.c, _name(schema)
    old = _stored(connection, schema)
    connection.execute(sa.delete(documents).where(c.folder == _FOLDER, c.name == name))
    if document:
        connection.execute(
            sa.insert(documents).values(
                folder=_FOLDER, name=name, document=write.as_json(document),
                updated_at=clock.iso(clock.now_ms()),
            )
        )  # fmt: skip
    detail = {"old": old, **({"new": dict(document)} if document else {})}
    audit.record(connection, who, "governance", f"{_FOLDER}/{name}", detail)
