"""Errors as pages: what programs are told as JSON, people with a browser read as HTML."""

from __future__ import annotations

import contextlib

from flask import Flask, Response, render_template, request

from eventlogging.console import who
from eventlogging.errors import StoreUnavailable

_HEADINGS = {
    400: "This request cannot be understood",
    403: "This is not open to you",
    404: "There is no such page",
    405: "This address takes no such request",
    413: "This is more than the server takes at once",
    503: "The database does not answer right now",
}
_API = ("/v1/", "/beacon/", "/wsapi/")
_STANDARD_404 = "The requested URL was not found"


def register(app: Flask) -> None:
    """Have the app's JSON errors turned into pages for browsers, the API's aside."""
    app.after_request(_as_page)


def _as_page(response: Response) -> Response:
    if response.status_code < 400 or not response.is_json or request.path.startswith(_API):
        return response
    wanted = request.accept_mimetypes.best_match(["application/json", "text/html"])
    if wanted != "text/html":
        return response
    content = response.get_json(silent=True)
    problems = content.get("problems", []) if isinstance(content, dict) else []
    with contextlib.suppress(StoreUnavailable):
        who.roles()  # where this fails, it fails once, and the page is shown as to a stranger
    page = render_template(
        "error.html",
        heading=_HEADINGS.get(response.status_code, "The server could not do this"),
        problems=[text for text in map(str, problems) if not text.startswith(_STANDARD_404)],
        status=response.status_code,
    )
    response.set_data(page)
    response.mimetype = "text/html"
    return response
