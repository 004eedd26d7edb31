"""The public pages that say what is collected, and why: the list, each schema, the JSON."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, abort, jsonify, render_template, request

from eventlogging.console import snapshots, transparency
from eventlogging.console.parts import Parts
from eventlogging.console.transparency import Entry
from eventlogging.retention import words


def register(app: Flask, parts: Parts) -> None:
    """Add the pages and their JSON to the app; they are open to anybody."""
    pages = Blueprint("transparency", __name__)

    @pages.get("/transparency")
    def every() -> str:
        return _list(parts)

    @pages.get("/transparency/<path:name>")
    def one(name: str) -> str:
        return _one(parts, name.strip("/"))

    @pages.get("/v1/transparency")
    def as_json() -> Response:
        return _json(parts)

    app.register_blueprint(pages)


def _list(parts: Parts) -> str:
    entries = transparency.read_entries(parts, snapshots.newest(parts))
    q = request.args.get("q", "").strip()[:100]
    found = [one for one in entries if _matches(one, q)]
    names = [one.schema.name for one in found]
    after = request.args.get("after", "")
    first = names.index(after) + 1 if after in names else 0
    shown = found[first : first + transparency.MOST_ROWS]
    following = None
    if len(found) > first + len(shown):
        asked = {"q": q, "after": shown[-1].schema.name}
        following = "/transparency?" + urlencode({k: v for k, v in asked.items() if v})
    return render_template(
        "transparency.html", shown=shown, found=len(found), total=len(entries), q=q, first=first,
        following=following, days=words.days, envelope=transparency.ENVELOPE,
        most=transparency.MOST_ROWS,
    )  # fmt: skip


def _matches(entry: Entry, q: str) -> bool:
    schema = entry.schema
    said = f"{schema.name} {schema.title} {schema.description}"
    return q.casefold() in said.casefold()


def _one(parts: Parts, name: str) -> str:
    schema = snapshots.find(parts, name)
    page = transparency.read_page(parts, schema) if schema is not None else None
    if page is None or (page.entry.is_over and not page.entry.rows):
        abort(404, f"Nothing is collected under the name {name!r}. /transparency lists it all.")
    return render_template(
        "transparency_schema.html", page=page, schema=page.entry.schema, days=words.days,
        rows=words.rows, extension_words=words.extension_words,
        senders=transparency.senders_words(page.entry.schema),
    )  # fmt: skip


def _json(parts: Parts) -> Response:
    pages, policies = transparency.read_all(parts, snapshots.newest(parts))
    response = jsonify(
        {
            "schemas": [transparency.as_dict(one) for one in pages],
            "envelope": [
                {"what": what, "how": how.replace("`", "")} for what, how in transparency.ENVELOPE
            ],
            "refused_keep_days": policies.default.invalid_keep_days,
        }
    )
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Cache-Control"] = "public, max-age=300"
    response.add_etag()
    response.make_conditional(request)
    return response
