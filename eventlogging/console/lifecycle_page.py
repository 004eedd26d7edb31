"""Deprecate, retire or revive a schema: a form on its page, and what was made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Flask, abort, redirect, render_template, request

from eventlogging import clock
from eventlogging.console import sign_in, who
from eventlogging.console.parts import Parts
from eventlogging.console.schema_address import page_of_namesake, schema_or_404
from eventlogging.errors import StoreUnavailable
from eventlogging.ledger.reading import lines_of_truth, total
from eventlogging.registry.model import RegisteredSchema
from eventlogging.review import lifecycle
from eventlogging.review.lifecycle import Moved

_DAYS = 7
_MOVES: Mapping[str, Callable[..., Moved]] = {
    "deprecate": lifecycle.deprecate,
    "retire": lifecycle.retire,
    "revive": lifecycle.revive,
}
_FROM = {"published": ("deprecate", "retire"), "deprecated": ("retire", "revive"),
         "retired": ("revive",)}  # fmt: skip


def register(app: Flask, parts: Parts) -> None:
    """Add the page to the app."""
    pages = Blueprint("lifecycle", __name__)

    @pages.get("/schemas/<path:name>/state")
    def show(name: str) -> Any:
        namesake = page_of_namesake(parts, name, "state")
        return namesake or _page(parts, _schema(parts, name))

    @pages.post("/schemas/<path:name>/state")
    def move(name: str) -> Any:
        return _move(parts, _schema(parts, name))

    app.register_blueprint(pages)


def _schema(parts: Parts, name: str) -> RegisteredSchema:
    schema = schema_or_404(parts, name)
    who.require("change_settings", schema)
    return schema


def _move(parts: Parts, schema: RegisteredSchema) -> Any:
    sign_in.check_csrf()
    person = who.require("change_settings", schema)
    wanted, reason = request.form.get("move", ""), request.form.get("reason", "")
    if wanted not in _MOVES:
        abort(400, f"move is one of {', '.join(_MOVES)}.")
    moved = _MOVES[wanted](
        parts.database, schema.name, person.email, reason, base_url=parts.config.url
    )
    if not moved.done:
        return _page(parts, schema, moved.problems, wanted, reason), 400
    with suppress(StoreUnavailable):  # what is written is written; the next look will see it
        parts.registry.refresh()
    return redirect(f"/schemas/{quote(schema.name)}", 303)


def _page(
    parts: Parts,
    schema: RegisteredSchema,
    problems: tuple[str, ...] = (),
    wanted: str = "",
    reason: str = "",
) -> str:
    since = clock.day(clock.now_ms() - (_DAYS - 1) * clock.DAY_MS)
    with parts.database.read() as connection:
        line = total(lines_of_truth(connection, start=since, schema=schema.name))
    return render_template(
        "lifecycle.html", schema=schema, moves=_FROM[schema.state], problems=problems,
        wanted=wanted or _FROM[schema.state][0], reason=reason[:2000], valid=line.valid,
    )  # fmt: skip
