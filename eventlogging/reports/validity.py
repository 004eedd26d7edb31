"""Compute a day's report from the ledger, and from the tables of invalid events."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.clock import moved
from eventlogging.ledger.clients import KINDS as KINDS_SAID
from eventlogging.ledger.closing import read_closings
from eventlogging.ledger.lag import read_lag
from eventlogging.ledger.reading import SENT, LineOfTruth
from eventlogging.registry.model import Snapshot
from eventlogging.registry.snapshot import schemas_in_force
from eventlogging.reports import causes
from eventlogging.reports.days import last_days, next_day
from eventlogging.reports.due import Going, read_due
from eventlogging.reports.loaded import not_loaded
from eventlogging.reports.model import (
    KINDS,
    Receipts,
    Report,
    Reported,
    SchemaDay,
    Waiting,
    is_registered,
    line_of,
)
from eventlogging.store.database import Database
from eventlogging.store.fixed import ledger

DAYS = 14  # that the chart shows
_MOST_ROWS = 200_000  # invalid events that are looked at for their causes, all schemas together

_NONE = Receipts()
_Counts = dict[str, dict[str, dict[str, int]]]  # schema → day → outcome (or sent …) → count


def compute(
    database: Database, snapshot: Snapshot, folder: Path, day: str, *,
    going: Iterable[Going] = (), receipts: Receipts = _NONE,
) -> Report:  # fmt: skip
    """Return the report of a day as things stand now; `folder` is where the log lies.

    `going` are events that retention will delete or strip, `receipts` say what it did.

    It is complete where the day is over and everything received on it is loaded. Raises
    StoreUnavailable, and OSError where the log cannot be read.
    """
    missing = not_loaded(database, folder, day)  # before the figures, which may be newer
    days = last_days(day, DAYS)
    with database.read() as connection:
        counts = _read_counts(connection, days[0], next_day(day))
        new = _new(connection, counts, day)
        due = read_due(connection, going, day)
        lag = read_lag(connection, folder)
        clients = _clients(connection, day, loaded=lag.is_loaded)
    schemas = [
        _schema_day(snapshot, name, counts.get(name, {}), days)
        for name in counts.keys() | snapshot.schemas.keys()
    ]
    schemas.sort(key=lambda one: (-one.line.sent, one.name))
    counted = _with_causes(database, snapshot, schemas, day)
    return Report(
        day=day,
        made_at=clock.iso(clock.now_ms()),
        complete=missing is None,
        note=missing or "",
        days=days,
        schemas=tuple(counted.get(one.name, one) for one in schemas),
        new=new,
        silent=_silent(snapshot, schemas),
        waiting=Waiting(lag.bytes, lag.age_seconds, lag.parked_lines),
        due=due,
        left_out=sum(one.line.invalid > 0 and one.name not in counted for one in schemas),
        receipts=receipts,
        clients=clients,
    )


def _clients(connection: sa.Connection, day: str, *, loaded: bool) -> tuple[Reported, ...]:
    """Return what clients reported; what is not loaded yet is not missed."""
    return tuple(
        Reported(
            one.schema,
            one.said.attempted,
            one.said.sent,
            one.said.waiting,
            one.overdrawn if loaded else 0,
        )
        for one in read_closings(connection, day, day)
        if any(getattr(one.said, kind) for kind in KINDS_SAID)
    )


def _read_counts(connection: sa.Connection, start: str, end: str) -> _Counts:
    c = ledger.c
    moment = sa.func.substr(c.minute, 1, 10)
    query = (
        sa.select(moment, c.schema, c.outcome, sa.func.sum(c["count"]), sa.func.sum(c.kept))
        .where(c.minute >= start, c.minute < end)
        .group_by(moment, c.schema, c.outcome)
    )
    found: _Counts = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
    for day, schema, outcome, number, kept in connection.execute(query):
        found[schema][day][outcome] += int(number)
        found[schema][day]["kept"] += int(kept)
    return found


def read_days(connection: sa.Connection, days: Sequence[str]) -> dict[str, LineOfTruth]:
    """Return a line of truth for each of consecutive days, all schemas together."""
    counts = _read_counts(connection, days[0], next_day(days[-1]))
    sums: dict[str, Counter[str]] = {day: Counter() for day in days}
    for by_day in counts.values():
        for day, figures in by_day.items():
            sums[day].update(figures)
    return {day: line_of(day, figures) for day, figures in sums.items()}


def _schema_day(
    snapshot: Snapshot, name: str, by_day: Mapping[str, Mapping[str, int]], days: tuple[str, ...]
) -> SchemaDay:
    day = days[-1]

    def line(of: str) -> LineOfTruth:
        return line_of(name, by_day.get(of, {}))

    history = {
        kind: tuple(max(0, by_day.get(one, {}).get(kind, 0)) for one in days) for kind in KINDS
    }
    return SchemaDay(
        line=line(day),
        day_before=line(moved(day, -1)),
        week_before=line(moved(day, -7)),
        owners=_owners(snapshot, name),
        history={kind: counts for kind, counts in history.items() if any(counts)},
    )


def _owners(snapshot: Snapshot, name: str) -> tuple[str, ...]:
    schema = snapshot.schemas.get(name)
    return schema.owners if schema else ()


def _with_causes(
    database: Database, snapshot: Snapshot, schemas: Sequence[SchemaDay], day: str
) -> dict[str, SchemaDay]:
    """Return those with invalid events, each with its causes, as far as the work is bearable."""
    found = {}
    left = _MOST_ROWS
    for one in sorted(schemas, key=lambda one: -one.line.invalid):
        table = causes.table_of(snapshot, one.name)
        if not one.line.invalid or left <= 0:
            break
        if table is not None:
            counted = causes.count_causes(database, table, day, next_day(day))
            left -= counted.looked_at
            found[one.name] = replace(
                one, causes=counted.causes, more_causes=counted.more, looked_at=counted.looked_at
            )
    return found


def _new(connection: sa.Connection, counts: _Counts, day: str) -> tuple[str, ...]:
    """Return the schemas whose first event ever was received on that day."""
    c = ledger.c
    found = []
    for name, by_day in counts.items():
        first = min((one for one, sums in by_day.items() if sums.get(SENT)), default="")
        if not is_registered(name) or first != day:
            continue
        before = sa.select(c.minute).where(c.schema == name, c.minute < day).limit(1)
        if connection.execute(before).first() is None:
            found.append(name)
    return tuple(sorted(found))


def _silent(snapshot: Snapshot, schemas: Sequence[SchemaDay]) -> tuple[str, ...]:
    """Return the schemas in force that had events a week before, and none that day."""
    in_force = {schema.name for schema in schemas_in_force(snapshot)}
    found = [
        one
        for one in schemas
        if one.week_before.sent and not one.line.sent and one.name in in_force
    ]
    return tuple(one.name for one in sorted(found, key=lambda one: -one.week_before.sent))
