"""Compute the days of aggregates that are new, or that no longer say what the rows say.

The books of the schema's tables tell: a day whose rows in or out changed since it was computed
(late events, an erasure), or whose definition did, is computed anew from its raw rows, until it
is final. Anything interrupted leaves the day as it was.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eventlogging import clock
from eventlogging.errors import StoreUnavailable
from eventlogging.platform import Platform
from eventlogging.registry.model import RegisteredSchema
from eventlogging.retention.aggregates import rows, stored
from eventlogging.retention.aggregates.books import Book, read_books
from eventlogging.retention.aggregates.group import Grouping
from eventlogging.retention.aggregates.stored import SETTLED, State
from eventlogging.retention.policy import Aggregate, Policies, Policy, read_policies
from eventlogging.store.database import Database

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Computed:
    """What was computed: days of aggregates, and their cells; `failed`, in sentences, what not."""

    days: int = 0
    cells: int = 0
    failed: tuple[str, ...] = ()

    def __add__(self, other: Computed) -> Computed:
        return Computed(
            self.days + other.days, self.cells + other.cells, self.failed + other.failed
        )


def compute_due(platform: Platform, policies: Policies, now_ms: int) -> Computed:
    """Compute every day before today that is stale, of all schemas.

    One schema in trouble does not hinder the others. Raises StoreUnavailable.
    """
    platform.registry.refresh()
    done = Computed()
    for schema in platform.registry.snapshot.schemas.values():
        done += _schema_due(platform.database, schema, policies.of(schema.name), clock.day(now_ms))
    return done


def recompute(platform: Platform, schema: str, days: Iterable[str]) -> Computed:
    """Compute these days of a schema where they are stale and not final; today never.

    Raises StoreUnavailable.
    """
    platform.registry.refresh()
    known = platform.registry.snapshot.schemas.get(schema)
    if known is None:
        return Computed()
    with platform.database.read() as connection:
        policy = read_policies(connection).of(schema)
    today = clock.day(clock.now_ms())
    return _schema_due(platform.database, known, policy, today, frozenset(days))


def _schema_due(
    database: Database,
    schema: RegisteredSchema,
    policy: Policy,
    today: str,
    only: frozenset[str] | None = None,
) -> Computed:
    with database.read() as connection:
        known = stored.states(connection, schema.name)
        books = read_books(connection, schema) if policy.aggregates else {}
    names = {one.name for one in policy.aggregates}
    by_day: defaultdict[str, dict[str, State]] = defaultdict(dict)
    for (name, day), state in known.items():
        by_day[day][name] = state
        if name not in names and not state.final:
            stored.drop(database, schema.name, name, day)  # nobody asks for it any more
    done = Computed()
    for day in sorted(books):
        if day >= today or (only is not None and day not in only):
            continue
        stale = find_stale(policy.aggregates, by_day[day], books[day])
        if not stale:
            continue
        try:
            done += compute_day(database, schema, stale, day, books[day])
        except StoreUnavailable:
            raise
        except Exception as error:
            _logger.exception("aggregates of %s, %s", schema.name, day)
            done += Computed(failed=(f"{schema.name} of {day}: {error}",))
    return done


def find_stale(
    aggregates: Sequence[Aggregate], known: dict[str, State], book: Book
) -> list[Aggregate]:
    """Return those whose day has to be computed; `known`: the states of that day."""
    if SETTLED in known:
        return []
    found = []
    for one in aggregates:
        state = known.get(one.name)
        if state is None:
            is_stale = book.rows > 0
        else:
            is_stale = (state.source, state.definition) != (book.source, one.definition)
        if is_stale and not (state and state.final):
            found.append(one)
    return found


def compute_day(
    database: Database,
    schema: RegisteredSchema,
    aggregates: Sequence[Aggregate],
    day: str,
    book: Book,
) -> Computed:
    """Compute a day of some aggregates of a schema in one go over its raw rows, and store it.

    `book` is read before the rows are: what comes meanwhile makes the day stale again.
    """
    people = {pointer for pointer, how in schema.privacy.items() if how == "hmac"}
    groupings = [Grouping(one, people) for one in aggregates]
    fields = [
        field
        for one in aggregates
        for field in (*one.capsule, *one.fields, *one.sum, *one.quantiles, *one.distinct)
    ]
    for source in rows.sources(database, schema, fields):
        adders = [grouping.adder(source) for grouping in groupings]
        for page, mores in rows.pages(database, source, day):
            for add in adders:
                add(page, mores)
    done = Computed()
    for grouping in groupings:
        one = grouping.aggregate
        now = clock.iso(clock.now_ms())
        state = State(one.definition, book.source, grouping.events, False, now)
        cells = grouping.cells
        if stored.replace(database, schema.name, one.name, day, state, cells):
            done += Computed(1, len(cells))
    return done
