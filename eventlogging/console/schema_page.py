"""What a schema's page shows: its day, its settings and versions, its tables, its examples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.console.line_view import LineView, judged, label_count
from eventlogging.console.overview import two_days
from eventlogging.console.parts import Parts
from eventlogging.console.refusals import Refusals, read_refusals
from eventlogging.console.teaching import curl_line, passing_example, pretty, sql_query
from eventlogging.ledger.reading import by_reason
from eventlogging.registry.model import RegisteredSchema
from eventlogging.schema.columns import Column
from eventlogging.schema.walk import tokens_of
from eventlogging.store.database import Database
from eventlogging.store.dialect import CAPSULE_COLUMNS
from eventlogging.store.fixed import schema_example, schema_version

_MOST_COLUMNS = 150
_MOST_VERSIONS = 30
_MOST_EXAMPLES = 20
_EXAMPLE_CHARS = 1_500
_DOCUMENT_CHARS = 20_000
_TEXT_CHARS = 200


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
class ShownColumn:
    """A column, the field it comes from, and what the schema says of that."""

    name: str
    type: str
    field: str
    text: str
    required: bool
    privacy: str | None


@dataclass(frozen=True)
class ShownTable:
    """The table of one major version; `exists` once its first event was stored."""

    name: str
    major: int
    exists: bool
    columns: list[ShownColumn]
    left_out: int
    overflow: tuple[str, ...]
    query: str


@dataclass(frozen=True)
class ShownExample:
    """A registered example; `text` is its JSON, cut where it is long."""

    name: str
    passes: bool
    text: str
    is_cut: bool


@dataclass(frozen=True)
class Place:
    """Where the tables are: what the server is, and how it is found there."""

    server: str
    where: str


@dataclass(frozen=True)
class SchemaPage:
    """All that a schema's page says. `refusals` is None for who may not see events."""

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
    refusals: Refusals | None


def read_schema_page(parts: Parts, schema: RegisteredSchema, *, signed_in: bool) -> SchemaPage:
    """Return a schema's page. Raises StoreUnavailable."""
    with parts.database.read() as connection:
        days = two_days(connection, schema.name)
        reasons = _reasons(connection, schema.name)
        versions = _versions(connection, schema.name)
        tables = _tables(parts.database, connection, schema)
        examples, more = _examples(connection, schema.name)
        example = passing_example(connection, schema.name)
        server = parts.database.dialect.version(connection)
    refusals = read_refusals(parts.database, schema.invalid_table) if signed_in else None
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
        refusals=refusals,
    )


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


def _tables(
    database: Database, connection: sa.Connection, schema: RegisteredSchema
) -> list[ShownTable]:
    newest = {v.version.major: v for v in schema.versions.values()}  # in order of version
    shown = []
    for major in sorted(newest, reverse=True):
        table, plan = newest[major].table, schema.plans[major]
        document = newest[major].document
        columns = [
            _column(database, column, document, schema.privacy)
            for column in plan.columns[:_MOST_COLUMNS]
        ]
        shown.append(
            ShownTable(
                name=table,
                major=major,
                exists=bool(database.dialect.existing_columns(connection, table)),
                columns=columns,
                left_out=len(plan.columns) - len(columns),
                overflow=plan.overflow,
                query=sql_query(table, plan.columns),
            )
        )
    return shown


def _column(
    database: Database, column: Column, document: Mapping[str, Any], privacy: Mapping[str, str]
) -> ShownColumn:
    field, required = _field(document, column.pointer)
    text = str(field.get("description") or field.get("title") or "")
    return ShownColumn(
        name=column.name,
        type=database.dialect.column_type(column),
        field=".".join(tokens_of(column.pointer)),
        text=text if len(text) <= _TEXT_CHARS else text[: _TEXT_CHARS - 1] + "…",
        required=required,
        privacy=privacy.get(column.pointer),
    )


def _field(document: Mapping[str, Any], pointer: str) -> tuple[Mapping[str, Any], bool]:
    """Return what a document says of a declared field, and whether each event must have it."""
    node: Any = document
    required = True
    for token in tokens_of(pointer):
        names = node.get("required")
        required = required and isinstance(names, list) and token in names
        properties = node.get("properties")
        node = properties.get(token) if isinstance(properties, dict) else None
        if not isinstance(node, dict):
            return {}, False
    return node, required


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
