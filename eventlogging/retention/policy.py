"""What is kept how long, as values: the rules of purge/, extensions and legal holds together.

A policy is a schema's, whatever its versions; a schema without one has the default's, never
"for ever". Days are texts such as `2026-11-22`, in UTC; the day of a valid event is that of its
`dt`, of a refused one that of its receipt.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from eventlogging.clock import age, moved
from eventlogging.governance.model import (
    DEFAULT_CAP_DAYS,
    DEFAULT_INVALID_KEEP_DAYS,
    DEFAULT_KEEP_DAYS,
    DEFAULT_MIN_CELL,
    DEFAULT_UNSEALED_KEEP_DAYS,
    meaning,
    pointer_of,
)
from eventlogging.registry.export import held_documents
from eventlogging.store.fixed import event_schema, extension, governance, legal_hold

FIRST_DAY, LAST_DAY = "0000-00-00", "9999-12-31"


@dataclass(frozen=True)
class Kept:
    """A payload field that outlives its event. `how`: keep, hash or bucket."""

    pointer: str
    how: str
    bucket: float | str | None = None  # a width, or hour, day, month, year, browser


@dataclass(frozen=True)
class Scrub:
    """What remains of an event that is stripped, and for how many days (None: for good)."""

    fields: tuple[Kept, ...] = ()
    capsule: tuple[str, ...] = ()  # of host, wiki, user_agent, client
    keep_days: int | None = None


@dataclass(frozen=True)
class Aggregate:
    """Counts that outlive the events. Fields are JSON pointers."""

    name: str
    capsule: tuple[str, ...] = ()  # of wiki, host, browser, os
    fields: tuple[str, ...] = ()
    sum: tuple[str, ...] = ()
    quantiles: tuple[str, ...] = ()
    distinct: tuple[str, ...] = ()
    min_cell: int = DEFAULT_MIN_CELL

    @property
    def definition(self) -> str:
        """A short text that tells what is asked for from anything else."""
        return _digest([*map(list, (self.capsule, self.fields, self.sum)),
                        *map(list, (self.quantiles, self.distinct)), self.min_cell])  # fmt: skip


@dataclass(frozen=True)
class Extension:
    """Events of some days are kept longer, up to and with the day `until`."""

    first_day: str
    last_day: str
    keep_days: int
    until: str
    reason: str
    asked_by: str


@dataclass(frozen=True)
class Policy:
    """What is in force for one schema."""

    schema: str
    keep_days: int = DEFAULT_KEEP_DAYS
    invalid_keep_days: int = DEFAULT_INVALID_KEEP_DAYS
    unsealed_keep_days: int = DEFAULT_UNSEALED_KEEP_DAYS
    scrub: Scrub | None = None
    aggregates: tuple[Aggregate, ...] = ()
    extensions: tuple[Extension, ...] = ()
    held: bool = False
    version: str = ""  # a digest of all the above, for receipts

    def keep_of(self, day: str, today: str) -> int:
        """Return the days that valid events of a day are kept, as things stand today."""
        longer = [
            one.keep_days
            for one in self.extensions
            if one.first_day <= day <= one.last_day and today <= one.until
        ]
        return max([self.keep_days, *longer])

    def is_due(self, day: str, today: str) -> bool:
        """Whether valid events of a day go (or are stripped): all of it is older than its keep."""
        return not self.held and age(day, today) > self.keep_of(day, today)

    def invalid_first_kept(self, today: str) -> str:
        """Return the first day of receipt whose refused events stay."""
        return FIRST_DAY if self.held else moved(today, -self.invalid_keep_days)

    def unsealed_first_kept(self, today: str) -> str:
        """Return the first day of receipt whose refused, unsealed events stay."""
        days = min(self.unsealed_keep_days, self.invalid_keep_days)
        return FIRST_DAY if self.held else moved(today, -days)

    def scrubbed_first_kept(self, today: str) -> str:
        """Return the first day whose stripped events stay; without a `scrub` none do."""
        if self.held:
            return FIRST_DAY
        if self.scrub is None:
            return LAST_DAY
        days = self.scrub.keep_days
        return FIRST_DAY if days is None else moved(today, -days)


@dataclass(frozen=True)
class Policies:
    """The policies of all schemas; `default` is also that of events that name no known schema."""

    default: Policy
    own: Mapping[str, Policy] = field(default_factory=dict)
    cap_days: int = DEFAULT_CAP_DAYS

    def of(self, schema: str) -> Policy:
        """Return the policy of a schema; never none."""
        return self.own.get(schema, self.default)

    @property
    def shortest(self) -> int:
        """The least number of days that anything with content is kept; unsealed events apart."""
        everyone = [self.default, *self.own.values()]
        return min(min(one.keep_days, one.invalid_keep_days) for one in everyone)


def read_policies(connection: sa.Connection) -> Policies:
    """Return the policies in force, of every registered schema. Raises StoreUnavailable."""
    documents = held_documents(connection)
    default = _table(documents.get(("purge", "default.toml")))
    extensions = _granted(connection)
    held = set(
        connection.execute(
            sa.select(legal_hold.c.schema).where(legal_hold.c.lifted_at.is_(None))
        ).scalars()
    )
    names = list(connection.execute(sa.select(event_schema.c.name)).scalars())
    own = {}
    for name in names:
        rule = _table(documents.get(("purge", f"{name}.toml")))
        own[name] = policy_of(name, rule, default, tuple(extensions[name]), held=name in held)
    cap = default.get("cap_days", DEFAULT_CAP_DAYS)
    return Policies(policy_of("", {}, default), own, cap)


def read_policy(connection: sa.Connection, schema: str) -> Policy:
    """Return one schema's policy, as it is in this instant; as `Policies.of` has it.

    No hold of the schema is placed or lifted before this transaction ends. Raises StoreUnavailable.
    """
    held = connection.execute(_hold_of(schema).with_for_update(read=True)).first() is not None
    return _policy(connection, schema, held=held)


def look_up_policy(connection: sa.Connection, schema: str) -> Policy:
    """Return one schema's policy for a page to show; nothing is locked. Raises StoreUnavailable."""
    held = connection.execute(_hold_of(schema)).first() is not None
    return _policy(connection, schema, held=held)


def _hold_of(schema: str) -> sa.Select[tuple[int]]:
    c = legal_hold.c
    return sa.select(c.id).where(c.schema == schema, c.lifted_at.is_(None))


def _policy(connection: sa.Connection, schema: str, *, held: bool) -> Policy:
    g, e = governance.c, event_schema.c
    names = ("default.toml", f"{schema}.toml")
    rows = connection.execute(
        sa.select(g.name, g.document).where(g.folder == "purge", g.name.in_(names))
    )
    found = {row.name: _table(json.loads(row.document)) for row in rows}
    default = found.get("default.toml", {})
    if connection.execute(sa.select(e.name).where(e.name == schema)).first() is None:
        return policy_of("", {}, default)
    granted = tuple(_granted(connection)[schema])
    return policy_of(schema, found.get(f"{schema}.toml", {}), default, granted, held=held)


def policy_of(
    schema: str,
    rule: Mapping[str, Any],
    default: Mapping[str, Any],
    extensions: tuple[Extension, ...] = (),
    *,
    held: bool = False,
) -> Policy:
    """Return the policy that a schema's own rule makes over the default's. Both were checked."""
    both = {**default, **rule}
    cap = both.get("cap_days", DEFAULT_CAP_DAYS)
    if stated := rule.get("extension"):
        extensions = (_stated(stated), *extensions)
    scrub = _scrub(rule["scrub"]) if "scrub" in rule else None
    least = both.get("min_cell", DEFAULT_MIN_CELL)
    keep = min(both.get("keep_days", DEFAULT_KEEP_DAYS), cap)
    invalid = min(both.get("invalid_keep_days", DEFAULT_INVALID_KEEP_DAYS), cap)
    unsealed = both.get("unsealed_keep_days", DEFAULT_UNSEALED_KEEP_DAYS)
    capped = tuple(
        Extension(e.first_day, e.last_day, min(e.keep_days, cap), e.until, e.reason, e.asked_by)
        for e in extensions
    )
    digest = _digest(
        [dict(rule), dict(default), [list(vars(one).values()) for one in capped], held]
    )
    return Policy(
        schema, keep, invalid, min(unsealed, invalid), scrub,
        tuple(_aggregate(table, least) for table in rule.get("aggregate", ())),
        capped, held, digest,
    )  # fmt: skip


def _granted(connection: sa.Connection) -> defaultdict[str, list[Extension]]:
    found: defaultdict[str, list[Extension]] = defaultdict(list)
    query = sa.select(extension).where(extension.c.state == "granted").order_by(extension.c.id)
    for row in connection.execute(query):
        one = Extension(
            row.first_day, row.last_day, row.keep_days, row.until, row.reason, row.asked_by
        )
        for name in json.loads(row.schemas):
            found[name].append(one)
    return found


def _stated(table: Mapping[str, Any]) -> Extension:
    return Extension(
        FIRST_DAY, LAST_DAY, table["keep_days"], table["until"], table["reason"], table["asked_by"]
    )


def _scrub(table: Mapping[str, Any]) -> Scrub:
    fields = [
        *(Kept(pointer_of(name), "keep") for name in table.get("keep", ())),
        *(Kept(pointer_of(name), "hash") for name in table.get("hash", ())),
        *(Kept(pointer_of(n), "bucket", how) for n, how in table.get("bucket", {}).items()),
    ]
    return Scrub(tuple(fields), tuple(table.get("capsule", ())), table.get("keep_days"))


def _aggregate(table: Mapping[str, Any], min_cell: int) -> Aggregate:
    pointers = {
        key: tuple(pointer_of(name) for name in table.get(key, ()))
        for key in ("fields", "sum", "quantiles", "distinct")
    }
    capsule = tuple(table.get("capsule", ()))
    return Aggregate(table["name"], capsule, **pointers, min_cell=table.get("min_cell", min_cell))


def _table(document: Any) -> Mapping[str, Any]:
    return document if isinstance(document, dict) else {}


def _digest(value: Any) -> str:
    return hashlib.sha256(meaning(value).encode()).hexdigest()[:16]
