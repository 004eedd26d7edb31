"""Delete rows of whole days, so that loading goes on meanwhile and the books tell of it.

Where a table has parts of a day each, they are dropped; elsewhere, and where a part also holds
days that stay, rows are deleted some at a time, each time with their book. A drop commits by
itself: its book is made to agree afterwards, by counting what is left, as often as need be.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.clock import moved
from eventlogging.errors import StoreUnavailable, TableTrouble
from eventlogging.retention import held_rows
from eventlogging.retention.held_rows import EventTable
from eventlogging.store.database import Database
from eventlogging.store.dialect import Stretch, quoted
from eventlogging.store.fixed import table_day

Pause = Callable[[], None]
Gone = Callable[[int], None]  # told of so many rows each time
# Asked in each transaction before it commits, and before a drop: raises TableTrouble where what
# would go must stay.
May = Callable[[sa.Connection], None]
_FEWEST, _MOST = 100, 10_000  # rows in one transaction
_SHORT, _LONG = 0.04, 0.1  # seconds of a transaction, between which their number stays
_BREATH = 0.12  # seconds between two of them: longer than a writer that waits sleeps at a time
_TRIES = 3  # of a table that somebody holds; each waits for it as long as the session says
_BETWEEN_TRIES = 1.0  # seconds
_logger = logging.getLogger(__name__)
Value = TypeVar("Value")


class Changed(Exception):
    """Raised where rows came in that nobody has looked at yet; nothing of them is gone."""


@dataclass(frozen=True, slots=True)
class Group:
    """Days that go together: with a part of the table, or (None) a day whose rows are deleted."""

    stretch: Stretch | None
    days: tuple[str, ...]


def groups(database: Database, table: EventTable, days: Sequence[str]) -> list[Group]:
    """Return some days of a table in the groups in which they go, the oldest first."""
    if not table.exists:
        return [Group(None, (day,)) for day in days]
    tomorrow = moved(clock.day(clock.now_ms()), 1)
    with database.ddl() as connection:

        def make_room() -> None:
            # Asked anew at each try: somebody else may have made the same meanwhile.
            for statement in database.dialect.days_ddl(connection, table.name, [tomorrow]):
                connection.exec_driver_sql(statement)

        # The newest part is never dropped; so that it is one of days that stay:
        retried(table.name, database, make_room)
        parts = database.dialect.stretches(connection, table.name)
        found, left = [], list(days)
        for part in parts:
            inside = [day for day in left if part.holds(day)]
            if inside and _holds_only(connection, table, part, inside):
                found.append(Group(part, tuple(inside)))
                left = [day for day in left if day not in inside]
    return sorted([*found, *(Group(None, (day,)) for day in left)], key=lambda one: one.days)


def clear(
    database: Database,
    table: EventTable,
    group: Group,
    *,
    seen: Mapping[str, int] | None = None,
    may: May = lambda connection: None,
    pause: Pause = lambda: None,
    gone: Gone = lambda rows: None,
) -> None:
    """Delete all rows of the days of a group, and make their books agree.

    `seen` is day → rows in, as the books said before what was to be kept of them was made. Raises
    Changed where more came in since, TableTrouble where the table cannot be had, or by `may`.
    """
    if group.stretch is not None:
        _drop(database, table, group.stretch, group.days, seen, may)
    elif table.exists:
        for day in group.days:
            span = span_of(day)
            delete(database, table, span, None, seen=seen, may=may, pause=pause, gone=gone)
    for rows in settle_books(database, table, group.days).values():
        gone(rows)


def delete(
    database: Database,
    table: EventTable,
    span: tuple[str, str],
    only: Mapping[str, int] | None,
    *,
    seen: Mapping[str, int] | None = None,
    may: May = lambda connection: None,
    pause: Pause = lambda: None,
    gone: Gone = lambda rows: None,
) -> None:
    """Delete the rows of one day, some at a time, in short transactions with their book."""
    most = _FEWEST
    while True:
        begun = time.monotonic()

        def some(most: int = most) -> int:
            with database.write() as connection:
                number = database.dialect.delete_some(
                    connection, table.name, table.key, span, most, only
                )
                _book_out(connection, table.name, span[0], number)
                if seen is not None and _rows_in(connection, table.name, span[0]) != seen[span[0]]:
                    raise Changed(f"{table.name} of {span[0]}")
                # Last: what it reads, no statement before it has fixed to an earlier moment.
                may(connection)
            return number

        number = retried(table.name, database, some)
        gone(number)
        took = time.monotonic() - begun
        if number < most:
            return
        if took < _SHORT:
            most = min(2 * most, _MOST)
        elif took > _LONG:
            most = max(most // 2, _FEWEST)
        time.sleep(_BREATH)
        pause()


def drop_table(
    database: Database,
    table: EventTable,
    days: Sequence[str],
    *,
    may: May = lambda connection: None,
) -> int:
    """Drop a whole table, and close its books; return how many rows these had."""

    def drop() -> None:
        with database.read() as connection:
            may(connection)
        with database.ddl() as connection:
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quoted(table.name)}")

    retried(table.name, database, drop)
    absent = EventTable(table.schema, table.name, table.what, exists=False)
    return sum(settle_books(database, absent, days).values())


def settle_books(database: Database, table: EventTable, days: Sequence[str]) -> dict[str, int]:
    """Make the books of days say what is left of them; return day → rows booked out now.

    For days all of whose rows may go: what a drop took, and whoever was interrupted after it.
    """
    found = {}
    c = table_day.c
    for day, (rows_in, rows_out) in held_rows.books(database, table.name, days).items():
        if rows_in == rows_out:
            continue
        this = sa.and_(c.table_name == table.name, c.day == day)

        def settle(day: str = day, this: sa.ColumnElement[bool] = this) -> int:
            with database.write() as connection:
                # Rows first and then the book, as the loader does; and none may come between.
                left = _count_locked(connection, table, day)
                before = connection.execute(
                    sa.select(c.rows_out).where(this).with_for_update()
                ).scalar_one()
                connection.execute(
                    sa.update(table_day).where(this).values(rows_out=c.rows_in - left)
                )
                after = connection.execute(sa.select(c.rows_out).where(this)).scalar_one()
            return int(after) - int(before)

        found[day] = retried(table.name, database, settle)
    return found


def tidy(database: Database) -> None:
    """Let go of what deleted rows left behind; where somebody reads just now, the next time."""
    try:
        with database.ddl() as connection:
            database.dialect.tidy(connection)
    except (StoreUnavailable, sa.exc.DBAPIError) as error:
        _logger.info("what deleted rows left behind stays until the next time: %s", error)


def _drop(
    database: Database,
    table: EventTable,
    part: Stretch,
    days: Sequence[str],
    seen: Mapping[str, int] | None,
    may: May,
) -> None:
    refused: list[str] = []

    def drop() -> None:
        with database.ddl() as connection:

            def may_now() -> bool:
                refused.clear()
                # On another connection: this one may read the locked table alone.
                with database.read() as other:
                    may(other)
                if not _holds_only(connection, table, part, days):
                    refused.append("rows of other days came in")
                # On another connection: what is committed now, and no more can be, is all.
                elif seen is not None and {
                    day: book[0]
                    for day, book in held_rows.books(database, table.name, days).items()
                } != {day: seen[day] for day in days}:
                    refused.append("rows came in")
                return not refused

            database.dialect.drop_stretch(connection, table.name, part, may_now)

    retried(table.name, database, drop)
    if refused:
        raise Changed(f"{table.name}: {refused[0]}")


def _holds_only(
    connection: sa.Connection, table: EventTable, part: Stretch, days: Sequence[str]
) -> bool:
    """Whether a part of a table has rows of these days alone."""
    held = held_rows.days_before(connection, table, part.until, part.since)
    return all(day in days for day in held)


def _book_out(connection: sa.Connection, table: str, day: str, number: int) -> None:
    if number:
        c = table_day.c
        connection.execute(
            sa.update(table_day)
            .where(c.table_name == table, c.day == day)
            .values(rows_out=c.rows_out + number)
        )


def _rows_in(connection: sa.Connection, table: str, day: str) -> int:
    c = table_day.c
    # For update: as it is now, whatever this transaction saw when it began.
    query = sa.select(c.rows_in).where(c.table_name == table, c.day == day).with_for_update()
    return int(connection.execute(query).scalar() or 0)


def _count_locked(connection: sa.Connection, table: EventTable, day: str) -> int:
    """Return how many rows of a day there are, none of them on its way in or out."""
    if not table.exists:
        return 0
    at: sa.ColumnElement[Any] = sa.column(table.time)
    query = (
        sa.select(sa.func.count())
        .select_from(sa.table(table.name))
        .where(at >= day, at < moved(day, 1))
        .with_for_update(read=True)
    )
    return int(connection.execute(query).scalar_one())


def retried(table: str, database: Database, work: Callable[[], Value]) -> Value:
    """Do some work, up to three times, that somebody who holds the table may be in the way of.

    Raises TableTrouble where they always were, StoreUnavailable where the server is gone.
    """
    tries_left = _TRIES
    while True:
        tries_left -= 1
        try:
            return work()
        except StoreUnavailable:  # also where two transactions were in each other's way
            if not tries_left:
                raise
        except sa.exc.DBAPIError as error:
            if not tries_left:
                raise TableTrouble(table, f"cannot be had now: {error.orig}") from error
            _logger.info("%s cannot be had now, trying again: %s", table, error.orig)
        time.sleep(_BETWEEN_TRIES)  # who waited behind us goes first


def span_of(day: str) -> tuple[str, str]:
    """Return a day as a span: from it, to before the next."""
    return day, moved(day, 1)
