"""One-time links: of the operator, who signs in without typing anything, and for one person."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import Blueprint, Flask, Response, make_response, render_template, request

from eventlogging.console import sign_in
from eventlogging.console.parts import Parts
from eventlogging.people import accounts
from eventlogging.people.passwords import Passwords, problem_with
from eventlogging.registry import audit, sign_in_links
from eventlogging.registry.sign_in_links import Link


def register(app: Flask, parts: Parts) -> None:
    """Add the pages that sign-in links lead to."""
    pages = Blueprint("links", __name__)
    passwords = Passwords()

    @pages.get("/sign-in/<secret>")
    def offer(secret: str) -> Response:
        # Looking uses nothing up: mail scanners and browsers open links before people do.
        with parts.database.read() as connection:
            link = sign_in_links.find(connection, secret)
            return _used() if link is None else _page(connection, parts, link)

    @pages.post("/sign-in/<secret>")
    def use(secret: str) -> Response:
        sign_in.check_csrf()
        with parts.database.read() as connection:
            link = sign_in_links.find(connection, secret)
            if link is None:
                return _used()
            asked = link.purpose != "admin" or "email" in request.form
            problems = _problems(connection, link) if asked else {}
            if problems:
                return _page(connection, parts, link, problems)
        stored = passwords.hash(request.form["password"]) if asked else ""
        with parts.database.write() as connection:
            if not sign_in_links.claim(connection, secret):
                return _used()
            if not asked:
                email = accounts.operator(connection).email
                audit.record(connection, email, "sign_in", email, {"by": "link"})
            elif link.email is None:
                email = accounts.folded(request.form["email"])
                name = request.form["name"]
                problem = accounts.add(connection, email, name, "admin", accounts.OPERATOR)
                if problem:  # made in the meantime; the link is used up all the same
                    return _used()
                accounts.welcome(connection, email, name, stored)
            else:
                email = link.email
                accounts.welcome(connection, email, request.form["name"], stored)
            session_secret = sign_in.begin(connection, email)
        sign_in.remember(session_secret)
        return sign_in.onwards()

    app.register_blueprint(pages)


def _problems(connection: sa.Connection, link: Link) -> dict[str, str]:
    """Return what is wrong with the form, by field."""
    form = request.form
    email = link.email or accounts.folded(form.get("email", ""))
    found = {
        "email": _email_problem(connection, link, email),
        "name": accounts.name_problem(form.get("name", "")),
        "password": problem_with(form.get("password", ""), email, form.get("name", "")),
    }
    return {field: problem for field, problem in found.items() if problem}


def _email_problem(connection: sa.Connection, link: Link, email: str) -> str | None:
    if link.email is not None:
        return None
    if not accounts.is_email(email):
        return "An e-mail address looks like ann@example.org."
    if accounts.find(connection, email) is not None:
        return "There is an account of this e-mail already; sign in with it."
    return None


def _page(
    connection: sa.Connection, parts: Parts, link: Link, problems: dict[str, str] | None = None
) -> Response:
    known = accounts.find(connection, link.email) if link.email else None
    if link.email is not None and (known is None or known.state == "disabled"):
        return _used()
    values: dict[str, Any] = {"email": link.email or request.form.get("email", "")}
    values["name"] = request.form.get("name", known.name if known else "")
    page = render_template(
        "sign_in_link.html", link=link, values=values, problems=problems or {},
        provider=urlsplit(parts.config.oidc_issuer).netloc,
    )  # fmt: skip
    return _quiet(make_response(page, 400 if problems else 200))


def _used() -> Response:
    return _quiet(make_response(render_template("link_used.html"), 410))


def _quiet(response: Response) -> Response:
    response.headers["Referrer-Policy"] = "no-referrer"  # the address is a secret
    return response
