"""The public page on retention: the promise, what is kept how long, the proof; holds for admins."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, Response, abort, jsonify, redirect, render_template, request

from eventlogging.console import retention_view, sign_in, snapshots, who
from eventlogging.console.parts import Parts
from eventlogging.receipts import chain
from eventlogging.retention import holds, words


def register(app: Flask, parts: Parts) -> None:
    """Add the page, its JSON and the form of holds to the app."""
    pages = Blueprint("retention", __name__)

    @pages.get("/retention")
    def show() -> str:
        return _page(parts)

    @pages.get("/v1/retention")
    def as_json() -> Response:
        return _json(parts)

    @pages.post("/retention/holds")
    def change() -> Any:
        return _change(parts)

    app.register_blueprint(pages)


def _page(parts: Parts, problems: tuple[str, ...] = (), schema: str = "", reason: str = "") -> str:
    view = retention_view.read_view(parts, snapshots.newest(parts))
    reasons = {}
    if who.allowed("hold"):
        with parts.database.read() as connection:
            reasons = {one.schema: one for one in holds.in_force(connection)}
    return render_template(
        "retention.html", view=view, days=words.days, rows=words.rows,
        extension_words=words.extension_words, reasons=reasons, problems=problems, schema=schema,
        reason=reason,
    )  # fmt: skip


def _json(parts: Parts) -> Response:
    """Open to anyone from anywhere, as the page is."""
    view = retention_view.read_view(parts, snapshots.newest(parts))
    response = jsonify(retention_view.as_dict(view))
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Cache-Control"] = "public, max-age=60"
    return response


def _change(parts: Parts) -> Any:
    person = who.require("hold")
    sign_in.check_csrf()
    form = request.form
    act, schema, reason = form.get("act", ""), form.get("schema", ""), form.get("reason", "")
    folder = chain.folder_of(parts.config.var)
    if act == "place":
        done = holds.place(parts.database, folder, schema, person.email, reason)
    elif act == "lift":
        done = holds.lift(parts.database, folder, schema, person.email)
    else:
        abort(400, "act is place or lift.")
    if done.problems:
        return _page(parts, done.problems, schema[:64], reason[:2000]), 400
    return redirect("/retention#holds", 303)
