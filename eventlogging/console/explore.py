"""Explore a schema's events: filter by day and field, a chart of counts, the rows, a download."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Flask, Response, abort, render_template, request

from eventlogging import clock
from eventlogging.console import charts, row_formats, snapshots, who
from eventlogging.console.charts import Bar, Chart
from eventlogging.console.explore_filter import (
    OPERATORS,
    Asked,
    columns_of,
    operators_of,
    read_filter,
)
from eventlogging.console.explore_query import Found, Position, look, stream
from eventlogging.console.parts import Parts
from eventlogging.console.row_pages import Row, Source, event_sources, time_text
from eventlogging.console.teaching import curl_line, passing_example
from eventlogging.ledger.reading import lines_of_truth
from eventlogging.registry import audit
from eventlogging.registry.model import RegisteredSchema
from eventlogging.schema.columns import ColumnPlan, Kind

_ROWS = 100
_FIRST_COLUMNS = 8
_CELL_CHARS = 80
_HOURLY_DAYS = 2
MOST_DOWNLOADED = 100_000
_TYPES = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}


@dataclass(frozen=True)
class Cell:
    """A value as the table shows it; `is_number` ones stand at the right."""

    text: str
    is_number: bool = False


@dataclass(frozen=True)
class View:
    """All that the page says."""

    asked: Asked
    problems: Mapping[str, str]
    source: Source
    kinds: Mapping[str, Kind]
    shown: Sequence[str]
    left_out: int
    rows: Sequence[Sequence[Cell]]
    found: Found
    chart: Chart | None
    sql: str
    following: str | None


def register(app: Flask, parts: Parts) -> None:
    """Add the pages to the app."""
    pages = Blueprint("explore", __name__)

    @pages.get("/explore")
    def choose() -> str:
        return _choose(parts)

    @pages.get("/explore/<path:name>")
    def show(name: str) -> Response | str:
        return _show(parts, name.strip("/"))

    app.register_blueprint(pages)


def _choose(parts: Parts) -> str:
    who.require("see_live")
    snapshot = snapshots.newest(parts)
    schemas = [s for s in snapshot.schemas.values() if who.allowed("read_events", s)]
    week_ago = clock.day(clock.now_ms() - 6 * clock.DAY_MS)
    with parts.database.read() as connection:
        valid = {line.schema: line.valid for line in lines_of_truth(connection, start=week_ago)}
    schemas.sort(key=lambda schema: (-valid.get(schema.name, 0), schema.name))
    return render_template("explore_list.html", schemas=schemas, valid=valid)


def _show(parts: Parts, name: str) -> Response | str:
    schema = snapshots.find(parts, name)
    if schema is None:
        who.require("see_live")
        abort(404, f"No schema is named {name!r}. Explore lists those whose events you may read.")
    person = who.require("read_events", schema)
    source = _source(parts, schema)
    plan = source.plan or ColumnPlan(())
    kinds = {n: k for n, k in columns_of(plan).items() if n in source.present or not source.present}
    asked, problems = read_filter(request.args, kinds)
    form = request.args.get("download", "")
    if form and form not in _TYPES:
        abort(400, f"download is one of {', '.join(_TYPES)}.")
    detail = {"table": source.table, **asked.detail()} | ({"download": form} if form else {})
    with parts.database.write() as connection:
        audit.record(connection, person.email, "read", schema.name, detail)
    if form:
        if problems:
            abort(400, " ".join(problems.values()))
        return _download(parts, source, asked, form)
    after = _position(request.args.get("after", ""))
    view = _view(parts, source, kinds, asked, problems, after)
    curl = None
    if not view.rows and not view.asked.where:
        with parts.database.read() as connection:
            example = passing_example(connection, schema.name)
        curl = curl_line(parts.config, schema, example) if example else None
    return render_template(
        "explore.html", schema=schema, view=view, operators=OPERATORS, after=after, curl=curl,
        value=request.args.get("value", "")[:500], majors=sorted(schema.plans, reverse=True),
        operator=request.args.get("is", "eq"), field=request.args.get("field", "")[:100],
        operators_of=operators_of, link=_link, most=MOST_DOWNLOADED, all="all" in request.args,
    )  # fmt: skip


def _source(parts: Parts, schema: RegisteredSchema) -> Source:
    """Return the table that the address asks for; the newest major's where it names none."""
    sources = {source.number: source for source in event_sources(parts.database, schema)}
    wanted = request.args.get("major") or str(max(sources))
    found = sources.get(int(wanted)) if wanted.isdecimal() and len(wanted) < 10 else None
    if found is None:
        abort(400, f"major is one of {', '.join(map(str, sources))}.")
    return found


def _view(
    parts: Parts,
    source: Source,
    kinds: Mapping[str, Kind],
    asked: Asked,
    problems: Mapping[str, str],
    after: Position | None,
) -> View:
    hourly = asked.days <= _HOURLY_DAYS
    step = "hour" if hourly else "day"
    found = Found()
    if source.present and not problems:
        chars = charts.STEPS[step][1]
        found = look(parts.database, source, asked, most=_ROWS, step_chars=chars, after=after)
    payload = [column.name for column in source.plan.columns] if source.plan else []
    names = [name for name in source.names if name != "event_more"]
    if "all" not in request.args:
        picked = [name for name in payload if kinds.get(name) is not Kind.JSON] or payload
        names = ["dt", *picked[:_FIRST_COLUMNS]]
        if asked.where is not None and asked.where.column not in names:
            names.insert(1, asked.where.column)
    following = None
    if found.next is not None:
        following = _link(after=_position_text(found.next))
    return View(
        asked=asked,
        problems=problems,
        source=source,
        kinds=kinds,
        shown=names,
        left_out=len(source.names) - 1 - len(names),
        rows=[_cells(row, names, kinds) for row in found.rows],
        found=found,
        chart=_chart(asked, found, step) if after is None and found.total else None,
        sql=_sql(source, asked, names),
        following=following,
    )


def _cells(row: Row, names: Sequence[str], kinds: Mapping[str, Kind]) -> list[Cell]:
    places = {name: at for at, name in enumerate(row.source.names)}
    return [_cell(row.values[places[name]], kinds.get(name)) for name in names]


def _cell(value: Any, kind: Kind | None) -> Cell:
    if value is None:
        return Cell("")
    if kind is Kind.DATETIME:
        return Cell(time_text(value))
    if kind is Kind.BOOLEAN:
        return Cell("true" if value else "false")
    text = str(value)
    if len(text) > _CELL_CHARS:
        text = f"{text[: _CELL_CHARS - 1]}…"
    return Cell(text, kind in (Kind.BIGINT, Kind.DOUBLE))


def _chart(asked: Asked, found: Found, step: str) -> Chart:
    chars = charts.STEPS[step][1]
    seen_from = (found.looked_back_to or "")[:chars]
    first, days = date.fromisoformat(asked.start), asked.days
    names = [(first + timedelta(days=back)).isoformat() for back in range(days)]
    if step == "hour":
        names = [f"{name} {hour:02}" for name in names for hour in range(24)]
    bars = [
        Bar(charts.start_of(name), charts.text_of(name), (found.counts[name],), _zoom(name, step))
        for name in names
        if name >= seen_from
    ]
    title = f"What the filter finds, by {step} of dt"
    return replace(Chart(title, step, ("count",), bars))


def _zoom(name: str, step: str) -> str | None:
    """Return the address of one day of the chart."""
    return _link(start=name, end=name) if step == "day" else None


def _link(**changed: str) -> str:
    """Return this page's address with some of it changed; paging begins anew."""
    kept = ("start", "end", "field", "is", "value", "major", "all")
    values = {name: request.args[name] for name in kept if request.args.get(name)} | changed
    return f"{quote(request.path)}?{urlencode({k: v for k, v in values.items() if v})}"


def _sql(source: Source, asked: Asked, names: Sequence[str]) -> str:
    where = [f"dt >= '{asked.start}'", f"dt < '{asked.until}'"]
    if asked.where is not None:
        where.append(asked.where.sql)
    return (
        f"SELECT {', '.join(names)}\nFROM {source.table}\nWHERE {' AND '.join(where)}\n"
        f"ORDER BY dt DESC, id DESC\nLIMIT {_ROWS};"
    )


def _download(parts: Parts, source: Source, asked: Asked, form: str) -> Response:
    render = row_formats.csv_line([source]) if form == "csv" else row_formats.event_json([source])

    def texts() -> Iterator[str]:
        if form == "csv":
            yield row_formats.csv_text(row_formats.csv_names([source]))
        if source.present:
            end = "" if form == "csv" else "\n"
            for row in stream(parts.database, source, asked, MOST_DOWNLOADED):
                yield render(row) + end

    response = Response(texts(), content_type=_TYPES[form])
    name = f"{source.table}-{asked.start}-{asked.end}.{form}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _position_text(position: Position) -> str:
    content = json.dumps([time_text(position[0]), str(position[1])])
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def _position(text: str) -> Position | None:
    if not text:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        content = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        moment, key = content
        if isinstance(moment, str) and isinstance(key, str) and len(moment) == 23 and len(key) < 99:
            charts.start_of(moment[:10])
            return moment, key
    except (ValueError, TypeError, RecursionError):
        pass
    abort(400, "after is what the link to the next page says; leave it out to begin anew.")
