"""The outbox: mails that wait, failed or went out; one mail as it looks; sending one again."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

from flask import Blueprint, Flask, Response, abort, redirect, render_template, request

from eventlogging import clock
from eventlogging.console import sign_in, who
from eventlogging.console.parts import Parts
from eventlogging.ledger.sentence import grouped
from eventlogging.mail import outbox, reading
from eventlogging.mail.deliver import retry
from eventlogging.mail.letter import Letter
from eventlogging.registry import audit

_DAYS = 7
_MOST = 100
_MOST_FILES = 200
_CONTENT_ID = re.compile(r"cid:([A-Za-z0-9._@-]+)")
# A mail's HTML comes from texts of anybody: it runs nothing, loads nothing, and leads nowhere.
_STRICT = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)


def register(app: Flask, parts: Parts) -> None:
    """Add the pages to the app."""
    pages = Blueprint("outbox", __name__)

    @pages.get("/outbox")
    def show() -> str:
        return _show(parts)

    @pages.get("/outbox/<int:id>")
    def one(id: int) -> str:
        who.require("see_outbox")
        return render_template("outbox_mail.html", mail=_find(parts, id), now=_now())

    @pages.get("/outbox/<int:id>/html")
    def html(id: int) -> Response:
        who.require("see_outbox")
        return _html(_find(parts, id))

    @pages.post("/outbox/<int:id>/retry")
    def again(id: int) -> Any:
        return _retry(parts, id)

    @pages.get("/outbox/files/<name>")
    def file(name: str) -> Response:
        who.require("see_outbox")
        content = outbox.read(parts.config.var / "outbox", name)
        if content is None:
            abort(404, f"No mail of the name {name!r} lies in the outbox.")
        response = Response(content, mimetype="message/rfc822")
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    app.register_blueprint(pages)


def _show(parts: Parts) -> str:
    who.require("see_outbox")
    to = request.args.get("to", "").strip()[:191]
    since = clock.iso(clock.now_ms() - _DAYS * clock.DAY_MS)
    with parts.database.read() as connection:
        counts = reading.counts(connection, since)
        failed = reading.entries(connection, ("failed",), to=to, limit=_MOST)
        waiting = reading.entries(connection, ("waiting", "sending"), to=to, limit=_MOST)
        sent = reading.entries(connection, ("sent",), to=to, limit=_MOST)
    config = parts.config
    files = [] if config.smtp_host else outbox.files(config.var / "outbox", _MOST_FILES)
    return render_template(
        "outbox.html", heading=_heading(counts), failed=failed, waiting=waiting, sent=sent,
        to=to, files=files, most=_MOST, now=_now(), smtp_host=config.smtp_host,
        server=":".join(map(str, config.smtp_address)), again=request.args.get("again", "")[:20],
    )  # fmt: skip


def _heading(counts: dict[str, int]) -> str:
    """Return the answer to why one looks here: is anything stuck?"""
    failed, sent = counts.get("failed", 0), counts.get("sent", 0)
    waiting = counts.get("waiting", 0) + counts.get("sending", 0)
    if not failed and not waiting and not sent:
        return "No mail was written yet" if not counts else "No mail waits"
    parts = [
        f"{grouped(failed)} failed" if failed else "",
        f"{grouped(waiting)} {'waits' if waiting == 1 else 'wait'}" if waiting else "none waits",
        f"{grouped(sent)} went out in {_DAYS} days",
    ]
    text = ", ".join(part for part in parts if part)
    return f"Mails: {text}"


def _find(parts: Parts, id: int) -> Letter:
    with parts.database.read() as connection:
        letter = reading.find(connection, id)
    if letter is None:
        abort(404, f"No mail has the number {id}. Mails are kept for 90 days.")
    return letter


def _html(letter: Letter) -> Response:
    """The HTML part for the frame that shows it, its images inside of it."""
    if not letter.html:
        abort(404, "This mail is text alone.")

    def image(match: re.Match[str]) -> str:
        png = letter.images.get(match[1])
        return f"data:image/png;base64,{b64encode(png).decode()}" if png else match[0]

    response = Response(_CONTENT_ID.sub(image, letter.html), mimetype="text/html")
    response.headers["Content-Security-Policy"] = _STRICT
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _retry(parts: Parts, id: int) -> Any:
    sign_in.check_csrf()
    person = who.require("see_outbox")
    letter = _find(parts, id)
    with parts.database.write() as connection:
        done = retry(connection, id)
        if done:
            detail = {"to": letter.recipient, "subject": letter.subject}
            audit.record(connection, person.email, "mail.retry", str(id), detail)
    if not done:
        abort(400, "This mail has gone out in the meantime, or is on its way this moment.")
    return redirect(f"/outbox?again={id}", 303)


def _now() -> str:
    return clock.iso(clock.now_ms())
