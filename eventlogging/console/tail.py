"""The newest events of a schema, valid, refused and of test keys, as the live page shows them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.console.refusals import problems_of
from eventlogging.console.row_formats import event_json
from eventlogging.console.row_pages import Row, event_sources, time_text
from eventlogging.event import CODES
from eventlogging.registry.model import RegisteredSchema
from eventlogging.store.database import Database
from eventlogging.store.dialect import INVALID_KEY, quoted
from eventlogging.store.fixed import test_event

MOST = 50
ONLY = ("", "refused", "test")
_LOOKED_AT = 200  # of the newest by their own time; among them are the newest to arrive
_AHEAD = 50
_AHEAD_MS = 60_000  # a clock so far ahead stands apart, so that it hides nobody else's events
_VALUE_CHARS = 600


@dataclass(frozen=True)
class Shown:
    """One event: when it was received (ISO), how it was judged, and what was wrong.

    `value` is what it holds, None for who may not see that; `key` names the test key that sent it.
    """

    received: str
    outcome: str  # valid | invalid
    version: str
    code: str
    meaning: str
    problems: list[Mapping[str, str]]
    message: str
    id: str
    sender: str
    value: str | None
    is_cut: bool = False
    key: str | None = None


@dataclass(frozen=True)
class Tail:
    """The newest events, the newest first; `digest` tells whether there is anything new."""

    events: list[Shown]
    digest: str


def read_tail(
    database: Database, schema: RegisteredSchema, only: str, *, events: bool, refused: bool
) -> Tail:
    """Return the newest events, or those of one sort, one of ONLY.

    What they hold is there where the reader may see that. Raises StoreUnavailable.
    """
    shown = _tests(database, schema.name, values=refused)
    if only != "test":
        shown += _invalid(database, schema, values=refused)
    if only == "":
        shown += _valid(database, schema, values=events)
    if only == "refused":
        shown = [one for one in shown if one.outcome == "invalid"]
    shown.sort(key=lambda one: (one.received, one.id), reverse=True)
    newest = shown[:MOST]
    said = json.dumps([(one.received, one.id, one.outcome, one.key) for one in newest])
    return Tail(newest, sha256(said.encode()).hexdigest()[:16])


def _valid(database: Database, schema: RegisteredSchema, *, values: bool) -> list[Shown]:
    """Return valid events: tables are ordered by the events' own time, near that of receipt."""
    sources = [source for source in event_sources(database, schema) if source.present]
    render = event_json(sources)
    soon = clock.sql_time(clock.now_ms() + _AHEAD_MS)
    found = []
    with database.read() as connection:
        for source in sources:
            for sign, most in (("<=", _LOOKED_AT), (">", _AHEAD)):
                query = (
                    f"SELECT {source.selected} FROM {quoted(source.table)} "
                    f"WHERE {quoted('dt')} {sign} :soon "
                    f"ORDER BY {quoted('dt')} DESC, {quoted('id')} DESC LIMIT {most}"
                )
                rows = connection.execute(sa.text(query), {"soon": soon})
                found += [Row(source, row, ()) for row in rows]
    found.sort(key=lambda row: time_text(_value(row, "received")), reverse=True)
    return [_shown_valid(row, render if values else None) for row in found[:MOST]]


def _shown_valid(row: Row, render: Callable[[Row], str] | None) -> Shown:
    value, is_cut = None, False
    if render is not None:
        value, is_cut = _cut(json.dumps(json.loads(render(row))["event"], ensure_ascii=False))
    sender = [_value(row, name) for name in ("host", "client", "user_agent_browser")]
    return Shown(
        received=_iso(_value(row, "received")),
        outcome="valid",
        version=_value(row, "version"),
        code="",
        meaning="",
        problems=[],
        message="",
        id=str(_value(row, "id")),
        sender=" · ".join(text for text in sender if text),
        value=value,
        is_cut=is_cut,
    )


def _invalid(database: Database, schema: RegisteredSchema, *, values: bool) -> list[Shown]:
    table = schema.invalid_table
    names = ("received", "version", "code", "message", "errors", "id", "host", "client",
             "user_agent_browser")  # fmt: skip
    backwards = ", ".join(f"{quoted(name)} DESC" for name in INVALID_KEY)
    query = (
        f"SELECT {', '.join(map(quoted, names))}, SUBSTR(raw, 1, {_VALUE_CHARS + 1}) AS start, "
        f"segment, {quoted('offset')}, {quoted('index')} "
        f"FROM {quoted(table)} ORDER BY {backwards} LIMIT {MOST}"
    )
    with database.read() as connection:
        if not database.dialect.existing_columns(connection, table):
            return []
        rows = connection.execute(sa.text(query)).mappings().all()
    return [_shown_invalid(dict(row), values=values) for row in rows]


def _shown_invalid(row: Mapping[str, Any], *, values: bool) -> Shown:
    value, is_cut = _cut(row["start"] or "") if values else (None, False)
    sender = [row["host"], row["client"], row["user_agent_browser"]]
    return Shown(
        received=_iso(row["received"]),
        outcome="invalid",
        version=row["version"] or "",
        code=row["code"],
        meaning=_meaning(row["code"]),
        problems=problems_of(row["errors"]),
        message=(row["message"] or "")[:_VALUE_CHARS] if values else "",
        id=str(row["id"] or f"{row['segment']}:{row['offset']}:{row['index']}"),
        sender=" · ".join(text for text in sender if text),
        value=value,
        is_cut=is_cut,
    )


def _tests(database: Database, name: str, *, values: bool) -> list[Shown]:
    """Return what test keys sent; it stands outside of every table and sum."""
    query = (
        sa.select(test_event)
        .where(test_event.c.schema == name)
        .order_by(test_event.c.id.desc())
        .limit(MOST)
    )
    with database.read() as connection:
        rows = connection.execute(query).all()
    found = []
    for row in rows:
        value, is_cut = _cut(row.event) if values else (None, False)
        found.append(
            Shown(
                received=row.received,
                outcome=row.outcome,
                version=row.version,
                code=row.code,
                meaning=_meaning(row.code),
                problems=problems_of(row.errors),
                message="",
                id=f"test {row.id:012}",
                sender="",
                value=value,
                is_cut=is_cut,
                key=row.key_name,
            )
        )
    return found


def _value(row: Row, name: str) -> Any:
    return row.values[row.source.names.index(name)]


def _meaning(code: str) -> str:
    return CODES[code][1] if code in CODES else ""


def _cut(text: str) -> tuple[str, bool]:
    return text[:_VALUE_CHARS], len(text) > _VALUE_CHARS


def _iso(value: Any) -> str:
    return time_text(value).replace(" ", "T") + "Z"
