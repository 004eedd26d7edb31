"""Judge stored invalid events again after a schema was mended, and move those that pass.

A move is a transfer in the books: one invalid event less, one valid (or duplicate) more, in the
minute in which it was received. What was sent never moves. Events that named a schema nobody knew
stay booked under `(unknown)`, where they were counted as sent, also when they are valid by now.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventlogging.errors import EventLoggingError, StoreUnavailable, UnknownSchema
from eventlogging.event import UNKNOWN, Outcome
from eventlogging.loader import books
from eventlogging.loader.ensure import TableKeeper
from eventlogging.loader.insert import Stored, store_events
from eventlogging.loader.prepare import UNKNOWN_TABLE, EventRow, LedgerKey, TableRows
from eventlogging.platform import Platform
from eventlogging.registry import audit
from eventlogging.registry.model import RegisteredSchema
from eventlogging.review.replay_judge import BY_SCHEMA, UNSEEN, Passed, ReplayJudge, Stays
from eventlogging.review.replay_rows import Refused, Source, delete, pages, present_keys
from eventlogging.store.database import Database

CODES = BY_SCHEMA | UNSEEN
_TRIES = 5
_WAIT_SECONDS = 0.2
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """Which events to judge again: of a schema, by code, received on some days (both included)."""

    schema: str
    code: str | None = None
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True)
class Plan:
    """What a replay would do: `passes` of `looked_at` events would move, by version.

    `stays` counts the others by why they stay; `checksum` names all of it.
    """

    wish: Wish
    looked_at: int
    passes: int
    versions: Mapping[str, int]
    stays: Mapping[str, int]
    checksum: str

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as one flat object."""
        return {
            "schema": self.wish.schema, "code": self.wish.code, "since": self.wish.since,
            "until": self.wish.until, "looked_at": self.looked_at, "passes": self.passes,
            "versions": dict(self.versions), "stays": dict(self.stays),
            "checksum": self.checksum,
        }  # fmt: skip


@dataclass
class Done:
    """What a replay came to."""

    valid: int = 0
    duplicate: int = 0
    stays: int = 0


def plan(platform: Platform, wish: Wish, *, progress: Progress | None = None) -> Plan:
    """Judge the events, and change nothing. Raises UnknownSchema, StoreUnavailable."""
    versions: Counter[str] = Counter()
    stays: Counter[str] = Counter()
    named = hashlib.sha256(repr(wish).encode())
    looked_at = 0
    for _, page in _judged(platform, wish, "judging", progress):
        for row, found in page:
            looked_at += 1
            if isinstance(found, Stays):
                stays[found] += 1
            else:
                versions[found.row.version] += 1
                named.update(repr((*row.key, found.row.version)).encode())
    checksum = named.hexdigest()[:12]
    return Plan(wish, looked_at, versions.total(), dict(versions), dict(stays), checksum)


def execute(platform: Platform, plan: Plan, who: str, *, progress: Progress | None = None) -> Done:
    """Move the events that pass, some at a time; it may be ended anywhere and done again.

    Raises StoreUnavailable, EventLoggingError where rows change all the time.
    """
    database, done = platform.database, Done()
    with database.write() as connection:
        audit.record(connection, who, "replay", plan.wish.schema, plan.as_dict())
    keeper = TableKeeper(database)
    schema = _schema(platform, plan.wish.schema)
    for source, page in _judged(platform, plan.wish, "moving", progress):
        passed = [(row, found) for row, found in page if isinstance(found, Passed)]
        done.stays += len(page) - len(passed)
        if passed:
            _move(database, keeper, schema, source, passed, done)
    return done


def _judged(
    platform: Platform, wish: Wish, what: str, progress: Progress | None
) -> Iterator[tuple[Source, list[tuple[Refused, Passed | Stays]]]]:
    schema = _schema(platform, wish.schema)
    judge = ReplayJudge(platform, schema)
    codes = CODES if wish.code is None else {wish.code}
    sources = [
        Source(schema.invalid_table, schema.name, None, frozenset(codes)),
        Source(UNKNOWN_TABLE, UNKNOWN, schema.name, frozenset(codes & {"unknown_schema"})),
    ]
    done = 0
    for source in sources:
        for page, left in pages(platform.database, source, wish.since, wish.until):
            yield source, [(row, judge.judge(row)) for row in page]
            done += len(page)
            if progress is not None:
                progress(what, done, done + left)


def _schema(platform: Platform, name: str) -> RegisteredSchema:
    platform.registry.refresh()
    schema = platform.registry.snapshot.schemas.get(name)
    if schema is None:
        raise UnknownSchema(f"no schema {name} is registered; eventlogging diff shows which are")
    return schema


def _move(
    database: Database,
    keeper: TableKeeper,
    schema: RegisteredSchema,
    source: Source,
    passed: Sequence[tuple[Refused, Passed]],
    done: Done,
) -> None:
    for tries_left in range(_TRIES - 1, -1, -1):
        tables = _by_table(schema, source.booked, passed)
        for rows in tables:
            keeper.ensure(rows)
        try:
            moved = _Transfer(source, passed).write(database, tables)
        except (StoreUnavailable, _Gone) as error:
            if not tries_left:
                raise EventLoggingError(
                    f"{source.table} changes while its events are moved: {error}; run it again"
                ) from error
            time.sleep(_WAIT_SECONDS)
            with database.read() as connection:
                present = present_keys(connection, source.table, [row for row, _ in passed])
            passed = [(row, one) for row, one in passed if row.key in present]
            continue
        done.valid += moved.valid
        done.duplicate += moved.duplicate
        done.stays += moved.stays
        return


def _by_table(
    schema: RegisteredSchema, booked: str, passed: Sequence[tuple[Refused, Passed]]
) -> list[TableRows]:
    found: defaultdict[tuple[str, int], list[EventRow]] = defaultdict(list)
    for number, (_, one) in enumerate(passed):
        one.row.offset = number  # by which a conflict is known again
        one.row.schema = booked
        found[one.table, one.major].append(one.row)
    return [TableRows(table, schema, major, rows) for (table, major), rows in found.items()]


class _Gone(Exception):
    """Raised inside a transaction when rows went meanwhile: purged, erased or moved."""


@dataclass
class _Transfer:
    """One transaction: rows into the tables of valid events, out of that of refused ones."""

    source: Source
    passed: Sequence[tuple[Refused, Passed]]
    counts: Counter[LedgerKey] = field(default_factory=Counter)

    def write(self, database: Database, tables: Sequence[TableRows]) -> Done:
        stored = Stored()
        with database.write() as connection:
            for rows in tables:
                store_events(database, connection, rows, stored)
            # An id that another event has, or a value that no column holds: they stay refused.
            staying = {row.offset for row in stored.conflicts}
            moved = [row for n, (row, _) in enumerate(self.passed) if n not in staying]
            if delete(connection, self.source.table, moved) != len(moved):
                raise _Gone("rows are gone")
            for row in moved:
                booked = (row.received[:16], self.source.booked, row.version)
                self.counts[(*booked, str(Outcome.INVALID), row.code)] -= 1
            self.counts.update(stored.ledger)
            books.write_ledger(database, connection, self.counts, stored.kept)
            books.write_days(database, connection, stored)
            days = Counter(row.received[:10] for row in moved)
            out = [(self.source.table, day, 0, number) for day, number in sorted(days.items())]
            if out:
                key, counts = ("table_name", "day"), ("rows_in", "rows_out")
                database.dialect.add_counts(connection, "table_day", key, counts, out)
        ended = Counter(key[3] for key in stored.ledger.elements())
        return Done(ended[Outcome.VALID], ended[Outcome.DUPLICATE], len(staying))
