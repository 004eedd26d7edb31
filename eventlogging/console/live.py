"""The live tail of a schema: its newest events as they are loaded, valid ones and refused ones."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, abort, render_template, request

from eventlogging.console import who
from eventlogging.console.parts import Parts
from eventlogging.console.schema_address import page_of_namesake, schema_or_404
from eventlogging.console.tail import ONLY, read_tail
from eventlogging.console.teaching import curl_line, passing_example


def register(app: Flask, parts: Parts) -> None:
    """Add the page to the app."""
    pages = Blueprint("live", __name__)

    @pages.get("/schemas/<path:name>/live")
    def show(name: str) -> Any:
        return page_of_namesake(parts, name, "live") or _show(parts, name)

    app.register_blueprint(pages)


def _show(parts: Parts, name: str) -> Any:
    schema = schema_or_404(parts, name)
    who.require("see_live", schema)
    only = request.args.get("only", "")
    if only not in ONLY:
        abort(400, f"only is one of {', '.join(filter(None, ONLY))}; leave it out to see all.")
    tail = read_tail(
        parts.database,
        schema,
        only,
        events=who.allowed("read_events", schema),
        refused=who.allowed("read_refused", schema),
    )
    if request.args.get("seen") == tail.digest:
        return "", 204  # htmx leaves the page as it is, and asks again
    if "seen" in request.args:
        return render_template(
            "live_events.html", schema=schema, tail=tail, is_live=True, only=only
        )
    curl = None
    if not tail.events and not only:
        with parts.database.read() as connection:
            example = passing_example(connection, schema.name)
        curl = curl_line(parts.config, schema, example) if example else None
    return render_template(
        "live.html", schema=schema, tail=tail, is_live="pause" not in request.args, curl=curl,
        only=only,
    )  # fmt: skip
