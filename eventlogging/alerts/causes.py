"""What caused it: who sends more than in the hour before, and the picture of it over time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.alerts import words
from eventlogging.alerts.growth import Samples
from eventlogging.alerts.judge import Fact
from eventlogging.charts.draw import Series, time_chart
from eventlogging.event import Outcome
from eventlogging.ledger.reading import lines_of_truth, series
from eventlogging.platform import Platform
from eventlogging.registry.model import RegisteredSchema
from eventlogging.store.database import Database
from eventlogging.store.dialect import quoted
from eventlogging.store.fixed import ledger

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_SHOWN_MS = 2 * _HOUR_MS
_SHOWN_HOURS = 48
_MOST = 4
_MOST_ROWS = 100_000  # of a table are looked at for senders
_MOST_TABLES = 3
_LEAST_PERCENT = 5
_VALID, _INVALID = str(Outcome.VALID), str(Outcome.INVALID)


@dataclass(frozen=True)
class Contributor:
    """A schema's part of a rate, in events a second and percent of all; `before`: an hour ago."""

    schema: str
    rate: float
    percent: float
    owners: tuple[str, ...]
    before: float = 0.0


@dataclass(frozen=True)
class Part:
    """What share of the events a version, client or host has, now and in the hour before."""

    what: str  # version | client | host | code
    name: str
    percent: float
    percent_before: float


def contributors(
    connection: sa.Connection, schemas: Mapping[str, RegisteredSchema], start_ms: int, end_ms: int
) -> list[Contributor]:
    """Return the schemas that came most in a window, the largest first."""
    now = _judged(connection, start_ms, end_ms)
    before = _judged(connection, start_ms - _HOUR_MS, start_ms)
    seconds = (end_ms - start_ms) / 1000
    everything = sum(now.values())
    found = []
    for name, count in sorted(now.items(), key=lambda item: (-item[1], item[0]))[:_MOST]:
        owners = schemas[name].owners if name in schemas else ()
        part = 100 * count / everything if everything else 0.0
        if part >= 1:
            found.append(
                Contributor(name, count / seconds, part, owners, before.get(name, 0) / 3600)
            )
    return found


def parts(
    database: Database, schemas: Sequence[RegisteredSchema], start_ms: int, end_ms: int,
    *, invalid: bool,
) -> list[Part]:  # fmt: skip
    """Return what the events of these schemas have in common, by what grew most.

    Versions are exact, from the ledger; clients and hosts from stored rows, at most so many of
    each time.
    """
    schemas = schemas[:_MOST_TABLES]
    now, before = _Shares(), _Shares()
    with database.read() as connection:
        for schema in schemas:
            _versions(connection, schema, start_ms, end_ms, now, invalid)
            _versions(connection, schema, start_ms - _HOUR_MS, start_ms, before, invalid)
            for table, when in _tables(schema, invalid):
                if not database.dialect.existing_columns(connection, table):
                    continue
                wanted = ("client", "host", "code") if invalid else ("client", "host")
                _senders(connection, table, when, wanted, start_ms, end_ms, now)
                _senders(connection, table, when, wanted, start_ms - _HOUR_MS, start_ms, before)
    found = [
        Part(what, name, share, before.percent(what, name))
        for what in now.counts
        for name, share in now.largest(what)
    ]
    return sorted(
        (one for one in found if _says_something(one)),
        key=lambda one: (one.percent_before - one.percent, one.what, one.name),
    )[:_MOST]


def _says_something(part: Part) -> bool:
    """Leave out what shrank, and what is the same for all events at all times."""
    if part.percent < _LEAST_PERCENT or part.percent < part.percent_before - _LEAST_PERCENT:
        return False
    always = part.percent == part.percent_before == 100
    return not (always and part.what in ("version", "code"))


def usual_rate(connection: sa.Connection, schema: str, start_ms: int, end_ms: int) -> float | None:
    """Return the events a second of the same window a week before, None: nothing is known."""
    week = 7 * clock.DAY_MS
    counts = _judged(connection, start_ms - week, end_ms - week)
    number = counts.get(schema, 0) if schema else sum(counts.values())
    return number / ((end_ms - start_ms) / 1000) if counts else None


def invalid_before(connection: sa.Connection, schema: str, start_ms: int) -> float | None:
    """Return the share of invalid events, in percent, of the hour before; None: none came."""
    start, end = clock.minute(start_ms - _HOUR_MS), clock.minute(start_ms)
    lines = lines_of_truth(connection, start=start, end=end, schema=schema or None)
    judged = sum(line.valid + line.invalid for line in lines)
    return 100 * sum(line.invalid for line in lines) / judged if judged else None


def chart(platform: Platform, fact: Fact, at_ms: int) -> bytes | None:
    """Return the picture of what led to it, a PNG; None for rules that have no course of time."""
    kind, values = fact.rule.kind, fact.rule.values
    marks = [(at_ms, "alert")]
    name = fact.subject or words.ALL
    if kind == "throughput":
        limit = values["above_per_second"]
        points = _per_minute(platform, fact.rule.schema, at_ms, (_VALID, _INVALID))
        return time_chart(
            [Series("events a second", [(at, n / 60) for at, n in points], "valid")],
            title=f"{name}, by minute", unit="events/s", marks=marks,
            threshold=(limit, f"limit {limit:g}/s"),
        )  # fmt: skip
    if kind == "invalid":
        return _invalid_chart(platform, fact, at_ms, marks)
    if kind == "unexplained":
        return None
    if kind in ("silent", "rhythm", "volume"):
        hours = _per_hour(platform, fact.rule.schema, at_ms)
        return time_chart(
            [Series("valid events an hour", hours, "valid")], title=f"{name}, by hour",
            unit="events/h", marks=marks,
        )  # fmt: skip
    if kind in ("lag", "stored"):
        waiting = Samples(platform.config.var).waiting()
        return time_chart(
            [Series("MB that wait", [(at, size / 1e6) for at, size in waiting], "pending")],
            title="Log that waits to be stored", unit="MB", marks=marks,
        )  # fmt: skip
    return None


def _invalid_chart(
    platform: Platform, fact: Fact, at_ms: int, marks: list[tuple[int, str]]
) -> bytes:
    """The share over time, by five minutes, beside its limit."""
    step = 5 * _MINUTE_MS
    bad: Counter[int] = Counter()
    judged: Counter[int] = Counter()
    for at, number in _per_minute(platform, fact.rule.schema, at_ms, (_INVALID,)):
        bad[at - at % step] += number
    for at, number in _per_minute(platform, fact.rule.schema, at_ms, (_VALID, _INVALID)):
        judged[at - at % step] += number
    limit = fact.rule.values["above_percent"]
    points = [(at, 100 * bad[at] / judged[at]) for at in sorted(judged) if judged[at]]
    return time_chart(
        [Series("invalid", points, "invalid")],
        title=f"{fact.subject or words.ALL}, share invalid by 5 minutes", unit="%", marks=marks,
        threshold=(limit, f"limit {limit:g} %"),
    )  # fmt: skip


def _per_minute(
    platform: Platform, schema: str, at_ms: int, outcomes: Sequence[str]
) -> list[tuple[int, int]]:
    """Return (minute, count) of the last two hours, minutes without events as 0."""
    end = at_ms - at_ms % _MINUTE_MS
    start = end - _SHOWN_MS
    found: Counter[int] = Counter()
    with platform.database.read() as connection:
        steps = series(
            connection, "minute", start=clock.minute(start), end=clock.minute(end),
            schema=schema or None,
        )  # fmt: skip
    for one in steps:
        if one.outcome in outcomes:
            found[_ms(one.time)] += one.count
    return [(at, found[at]) for at in range(start, end, _MINUTE_MS)]


def _per_hour(platform: Platform, schema: str, at_ms: int) -> list[tuple[int, float]]:
    end = at_ms - at_ms % _HOUR_MS + _HOUR_MS
    start = end - _SHOWN_HOURS * _HOUR_MS
    found: Counter[int] = Counter()
    with platform.database.read() as connection:
        steps = series(connection, "hour", start=clock.minute(start), schema=schema)
    for one in steps:
        if one.outcome == _VALID:
            found[_ms(f"{one.time}:00")] += one.count
    return [(at, float(found[at])) for at in range(start, end, _HOUR_MS)]


class _Shares:
    """Counts of what events have in common."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)

    def percent(self, what: str, name: str) -> float:
        whole = self.counts[what].total()
        return 100 * self.counts[what][name] / whole if whole else 0.0

    def largest(self, what: str) -> list[tuple[str, float]]:
        names = [name for name, _ in self.counts[what].most_common(_MOST) if name]
        return [(name, self.percent(what, name)) for name in names]


def _judged(connection: sa.Connection, start_ms: int, end_ms: int) -> dict[str, int]:
    lines = lines_of_truth(connection, start=clock.minute(start_ms), end=clock.minute(end_ms))
    return {line.schema: line.valid + line.invalid for line in lines if line.valid + line.invalid}


def _versions(
    connection: sa.Connection, schema: RegisteredSchema, start_ms: int, end_ms: int,
    shares: _Shares, invalid: bool,
) -> None:  # fmt: skip
    c = ledger.c
    outcomes = (_INVALID,) if invalid else (_VALID, _INVALID)
    query = (
        sa.select(c.version, sa.func.sum(c["count"]))
        .where(
            c.minute >= clock.minute(start_ms), c.minute < clock.minute(end_ms),
            c.schema == schema.name, c.outcome.in_(outcomes),
        )
        .group_by(c.version)
    )  # fmt: skip
    for version, number in connection.execute(query):
        shares.counts["version"][f"{schema.name} {version}".strip()] += int(number)


def _tables(schema: RegisteredSchema, invalid: bool) -> list[tuple[str, str]]:
    """Return (table, its column of time): of refused events, or of the latest major's."""
    if invalid:
        return [(schema.invalid_table, "received")]
    return [(schema.versions[schema.latest].table, "dt")]


def _senders(
    connection: sa.Connection, table: str, when: str, wanted: Sequence[str], start_ms: int,
    end_ms: int, shares: _Shares,
) -> None:  # fmt: skip
    """Count clients and hosts; `dt` is the sender's clock, which is near enough to ours."""
    for what in wanted:
        inner = (
            f"SELECT {quoted(what)} AS name FROM {quoted(table)} "
            f"WHERE {quoted(when)} >= :start AND {quoted(when)} < :end LIMIT {_MOST_ROWS}"
        )
        query = f"SELECT name, COUNT(*) FROM ({inner}) AS few GROUP BY name"
        times = {"start": clock.sql_time(start_ms), "end": clock.sql_time(end_ms)}
        rows: Any = connection.execute(sa.text(query), times)
        for name, number in rows:
            shares.counts[what][str(name or "")] += int(number)


def _ms(minute: str) -> int:
    return round(datetime.fromisoformat(f"{minute}+00:00").timestamp() * 1000)
