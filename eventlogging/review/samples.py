"""Past traffic of a schema, an even sample of it: stored events, valid and invalid ones.

Tables are read in short pages, each a transaction of its own, never by one long cursor. The
time asked about is cut into slices, and the pages go round among them, so that whoever stops
early has still seen something of every day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.registry.model import RegisteredSchema
from eventlogging.schema.codec import compile_decoder
from eventlogging.store.database import Database
from eventlogging.store.dialect import INVALID_KEY, quoted
from eventlogging.store.fixed import table_day

PAGE_ROWS = 200  # an event has up to 256 KiB
_EVENT_KEY = ("dt", "id")
_WHOLE_DAY = 400  # rows of a day that need no finer slices
_HOURS = 24
_GOLDEN = 0.618033988749895  # its multiples, cut to their fractions, lie evenly however many


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, [start_ms, end_ms)."""

    start_ms: int
    end_ms: int

    @property
    def days(self) -> list[int]:
        """The first millisecond of each UTC day that it touches."""
        first = self.start_ms // clock.DAY_MS
        last = (self.end_ms - 1) // clock.DAY_MS
        return [day * clock.DAY_MS for day in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class PastEvent:
    """A stored valid event: its payload as sealed, and the share of events it stands for."""

    payload: dict[str, Any]
    version: str
    sample_rate: float
    bytes: int  # what its row holds, without indexes


@dataclass(frozen=True, slots=True)
class PastRefusal:
    """A stored invalid event: its text as kept, which may be cut or no JSON at all."""

    raw: str
    code: str
    sealed: bool  # its private fields were found, and are hashed or gone


class Sample:
    """Some rows of a few tables; `read` gives them page by page.

    `stored` is how many rows there are, by the books of whole days.
    """

    def __init__(self, database: Database, sources: Sequence[_Source], span: Span) -> None:
        self._database = database
        self._slices: list[_Slice] = []
        self.stored = 0
        self._given = 0
        days = [clock.day(ms) for ms in span.days]
        for source in sources:
            rows = _rows_by_day(database, source.table, days)
            self.stored += sum(rows.values())
            for ms in span.days:
                self._slices += _slices(source, ms, rows.get(clock.day(ms), 0), span)
        self._slices = [
            one
            for _, one in sorted(enumerate(self._slices), key=lambda pair: pair[0] * _GOLDEN % 1.0)
        ]

    @property
    def finished(self) -> bool:
        """Whether no row has been left out so far."""
        return self._given >= self.stored or all(one.done for one in self._slices)

    def read(self, most: int) -> Iterator[list[Any]]:
        """Yield pages of at most `most` rows in all. Raises StoreUnavailable."""
        live, left = self._slices, most
        while live and left > 0:
            share = min(PAGE_ROWS, -(-left // len(live)))
            for one in live:
                rows = one.next(self._database, min(share, left))
                if rows:
                    left -= len(rows)
                    self._given += len(rows)
                    yield rows
                if left <= 0:
                    break
            live = [one for one in live if not one.done]


def valid_events(database: Database, schema: RegisteredSchema, span: Span) -> Sample:
    """Return a sample of the valid events of all majors that happened within a span.

    Its rows are `PastEvent`s.
    """
    tables = {version.version.major: version.table for version in schema.versions.values()}
    sources = []
    for major, table in sorted(tables.items()):
        plan = schema.plans[major]
        names = ("version", "sample_rate", *(c.name for c in plan.columns), "event_more")
        decode = compile_decoder(plan)

        def event(values: Sequence[Any], decode: Any = decode) -> PastEvent:
            payload = decode(values[2:-1], values[-1])
            return PastEvent(payload, values[0], values[1] or 1.0, _bytes(values))

        sources.append(_source(database, table, _EVENT_KEY, names, event))
    return Sample(database, [source for source in sources if source], span)


def invalid_events(database: Database, schema: RegisteredSchema, span: Span) -> Sample:
    """Return a sample of the invalid events received within a span, as `PastRefusal`s."""

    def refusal(values: Sequence[Any]) -> PastRefusal:
        raw, code, sealed = values
        return PastRefusal(raw or "", code, bool(sealed))

    source = _source(
        database, schema.invalid_table, INVALID_KEY, ("raw", "code", "sealed"), refusal
    )
    return Sample(database, [source] if source else [], span)


@dataclass(frozen=True)
class _Source:
    """A table: its key, what to select behind the key, and what a row becomes."""

    table: str
    key: tuple[str, ...]
    selected: str
    row: Callable[[Sequence[Any]], Any]


def _source(
    database: Database,
    table: str,
    key: tuple[str, ...],
    names: Sequence[str],
    row: Callable[[Sequence[Any]], Any],
) -> _Source | None:
    """Return a table to read; None where it is not made yet. A column it lacks reads as NULL."""
    with database.read() as connection:
        present = database.dialect.existing_columns(connection, table)
    if not present:
        return None
    columns = [quoted(name) if name in present else "NULL" for name in names]
    return _Source(table, key, ", ".join([*map(quoted, key), *columns]), row)


class _Slice:
    """A stretch of one table's time, read from its start on."""

    def __init__(self, source: _Source, start_ms: int, end_ms: int) -> None:
        self._source = source
        self._bounds = {"start": clock.sql_time(start_ms), "end": clock.sql_time(end_ms)}
        self._after: Sequence[Any] = ()
        self.done = False

    def next(self, database: Database, limit: int) -> list[Any]:
        """Return the next rows, at most `limit`."""
        source = self._source
        values: dict[str, Any] = {**self._bounds, "limit": limit}
        time = quoted(source.key[0])
        where = f"{time} >= :start AND {time} < :end"
        if self._after:
            values |= {f"after_{index}": value for index, value in enumerate(self._after)}
            where = f"{time} >= :after_0 AND {time} < :end AND {_behind(source.key)}"
            del values["start"]
        order = ", ".join(map(quoted, source.key))
        query = sa.text(
            f"SELECT {source.selected} FROM {quoted(source.table)} WHERE {where} "
            f"ORDER BY {order} LIMIT :limit"
        )
        with database.read() as connection:
            rows = connection.execute(query, values).all()
        self.done = len(rows) < limit
        size = len(source.key)
        if rows:
            self._after = rows[-1][:size]
        return [source.row(row[size:]) for row in rows]


def _slices(source: _Source, day_ms: int, rows: int, span: Span) -> list[_Slice]:
    """Return a day's slices: none where nothing is stored, hours where much is."""
    if rows <= 0:
        return []
    parts = 1 if rows <= _WHOLE_DAY else _HOURS
    step = clock.DAY_MS // parts
    bounds = [
        (max(day_ms + part * step, span.start_ms), min(day_ms + (part + 1) * step, span.end_ms))
        for part in range(parts)
    ]
    return [_Slice(source, start, end) for start, end in bounds if start < end]


def _rows_by_day(database: Database, table: str, days: Sequence[str]) -> dict[str, int]:
    c = table_day.c
    query = sa.select(c.day, c.rows_in - c.rows_out).where(
        c.table_name == table, c.day.in_(list(days))
    )
    with database.read() as connection:
        return {day: int(rows) for day, rows in connection.execute(query)}


def _behind(key: Sequence[str]) -> str:
    """Return the condition that a row stands behind the position in `:after_0` …"""
    text = ""
    for index in reversed(range(len(key))):
        name, value = quoted(key[index]), f":after_{index}"
        text = (
            f"({name} > {value} OR ({name} = {value} AND {text}))"
            if text
            else (f"{name} > {value}")
        )
    return text


_CAPSULE_BYTES = 110  # two times, id, version, browser and the like


def _bytes(values: Sequence[Any]) -> int:
    """Return about how many bytes the values of a row take."""
    return _CAPSULE_BYTES + sum(
        len(value) + 2 if type(value) is str else 8 for value in values if value is not None
    )
