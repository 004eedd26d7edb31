"""The JavaScript client at /eventlogging.js, so that a page needs one script element."""

from __future__ import annotations

from flask import Flask, Response, send_from_directory

from eventlogging.console.parts import Parts

_SECONDS = 3600


def register(app: Flask, parts: Parts) -> None:
    """Add the address to the app."""
    folder = f"{app.root_path}/static"

    @app.get("/eventlogging.js")
    def client_file() -> Response:
        answer = send_from_directory(folder, "eventlogging.js", max_age=_SECONDS)
        answer.headers["Access-Control-Allow-Origin"] = "*"
        answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return answer
