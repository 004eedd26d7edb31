"""The Flask app: its parts put together, and what all its answers have in common."""

from __future__ import annotations

from flask import Flask, Response
from werkzeug.routing import IntegerConverter

from eventlogging.console import api, errors, metrics_page, pages
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
    "Permissions-Policy": (
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), "
        "magnetometer=(), microphone=(), midi=(), payment=(), usb=()"
    ),
    "Cache-Control": "no-store",
}
_HTTPS_ONLY = "max-age=31536000"  # for this host; others of the domain are not ours to decide


class RowNumber(IntegerConverter):
    """The number of a row in an address; a longer one has no page, and no database looks for it."""

    regex = r"[0-9]{1,9}"


def create_app(parts: Parts) -> Flask:
    """Return the app that answers from these parts."""
    app = Flask("eventlogging.console", static_folder=None)
    app.url_map.converters["int"] = RowNumber
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.register_blueprint(api.blueprint(parts))
    errors.register(app)
    pages.register(app, parts)
    metrics_page.register(app, parts)
    app.after_request(_add_headers)
    if parts.config.public_url.lower().startswith("https:"):
        app.after_request(_add_https_only)
    return app


def _add_headers(response: Response) -> Response:
    """Add what makes browsers careful, where an answer does not say otherwise itself."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _add_https_only(response: Response) -> Response:
    """Have browsers come by https alone from now on."""
    response.headers.setdefault("Strict-Transport-Security", _HTTPS_ONLY)
    return response
