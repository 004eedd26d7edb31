"""Sign-in and sign-out: a one-time link becomes a signed session; forms carry a CSRF token."""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from typing import Protocol, runtime_checkable

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

from eventlogging.console.parts import Parts
from eventlogging.registry import sign_in_links

ADMIN = "admin"
CSRF_FIELD = "csrf"
_MAX_FORM_BYTES = 10_000


@runtime_checkable
class Signing(Protocol):
    """Parts that can keep people signed in; without a key the pages are there, signed out."""

    @property
    def session_key(self) -> str:
        """The key that signs session cookies."""


def register(app: Flask, parts: Parts) -> None:
    """Give the app its sessions and the routes that begin and end them."""
    app.secret_key = parts.session_key if isinstance(parts, Signing) else None
    app.config.update(
        SESSION_COOKIE_NAME="eventlogging_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=parts.config.public_url.lower().startswith("https:"),
        PERMANENT_SESSION_LIFETIME=timedelta(days=7),
        SESSION_REFRESH_EACH_REQUEST=False,
    )
    app.context_processor(lambda: {"signed_in": is_signed_in(), "csrf_token": csrf_token})
    app.register_blueprint(_blueprint(parts))


def is_signed_in() -> bool:
    """Whether this request comes from somebody who may see events."""
    return bool(session.get("role") == ADMIN)


def csrf_token() -> str:
    """Return the session's token for forms; makes one at the first call."""
    if CSRF_FIELD not in session:
        session[CSRF_FIELD] = secrets.token_urlsafe(32)
    return str(session[CSRF_FIELD])


def check_csrf() -> None:
    """Answer 400 to a form that this session was not shown."""
    request.max_content_length = _MAX_FORM_BYTES
    known, sent = session.get(CSRF_FIELD, ""), request.form.get(CSRF_FIELD, "")
    if not known or not hmac.compare_digest(str(known).encode(), sent.encode()):
        abort(400, "This form is too old, or cookies are off. Allow cookies for this site, open "
                   "the page again and send the form once more.")  # fmt: skip


def _blueprint(parts: Parts) -> Blueprint:
    pages = Blueprint("sign_in", __name__)

    @pages.get("/sign-in/<secret>")
    def offer(secret: str) -> Response:
        # Looking uses nothing up: mail scanners and browsers open links before people do.
        with parts.database.read() as connection:
            is_open = sign_in_links.is_open(connection, secret)
        return _page("sign_in.html" if is_open else "link_used.html", 200 if is_open else 410)

    @pages.post("/sign-in/<secret>")
    def enter(secret: str) -> Response:
        check_csrf()
        if not sign_in_links.claim(parts.database, secret):
            return _page("link_used.html", 410)
        session.clear()  # nothing from before the sign-in lives on
        session["role"] = ADMIN
        session.permanent = True
        return _onwards()

    @pages.post("/sign-out")
    def leave() -> Response:
        check_csrf()
        session.clear()
        return _onwards()

    return pages


def _page(template: str, status: int) -> Response:
    response = make_response(render_template(template), status)
    response.headers["Referrer-Policy"] = "no-referrer"  # the address is a secret
    return response


def _onwards() -> Response:
    response = make_response(redirect("/", 303))
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
