"""A schema's own retention rule: the governance document purge/<Name>.toml, read and changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from eventlogging.governance.purge_rules import Fields, own_problems
from eventlogging.registry import own_document
from eventlogging.registry.own_document import DEFAULT, Problem, Saved, standing
from eventlogging.registry.stored import stored_schema
from eventlogging.retention import remaining
from eventlogging.retention.policy import Policy, policy_of
from eventlogging.store.database import Database

__all__ = ["longer", "problems", "read", "read_default", "save", "standing", "why_not"]

_FOLDER = "purge"
_DAYS = {
    "keep_days": "events",
    "invalid_keep_days": "refused events",
    "unsealed_keep_days": "refused events whose private fields could not be found",
}


def why_not(schema: str) -> str | None:
    """Return why a schema of this name cannot have a rule of its own (None: it can)."""
    return own_document.why_not(_FOLDER, schema)


def read(connection: sa.Connection, schema: str) -> Mapping[str, Any]:
    """Return what a schema's own document holds; empty where it has none."""
    return own_document.read(connection, _FOLDER, schema)


def read_default(connection: sa.Connection) -> Mapping[str, Any]:
    """Return what purge/default.toml holds; empty where there is none."""
    return own_document.stored(connection, _FOLDER, DEFAULT)


def problems(
    connection: sa.Connection, schema: str, document: Mapping[str, Any], *, may_lengthen: bool
) -> Iterator[Problem]:
    """Yield why a document may not take the place of the one that stands (none: it may).

    Without `may_lengthen` nothing may be kept for more days than now, no part of an event that
    `[scrub]` leaves either, and an extension that the document states stays as it is.
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
) -> Iterator[Problem]:
    was, would = policy_of(schema, old, default), policy_of(schema, new, default)
    yield from longer(was, would)
    if would.scrub is not None:
        yield from remaining.longer(was.scrub, would.scrub, was.keep_days, new["scrub"])
    if old.get("extension") != new.get("extension"):
        yield ("extension",), "only an admin changes `extension` here; ask for one instead"


def longer(old: Policy, new: Policy) -> Iterator[Problem]:
    """Yield which whole events the new policy keeps for more days than the old one."""
    for key, what in _DAYS.items():
        was, would = getattr(old, key), getattr(new, key)
        if would > was:
            yield (
                (key,),
                f"{what} would be kept for {would} days instead of {was}; only an admin keeps "
                "them longer for good, so ask for an extension, which has an end",
            )


def save(
    database: Database,
    schema: str,
    document: Mapping[str, Any],
    since: str,
    who: str,
    *,
    may_lengthen: bool,
) -> Saved:
    """Put a schema's own rule in force, as `own_document.save` does. Raises StoreUnavailable.

    Collectors hear of another `keep_days`: they bound an event's own time by it.
    """

    def check(connection: sa.Connection) -> Iterator[Problem]:
        yield from problems(connection, schema, document, may_lengthen=may_lengthen)

    return own_document.save(
        database, _FOLDER, schema, document, since, who, check, moves=("keep_days",)
    )
