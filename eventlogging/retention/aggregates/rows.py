"""Read a day of one table in short pages along its key, only the columns that are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from eventlogging.clock import moved
from eventlogging.registry.model import RegisteredSchema
from eventlogging.retention.aggregates.books import tables_of
from eventlogging.retention.aggregates.values import (
    Row,
    Taker,
    capsule_taker,
    payload_taker,
    related,
)
from eventlogging.store.database import Database
from eventlogging.store.dialect import quoted

_PAGE = 5_000  # rows of one read; it takes a few hundredths of a second
_MORE = "event_more"
RATE = 2  # the place of the sample rate in a row
_FIRST = 3  # behind dt, id, sample_rate
CAPSULE: Mapping[str, str] = {
    "wiki": "wiki", "host": "host", "browser": "user_agent_browser", "os": "user_agent_os",
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """One table: the columns to read of it, and how each field is taken from a row.

    `takers`: envelope fields by name, payload fields by JSON pointer.
    """

    table: str
    names: tuple[str, ...]
    takers: Mapping[str, Taker]


def sources(database: Database, schema: RegisteredSchema, fields: Iterable[str]) -> list[Source]:
    """Return the tables of a schema that exist, with how to take these fields from them."""
    asked = list(dict.fromkeys(fields))
    found = []
    with database.read() as connection:
        for major, table in sorted(tables_of(schema).items()):
            present = database.dialect.existing_columns(connection, table)
            if present:
                found.append(_source(schema, major, table, present.keys(), asked))
    return found


def _source(
    schema: RegisteredSchema, major: int, table: str, present: Iterable[str], asked: Sequence[str]
) -> Source:
    plan, present = schema.plans[major], frozenset(present)
    names: dict[str, None] = {}
    for field in asked:
        if field in CAPSULE:
            names[CAPSULE[field]] = None
        else:
            names.update((c.name, None) for c in related(field, plan) if c.name in present)
    positions = {name: _FIRST + at for at, name in enumerate(names)}
    takers = {
        field: capsule_taker(positions[CAPSULE[field]])
        if field in CAPSULE
        else payload_taker(field, plan, positions)
        for field in asked
    }
    return Source(table, tuple(names), takers)


def pages(
    database: Database, source: Source, day: str
) -> Iterator[tuple[Sequence[Row], list[Mapping[str, Any] | None]]]:
    """Yield the rows of a day, and the event_more of each, parsed; each page a read of its own."""
    columns = ", ".join(map(quoted, ("id", "sample_rate", *source.names, _MORE)))
    # As text: a driver takes longer to make a datetime than to fetch the row.
    select = f"SELECT CAST(`dt` AS CHAR), {columns} FROM {quoted(source.table)} WHERE "
    order = f" ORDER BY `dt`, `id` LIMIT {_PAGE}"
    first = sa.text(f"{select}`dt` >= :start AND `dt` < :end{order}")
    behind = sa.text(
        f"{select}`dt` >= :dt AND `dt` < :end "
        f"AND (`dt` > :dt OR (`dt` = :dt AND `id` > :id)){order}"
    )
    end = moved(day, 1)
    after: dict[str, Any] = {}
    while True:
        with database.read() as connection:
            values = {"end": end, **after} if after else {"start": day, "end": end}
            rows = connection.execute(behind if after else first, values).all()
        if rows:
            yield rows, [orjson.loads(row[-1]) if row[-1] else None for row in rows]
        if len(rows) < _PAGE:
            return
        after = {"dt": rows[-1][0], "id": rows[-1][1]}
