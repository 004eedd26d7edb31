"""A schema's own document in a governance folder, such as purge/<Name>.toml: read and changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.governance.model import meaning
from eventlogging.governance.rules import misplaced
from eventlogging.governance.syntax import KeyPath
from eventlogging.registry import audit, counter, write
from eventlogging.store.database import Database
from eventlogging.store.fixed import governance as documents

DEFAULT = "default"  # the name of the document that is for all schemas
Problem = tuple[KeyPath, str]  # where in the document, and what is wrong there
Document = Mapping[str, Any]
Check = Callable[[sa.Connection], Iterable[Problem]]  # yields why the new one may not stand


@dataclass(frozen=True)
class Saved:
    """What became of a change. `document` is what stands now; `overtaken`: somebody was first."""

    done: bool
    document: Document
    problems: tuple[Problem, ...] = ()
    overtaken: bool = False


def why_not(folder: str, schema: str) -> str | None:
    """Return why a schema of this name cannot have a document of its own there (None: it can)."""
    path = f"{folder}/{schema}.toml"
    if schema.casefold() == DEFAULT:
        return f"{path} is the rule of all schemas."
    wrong = misplaced(path)
    return None if wrong is None else f"{path} {wrong}."


def read(connection: sa.Connection, folder: str, schema: str) -> Document:
    """Return what a schema's own document holds; empty where it has none."""
    return {} if why_not(folder, schema) is not None else stored(connection, folder, schema)


def stored(connection: sa.Connection, folder: str, name: str) -> Document:
    """Return what a document holds, `DEFAULT` among them; empty where there is none."""
    c = documents.c
    query = sa.select(c.document).where(c.folder == folder, c.name == f"{name}.toml")
    text = connection.execute(query).scalar()
    found = None if text is None else json.loads(text)
    return found if isinstance(found, dict) else {}


def standing(document: Document) -> str:
    """Return a short text that tells this state of the document from all others."""
    return hashlib.sha256(meaning(document).encode()).hexdigest()[:32]


def save(
    database: Database, folder: str, schema: str, document: Document, since: str, who: str,
    check: Check, moves: Iterable[str] = (),
) -> Saved:  # fmt: skip
    """Put a schema's own document in force; an empty one is removed.

    `since` is the `standing` of the document that the change began from. Nothing is written where
    that is not what stands, or where `check` finds something wrong. Where one of the keys in
    `moves` changes, collectors hear of it. Raises StoreUnavailable.
    """
    with database.write() as connection:
        counter.lock(connection)  # as `eventlogging apply` does: one after the other
        held = read(connection, folder, schema)
        if standing(held) != since:
            return Saved(False, held, overtaken=True)
        if found := tuple(check(connection)):
            return Saved(False, held, found)
        if meaning(held) != meaning(document):
            _put(connection, folder, schema, held, document, who)
            if any(held.get(key) != document.get(key) for key in moves):
                counter.move(connection)
        return Saved(True, document)


def _put(
    connection: sa.Connection, folder: str, schema: str, old: Document, new: Document, who: str
) -> None:
    c, name = documents.c, f"{schema}.toml"
    connection.execute(sa.delete(documents).where(c.folder == folder, c.name == name))
    if new:
        connection.execute(
            sa.insert(documents).values(
                folder=folder, name=name, document=write.as_json(new),
                updated_at=clock.iso(clock.now_ms()),
            )
        )  # fmt: skip
    detail = {"old": dict(old) or None, **({"new": dict(new)} if new else {})}
    audit.record(connection, who, "governance", f"{folder}/{name}", detail)
