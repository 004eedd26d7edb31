"""What a newcomer can copy: a curl line with a schema's own example, a query of its table."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.registry.model import RegisteredSchema, Snapshot
from eventlogging.registry.snapshot import schemas_in_force
from eventlogging.schema.columns import Column, Kind
from eventlogging.store.fixed import schema_example

_MOST_CHARS = 6_000  # of an example on a page
_QUERY_COLUMNS = 6


def curl_line(config: Config, schema: RegisteredSchema, payload: str) -> str:
    """Return the command that sends one event of a schema; `payload` is JSON text."""
    body = {"schema": schema.name, "version": schema.latest, "event": json.loads(payload)}
    lines = [f"curl -sS {shlex.quote(config.url + '/v1/events')}"]
    lines.append("  -H 'Content-Type: application/json'")
    if schema.producers == "token":
        lines.append('  -H "Authorization: Bearer $TOKEN"')
    lines.append(f"  -d {shlex.quote(pretty(body))}")
    return " \\\n".join(lines)


def passing_example(connection: sa.Connection, name: str) -> str | None:
    """Return a passing example of a schema as JSON text, the shortest one."""
    c = schema_example.c
    query = (
        sa.select(c.payload)
        .where(c.schema == name, c.passes.is_(True), sa.func.length(c.payload) <= _MOST_CHARS)
        .order_by(sa.func.length(c.payload), c.name)
        .limit(1)
    )
    return connection.execute(query).scalar()


def first_steps(connection: sa.Connection, config: Config, snapshot: Snapshot) -> str | None:
    """Return a curl line that works at once, with a real example; None where none is registered."""
    known = sorted(schemas_in_force(snapshot), key=lambda s: (s.producers != "public", *_order(s)))
    for schema in known[:50]:
        payload = passing_example(connection, schema.name)
        if payload is not None:
            return curl_line(config, schema, payload)
    return None


def _order(schema: RegisteredSchema) -> tuple[bool, str]:
    """By name; last those whose events a newcomer could not look at afterwards."""
    return schema.readers == "owners", schema.name


def script_lines(
    connection: sa.Connection, config: Config, snapshot: Snapshot, name: str | None = None
) -> str | None:
    """Return two lines of HTML that log an example from a page: of that schema, or of any one.

    None where no example is registered of a schema that pages may send.
    """
    known = sorted(schemas_in_force(snapshot), key=_order)
    open_ = [s for s in known if s.producers == "public" and name in (None, s.name)]
    for schema in open_[:50]:
        payload = passing_example(connection, schema.name)
        if payload is not None:
            text = json.dumps(json.loads(payload), ensure_ascii=False).replace("</", "<\\/")
            return (
                f'<script src="{config.url}/eventlogging.js"></script>\n'
                f'<script>eventLog.log("{schema.name}", {text});</script>'
            )
    return None


def sql_query(table: str, columns: Sequence[Column]) -> str:
    """Return a query of a table's newest rows, ready to be changed."""
    today = date.fromisoformat(clock.day(clock.now_ms()))
    plain = [column.name for column in columns if column.kind not in (Kind.JSON, Kind.TEXT)]
    names = ", ".join(["dt", *(plain or [column.name for column in columns])[:_QUERY_COLUMNS]])
    return (
        f"SELECT {names}\nFROM {table}\n"
        f"WHERE dt >= '{today - timedelta(days=1)}' AND dt < '{today + timedelta(days=1)}'\n"
        "ORDER BY dt DESC\nLIMIT 20;"
    )


def pretty(value: Any) -> str:
    """Return JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)
