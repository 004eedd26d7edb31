"""Strip the events of a day: copy what may remain of them into their stripped table.

Nothing is deleted here. A page of rows and its book change in one transaction, and the ids are
hashes of the month, so that stripping a day once more adds what came since and nothing else:
after an interruption, after late data, and on two machines at once. A copy is made of events alone
that are there while it is written: one that is erased meanwhile leaves none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import sqlalchemy as sa

from eventlogging.clock import moved
from eventlogging.registry.model import RegisteredSchema
from eventlogging.retention.epochs import key_of
from eventlogging.retention.policy import Policy
from eventlogging.retention.purge import retried
from eventlogging.retention.scrub_fields import UNREADABLE, ScrubRefused
from eventlogging.retention.scrub_rows import compile_rows
from eventlogging.retention.scrub_table import (
    KEY,
    capsule_names,
    ensure,
    narrow,
    pages,
    plain,
    rule_of,
    stripped_name,
)
from eventlogging.store.database import Database
from eventlogging.store.dialect import quoted
from eventlogging.store.row_keys import MOST_ROWS, keys_where

__all__ = ["ScrubRefused", "Stripped", "narrow", "strip_day", "stripped_name"]

_MORE = "event_more"
_Keys = Sequence[tuple[Any, str]]  # (dt, id), in order
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stripped:
    """What stripping a day came to.

    `table` is the stripped table, `rows` how many events the day has, `new` how many of them
    were not stripped before; `columns_filled` are the stripped table's columns that say anything
    on that day.
    """

    table: str
    rows: int
    new: int
    columns_filled: tuple[str, ...]
    emptied: int = 0


def strip_day(
    database: Database,
    schema: RegisteredSchema,
    table: str,
    policy: Policy,
    day: str,
    *,
    between: Callable[[int], None] | None = None,
) -> Stripped:
    """Copy what the policy leaves of a table's events of a day into its stripped table.

    `between` is called after each page with its number of rows. Raises ScrubRefused where the
    policy may not be followed, TableTrouble, StoreUnavailable; what was stripped so far stays.
    """
    stripped, scrub = stripped_name(table), policy.scrub
    if scrub is None:
        raise ScrubRefused(f"{schema.name} has no [scrub]: nothing remains of its events")
    rule = rule_of(schema, table, scrub)
    narrow(database, schema, table, policy)
    with database.read() as connection:
        present = database.dialect.existing_columns(connection, table)
    capsule = [name for name in capsule_names(scrub) if name not in KEY]
    # A column of a new minor version is there with its first event.
    sources = [column for column in rule.sources if column.name in present]
    names = [*capsule, *(column.name for column in sources), _MORE]
    found = pages(database, table, names, (day, moved(day, 1))) if present else iter(())
    first = next(found, None)
    if first is None:
        return Stripped(stripped, 0, 0, _filled(database, stripped, day))
    ensure(database, stripped, scrub, rule, [day])
    key = key_of(database, day)
    convert = compile_rows(rule, sources)
    into = [*KEY, *capsule, *(column.name for column in rule.plan.columns), _MORE]
    rows = new = emptied = 0
    size = len(KEY) + len(capsule)
    for page in chain([first], found):
        made = []
        for row in page:
            try:
                values, more = convert(row[size:-1], row[-1], key)
            except UNREADABLE:
                # One such row must not keep its day for ever; what it says, no log may tell.
                values, more = [None] * len(rule.plan.columns), None
                emptied += 1
            made.append((plain(row[0]), key.id(row[1]), *row[2:size], *values, more))
        keys = [(row[0], row[1]) for row in page]

        def write(keys: _Keys = keys, made: Sequence[tuple[Any, ...]] = made) -> int:
            with database.write() as connection:
                there = _still_there(connection, table, keys)
                copies = [one for one, at in zip(made, keys, strict=True) if at in there]
                if not copies:
                    return 0
                fresh = database.dialect.insert_new(connection, stripped, into, copies, KEY)
                if fresh:
                    _book(database, connection, stripped, day, fresh)
            return fresh

        new += retried(table, database, write)
        rows += len(page)
        if between is not None:
            between(len(page))
    if emptied:
        _logger.warning(
            "%s of %s: %d payloads cannot be stripped, and nothing of them remains",
            table, day, emptied,
        )  # fmt: skip
    return Stripped(stripped, rows, new, _filled(database, stripped, day), emptied)


def _still_there(connection: sa.Connection, table: str, keys: _Keys) -> set[tuple[Any, str]]:
    """Return which rows of a table are there, and stay until this transaction ends."""
    rows = sa.select(sa.table(table, sa.column("dt"), sa.column("id")))
    found: set[tuple[Any, str]] = set()
    for start in range(0, len(keys), MOST_ROWS):
        # One by one and not as a span: what comes in between is nobody's to lock.
        where, values = keys_where(KEY, keys[start : start + MOST_ROWS])
        query = rows.where(sa.text(where)).with_for_update(read=True)
        found.update(map(tuple, connection.execute(query, values)))
    return found


def _book(
    database: Database, connection: sa.Connection, stripped: str, day: str, rows: int
) -> None:
    key, counts = ("table_name", "day"), ("rows_in", "rows_out")
    row = (stripped, day, rows, 0)
    database.dialect.add_counts(connection, "table_day", key, counts, [row])


def _filled(database: Database, stripped: str, day: str) -> tuple[str, ...]:
    """Return the columns that are not NULL in some row of a day."""
    with database.read() as connection:
        names = list(database.dialect.existing_columns(connection, stripped))
        if not names:
            return ()
        filled = ", ".join(f"MAX({quoted(name)} IS NOT NULL)" for name in names)
        query = sa.text(
            f"SELECT {filled} FROM {quoted(stripped)} WHERE `dt` >= :since AND `dt` < :until"
        )
        row = connection.execute(query, {"since": day, "until": moved(day, 1)}).one()
    return tuple(name for name, some in zip(names, row, strict=True) if some)
