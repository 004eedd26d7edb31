"""Sign-in and sign-out: sessions of browsers begin and end here; forms carry a CSRF token."""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    session,
)

from eventlogging.console import who
from eventlogging.console.parts import Parts
from eventlogging.people import accounts, enter, sessions
from eventlogging.people.passwords import Passwords
from eventlogging.people.permissions import may
from eventlogging.registry import audit

CSRF_FIELD = "csrf"
_MAX_FORM_BYTES = 10_000
_PARTS = "eventlogging-sign-in"
_LONGEST_PATH = 2000


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
        PERMANENT_SESSION_LIFETIME=timedelta(days=sessions.LIFE_DAYS),
        SESSION_REFRESH_EACH_REQUEST=False,
    )
    who.register(app, parts)
    app.extensions[_PARTS] = parts
    app.context_processor(
        lambda: {"signed_in": who.current() is not None, "csrf_token": csrf_token,
                 "here_path": here_path}
    )  # fmt: skip
    app.register_blueprint(_blueprint(parts))


def is_signed_in() -> bool:
    """Whether this request comes from somebody who may read events of some schema."""
    person = who.current()
    if person is None:
        return False
    parts: Parts = current_app.extensions[_PARTS]
    owned = (schema for schema in parts.registry.snapshot.schemas.values() if person.email in
             {owner.casefold() for owner in schema.owners})  # fmt: skip
    return who.allowed("read_events") or any(
        may(who.roles(schema), "read_events") for schema in owned
    )


def csrf_token() -> str:
    """Return the session's token for forms; makes one at the first call."""
    if CSRF_FIELD not in session:
        session[CSRF_FIELD] = secrets.token_urlsafe(32)
    return str(session[CSRF_FIELD])


def check_csrf(most_bytes: int = _MAX_FORM_BYTES) -> None:
    """Answer 400 to a form that this session was not shown, 413 to one of more bytes."""
    request.max_content_length = most_bytes
    request.max_form_memory_size = most_bytes
    known, sent = session.get(CSRF_FIELD, ""), request.form.get(CSRF_FIELD, "")
    if not known or not hmac.compare_digest(str(known).encode(), sent.encode()):
        abort(400, "This form is too old, or cookies are off. Allow cookies for this site, open "
                   "the page again and send the form once more.")  # fmt: skip


def here_path() -> str:
    """Return the page that is looked at, to come back to it after signing in."""
    if request.method != "GET" or request.path.startswith("/sign-in"):
        return "/"
    return local_path(request.full_path.removesuffix("?"))


def local_path(text: str) -> str:
    """Return where to go on to: a path of this site, `/` for anything else."""
    is_path = text.startswith("/") and not text.startswith(("//", "/sign-in", "/sign-out"))
    if not is_path or "\\" in text or not text.isprintable() or len(text) > _LONGEST_PATH:
        return "/"
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc else text


def begin(connection: sa.Connection, email: str) -> str:
    """Begin a session of somebody in this browser, in place of the one before, and return its
    secret; `remember` it once the transaction has committed."""
    before = who.session_secret()
    if before is not None:
        sessions.end(connection, before)
    accounts.seen(connection, email)
    return sessions.start(connection, email)


def remember(secret: str) -> None:
    """Let the browser keep a session's secret; nothing from before the sign-in lives on."""
    session.clear()
    session[who.SESSION_FIELD] = secret
    session.permanent = True
    who.forget()


def onwards(path: str = "/") -> Response:
    """Send the browser on to a path of this site."""
    response = make_response(redirect(local_path(path), 303))
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _blueprint(parts: Parts) -> Blueprint:
    pages = Blueprint("sign_in", __name__)
    passwords = Passwords()

    @pages.get("/sign-in")
    def ask() -> Response:
        return _form(parts, request.args.get("next", "/"))

    @pages.post("/sign-in")
    def answer() -> Response:
        check_csrf()
        email, password = request.form.get("email", ""), request.form.get("password", "")
        path = request.form.get("next", "/")
        attempt = enter.by_password(parts.database, passwords, email, password)
        if attempt.wait:
            response = _form(parts, path, email=email, wait=attempt.wait, status=429)
            response.headers["Retry-After"] = str(attempt.wait)
            return response
        if attempt.person is None:
            return _form(parts, path, email=email, wrong=True, status=403)
        with parts.database.write() as connection:
            secret = begin(connection, attempt.person.email)
        remember(secret)
        return onwards(path)

    @pages.post("/sign-out")
    def leave() -> Response:
        check_csrf()
        secret, person = who.session_secret(), who.current()
        if secret is not None and person is not None:
            with parts.database.write() as connection:
                sessions.end(connection, secret)
                audit.record(connection, person.email, "sign_out", person.email, {})
        session.clear()
        who.forget()
        return onwards()

    return pages


def _form(
    parts: Parts, path: str, *, email: str = "", wait: int = 0, wrong: bool = False,
    status: int = 200,
) -> Response:  # fmt: skip
    provider = urlsplit(parts.config.oidc_issuer).netloc
    page = render_template(
        "sign_in.html", next=local_path(path), email=email[:200], wait=wait, wrong=wrong,
        provider=provider,
    )  # fmt: skip
    return make_response(page, status)
