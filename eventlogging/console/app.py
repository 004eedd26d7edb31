"""The Flask app: its parts put together, and what all its answers have in common."""

from __future__ import annotations

from flask import Flask, Response

from eventlogging.console import api, errors, pages
from eventlogging.console.parts import Parts

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
        "object-src 'none'"
    ),
    "Cache-Control": "no-store",
}


def create_app(parts: Parts) -> Flask:
    """Return the app that answers from these parts."""
    app = Flask("eventlogging.console", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.register_blueprint(api.blueprint(parts))
    errors.register(app)
    pages.register(app, parts)
    app.after_request(_add_headers)
    return app


def _add_headers(response: Response) -> Response:
    """Add what makes browsers careful, where an answer does not say otherwise itself."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
