"""Store the rows of one table inside a transaction: duplicates counted, bad rows bisected out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.errors import TableTrouble
from eventlogging.event import Outcome
from eventlogging.loader.prepare import (
    EventRow,
    InvalidRow,
    LedgerKey,
    TableRows,
    invalid_from,
)
from eventlogging.schema.codec import compile_decoder
from eventlogging.store.database import Database
from eventlogging.store.dialect import CAPSULE_COLUMNS, INVALID_COLUMNS, INVALID_KEY, quoted

_KEY = ("dt", "id")
_CAPSULE_NAMES = [name for name, _ in CAPSULE_COLUMNS]
_INVALID_NAMES = [name for name, _ in INVALID_COLUMNS]
_LOOKUP = 400  # keys in one query
Row = TypeVar("Row")
Item = TypeVar("Item")


@dataclass
class Stored:
    """What storing some rows came to."""

    ledger: Counter[LedgerKey] = field(default_factory=Counter)
    kept: Counter[LedgerKey] = field(default_factory=Counter)
    rows_in: Counter[tuple[str, str]] = field(default_factory=Counter)  # table, day
    conflicts: list[InvalidRow] = field(default_factory=list)  # still to be stored as invalid

    def book_new(self, table: str, rows: Sequence[EventRow]) -> None:
        """Count valid events that are stored now, all at once, for they are many."""
        for (minute, schema, version), number in Counter(
            (row.received[:16], row.schema, row.version) for row in rows
        ).items():
            key = (minute, schema, version, str(Outcome.VALID), "")
            self.ledger[key] += number
            self.kept[key] += number
        for day, number in Counter(row.dt[:10] for row in rows).items():
            self.rows_in[table, day] += number

    def book(self, row: EventRow | InvalidRow, outcome: Outcome, reason: str = "") -> LedgerKey:
        """Count one event's outcome."""
        key = (row.minute, row.schema, row.version, str(outcome), reason)
        self.ledger[key] += 1
        return key


def store_events(
    database: Database, connection: sa.Connection, rows: TableRows, stored: Stored
) -> None:
    """Insert valid events; book each as valid, duplicate, or as invalid for a conflict.

    Raises TableTrouble where this table cannot take rows now.
    """
    _settle_times(connection, rows.table, rows.events, clock.day(clock.now_ms()))
    fresh, repeats = _first_of_each(rows.events)
    names = [*_CAPSULE_NAMES, *(column.name for column in rows.plan.columns), "event_more"]

    def insert(batch: Sequence[EventRow]) -> int:
        values = [
            (row.dt, row.id, row.received, row.version, *row.capsule, *row.values, row.more)
            for row in batch
        ]
        return database.dialect.insert_new(connection, rows.table, names, values, _KEY)

    new, bad = insert_bisecting(database, connection, rows.table, fresh, insert)
    for row, reason in bad:
        stored.conflicts.append(invalid_from(row, "storage_error", reason))
    refused = {id(row) for row, _ in bad}
    good = [row for row in fresh if id(row) not in refused]
    known: dict[tuple[str, str], dict[str, Any]] = {}
    if new < len(good):
        with blaming(database, rows.table):
            known = _known_before(connection, rows, good, len(good) - new)
    stored.book_new(rows.table, [row for row in good if (row.dt, row.id) not in known])
    for row in good if known else ():
        if (row.dt, row.id) in known:
            _book_repeat(row, known[row.dt, row.id], stored)
    for row, first in repeats:
        _book_repeat(row, known.get((row.dt, row.id), first), stored)


def _book_repeat(row: EventRow, first: dict[str, Any], stored: Stored) -> None:
    if _same(_without(row.event, row.made), _without(first, row.made)):
        stored.book(row, Outcome.DUPLICATE)
    else:
        text = "an event with this id and other content came first; each event needs its own id"
        stored.conflicts.append(invalid_from(row, "id_conflict", text))


def store_invalid(
    database: Database,
    connection: sa.Connection,
    table: str,
    segment: str,
    rows: Sequence[InvalidRow],
    stored: Stored,
) -> None:
    """Insert invalid events; a retry of one that is stored already is a duplicate."""
    with blaming(database, table):
        fresh = _without_retries(connection, table, rows, stored)

    def insert(batch: Sequence[InvalidRow]) -> int:
        values = [
            (
                *(row.received, segment, row.offset, row.index, row.claimed, row.version),
                *(row.code, row.message, row.errors, row.id, row.host, row.wiki, row.browser),
                *(row.client, row.sealed, row.raw),
            )
            for row in batch
        ]
        return database.dialect.insert_new(connection, table, _INVALID_NAMES, values, INVALID_KEY)

    new, bad = insert_bisecting(database, connection, table, fresh, insert)
    refused = {id(row) for row, _ in bad}
    # Rows of this very place in the log are there already where its checkpoint was lost.
    again = len(fresh) - len(bad) - new
    for row in fresh:
        if again and id(row) not in refused:
            stored.book(row, Outcome.DUPLICATE)
            again -= 1
            continue
        key = stored.book(row, Outcome.INVALID, row.code)
        if id(row) not in refused:
            stored.kept[key] += 1
            stored.rows_in[table, row.received[:10]] += 1


def insert_bisecting(
    database: Database,
    connection: sa.Connection,
    table: str,
    rows: Sequence[Row],
    insert: Callable[[Sequence[Row]], int],
) -> tuple[int, list[tuple[Row, str]]]:
    """Return how many rows were new, and those that the database cannot hold, with why."""
    if not rows:
        return 0, []
    try:
        with _savepoint(connection):
            return insert(rows), []
    except Exception as error:
        kind = database.dialect.trouble(error)
        if kind == "server":
            raise
        if kind != "data":
            raise TableTrouble(table, str(error)) from error
        if len(rows) == 1:
            return 0, [(rows[0], str(error))]
    middle = len(rows) // 2
    left, bad_left = insert_bisecting(database, connection, table, rows[:middle], insert)
    right, bad_right = insert_bisecting(database, connection, table, rows[middle:], insert)
    return left + right, bad_left + bad_right


@contextmanager
def blaming(database: Database, table: str) -> Iterator[None]:
    """Turn what goes wrong with reading a table into its trouble, that the others go on."""
    try:
        yield
    except Exception as error:
        if database.dialect.trouble(error) == "server":
            raise
        raise TableTrouble(table, str(error)) from error


@contextmanager
def _savepoint(connection: sa.Connection) -> Iterator[None]:
    connection.exec_driver_sql("SAVEPOINT rows_of_a_table")
    try:
        yield
    except Exception:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT rows_of_a_table")
        raise
    connection.exec_driver_sql("RELEASE SAVEPOINT rows_of_a_table")


def _settle_times(
    connection: sa.Connection, table: str, rows: Sequence[EventRow], today: str
) -> None:
    """Give a retry the dt that its first arrival was stored with.

    Concerns events whose stored dt is not the client's, so that a retry would
    otherwise come with another one.
    """
    asked = [row for row in rows if row.remember]
    if not asked:
        return
    known = dict(_recent(connection, table, [row.id for row in asked]))
    new = {}
    for row in asked:
        if row.id in known:
            row.dt = known[row.id]
        else:
            known[row.id] = new[row.id] = row.dt
    _remember(connection, table, new, today)


def _recent(connection: sa.Connection, table: str, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    statement = sa.text(
        "SELECT id, dt FROM recent_id WHERE table_name = :table AND id IN :ids"
    ).bindparams(sa.bindparam("ids", expanding=True))
    for chunk in _chunks(ids):
        for row in connection.execute(statement, {"table": table, "ids": chunk}):
            yield row[0], row[1]


def _remember(connection: sa.Connection, table: str, times: dict[str, str], today: str) -> None:
    if times:
        statement = sa.text(
            "INSERT INTO recent_id (table_name, id, dt, added) VALUES (:table, :id, :dt, :added)"
        )
        connection.execute(
            statement,
            [{"table": table, "id": id, "dt": dt, "added": today} for id, dt in times.items()],
        )


def _first_of_each(
    rows: Sequence[EventRow],
) -> tuple[list[EventRow], list[tuple[EventRow, dict[str, Any]]]]:
    """Split rows into the first of each key, and later ones with the content of the first."""
    first: dict[tuple[str, str], EventRow] = {}
    repeats = []
    for row in rows:
        earlier = first.setdefault((row.dt, row.id), row)
        if earlier is not row:
            repeats.append((row, earlier.event))
    return list(first.values()), repeats


def _known_before(
    connection: sa.Connection, rows: TableRows, batch: Sequence[EventRow], count: int
) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the stored content of those `count` events of a batch that were there before it."""
    received = {(row.dt, row.id): row.received for row in batch}
    before: list[tuple[str, str]] = []
    same_moment: list[tuple[str, str]] = []
    for key, (stored_received,) in _select(connection, rows.table, ["received"], list(received)):
        earlier = _time_text(stored_received) != received[key]
        (before if earlier else same_moment).append(key)
    # A retry received in the same millisecond as the first: they look the same, and which of
    # them is in the table does not matter, as long as the counts are right.
    before += same_moment[: max(0, count - len(before))]
    columns = [*(column.name for column in rows.plan.columns), "event_more"]
    decode = compile_decoder(rows.plan)
    return {
        key: decode(values[:-1], values[-1])
        for key, values in _select(connection, rows.table, columns, before)
    }


def _select(
    connection: sa.Connection, table: str, columns: Sequence[str], keys: Sequence[tuple[str, str]]
) -> Iterator[tuple[tuple[str, str], Sequence[Any]]]:
    """Yield ((dt, id), values of `columns`) of the rows with these keys."""
    wanted = ", ".join(map(quoted, [*_KEY, *columns]))
    for chunk in _chunks(keys):
        marks = " OR ".join(f"(`dt` = :d{n} AND `id` = :i{n})" for n in range(len(chunk)))
        values = {f"d{n}": dt for n, (dt, _) in enumerate(chunk)}
        values |= {f"i{n}": id for n, (_, id) in enumerate(chunk)}
        query = sa.text(f"SELECT {wanted} FROM {quoted(table)} WHERE {marks}")
        for row in connection.execute(query, values):
            yield (_time_text(row[0]), row[1]), row[2:]


def _without_retries(
    connection: sa.Connection, table: str, rows: Sequence[InvalidRow], stored: Stored
) -> list[InvalidRow]:
    """Leave out invalid events whose id is stored already with the same content."""
    with_id = [row for row in rows if row.id is not None]
    if not with_id:
        return list(rows)
    ids = [row.id for row in with_id if row.id is not None]
    times = dict(_recent(connection, table, ids))
    contents = _invalid_contents(connection, table, times)
    new: dict[str, str] = {}
    fresh = []
    for row in rows:
        if row.id is not None:
            if contents.get(row.id) == (row.code, row.raw):
                stored.book(row, Outcome.DUPLICATE)
                continue
            if row.id not in times:
                times[row.id] = new[row.id] = row.received
                contents[row.id] = (row.code, row.raw)
        fresh.append(row)
    _remember(connection, table, new, clock.day(clock.now_ms()))
    return fresh


def _invalid_contents(
    connection: sa.Connection, table: str, times: dict[str, str]
) -> dict[str, tuple[str, str]]:
    query = sa.text(
        f"SELECT code, raw FROM {quoted(table)} WHERE received = :received AND id = :id"
    )
    contents = {}
    for id, received in times.items():
        row = connection.execute(query, {"received": received, "id": id}).first()
        if row is not None:
            contents[id] = (row[0], row[1])
    return contents


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    option = orjson.OPT_SORT_KEYS
    return orjson.dumps(one, option=option) == orjson.dumps(other, option=option)


def _without(event: dict[str, Any], made: Sequence[str]) -> dict[str, Any]:
    """Return an event without what intake made: a retry gets another time and request id."""
    for pointer in made:
        _, outer, name = pointer.split("/")
        inner = event.get(outer)
        if isinstance(inner, dict) and name in inner:
            event = {**event, outer: {key: inner[key] for key in inner if key != name}}
    return event


def _time_text(value: Any) -> str:
    """A stored time as the text it was inserted as; MySQL's driver gives a datetime."""
    if isinstance(value, str):
        return value
    return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"


def _chunks(items: Sequence[Item]) -> Iterator[list[Item]]:
    for start in range(0, len(items), _LOOKUP):
        yield list(items[start : start + _LOOKUP])
