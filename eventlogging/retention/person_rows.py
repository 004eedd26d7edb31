"""One person's rows in the tables of events: valid, refused, stripped, and of test keys.

Read by day of a table, or in short pages along a key: nothing here holds a lock for long.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.clock import moved
from eventlogging.event import UNKNOWN
from eventlogging.loader.prepare import UNKNOWN_TABLE
from eventlogging.platform import Platform
from eventlogging.registry.model import RegisteredSchema, Snapshot
from eventlogging.retention.epochs import EpochKey
from eventlogging.retention.identity import LAST_MOMENT, Identity
from eventlogging.schema.columns import ColumnPlan
from eventlogging.store.database import Database
from eventlogging.store.dialect import INVALID_KEY, SCRUBBED, quoted
from eventlogging.store.fixed import epoch_key, table_day, test_event
from eventlogging.store.migrate import tables as present_tables
from eventlogging.store.row_keys import MOST_ROWS, keys_where

EVENT_KEY = ("dt", "id")
_PAGE = 500
_IDS = 400  # asked for at once
Secrets = Mapping[str, bytes | None]
_TEXTS = ("CHAR", "TEXT", "JSON", "CLOB")
_CAPSULE = frozenset(
    {"dt", "id", "received", "version", "host", "wiki", "user_agent_browser", "user_agent_major",
     "user_agent_os", "user_agent_device", "client", "segment", "schema", "code"}
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A table that may hold somebody's rows. `kind`: valid, refused, stripped or test.

    `whole` columns hold a hash as it is or not at all; `parts` may hold one somewhere inside.
    """

    table: str
    schema: str
    kind: str
    key: tuple[str, ...]
    whole: tuple[str, ...]
    parts: tuple[str, ...]
    plan: ColumnPlan | None = None

    @property
    def time(self) -> str:
        """The column of its days."""
        return self.key[0]


@dataclass(frozen=True)
class Hit:
    """A row of the person: its key, in the order of its table's, and its day."""

    place: Place
    key: tuple[Any, ...]

    @property
    def day(self) -> str:
        return str(self.key[0])[:10]


def places(database: Database, snapshot: Snapshot) -> list[Place]:
    """Return all tables of events that there are. Raises StoreUnavailable."""
    with database.read() as connection:
        present = set(present_tables(connection))
        wanted = [one for one in _wanted(snapshot) if one[0] in present]
        return [_place(database, connection, *one) for one in wanted]


def find(database: Database, place: Place, who: Identity) -> Iterator[Hit]:
    """Yield the person's rows of a table. Raises StoreUnavailable."""
    secrets = month_secrets(database) if place.kind == "stripped" else {}
    if who.spans:
        for day in booked_days(database, place.table) if place.kind != "test" else ():
            yield from find_ids(database, place, day, who.ids_on(day), secrets, who.before)
        return
    if place.kind == "test":
        yield from _unsealed(database, place, who, "1 = 1", {})
        return
    for day in booked_days(database, place.table):
        given: Sequence[str] = who.hashes
        if place.kind == "stripped":
            secret = secrets.get(day[:7])
            if secret is None:
                continue  # out of reach: its key is destroyed
            key = EpochKey(day[:7], secret)
            given = [key.hashed(one) for one in who.hashes]
        yield from _of_day(database, place, who, day, given)
        if place.kind == "refused":
            where, values = _day_where(place, day)
            yield from _unsealed(database, place, who, f"sealed = 0 AND {where}", values)


def find_ids(
    database: Database, place: Place, day: str, ids: Collection[str], secrets: Secrets,
    before: str = LAST_MOMENT,
) -> Iterator[Hit]:  # fmt: skip
    """Yield the rows of a day that have one of some ids, received up to a moment (ISO).

    `secrets` are those of stripped tables, as `month_secrets` read them. Raises StoreUnavailable.
    """
    wanted = sorted(ids)
    if place.kind == "stripped" and wanted:
        secret = secrets.get(day[:7])
        if secret is None:
            return  # out of reach: its key is destroyed
        wanted = [EpochKey(day[:7], secret).id(id) for id in wanted]
    where, values = _day_where(place, day)
    time = "received" if place.kind != "stripped" else "dt"
    columns = ", ".join(map(quoted, place.key))
    for start in range(0, len(wanted), _IDS):
        some = {f"i{n}": id for n, id in enumerate(wanted[start : start + _IDS])}
        query = sa.text(
            f"SELECT {columns} FROM {quoted(place.table)} WHERE {where} AND "
            f"{quoted(time)} <= :before AND id IN ({', '.join(f':{name}' for name in some)})"
        )
        with database.read() as connection:
            rows = connection.execute(query, {**values, **some, "before": _sql(before)}).all()
        yield from (Hit(place, tuple(row)) for row in rows)


def unreachable(database: Database, place: Place) -> list[str]:
    """Return the months of a stripped table whose key is destroyed, but which have rows."""
    secrets = month_secrets(database)
    months = {day[:7] for day in booked_days(database, place.table)}
    return sorted(month for month in months if secrets.get(month) is None)


def booked_days(database: Database, table: str) -> list[str]:
    """Return the days of which a table has rows, by its book."""
    c = table_day.c
    query = sa.select(c.day).where(c.table_name == table, c.rows_in != c.rows_out).order_by(c.day)
    with database.read() as connection:
        return list(connection.execute(query).scalars())


def read(database: Database, hits: Sequence[Hit]) -> list[Mapping[str, Any]]:
    """Return rows as their table has them; those that are gone meanwhile are left out."""
    if not hits:
        return []
    place = hits[0].place
    found: list[Mapping[str, Any]] = []
    with database.read() as connection:
        for start in range(0, len(hits), MOST_ROWS):
            where, values = keys_where(
                place.key, [hit.key for hit in hits[start : start + MOST_ROWS]]
            )
            query = sa.text(f"SELECT * FROM {quoted(place.table)} WHERE {where}")
            found += [dict(row) for row in connection.execute(query, values).mappings()]
    return found


def _wanted(snapshot: Snapshot) -> Iterator[tuple[str, str, str, ColumnPlan | None]]:
    for schema in snapshot.schemas.values():
        for table, plan in _majors(schema):
            yield table, schema.name, "valid", plan
            yield f"{table}{SCRUBBED}", schema.name, "stripped", plan
        yield schema.invalid_table, schema.name, "refused", None
    yield UNKNOWN_TABLE, UNKNOWN, "refused", None
    yield test_event.name, "", "test", None


def _majors(schema: RegisteredSchema) -> list[tuple[str, ColumnPlan]]:
    found = {v.table: schema.plans[v.version.major] for v in schema.versions.values()}
    return sorted(found.items(), key=lambda one: one[0])


def _place(
    database: Database, connection: sa.Connection, table: str, schema: str, kind: str,
    plan: ColumnPlan | None,
) -> Place:  # fmt: skip
    if kind == "test":
        return Place(table, schema, kind, ("id",), (), ("event", "errors"))
    if kind == "refused":
        return Place(table, schema, kind, INVALID_KEY, (), ("raw", "errors", "message"))
    # Every column that can hold a text, and not only those that are private today: what is
    # private changes, and rows stay as they came.
    columns = {
        name: type.upper()
        for name, type in database.dialect.existing_columns(connection, table).items()
        if name not in _CAPSULE and any(word in type.upper() for word in _TEXTS)
    }
    whole = tuple(name for name, type in columns.items() if "VARCHAR" in type)
    parts = tuple(name for name in columns if name not in whole)
    return Place(table, schema, kind, EVENT_KEY, whole, parts, plan)


def _of_day(
    database: Database, place: Place, who: Identity, day: str, given: Sequence[str]
) -> Iterator[Hit]:
    """Find the rows of a day that hold a hash."""
    holds, values = _holds(place, given)
    if not holds:
        return
    where, day_values = _day_where(place, day)
    values |= day_values | {"before": _sql(who.before)}
    time = "received" if place.kind != "stripped" else "dt"
    columns = ", ".join(map(quoted, place.key))
    query = sa.text(
        f"SELECT {columns} FROM {quoted(place.table)} "
        f"WHERE {where} AND {quoted(time)} <= :before AND ({holds})"
    )
    with database.read() as connection:
        rows = connection.execute(query, values).all()
    yield from (Hit(place, tuple(row)) for row in rows)


def _holds(place: Place, given: Sequence[str]) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {f"h{n}": one for n, one in enumerate(given)}
    values |= {f"p{n}": f"%{one}%" for n, one in enumerate(given)}
    marks = ", ".join(f":h{n}" for n in range(len(given)))
    choices = [f"{quoted(name)} IN ({marks})" for name in place.whole]
    choices += [f"{quoted(name)} LIKE :p{n}" for name in place.parts for n in range(len(given))]
    return " OR ".join(choices), values


def _unsealed(
    database: Database, place: Place, who: Identity, where: str, values: Mapping[str, Any]
) -> Iterator[Hit]:
    """Find rows that nobody sealed, by looking at every word of them."""
    size = len(place.key)
    columns = ", ".join(map(quoted, (*place.key, "received", *place.parts)))
    order = ", ".join(map(quoted, place.key))
    after: tuple[Any, ...] | None = None
    while True:
        beyond, more = _after(place.key, after)
        query = sa.text(
            f"SELECT {columns} FROM {quoted(place.table)} WHERE {where}{beyond} "
            f"ORDER BY {order} LIMIT {_PAGE}"
        )
        with database.read() as connection:
            rows = connection.execute(query, {**values, **more}).all()
        for row in rows:
            texts = [str(text) for text in row[size + 1 :] if text is not None]
            in_time = _sql(str(_text(row[size]))) <= _sql(who.before)
            if in_time and any(who.in_unsealed(text) for text in texts):
                yield Hit(place, tuple(row[:size]))
        if len(rows) < _PAGE:
            return
        after = tuple(rows[-1][:size])


def _after(key: Sequence[str], after: tuple[Any, ...] | None) -> tuple[str, dict[str, Any]]:
    if after is None:
        return "", {}
    values = {f"a{index}": value for index, value in enumerate(after)}
    text = ""
    for index in reversed(range(len(key))):
        name, value = quoted(key[index]), f":a{index}"
        text = (
            f"({name} > {value} OR ({name} = {value} AND {text}))" if text else f"{name} > {value}"
        )
    return f" AND {quoted(key[0])} >= :a0 AND {text}", values


def _day_where(place: Place, day: str) -> tuple[str, dict[str, Any]]:
    time = quoted(place.time)
    return f"{time} >= :day AND {time} < :next", {"day": day, "next": moved(day, 1)}


def month_secrets(database: Database) -> Secrets:
    """Return month → the key of hashes in stripped tables; None: destroyed."""
    c = epoch_key.c
    with database.read() as connection:
        rows = connection.execute(sa.select(c.epoch, c.secret)).all()
    return {row[0]: bytes.fromhex(row[1]) if row[1] else None for row in rows}


def _sql(moment: str) -> str:
    """A moment as tables of events have it, from ISO."""
    return moment.replace("T", " ").rstrip("Z")


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(" ", "milliseconds")
    return str(value)


def now_iso() -> str:
    """The present, as the tables of our own have it."""
    return clock.iso(clock.now_ms())


def refreshed(platform: Platform) -> Snapshot:
    """Return the registry as it is now. Raises StoreUnavailable."""
    platform.registry.refresh()
    return platform.registry.snapshot
