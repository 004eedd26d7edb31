"""What the overview shows: the line of truth of two days, each schema's, what needs attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.console import charts, who
from eventlogging.console.attention import Concern, for_person
from eventlogging.console.charts import Chart
from eventlogging.console.line_view import LineView, judged, label_count, share_text
from eventlogging.console.parts import Parts
from eventlogging.console.teaching import first_steps
from eventlogging.event import UNKNOWN
from eventlogging.ledger.lag import ParkedTable, read_lag, read_parked
from eventlogging.ledger.reading import LineOfTruth, lines_of_truth, total
from eventlogging.ledger.sentence import grouped
from eventlogging.registry.model import Snapshot
from eventlogging.store.fixed import event_schema, ledger

SORTS = {
    "schema": "Schema", "sent": "Sent", "valid": "Valid", "invalid": "Invalid",
    "duplicate": "Duplicates", "sampled_out": "Sampled out", "suppressed": "Suppressed",
    "pending": "Pending", "residual": "Unexplained",
}  # fmt: skip
_ALWAYS = frozenset({"schema", "sent", "valid", "invalid", "residual"})
_MOST_ROWS = 100
_MOST_CONCERNS = 20
_INVALID_PERCENT, _INVALID_LEAST = 5, 20  # from when on a share of invalid events is worth a word
_LAG_SECONDS = 300
_NEW_DAYS, _MOST_NEW = 14, 8
BARS = {"hour": 24, "day": 14}


@dataclass(frozen=True)
class NewSchema:
    """A schema that was published a short while ago; `since` is ISO time."""

    name: str
    title: str
    since: str


@dataclass(frozen=True)
class Overview:
    """All that the overview says. `days` are the chosen day's line and that of the day before."""

    heading: str
    day: str
    before: str
    after: str | None
    days: tuple[LineView, LineView]
    columns: dict[str, str]
    rows: list[LineOfTruth]
    left_out: int
    concerns: list[Concern]
    more_concerns: int
    curl: str | None  # set where no event ever came
    chart: Chart
    new_schemas: list[NewSchema]


def read_overview(
    parts: Parts, snapshot: Snapshot, day: str | None, sort: str, step: str = "hour"
) -> Overview:
    """Return the overview of a day, None for today; `step` is of the chart, one of BARS.

    Raises StoreUnavailable.
    """
    person = who.current()
    today = clock.day(clock.now_ms())
    chosen = day or today
    before = _shifted(chosen, -1)
    with parts.database.read() as connection:
        lines = lines_of_truth(connection, start=chosen, end=_shifted(chosen, 1))
        old_lines = lines_of_truth(connection, start=before, end=chosen)
        curl = None
        if not lines and not old_lines and _is_empty(connection):
            curl = first_steps(connection, parts.config, snapshot)
        waiting = read_parked(connection)
        lag = _lag_concern(parts, connection)
        chart = _chart(connection, step, chosen if day else None)
        waits = for_person(connection, person)
        new_schemas = _new_schemas(connection, snapshot)
    signed_in = person is not None
    days = (
        LineView(_label(chosen, today), chosen, total(lines)),
        LineView(_label(before, today), before, total(old_lines)),
    )
    concerns = [
        *(_unexplained(days[0].label, lines)),
        *(_unexplained(days[1].label, old_lines)),
        *(_parked(table, signed_in=signed_in) for table in waiting),
        *lag,
        *waits,
        *(_invalid(days[0].label, lines)),
        *(_invalid(days[1].label, _not_seen_again(old_lines, lines))),
    ]
    rows = _sorted(lines, sort)
    return Overview(
        heading=_heading(days, [*lines, *old_lines]),
        day=chosen,
        before=before,
        after=_shifted(chosen, 1) if chosen < today else None,
        days=days,
        columns=_columns(rows, sort),
        rows=rows[:_MOST_ROWS],
        left_out=max(0, len(rows) - _MOST_ROWS),
        concerns=concerns[:_MOST_CONCERNS],
        more_concerns=max(0, len(concerns) - _MOST_CONCERNS),
        curl=curl,
        chart=chart,
        new_schemas=new_schemas,
    )


def two_days(connection: sa.Connection, schema: str) -> tuple[LineView, LineView]:
    """Return one schema's lines of today and yesterday."""
    today = clock.day(clock.now_ms())
    before = _shifted(today, -1)
    lines = lines_of_truth(connection, start=today, end=_shifted(today, 1), schema=schema)
    old_lines = lines_of_truth(connection, start=before, end=today, schema=schema)
    return (
        LineView("today", today, total(lines)),
        LineView("yesterday", before, total(old_lines)),
    )


def _chart(connection: sa.Connection, step: str, day: str | None) -> Chart:
    """Return what was found valid or invalid: of a whole day, or up to this moment."""
    now = clock.now_ms()
    last = charts.start_of(day) * 1000 + clock.DAY_MS - 1 if day else now
    if step == "day":
        title = f"Valid and invalid per day, 14 days until {day or 'today'}"
    else:
        title = f"Valid and invalid per hour, {day or 'last 24 hours'}"
    return charts.read_volume(
        connection, step, last, BARS[step], kinds=charts.JUDGED, title=title
    )  # fmt: skip


def _new_schemas(connection: sa.Connection, snapshot: Snapshot) -> list[NewSchema]:
    c = event_schema.c
    since = clock.iso(clock.now_ms() - _NEW_DAYS * clock.DAY_MS)
    query = (
        sa.select(c.name, c.title, c.created_at)
        .where(c.created_at >= since)
        .order_by(c.created_at.desc(), c.name)
        .limit(_MOST_NEW)
    )
    return [NewSchema(*row) for row in connection.execute(query) if row.name in snapshot.schemas]


def _is_empty(connection: sa.Connection) -> bool:
    return connection.execute(sa.select(ledger.c.minute).limit(1)).first() is None


def _shifted(day: str, by: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=by)).isoformat()


def _label(day: str, today: str) -> str:
    return {today: "today", _shifted(today, -1): "yesterday"}.get(day, f"on {day}")


def _sorted(lines: Sequence[LineOfTruth], sort: str) -> list[LineOfTruth]:
    if sort == "schema":
        return sorted(lines, key=lambda line: line.schema)
    return sorted(lines, key=lambda line: (-abs(getattr(line, sort)), line.schema))


def _columns(lines: Sequence[LineOfTruth], sort: str) -> dict[str, str]:
    """Return the table's columns: outcomes that no event had are left out."""
    return {
        key: word
        for key, word in SORTS.items()
        if key in _ALWAYS or key == sort or any(getattr(line, key) for line in lines)
    }


def _heading(days: tuple[LineView, LineView], lines: Sequence[LineOfTruth]) -> str:
    new, old = days
    # By schema, for what one has too many must not hide what another lacks.
    if residual := sum(abs(line.residual) for line in lines):
        return f"{label_count(residual, 'event is', 'events are')} unexplained"
    if new.line.sent:
        sent = f"{label_count(new.line.sent, 'event', 'events')} sent {new.label}"
        return f"{sent}, {new.verdict}, 0 unexplained" if judged(new.line) else sent
    if old.line.sent:
        return f"No event {new.label}; {grouped(old.line.sent)} {old.label}"
    return f"No event {new.label} or {old.label}"


def _unexplained(label: str, lines: Sequence[LineOfTruth]) -> list[Concern]:
    return [
        Concern(
            "unexplained",
            _residual(line, label),
            "Run: eventlogging ledger --prove. It counts every table against its book.",
            line.schema,
        )
        for line in lines
        if line.residual
    ]


def _residual(line: LineOfTruth, label: str) -> str:
    if line.residual < 0:
        more = label_count(-line.residual, "event has", "events have")
        return f"{more} an outcome {label} and were never counted as sent."
    words = f"{label_count(line.residual, 'event', 'events')} of {grouped(line.sent)} sent {label}"
    return f"{words} {'is' if line.residual == 1 else 'are'} unexplained."


def _parked(table: ParkedTable, *, signed_in: bool) -> Concern:
    why = f" Last reason: {table.reason}" if signed_in else ""
    return Concern(
        "pending",
        f"{label_count(table.lines, 'event waits', 'events wait')} for the table {table.table} "
        f"since {table.since[:16].replace('T', ' ')} UTC.",
        f"Nothing is lost; they are tried again by themselves.{why}",
    )


def _invalid(label: str, lines: Sequence[LineOfTruth]) -> list[Concern]:
    return [
        Concern(
            "invalid",
            f"{share_text(line.invalid, judged(line))} invalid {label}: {grouped(line.invalid)} "
            f"of {grouped(judged(line))} events were refused.",
            _advice(line.schema),
            line.schema,
        )
        for line in lines
        if judged(line) >= _INVALID_LEAST and line.invalid * 100 > judged(line) * _INVALID_PERCENT
    ]


def _not_seen_again(
    old_lines: Sequence[LineOfTruth], lines: Sequence[LineOfTruth]
) -> list[LineOfTruth]:
    """Return yesterday's lines of schemas of which today is too young to tell."""
    told = {line.schema for line in lines if judged(line) >= _INVALID_LEAST}
    return [line for line in old_lines if line.schema not in told]


def _advice(schema: str) -> str:
    if schema == UNKNOWN:
        return "These name no registered schema: register it, or correct the name in the client."
    return "Its page shows the reasons, each with a sample."


def _lag_concern(parts: Parts, connection: sa.Connection) -> list[Concern]:
    try:
        lag = read_lag(connection, parts.config.var / "log")
    except OSError:
        return []  # the log lies elsewhere, or cannot be read from here: the loader says so
    if lag.age_seconds is None or lag.age_seconds < _LAG_SECONDS:
        return []
    age = label_count(int(lag.age_seconds // 60), "minute", "minutes")
    return [
        Concern(
            "pending",
            f"Events wait on disk to be loaded, the oldest for {age}.",
            "Nothing is lost. Is the loader running, and does the database answer?",
        )
    ]
