"""The page of erasures: look for a person, take their export, have them erased, see how it went."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, Response, abort, redirect, render_template, request

from eventlogging.console import sign_in, who
from eventlogging.console.parts import Parts
from eventlogging.errors import EventLoggingError, StoreUnavailable
from eventlogging.platform import Platform
from eventlogging.registry import audit
from eventlogging.retention import erasure, erasure_book
from eventlogging.retention import person as persons

_MOST = 100
_ACTION = "erase_people"
_SUBJECT = "a person"  # the audit names nobody


def register(app: Flask, parts: Parts) -> None:
    """Add the pages to the app."""
    pages = Blueprint("erasures", __name__)

    @pages.get("/erasures")
    def show() -> str:
        who.require(_ACTION)
        return _page(parts, asked=request.args.get("asked", "")[:36])

    @pages.post("/erasures/find")
    def find() -> Any:
        sign_in.check_csrf()
        return _find(parts)

    @pages.post("/erasures/export")
    def export() -> Any:
        sign_in.check_csrf()
        return _export(parts)

    @pages.post("/erasures")
    def ask() -> Any:
        sign_in.check_csrf()
        return _ask(parts)

    app.register_blueprint(pages)


def _page(parts: Parts, **more: Any) -> str:
    with parts.database.read() as connection:
        wishes = erasure_book.newest(connection, _MOST)
    given: dict[str, Any] = {"asked": "", "ids": "", "found": None, "problem": ""}
    given["keep_days"] = parts.config.log_keep_days
    return render_template("erasures.html", wishes=wishes, most=_MOST, **(given | more))


def _find(parts: Parts) -> Any:
    person = who.require(_ACTION)
    ids = _ids()
    try:
        meant = persons.identity(_platform(parts), ids)
        found = persons.find(_platform(parts), meant.hashes, sorted(meant.plain))
    except StoreUnavailable:
        raise
    except EventLoggingError as error:
        return _page(parts, ids="\n".join(ids), problem=str(error)), 400
    _record(parts, person.email, "erasure.find", {"rows": found.rows})
    return _page(parts, ids="\n".join(ids), found=found)


def _export(parts: Parts) -> Response:
    person = who.require(_ACTION)
    try:
        document = persons.export(_platform(parts), _ids())
    except StoreUnavailable:
        raise
    except EventLoggingError as error:
        abort(400, str(error))
    _record(parts, person.email, "erasure.export", {"events": len(document["events"])})
    text = json.dumps(document, ensure_ascii=False, indent=2, default=str)
    response = Response(text, mimetype="application/json")
    response.headers["Content-Disposition"] = 'attachment; filename="person.json"'
    return response


def _ask(parts: Parts) -> Any:
    person = who.require(_ACTION)
    try:
        wish = erasure.ask(_platform(parts), _ids(), person.email)
    except StoreUnavailable:
        raise
    except EventLoggingError as error:
        return _page(parts, problem=str(error)), 400
    return redirect(f"/erasures?asked={wish.id}", 303)


def _ids() -> list[str]:
    return [line.strip() for line in request.form.get("ids", "").splitlines() if line.strip()]


def _record(parts: Parts, email: str, action: str, detail: Mapping[str, Any]) -> None:
    with parts.database.write() as connection:
        audit.record(connection, email, action, _SUBJECT, detail)


def _platform(parts: Parts) -> Platform:
    """The platform behind the pages: who looks for a person needs the keys and the log."""
    if not isinstance(parts, Platform):
        abort(503, "This process has no log and no privacy key; use the command person.")
    return parts
