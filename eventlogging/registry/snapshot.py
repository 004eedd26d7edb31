"""Read the whole registry as one value, and keep the newest at hand."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.errors import StoreUnavailable
from eventlogging.governance.model import DEFAULT_KEEP_DAYS
from eventlogging.registry import counter, opt_outs, tokens
from eventlogging.registry.model import OptOuts, RegisteredSchema, RegisteredVersion, Snapshot
from eventlogging.schema.columns import Column, ColumnPlan, Kind
from eventlogging.schema.version import Version
from eventlogging.store.database import Database
from eventlogging.store.fixed import (
    event_schema,
    governance,
    schema_column,
    schema_owner,
    schema_table,
    schema_version,
)

NEVER_READ = Snapshot(counter=-1)
_QUICK_SECONDS = 0.2  # opt-outs that are read within this are read at every change
_SHARE = 10  # what takes longer waits so many times as long before it is read again


def read_counter(database: Database) -> int:
    """Return the registry's counter. Raises StoreUnavailable."""
    with database.read() as connection:
        return counter.read(connection)


def read_snapshot(database: Database) -> Snapshot:
    """Return all that the registry knows, as of one moment. Raises StoreUnavailable."""
    with database.read() as connection:
        return snapshot_of(connection)


def snapshot_of(connection: sa.Connection) -> Snapshot:
    """Return what the registry knows within the caller's transaction."""
    number = counter.read(connection)
    owners = _owners(connection)
    versions = _versions(connection)
    plans = read_plans(connection)
    keep = _Keep(connection)
    schemas = {}
    for row in connection.execute(sa.select(event_schema).order_by(event_schema.c.name)):
        if not versions[row.name]:
            continue
        tables = {major: table for major, (table, _) in plans[row.name].items()}
        known = {
            str(v): _version(r, v, tables[v.major]) for v, r in sorted(versions[row.name].items())
        }
        schemas[row.name] = RegisteredSchema(
            name=row.name,
            title=row.title,
            description=row.description,
            owners=tuple(owners[row.name]),
            producers=row.producers,
            origins=tuple(json.loads(row.origins)),
            sampling_rate=row.sampling_rate,
            sampling_unit=row.sampling_unit,
            privacy=json.loads(row.privacy),
            keep_days=keep.days(row.name),
            stem=row.stem,
            invalid_table=f"{row.stem}_invalid",
            versions=known,
            latest=str(max(versions[row.name])),
            plans={major: plan for major, (_, plan) in plans[row.name].items()},
            revisions={v.revision: text for text, v in known.items() if v.revision is not None},
            state=row.state,
            fill_defaults=row.fill_defaults,
            readers=row.readers,
        )
    return Snapshot(number, schemas, *_tokens(connection))


def _owners(connection: sa.Connection) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    query = sa.select(schema_owner).order_by(schema_owner.c.schema, schema_owner.c.position)
    for row in connection.execute(query):
        found[row.schema].append(row.email)
    return found


def _versions(connection: sa.Connection) -> Mapping[str, dict[Version, Any]]:
    v = schema_version.c
    query = sa.select(v.schema, v.major, v.minor, v.patch, v.document, v.draft, v.revision)
    found: dict[str, dict[Version, Any]] = defaultdict(dict)
    for row in connection.execute(query):
        found[row.schema][Version(row.major, row.minor, row.patch)] = row
    return found


def _version(row: Any, version: Version, table: str) -> RegisteredVersion:
    document = json.loads(row.document)
    return RegisteredVersion(row.schema, version, document, row.draft, row.revision, table)


def read_plans(
    connection: sa.Connection, name: str | None = None
) -> Mapping[str, dict[int, tuple[str, ColumnPlan]]]:
    """Return schema → major → (table, columns in order), for one schema or for all."""
    tables = sa.select(schema_table)
    columns = sa.select(schema_column).order_by(
        schema_column.c.table_name, schema_column.c.position
    )
    if name is not None:
        own = sa.select(schema_table.c.table_name).where(schema_table.c.schema == name)
        tables = tables.where(schema_table.c.schema == name)
        columns = columns.where(schema_column.c.table_name.in_(own))
    by_table: dict[str, list[Column]] = defaultdict(list)
    for row in connection.execute(columns):
        column = Column(row.pointer, row.name, Kind(row.kind), row.length)
        by_table[row.table_name].append(column)
    found: dict[str, dict[int, tuple[str, ColumnPlan]]] = defaultdict(dict)
    for row in connection.execute(tables):
        plan = ColumnPlan(tuple(by_table[row.table_name]), tuple(json.loads(row.overflow)))
        found[row.schema][row.major] = (row.table_name, plan)
    return found


class _Keep:
    """How long each schema's events are kept, as the purge rules say."""

    def __init__(self, connection: sa.Connection) -> None:
        query = sa.select(governance.c.name, governance.c.document)
        rows = connection.execute(query.where(governance.c.folder == "purge"))
        self._days = {row.name: _keep_days(row.document) for row in rows}

    def days(self, name: str) -> int:
        """The schema's own rule, else the default's, else 90."""
        own = self._days.get(f"{name}.toml")
        return own or self._days.get("default.toml") or DEFAULT_KEEP_DAYS


def _keep_days(text: str) -> int | None:
    document = json.loads(text)
    days = document.get("keep_days") if isinstance(document, dict) else None
    return days if isinstance(days, int) and not isinstance(days, bool) and days > 0 else None


def _tokens(
    connection: sa.Connection,
) -> tuple[dict[str, frozenset[str]], str | None, dict[str, str]]:
    now = clock.iso(clock.now_ms())
    live = [known for known in tokens.rows(connection) if known.is_live(now)]
    until = min((known.expires_at for known in live if known.expires_at), default=None)
    test_keys = {known.digest: known.name for known in live if tokens.TEST in known.scopes}
    return {known.digest: known.expanded for known in live}, until, test_keys


class RegistryCache:
    """The newest snapshot seen, for many threads; whoever owns it calls `refresh` as it likes.

    Until the first successful `refresh` the snapshot is empty, with counter -1, and its age
    is infinite.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._snapshot = NEVER_READ
        self._looked = float("-inf")  # when a look last succeeded
        self._tried = float("-inf")  # when one last began
        self._opt_outs_due = float("-inf")  # when they may be read again

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot seen."""
        return self._snapshot

    def age_seconds(self) -> float:
        """Seconds since the database last confirmed the snapshot."""
        return time.monotonic() - self._looked

    def refresh(self) -> bool:
        """Look at the counter and read anew when it moved; return whether it did.

        Raises StoreUnavailable; the old snapshot then stays.
        """
        with self._lock:
            return self._refresh()

    def refresh_if_older(self, seconds: float) -> None:
        """Refresh when the last try is longer ago; another thread's try counts as done.

        Raises StoreUnavailable when this try fails. So a dead database costs one request
        a wait now and then, and not every request its own.
        """
        if time.monotonic() - self._tried <= seconds or not self._lock.acquire(blocking=False):
            return
        try:
            self._refresh()
        finally:
            self._lock.release()

    def _refresh(self) -> bool:
        self._tried = began = time.monotonic()
        held = self._snapshot
        try:
            with self._database.read() as connection:
                registry, opted_out = counter.both(connection)
            moved = _is_expired(held) or held.counter != registry
            found = read_snapshot(self._database) if moved else held
            said = self._opt_outs(held.opt_outs, opted_out)
            if moved or said is not held.opt_outs:
                self._snapshot, moved = replace(found, opt_outs=said), True
        except sa.exc.DBAPIError as error:  # such as a table that is being migrated
            raise StoreUnavailable(f"the registry cannot be read: {error.orig}") from error
        self._looked = began
        return moved

    def _opt_outs(self, held: OptOuts, number: int) -> OptOuts:
        """Return who opted out; a million of them are not read anew for each that comes."""
        now = time.monotonic()
        if held.counter == number or now < self._opt_outs_due:
            return held
        found = OptOuts(number, opt_outs.read_hashes(self._database))
        took = time.monotonic() - now
        self._opt_outs_due = now + _SHARE * took if took > _QUICK_SECONDS else now
        return found


def _is_expired(snapshot: Snapshot) -> bool:
    until = snapshot.tokens_until
    return until is not None and until <= clock.iso(clock.now_ms())


def schemas_in_force(snapshot: Snapshot) -> Iterator[RegisteredSchema]:
    """Yield the schemas that take events, by name."""
    return (schema for schema in snapshot.schemas.values() if schema.state != "retired")
