"""What a schema's page shows: its day, its settings and versions, its tables, its examples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.console import charts, who
from eventlogging.console.alert_pages import SchemaAlerts, alerts_of_schema
from eventlogging.console.charts import Chart
from eventlogging.console.line_view import LineView, judged, label_count
from eventlogging.console.overview import two_days
from eventlogging.console.parts import Parts
from eventlogging.console.refusals import Refusals, read_refusals
from eventlogging.console.schema_tables import ShownTable, shown_tables
from eventlogging.console.teaching import curl_line, passing_example, pretty
from eventlogging.ledger.reading import by_reason
from eventlogging.registry.model import RegisteredSchema
from eventlogging.retention import remains
from eventlogging.retention.policy import Policy, look_up_policy
from eventlogging.schema import snippets
from eventlogging.schema.compatibility import Change, compare
from eventlogging.schema.version import Level
from eventlogging.store.dialect import CAPSULE_COLUMNS
from eventlogging.store.fixed import schema_example, schema_version

_MOST_VERSIONS = 30
_MOST_EXAMPLES = 20
_EXAMPLE_CHARS = 1_500
_DOCUMENT_CHARS = 20_000
_CHART_DAYS = 14
_MOST_CHANGES = 100


@dataclass(frozen=True)
class ShownVersion:
    """A published version and what changed with it, in sentences."""

    version: str
    published_at: str
    published_by: str
    revision: int | None
    changes: list[str]
    override: str | None


@dataclass(frozen=True)
class ShownExample:
    """A registered example; `text` is its JSON, cut where it is long."""

    name: str
    passes: bool
    text: str
    is_cut: bool


@dataclass(frozen=True)
class Difference:
    """What changed between two versions: how much, and each change in words."""

    old: str
    new: str
    level: Level
    changes: tuple[Change, ...]
    more: int

    @property
    def verdict(self) -> str:
        """What the change means for who sends and who reads, in words."""
        return {
            Level.NONE: "They say the same.",
            Level.PATCH: "A patch: only words for people changed.",
            Level.MINOR: "A minor change: every event that was valid still is.",
            Level.MAJOR: "A major change: events that were valid may be refused.",
        }[self.level]


@dataclass(frozen=True)
class Place:
    """Where the tables are: what the server is, and how it is found there."""

    server: str
    where: str


@dataclass(frozen=True)
class SchemaPage:
    """All that a schema's page says; `refusals` and `alerts` are None for who may not see them."""

    heading: str
    schema: RegisteredSchema
    days: tuple[LineView, LineView]
    reasons: Mapping[str, int]
    versions: list[ShownVersion]
    older_versions: int
    tables: list[ShownTable]
    place: Place
    capsule: list[str]
    examples: list[ShownExample]
    more_examples: int
    document: str | None
    curl: str | None
    code: Mapping[str, str]  # language → what an instrumenter pastes
    refusals: Refusals | None
    alerts: SchemaAlerts | None
    chart: Chart
    difference: Difference | None
    policy: Policy
    kept: str  # what remains after how many days


def read_schema_page(
    parts: Parts, schema: RegisteredSchema, compared: tuple[str, str] | None = None
) -> SchemaPage:
    """Return a schema's page; `compared` are two of its versions. Raises StoreUnavailable."""
    signed_in = who.current() is not None
    with parts.database.read() as connection:
        days = two_days(connection, schema.name)
        reasons = _reasons(connection, schema.name)
        versions = _versions(connection, schema.name)
        tables = shown_tables(parts.database, connection, schema)
        examples, more = _examples(connection, schema.name)
        example = passing_example(connection, schema.name)
        server = parts.database.dialect.version(connection)
        chart = _chart(connection, schema.name)
        policy = look_up_policy(connection, schema.name)
        alerts = None
        if who.allowed("see_live", schema):
            alerts = alerts_of_schema(connection, schema.name, schema.state)
    refusals = None
    if who.allowed("see_live", schema):
        values = who.allowed("read_refused", schema)
        refusals = read_refusals(parts.database, schema.invalid_table, values=values)
    document = pretty(dict(schema.versions[schema.latest].document))
    return SchemaPage(
        heading=_heading(schema.name, days),
        schema=schema,
        days=days,
        reasons=reasons,
        versions=versions[:_MOST_VERSIONS],
        older_versions=max(0, len(versions) - _MOST_VERSIONS),
        tables=tables,
        place=Place(server, _where(parts, exact=signed_in)),
        capsule=[name for name, _ in CAPSULE_COLUMNS],
        examples=examples,
        more_examples=more,
        document=document if len(document) <= _DOCUMENT_CHARS else None,
        curl=curl_line(parts.config, schema, example) if example else None,
        code=_code(parts, schema, json.loads(example)) if example else {},
        refusals=refusals,
        alerts=alerts,
        chart=chart,
        difference=_difference(schema, *compared) if compared else None,
        policy=policy,
        kept=remains.in_a_line(policy, remains.leaves(schema)),
    )


def _code(parts: Parts, schema: RegisteredSchema, event: Mapping[str, Any]) -> dict[str, str]:
    about = (parts.config.url, schema.name, schema.latest, event)
    # A token has no place in a browser.
    scripts = {"JavaScript": snippets.javascript(*about)} if schema.producers == "public" else {}
    return scripts | {"Python": snippets.python(*about)}


def _chart(connection: sa.Connection, name: str) -> Chart:
    """Return the last 14 days by outcome, with changes of sampling and new versions as marks."""
    now = clock.now_ms()
    title = f"Events per day by outcome, {_CHART_DAYS} days until today"
    chart = charts.read_volume(connection, "day", now, _CHART_DAYS, schema=name, title=title)
    marks = charts.read_marks(connection, name, chart.bars[0].start * 1000)
    return replace(chart, marks=marks)


def _difference(schema: RegisteredSchema, old: str, new: str) -> Difference:
    found = compare(schema.versions[old].document, schema.versions[new].document)
    more = max(0, len(found.changes) - _MOST_CHANGES)
    return Difference(old, new, found.level, found.changes[:_MOST_CHANGES], more)


def _heading(name: str, days: tuple[LineView, LineView]) -> str:
    for day in days:
        if day.line.residual:
            words = label_count(abs(day.line.residual), "event", "events")
            return f"{name} has {words} unexplained {day.label}"
    for day in days:
        if judged(day.line):
            return f"{name} {'is' if day is days[0] else 'was'} {day.verdict} {day.label}"
        if day.line.sent:
            return f"{name}: {label_count(day.line.sent, 'event', 'events')} sent {day.label}"
    return f"{name} has no events today or yesterday"


def _reasons(connection: sa.Connection, name: str) -> Mapping[str, int]:
    yesterday = clock.day(clock.now_ms() - clock.DAY_MS)
    return by_reason(connection, start=yesterday, schema=name).get(name, {})


def _versions(connection: sa.Connection, name: str) -> list[ShownVersion]:
    v = schema_version.c
    query = (
        sa.select(
            *(v.major, v.minor, v.patch, v.published_at, v.published_by, v.revision),
            *(v.changes, v.override_reason),
        )
        .where(v.schema == name)
        .order_by(v.major.desc(), v.minor.desc(), v.patch.desc())
    )
    return [
        ShownVersion(
            f"{row.major}.{row.minor}.{row.patch}", row.published_at, row.published_by,
            row.revision, [str(change) for change in json.loads(row.changes)], row.override_reason,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def _examples(connection: sa.Connection, name: str) -> tuple[list[ShownExample], int]:
    c = schema_example.c
    start = sa.func.substr(c.payload, 1, _EXAMPLE_CHARS + 1)
    query = sa.select(c.name, c.passes, start).where(c.schema == name)
    rows = connection.execute(query.order_by(c.passes.desc(), c.name)).all()
    shown = []
    for example, passes, text in rows[:_MOST_EXAMPLES]:
        is_cut = len(text) > _EXAMPLE_CHARS
        shown.append(
            ShownExample(
                example, bool(passes), text[:_EXAMPLE_CHARS] if is_cut else _pretty(text), is_cut
            )
        )
    return shown, max(0, len(rows) - _MOST_EXAMPLES)


def _pretty(text: str) -> str:
    return pretty(json.loads(text))


def _where(parts: Parts, *, exact: bool) -> str:
    """Return how the database is found; its host or whole path is for who is signed in."""
    url = sa.engine.make_url(parts.database.url)
    name = url.database or ""
    if url.host is not None:
        server = f" on {url.host}" + (f":{url.port}" if url.port else "")
        return f"database {name}{server if exact else ''}"
    return f"file {Path(name).resolve() if exact else Path(name).name}"
