"""The table of stripped events beside a table of events: made, and narrowed when its rule is.

What the table was last made for is an entry of the audit: from it `narrow` sees at once whether
there is anything to do, and which values have to be cut once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from eventlogging.errors import StoreUnavailable, TableTrouble
from eventlogging.registry import audit
from eventlogging.registry.model import RegisteredSchema
from eventlogging.retention.epochs import EpochKey
from eventlogging.retention.policy import Kept, Policy, Scrub
from eventlogging.retention.scrub_fields import (
    UNREADABLE,
    ScrubRefused,
    Stripping,
    again,
    cut_down,
    form,
    place,
    stripping,
)
from eventlogging.schema.codec import compile_decoder, compile_encoder
from eventlogging.schema.columns import ColumnPlan
from eventlogging.store.database import Database
from eventlogging.store.dialect import CAPSULE_COLUMNS, SCRUBBED, SCRUBBED_REQUIRED, quoted

ACTION = "scrub.rule"  # in the audit, about the stripped table
PAGE = 2000  # rows that are read, and written, at once
KEY = ("dt", "id")

_SYSTEM = "eventlogging"
_USER_AGENT = "user_agent"
_MORE = "event_more"
_TRIES = 5  # where other processes make the same tables at the same time
_NO_KEY = EpochKey("", b"")  # nothing is hashed when values are cut once more


def stripped_name(table: str) -> str:
    """Return the name of the table that holds the stripped events of a table."""
    return f"{table}{SCRUBBED}"


def rule_of(schema: RegisteredSchema, table: str, scrub: Scrub) -> Stripping:
    """Return how the payloads of a schema's table are stripped. Raises ScrubRefused."""
    for version in schema.versions.values():
        if version.table == table:
            return stripping(scrub, schema.privacy, schema.plans[version.version.major])
    raise ScrubRefused(f"{schema.name} has no table {table}")


def capsule_names(scrub: Scrub) -> list[str]:
    """Return the columns around the payload that a stripped table has, in order."""
    return [
        name
        for name, _ in CAPSULE_COLUMNS
        if name in SCRUBBED_REQUIRED
        or name in scrub.capsule
        or (_USER_AGENT in scrub.capsule and name.startswith(_USER_AGENT))
    ]


def ensure(
    database: Database, stripped: str, scrub: Scrub, rule: Stripping, days: Sequence[str]
) -> None:
    """Make the table, its columns and room for these days, where any of them is missing.

    Raises TableTrouble where it cannot be done now, StoreUnavailable where nothing can.
    """
    dialect = database.dialect
    for tries_left in range(_TRIES - 1, -1, -1):
        try:
            with database.ddl() as connection:
                present = dialect.existing_columns(connection, stripped)
                names, columns = capsule_names(scrub), rule.plan.columns
                for statement in dialect.scrubbed_table_ddl(
                    stripped, present, names, columns, min(days)
                ):
                    connection.exec_driver_sql(statement)
                for statement in dialect.days_ddl(connection, stripped, days):
                    connection.exec_driver_sql(statement)
            break
        except StoreUnavailable:
            raise
        except Exception as error:
            if tries_left and dialect.trouble(error) == "made":
                continue  # another process was faster; what is left to make is less now
            raise TableTrouble(stripped, f"cannot be prepared: {error}") from error
    with database.write() as connection:
        _note(connection, stripped, scrub)


def narrow(database: Database, schema: RegisteredSchema, table: str, policy: Policy) -> list[str]:
    """Take out of a stripped table what its rule does not leave any more; return its columns gone.

    Columns that no field or part of the envelope explains are dropped, `event_more` is cut down,
    and values that have a wider bucket now are cut to it. What the rule lists beyond what it
    listed before is there for days stripped later. Without a `scrub` nothing is done: then all
    stripped events are to go. Raises ScrubRefused, TableTrouble, StoreUnavailable.
    """
    stripped, scrub = stripped_name(table), policy.scrub
    if scrub is None:
        return []
    with database.read() as connection:
        before = _noted(connection, stripped)
        if before == _detail(scrub):
            return []
        present = database.dialect.existing_columns(connection, stripped)
    if not present:
        return []
    rule = rule_of(schema, table, scrub)
    explained = {*capsule_names(scrub), *rule.names, _MORE}
    gone = [name for name in present if name not in explained]
    # Rows first: a column that is still there says that its values in event_more are, too.
    _cut_rows(database, stripped, rule, _fields(before), scrub.fields, present)
    try:
        with database.ddl() as connection:
            still = database.dialect.existing_columns(connection, stripped)
            names = [name for name in gone if name in still]
            for statement in database.dialect.drop_columns_ddl(stripped, names):
                connection.exec_driver_sql(statement)
            database.dialect.tidy(connection)
    except StoreUnavailable:
        raise
    except Exception as error:
        raise TableTrouble(stripped, f"cannot be narrowed: {error}") from error
    with database.write() as connection:
        _note(connection, stripped, scrub)
    return gone


def pages(
    database: Database, table: str, names: Sequence[str], span: tuple[str, str], also: str = ""
) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of a span of time (from, to before), in short reads: dt, id, then `names`."""
    selected = ", ".join(map(quoted, [*KEY, *names]))
    select = f"SELECT {selected} FROM {quoted(table)} WHERE `dt` < :until{also}"
    order = "ORDER BY `dt`, `id` LIMIT :page"
    first = sa.text(f"{select} AND `dt` >= :since {order}")
    # Two conditions on dt: the first is what a database finds its place by.
    later = sa.text(f"{select} AND `dt` >= :dt AND (`dt` > :dt OR `id` > :id) {order}")
    values: dict[str, Any] = {"until": span[1], "page": PAGE}
    query, at = first, {"since": span[0]}
    while True:
        with database.read() as connection:
            rows = [tuple(row) for row in connection.execute(query, {**values, **at})]
        if rows:
            yield rows
        if len(rows) < PAGE:
            return
        query, at = later, {"dt": rows[-1][0], "id": rows[-1][1]}


def plain(value: Any) -> Any:
    """Return a stored value as it is inserted: MySQL's driver gives times as datetimes."""
    return value.isoformat(" ", "milliseconds") if isinstance(value, datetime) else value


def _cut_rows(
    database: Database,
    stripped: str,
    rule: Stripping,
    before: Sequence[Kept] | None,
    now: Sequence[Kept],
    present: Mapping[str, str],
) -> None:
    """Cut the values of all rows down to what the rule leaves; rows that need it alone change."""
    were = {(one.pointer, one.how, form(one)): one for one in before or now}
    same = [one for one in now if (one.pointer, one.how, form(one)) in were]
    wider = any(were[one.pointer, one.how, form(one)].bucket != one.bucket for one in same)
    lost = len(same) < len(were)
    if before is not None and not wider and not lost:
        return
    tree = again(list(were.values()), now)
    # A column with another treatment now has another name: only event_more may hold its past.
    own = {place(one.pointer) for one in same}
    columns = [
        one
        for one in rule.plan.columns
        if one.name in present and any(_is_at(one.pointer, field) for field in own)
    ]
    plan = ColumnPlan(tuple(columns))
    decode, encode = compile_decoder(plan), compile_encoder(plan)
    inside = rule.changes_inside or any("*" in one.pointer for one in were.values())
    everywhere = before is None or wider or inside
    names = [*(one.name for one in columns), _MORE]
    span = ("1000-01-01", "9999-12-31")
    also = "" if everywhere else f" AND {quoted(_MORE)} IS NOT NULL"
    sets = ", ".join(f"{quoted(name)} = :v{n}" for n, name in enumerate(names))
    update = sa.text(f"UPDATE {quoted(stripped)} SET {sets} WHERE `dt` = :dt AND `id` = :id")
    for rows in pages(database, stripped, names, span, also):
        changed = []
        for dt, id, *values, more in rows:
            try:
                new, new_more = encode(cut_down(decode(values, more), tree, _NO_KEY))
            except UNREADABLE:  # nobody can say what of it may remain
                new, new_more = [None] * len(columns), None
            new.append(new_more)
            if new != [*map(plain, values), more]:
                row = {f"v{n}": value for n, value in enumerate(new)}
                changed.append(row | {"dt": dt, "id": id})
        if changed:
            with database.write() as connection:
                connection.execute(update, changed)


def _is_at(column: str, field: str) -> bool:
    return column == field or column.startswith(f"{field}/")


def _detail(scrub: Scrub) -> dict[str, Any]:
    how: Callable[[str], list[str]] = lambda name: [  # noqa: E731
        one.pointer for one in scrub.fields if one.how == name
    ]
    bucket = {one.pointer: one.bucket for one in scrub.fields if one.how == "bucket"}
    return {
        "keep": how("keep"), "hash": how("hash"), "bucket": bucket,
        "capsule": list(scrub.capsule),
    }  # fmt: skip


def _fields(detail: Mapping[str, Any] | None) -> list[Kept] | None:
    if detail is None:
        return None
    return [
        *(Kept(pointer, "keep") for pointer in detail["keep"]),
        *(Kept(pointer, "hash") for pointer in detail["hash"]),
        *(Kept(pointer, "bucket", how) for pointer, how in detail["bucket"].items()),
    ]


def _noted(connection: sa.Connection, stripped: str) -> Mapping[str, Any] | None:
    for entry in audit.entries(connection, subject=stripped):
        if entry.action == ACTION:
            return entry.detail
    return None


def _note(connection: sa.Connection, stripped: str, scrub: Scrub) -> None:
    detail = _detail(scrub)
    if _noted(connection, stripped) != detail:
        audit.record(connection, _SYSTEM, ACTION, stripped, detail)
