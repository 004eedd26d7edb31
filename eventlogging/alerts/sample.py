"""The smallest event that fails, with the bad path marked, and the two ways out of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.alerts.loosen import loosened, undeclared
from eventlogging.alerts.mask import marked
from eventlogging.governance.model import DEFAULT_READERS
from eventlogging.registry.model import RegisteredSchema
from eventlogging.schema.masking import masked
from eventlogging.schema.walk import tokens_of
from eventlogging.store.database import Database
from eventlogging.store.dialect import quoted

_LONGEST_RAW = 20_000
_LONGEST_TEXT = 200


@dataclass(frozen=True)
class Recovery:
    """What a changed schema would be and do: its version, the bump, and stored invalid events
    that it would let pass, of so many looked at."""

    version: str
    level: str  # patch | minor | major
    recovered: int
    looked_at: int


# Given a schema's name and a document; None where it cannot be said. The face passes it in.
Recover = Callable[[str, Mapping[str, Any]], Recovery | None]


@dataclass(frozen=True)
class Failing:
    """A refused event: `event` is its JSON, private values masked, the bad line marked.

    `pointer`, `found` and `expected` are those of its first problem; `change` says how the schema
    would have to change, None where that is not simple; `readers` is who may read the schema's
    events.
    """

    code: str
    count: int
    version: str
    pointer: str
    found: str
    expected: str
    event: str
    change: str | None = None
    document: Mapping[str, Any] | None = None
    recovery: Recovery | None = None
    readers: str = DEFAULT_READERS

    @property
    def place(self) -> str:
        """The path as people read it."""
        return self.pointer or "(the event)"

    def without_values(self) -> Failing:
        """The same for people who may not see what events hold."""
        none = {"event": "", "found": "", "change": None, "document": None, "recovery": None}
        return Failing(**{**vars(self), **none})


def smallest_failing(
    database: Database, schema: RegisteredSchema, start_ms: int, end_ms: int
) -> Failing | None:
    """Return the smallest of the events that failed for the most frequent reason in a window.

    Only events whose private fields were found and sealed; None where there is none.
    """
    table = quoted(schema.invalid_table)
    span = "received >= :start AND received < :end AND sealed = :sealed"
    times = {"start": clock.sql_time(start_ms), "end": clock.sql_time(end_ms), "sealed": True}
    codes = f"SELECT code, COUNT(*) AS n FROM {table} WHERE {span} GROUP BY code ORDER BY n DESC"
    one = (
        f"SELECT version, errors, raw FROM {table} WHERE {span} AND code = :code "
        f"AND LENGTH(raw) < {_LONGEST_RAW} ORDER BY LENGTH(raw) LIMIT 1"
    )
    with database.read() as connection:
        if not database.dialect.existing_columns(connection, schema.invalid_table):
            return None
        most = connection.execute(sa.text(codes), times).first()
        if most is None:
            return None
        row = connection.execute(sa.text(one), {**times, "code": most.code}).first()
    return _failing(schema, most.code, int(most.n), row) if row is not None else None


def with_recovery(failing: Failing, schema: RegisteredSchema, recover: Recover) -> Failing:
    """Add what the changed schema would be and recover, where a simple change would do."""
    if failing.document is None:
        return failing
    recovery = recover(schema.name, failing.document)
    return Failing(**{**vars(failing), "recovery": recovery}) if recovery else failing


def _failing(schema: RegisteredSchema, code: str, count: int, row: Any) -> Failing | None:
    try:
        raw = json.loads(row.raw)
        problems = json.loads(row.errors or "[]")
    except ValueError:
        return None
    payload = raw.get("event", raw) if isinstance(raw, dict) and "$schema" not in raw else raw
    problem: Mapping[str, Any] = problems[0] if problems else {}
    pointer = str(problem.get("pointer", ""))
    private = [tokens_of(place) for place in schema.privacy]
    rule = str(problem.get("rule", ""))
    place = tokens_of(pointer)
    version = row.version if row.version in schema.versions else schema.latest
    document = schema.versions[version].document
    bad = place
    if "Properties" in rule and (names := undeclared(document, place, payload)):
        bad = (*place, names[0])
    shown = marked(masked(payload, private), bad)
    is_private = any(_overlap(place, one) for one in private)
    found = "a private value" if is_private else str(problem.get("found", ""))[:_LONGEST_TEXT]
    # A simple change is one of the latest version; of an older one it would be no bump of it.
    change = loosened(schema.versions[schema.latest].document, rule, place, payload)
    return Failing(
        code=code,
        count=count,
        version=version,
        pointer=pointer,
        found=found,
        expected=str(problem.get("expected", ""))[:_LONGEST_TEXT],
        event=shown,
        change=change[0] if change and not is_private else None,
        document=change[1] if change and not is_private else None,
        readers=schema.readers,
    )


def _overlap(place: tuple[str, ...], private: tuple[str, ...]) -> bool:
    return all(a == b or b == "*" for a, b in zip(place, private, strict=False))
