"""A schema's own retention rule: the governance document purge/<Name>.toml, read and changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.governance.model import meaning
from eventlogging.governance.purge_rules import Fields, own_problems
from eventlogging.governance.rules import misplaced
from eventlogging.governance.syntax import KeyPath
from eventlogging.registry import audit, counter, write
from eventlogging.registry.stored import stored_schema
from eventlogging.retention.policy import Policy, policy_of
from eventlogging.store.database import Database
from eventlogging.store.fixed import governance as documents

_FOLDER = "purge"
_DEFAULT = "default"
_DAYS = {
    "keep_days": "events",
    "invalid_keep_days": "refused events",
    "unsealed_keep_days": "refused events whose private fields could not be found",
}
Problems = tuple[tuple[KeyPath, str], ...]  # where in the document, and what is wrong there


@dataclass(frozen=True)
class Saved:
    """What became of a change. `document` is what stands now; `overtaken`: somebody was first."""

    done: bool
    document: Mapping[str, Any]
    problems: Problems = ()
    overtaken: bool = False


def why_not(schema: str) -> str | None:
    """Return why a schema of this name cannot have a rule of its own (None: it can)."""
    path = f"{_FOLDER}/{schema}.toml"
    if schema.casefold() == _DEFAULT:
        return f"{path} is the rule of all schemas."
    wrong = misplaced(path)
    return None if wrong is None else f"{path} {wrong}."


def read(connection: sa.Connection, schema: str) -> Mapping[str, Any]:
    """Return what a schema's own document holds; empty where it has none."""
    return {} if why_not(schema) is not None else _stored(connection, schema)


def read_default(connection: sa.Connection) -> Mapping[str, Any]:
    """Return what purge/default.toml holds; empty where there is none."""
    return _stored(connection, _DEFAULT)


def standing(document: Mapping[str, Any]) -> str:
    """Return a short text that tells this state of the document from all others."""
    return hashlib.sha256(meaning(document).encode()).hexdigest()[:32]


def problems(
    connection: sa.Connection, schema: str, document: Mapping[str, Any], *, may_lengthen: bool
) -> Iterator[tuple[KeyPath, str]]:
    """Yield why a document may not take the place of the one that stands (none: it may).

    Without `may_lengthen` nothing may be kept for more days than now, and an extension that the
    document states stays as it is.
    """
    reason = why_not(schema)
    held = stored_schema(connection, schema)
    if held is None:
        reason = f"no schema is named {schema!r}"
    if reason is not None or held is None:
        yield (), reason or ""
        return
    fields = Fields(schema, list(held.documents().values()), held.settings.privacy)
    default = read_default(connection)
    found = list(own_problems(document, default, fields))
    yield from found
    if not found and not may_lengthen:
        yield from _lengthened(schema, read(connection, schema), document, default)


def _lengthened(
    schema: str, old: Mapping[str, Any], new: Mapping[str, Any], default: Mapping[str, Any]
) -> Iterator[tuple[KeyPath, str]]:
    for key, was, would in longer(policy_of(schema, old, default), policy_of(schema, new, default)):
        yield (
            (key,),
            f"{_DAYS[key]} would be kept for {would} days instead of {was}; only an admin keeps "
            "them longer for good, so ask for an extension, which has an end",
        )
    if old.get("extension") != new.get("extension"):
        yield ("extension",), "only an admin changes `extension` here; ask for one instead"


def longer(old: Policy, new: Policy) -> Iterator[tuple[str, int, int]]:
    """Yield (key, days now, days then) of all that the new policy keeps for more days."""
    for key in _DAYS:
        was, would = getattr(old, key), getattr(new, key)
        if would > was:
            yield key, was, would


def save(
    database: Database,
    schema: str,
    document: Mapping[str, Any],
    since: str,
    who: str,
    *,
    may_lengthen: bool,
) -> Saved:
    """Put a schema's own rule in force; an empty document is removed.

    `since` is the `standing` of the document that the change began from. Nothing is written where
    that is not what stands, or where something is wrong. Raises StoreUnavailable.
    """
    with database.write() as connection:
        counter.lock(connection)  # as `eventlogging apply` does: one after the other
        held = read(connection, schema)
        if standing(held) != since:
            return Saved(False, held, overtaken=True)
        found = tuple(problems(connection, schema, document, may_lengthen=may_lengthen))
        if found:
            return Saved(False, held, found)
        if meaning(held) != meaning(document):
            _put(connection, schema, document, who)
            if held.get("keep_days") != document.get("keep_days"):
                counter.move(connection)  # the collector bounds an event's own time by it
        return Saved(True, document)


def _stored(connection: sa.Connection, name: str) -> Mapping[str, Any]:
    c = documents.c
    query = sa.select(c.document).where(c.folder == _FOLDER, c.name == f"{name}.toml")
    text = connection.execute(query).scalar()
    found = None if text is None else json.loads(text)
    return found if isinstance(found, dict) else {}


def _put(connection: sa.Connection, schema: str, document: Mapping[str, Any], who: str) -> None:
    c, name = documents.c, f"{schema}.toml"
    old = _stored(connection, schema) or None
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
