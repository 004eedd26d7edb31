"""The audit page: who did what to what and when, filtered by subject and by who, in pages."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from flask import Blueprint, Flask, abort, render_template, request

from eventlogging.console import audit_words, snapshots, who
from eventlogging.console.parts import Parts
from eventlogging.people import accounts
from eventlogging.registry import audit
from eventlogging.registry.audit import Entry

_ON_A_PAGE = 50
_HIGHEST_ID = 2**31


@dataclass(frozen=True)
class Line:
    """One entry in words; `path` leads to what it is about, where that has a page."""

    entry: Entry
    act: str
    phrases: list[str]
    path: str | None


def register(app: Flask, parts: Parts) -> None:
    """Add the audit page."""
    pages = Blueprint("audit", __name__)

    @pages.get("/audit")
    def show() -> str:
        who.require("see_audit")
        return _page(parts)

    app.register_blueprint(pages)


def _page(parts: Parts) -> str:
    subject = request.args.get("subject", "").strip()
    asked_who = request.args.get("who", "").strip()
    before = _before(request.args.get("before", ""))
    with parts.database.read() as connection:
        found = audit.entries(
            connection, subject=subject or None, who=asked_who or None, before=before,
            limit=_ON_A_PAGE + 1,
        )  # fmt: skip
        people = {one.email for one in accounts.everyone(connection)}
    schemas = snapshots.newest(parts).schemas
    may_hold = who.allowed("hold")
    lines = [
        Line(
            entry, audit_words.act(entry), audit_words.phrases(entry, may_hold=may_hold),
            _path(entry.subject, entry.subject in schemas, entry.subject in people),
        )
        for entry in found[:_ON_A_PAGE]
    ]  # fmt: skip
    following = found[_ON_A_PAGE - 1].id if len(found) > _ON_A_PAGE else None
    return render_template(
        "audit.html", here="audit", lines=lines, subject=subject, asked_who=asked_who,
        following=following, first=before is None,
    )  # fmt: skip


def _path(subject: str, is_schema: bool, is_person: bool) -> str | None:
    if is_schema:
        return f"/schemas/{quote(subject)}"
    return f"/people/{quote(subject, safe='@')}" if is_person else None


def _before(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < _HIGHEST_ID):
        abort(400, "before is the number of an entry; follow the link to older entries.")
    return int(text)
