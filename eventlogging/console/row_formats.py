"""Rows as texts: a JSON object each, or a line of CSV.

JSON gives back exactly what was sent, in `event`. CSV shows the table's columns; a text that a
spreadsheet would run as a formula gets an apostrophe before it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from eventlogging.console.row_pages import Row, Source, by_name, time_text
from eventlogging.schema.codec import compile_decoder
from eventlogging.schema.columns import Kind
from eventlogging.store.dialect import CAPSULE_COLUMNS

Render = Callable[[Row], str]

_TIMES = frozenset({"dt", "received"})
_BOOLEANS = frozenset({"user_agent_is_bot", "sealed"})
_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def event_json(sources: Sequence[Source]) -> Render:
    """Return what makes a valid event's JSON: its capsule, and `event` as it was sent."""
    decoders = {s.number: compile_decoder(s.plan) for s in sources if s.plan is not None}
    size = len(CAPSULE_COLUMNS)

    def render(row: Row) -> str:
        *values, more = row.values
        record = {name: _plain(name, values[at]) for at, (name, _) in enumerate(CAPSULE_COLUMNS)}
        record["event"] = decoders[row.source.number](values[size:], more)
        return _one_line(record)

    return render


def invalid_json(row: Row) -> str:
    """Return an invalid event's JSON: why it was refused, and as much of it as was kept."""
    record = {name: _plain(name, value) for name, value in by_name(row).items()}
    record["errors"] = orjson.loads(record["errors"] or "[]")
    return _one_line(record)


def _one_line(record: dict[str, Any]) -> str:
    """Return JSON on what every reader takes for one line, Unicode's own line ends escaped."""
    return orjson.dumps(record).decode().translate(_LINE_ENDS)


def csv_names(sources: Sequence[Source]) -> list[str]:
    """Return the columns of all tables, those of the first one first."""
    names = [name for source in sources for name in source.names if name != "event_more"]
    more = ["event_more"] if any(source.plan for source in sources) else []
    return [*dict.fromkeys(names), *more]


def csv_line(sources: Sequence[Source]) -> Render:
    """Return what makes a row's line of CSV, in the order of `csv_names`."""
    names = csv_names(sources)
    kinds = {s.number: {c.name: c.kind for c in s.plan.columns} for s in sources if s.plan}

    def render(row: Row) -> str:
        own, values = kinds.get(row.source.number, {}), by_name(row)
        return csv_text([_cell(name, own.get(name), values.get(name)) for name in names])

    return render


def csv_text(cells: Sequence[str]) -> str:
    """Return one line of CSV with its end."""
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _cell(name: str, kind: Kind | None, value: Any) -> str:
    if value is None:
        return ""
    if kind is Kind.DATETIME:
        return _iso(value)
    if kind is Kind.BOOLEAN or name in _BOOLEANS:
        return "true" if value else "false"
    value = _plain(name, value)
    if isinstance(value, str):
        return harmless(value)
    return repr(value)


def harmless(text: str) -> str:
    """Return a text that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _plain(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _TIMES:
        return _iso(value)
    return bool(value) if name in _BOOLEANS else value


def _iso(value: Any) -> str:
    return time_text(value).replace(" ", "T") + "Z"
