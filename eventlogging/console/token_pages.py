"""The API tokens: admins see them all, make new ones, and end those that should open nothing."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    make_response,
    redirect,
    render_template,
    request,
    session,
)

from eventlogging import clock
from eventlogging.console import sign_in, who
from eventlogging.console.parts import Parts
from eventlogging.errors import RegistryError
from eventlogging.people.model import Person
from eventlogging.registry import tokens
from eventlogging.registry.tokens import SCOPES, TEST
from eventlogging.store.fixed import audit

_DONE = "tokens_done"  # what to say on the next page


def register(app: Flask, parts: Parts) -> None:
    """Add the page of tokens."""
    pages = Blueprint("tokens", __name__)

    @pages.get("/tokens")
    def show() -> str:
        who.require("manage_tokens")
        return _page(parts)

    @pages.post("/tokens")
    def change() -> Response:
        sign_in.check_csrf()
        me, do = who.require("manage_tokens"), request.form.get("do", "")
        if do == "make":
            return _make(parts, me)
        if do != "revoke":
            abort(400, "The form says nothing to do.")
        name = request.form.get("name", "")
        try:
            tokens.revoke(parts.database, name, me.email)
        except RegistryError:
            abort(404, "No live token has this name; the list shows those that are.")
        session[_DONE] = f"{name} is revoked: it opens nothing any more."
        return make_response(redirect("/tokens", 303))

    app.register_blueprint(pages)


def _page(parts: Parts, problem: str = "", secret: str = "", name: str = "") -> str:
    now = clock.iso(clock.now_ms())
    with parts.database.read() as connection:
        known = tokens.rows(connection)
        makers = _makers(connection)
    values: dict[str, Any] = {"name": "", "scopes": [], "days": "90"}
    if problem:
        values = {
            "name": request.form.get("name", ""),
            "scopes": request.form.getlist("scopes"),
            "days": request.form.get("days", ""),
        }
    live = [one for one in known if one.is_live(now)]
    ended = [one for one in known if not one.is_live(now)]
    return render_template(
        "tokens.html", here="people", live=live, ended=ended[::-1][:100], makers=makers,
        scopes=SCOPES, test=TEST, problem=problem, secret=secret, name=name, values=values,
        done=session.pop(_DONE, None),
    )  # fmt: skip


def _makers(connection: sa.Connection) -> dict[str, str]:
    """Return name of a token → who made it last, as the audit has it."""
    made = sa.select(audit.c.subject, audit.c.who).where(audit.c.action == "token.create")
    return {row.subject: row.who for row in connection.execute(made.order_by(audit.c.id))}


def _make(parts: Parts, me: Person) -> Response:
    name, asked = request.form.get("name", "").strip(), request.form.get("days", "").strip()
    if asked and not (asked.isascii() and asked.isdigit() and len(asked) < 7):
        problem = "Days are a whole number, such as 90; none: it lives for ever."
        return make_response(_page(parts, problem), 400)
    try:
        secret = tokens.create(
            parts.database, name, request.form.getlist("scopes"), int(asked) if asked else None,
            me.email,
        )  # fmt: skip
    except RegistryError as error:
        text = str(error)
        return make_response(_page(parts, f"{text[:1].upper()}{text[1:]}."), 400)
    return make_response(_page(parts, secret=secret, name=name), 201)
