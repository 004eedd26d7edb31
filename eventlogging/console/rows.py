"""The data API: a schema's events by date range, for owners and analysts."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, request

from eventlogging.console import access, row_formats, snapshots, who
from eventlogging.console.errors import answer
from eventlogging.console.parts import Parts
from eventlogging.console.row_formats import Render
from eventlogging.console.row_pages import (
    Row,
    Source,
    event_sources,
    invalid_sources,
    read_chunk,
)
from eventlogging.console.row_request import RowRequest, cursor_text, read_request
from eventlogging.event import UNKNOWN
from eventlogging.loader.prepare import UNKNOWN_TABLE
from eventlogging.people.model import Person
from eventlogging.registry import audit
from eventlogging.registry.model import RegisteredSchema

_MOST_CHARS = 16_000_000  # a page ends early rather than grow beyond this
_TYPES = {
    "ndjson": "application/x-ndjson",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
}


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes, answering from these parts."""
    rows = Blueprint("rows", __name__, url_prefix="/v1/data")

    @rows.get("/<path:name>")
    def valid(name: str) -> Response:
        return _answer(parts, name.strip("/"), invalid=False)

    @rows.get("/<path:name>/invalid")
    def invalid(name: str) -> Response:
        return _answer(parts, name.strip("/"), invalid=True)

    return rows


def _answer(parts: Parts, name: str, *, invalid: bool) -> Response:
    schema = None if invalid and name == UNKNOWN else snapshots.find(parts, name)
    refused, person = _refused(parts, schema, invalid=invalid)
    if refused is not None:
        return refused
    sources = _sources(parts, schema, name, invalid=invalid)
    if sources is None:
        text = f"no schema is named {name!r}; GET /v1/schemas lists them"
        return answer(404, "unknown_schema", [text])
    of = f"{name}/invalid" if invalid else name
    asked, problems = read_request(request.args, of)
    if asked is None:
        return answer(400, "bad_parameter", problems)
    render = _render(sources, asked.format, invalid=invalid)
    texts, last = _read(parts, sources, asked, render)
    if person is not None:
        _record(parts, name, person, asked, len(texts), invalid=invalid)
    cursor = cursor_text(of, last.position) if last else None
    return _respond(of, asked, sources, texts, cursor)


def _refused(
    parts: Parts, schema: RegisteredSchema | None, *, invalid: bool
) -> tuple[Response | None, Person | None]:
    """Return the answer to somebody who may not read these events, and who is signed in.

    A token counts before a session.
    """
    person = None if "Authorization" in request.headers else who.current()
    if person is None:
        return access.refusal_to_read(access.holder_of(request, parts), schema), None
    action = "read_refused" if invalid else "read_events"
    if who.allowed(action, schema):
        return None, person
    return answer(403, "forbidden", [who.refusal(action, person, schema)]), person


def _sources(
    parts: Parts, schema: RegisteredSchema | None, name: str, *, invalid: bool
) -> list[Source] | None:
    if invalid and name == UNKNOWN:
        return invalid_sources(parts.database, UNKNOWN_TABLE)
    if schema is None:
        return None
    if invalid:
        return invalid_sources(parts.database, schema.invalid_table)
    return event_sources(parts.database, schema)


def _record(
    parts: Parts, name: str, person: Person, asked: RowRequest, rows: int, *, invalid: bool
) -> None:
    """Keep in the audit that a person read events; before they are shown."""
    window = asked.window
    detail = {"rows": rows, "format": asked.format, "start": window.start, "end": window.end}
    action = "read_refused" if invalid else "read_events"
    with parts.database.write() as connection:
        audit.record(connection, person.email, action, name, detail)


def _render(sources: Sequence[Source], form: str, *, invalid: bool) -> Render:
    if form == "csv":
        return row_formats.csv_line(sources)
    return row_formats.invalid_json if invalid else row_formats.event_json(sources)


def _read(
    parts: Parts, sources: Sequence[Source], asked: RowRequest, render: Render
) -> tuple[list[str], Row | None]:
    """Return the page's rows as texts, and its last row where more follow."""
    texts: list[str] = []
    chars, after = 0, asked.after
    while True:
        chunk = read_chunk(parts.database, sources, asked.window, after, asked.limit - len(texts))
        for at, row in enumerate(chunk.rows, 1):
            texts.append(render(row))
            chars += len(texts[-1])
            if chars >= _MOST_CHARS:
                return texts, row if chunk.more or at < len(chunk.rows) else None
        if not chunk.rows or not chunk.more:
            return texts, None
        after = chunk.rows[-1].position
        if len(texts) >= asked.limit:
            return texts, chunk.rows[-1]


def _respond(
    of: str, asked: RowRequest, sources: Sequence[Source], texts: list[str], cursor: str | None
) -> Response:
    if asked.format == "json":
        following = f'"{cursor}"' if cursor else "null"
        body = f'{{"rows":[{",".join(texts)}],"next":{following}}}\n'
    elif asked.format == "csv":
        body = row_formats.csv_text(row_formats.csv_names(sources)) + "".join(texts)
    else:
        body = "".join(f"{text}\n" for text in texts)
    response = Response(body, content_type=_TYPES[asked.format])
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if asked.format == "csv":
        file = of.replace("/", "_").strip("()")
        response.headers["Content-Disposition"] = f'attachment; filename="{file}.csv"'
    if cursor:
        response.headers["X-Next-Cursor"] = cursor
        query = urlencode({**request.args, "cursor": cursor})
        response.headers["Link"] = f'</v1/data/{quote(of)}?{query}>; rel="next"'
    return response
