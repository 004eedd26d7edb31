"""Turn whatever goes wrong into a JSON answer with the right status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Flask, Response, current_app, jsonify
from werkzeug.exceptions import HTTPException

from eventlogging.errors import (
    EventLoggingError,
    GovernanceError,
    SchemaRefused,
    StoreUnavailable,
    UnknownSchema,
    VersionConflict,
)

_RETRY_SECONDS = "5"


def answer(
    status: int, code: str, problems: Sequence[str], warnings: Sequence[str] = (), **more: Any
) -> Response:
    """Return an error's answer: `code` is a stable word, `problems` sentences for people."""
    body = {"status": status, "code": code, "problems": list(problems), "warnings": list(warnings)}
    response = jsonify(body | more)
    response.status_code = status
    return response


def register(app: Flask) -> None:
    """Have every error of the app answered as JSON."""
    app.register_error_handler(EventLoggingError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unforeseen)


def _ours(error: EventLoggingError) -> Response:
    if isinstance(error, StoreUnavailable):
        response = answer(503, "unavailable", ["the database does not answer now; try again soon"])
        response.headers["Retry-After"] = _RETRY_SECONDS
        return response
    if isinstance(error, UnknownSchema):
        return answer(404, "unknown_schema", [str(error)])
    if isinstance(error, SchemaRefused | GovernanceError):
        return answer(400, "refused", error.problems)
    if isinstance(error, VersionConflict):
        return answer(409, "version_conflict", [str(error)])
    current_app.logger.error("%s: %s", type(error).__name__, error)
    return answer(500, "failed", ["the server could not do this; its log says why"])


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    code = (error.name or "error").lower().replace(" ", "_")
    response = answer(status, code, [error.description or error.name])
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def _unforeseen(error: Exception) -> Response:
    current_app.logger.exception("an unforeseen error", exc_info=error)
    return answer(500, "failed", ["the server could not do this; its log says why"])
