"""The API of aggregates: counts by day, week or month that outlive the events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from flask import Blueprint, Flask, Response, request

from eventlogging.console import snapshots
from eventlogging.console.aggregate_request import AggregateRequest, read_by, read_request
from eventlogging.console.errors import answer
from eventlogging.console.parts import Parts
from eventlogging.console.row_formats import csv_text, harmless
from eventlogging.retention.aggregates import read
from eventlogging.retention.aggregates.measures import RANKS
from eventlogging.retention.aggregates.read import OTHER, Figures, Shown, TooMuch
from eventlogging.retention.policy import Aggregate, look_up_policy

_TYPES = {
    "ndjson": "application/x-ndjson",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
}


def register(app: Flask, parts: Parts) -> None:
    """Add the route to the app."""
    api = Blueprint("aggregates", __name__, url_prefix="/v1/aggregates")

    @api.get("/<path:name>")
    def show(name: str) -> Response:
        return _answer(parts, name.strip("/"))

    app.register_blueprint(api)


def _answer(parts: Parts, name: str) -> Response:
    schema = snapshots.find(parts, name)
    if schema is None:
        text = f"no schema is named {name!r}; GET /v1/schemas lists them"
        return answer(404, "unknown_schema", [text])
    with parts.database.read() as connection:
        declared = look_up_policy(connection, name).aggregates
    wanted = request.args.get("aggregate", "")
    aggregate, problem = choose(declared, wanted)
    asked, problems = read_request(request.args)
    by = None
    if aggregate is not None:
        by, wrong = read_by(request.args.get("by", ""), aggregate)
        problems += [wrong] if wrong else []
    if aggregate is None and (wanted or not declared):
        return answer(404, "unknown_aggregate", [problem])
    if aggregate is None or asked is None or problems:
        return answer(400, "bad_parameter", [*([problem] if problem else []), *problems])
    try:
        with parts.database.read() as connection:
            figures = read.cells(
                connection, name, aggregate, asked.start, asked.end, asked.per, by=by
            )
    except TooMuch as error:
        return answer(400, "bad_parameter", [str(error)])
    return _respond(name, aggregate, asked, figures, by)


def choose(declared: tuple[Aggregate, ...], wanted: str) -> tuple[Aggregate | None, str]:
    """Return the aggregate of a name, the only one where none is given; else why there is none."""
    if not declared:
        return None, "this schema declares no aggregate; see purge/README.md for how it would"
    names = ", ".join(one.name for one in declared)
    if not wanted:
        one = declared[0] if len(declared) == 1 else None
        return one, "" if one else f"say which aggregate you mean: one of {names}"
    found = next((one for one in declared if one.name == wanted), None)
    return found, "" if found else f"no aggregate is named {wanted[:64]!r}; there are {names}"


def _respond(
    name: str,
    aggregate: Aggregate,
    asked: AggregateRequest,
    figures: Figures,
    by: tuple[str, ...] | None,
) -> Response:
    if asked.format == "json":
        body = _json(name, aggregate, figures)
    elif asked.format == "csv":
        body = b"".join(csv_text(line).encode() for line in _lines(aggregate, figures, by))
    else:
        body = b"".join(orjson.dumps(cell.as_dict()) + b"\n" for cell in figures.cells)
    response = Response(body, content_type=_TYPES[asked.format])
    response.headers["Access-Control-Allow-Origin"] = "*"
    if asked.format != "json":
        response.headers["X-Suppressed-Cells"] = str(figures.suppressed.cells)
        response.headers["X-Suppressed-Events"] = str(figures.suppressed.events)
    if asked.format == "csv":
        file = f"{name}_{aggregate.name}".replace("/", "_")
        response.headers["Content-Disposition"] = f'attachment; filename="{file}.csv"'
    return response


def _json(name: str, aggregate: Aggregate, figures: Figures) -> bytes:
    suppressed = figures.suppressed
    return (
        orjson.dumps(
            {
                "schema": name,
                "aggregate": aggregate.name,
                "per": figures.per,
                "start": figures.start,
                "end": figures.end,
                "min_cell": aggregate.min_cell,
                "cells": [cell.as_dict() for cell in figures.cells],
                "suppressed": {"cells": suppressed.cells, "events": suppressed.events},
                "note": figures.note,
                "days": {"computed": figures.days, "final": figures.final},
                "periods": dict(figures.periods),
                "computed_at": figures.computed_at,
            }
        )
        + b"\n"
    )


def _lines(
    aggregate: Aggregate, figures: Figures, by: tuple[str, ...] | None
) -> Iterator[list[str]]:
    """Yield the lines of CSV, the first with the names of the columns."""
    asked_by = map(read.label, (*aggregate.capsule, *aggregate.fields)) if by is None else by
    names = dict.fromkeys(asked_by)
    for cell in figures.cells:  # days of an earlier definition may be counted by something else
        names.update(dict.fromkeys(cell.by or ()))
    sums, quantiles, distinct = (
        [read.label(pointer) for pointer in pointers]
        for pointers in (aggregate.sum, aggregate.quantiles, aggregate.distinct)
    )
    headings = [
        *("period", *names, "events", "count"),
        *(f"{name}.{what}" for name in sums for what in ("sum", "count", "events")),
        *(f"{n}.{what}" for n in quantiles for what in (*RANKS, "rank_error", "count", "events")),
        *(f"{name}.{what}" for name in distinct for what in ("distinct", "low", "high")),
    ]
    yield [harmless(heading) for heading in headings]
    for cell in figures.cells:
        yield [_text(value) for value in _values(cell, list(names), sums, quantiles, distinct)]


def _values(
    cell: Shown, names: list[str], sums: list[str], quantiles: list[str], distinct: list[str]
) -> Iterator[Any]:
    yield cell.period
    for name in names:
        yield OTHER if cell.by is None else cell.by.get(name)
    yield cell.events
    yield cell.count
    for name in sums:
        total = cell.sums.get(name) or {}
        yield from (total.get(what) for what in ("total", "count", "events"))
    for name in quantiles:
        spread = cell.quantiles.get(name) or {}
        yield from (spread.get(what) for what in (*RANKS, "rank_error", "count", "events"))
    for name in distinct:
        found = cell.distinct.get(name)
        yield from (found.estimate, found.low, found.high) if found else (None, None, None)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return harmless(value) if isinstance(value, str) else repr(value)
