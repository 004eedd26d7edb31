"""My data: what this browser sent, by its own token: see it, take it along, have it erased.

Whoever has the token is the device: no account, and nothing else is asked. The token is neither
kept nor logged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, render_template, request

from eventlogging.console.errors import answer
from eventlogging.console.parts import Parts
from eventlogging.people import limits
from eventlogging.platform import Platform
from eventlogging.retention import device, erasure
from eventlogging.retention.device import Claim, Looked
from eventlogging.retention.erasure_book import Erasure

_MOST_BYTES = 100_000
_LOOK_SECONDS = 10.0
_WAIT_SECONDS = 5.0  # for those who look at the same time
_MOST_CURSOR = 100


def register(app: Flask, parts: Parts) -> None:
    """Add the page and what it asks for to the app."""
    pages = Blueprint("my_data", __name__)
    one_at_a_time = threading.Lock()  # to look through all tables is work

    @pages.get("/my-data")
    def page() -> str:
        return render_template("my_data.html")

    @pages.post("/v1/my-data")
    def see() -> Response:
        return _looked(parts, one_at_a_time, _see)

    @pages.post("/v1/my-data/erase")
    def erase() -> Response:
        return _looked(parts, one_at_a_time, _erase)

    @pages.get("/v1/my-data/erasures/<id>")
    def state(id: str) -> Response:
        return _state(parts, id)

    app.register_blueprint(pages)


def _looked(
    parts: Parts,
    one_at_a_time: threading.Lock,
    then: Callable[[Platform, Claim, Looked, bool], Response],
) -> Response:
    """Look for what a device claims and answer with it; strangers' tokens have to wait."""
    if not isinstance(parts, Platform):
        return answer(503, "unavailable", ["this process has no log and no privacy key"])
    request.max_content_length = _MOST_BYTES
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        text = 'send {"token": "…", "pages": […]} as application/json, as eventLog.mine() gives it'
        return answer(400, "bad_parameter", [text])
    claim = device.claim_of(body.get("token"), body.get("pages"))
    after = body.get("after") or ""
    if isinstance(claim, str):
        return answer(400, "bad_parameter", [claim])
    if not isinstance(after, str) or len(after) > _MOST_CURSOR:
        return answer(400, "bad_parameter", ["after is what the last answer said as next"])
    key = f"device {body['token']}"
    if not after:
        with parts.database.write() as connection:
            wait = limits.attempt(connection, key)
        if wait:
            return _later(wait, "nothing was found of this token, several times; wait a little")
    if not one_at_a_time.acquire(timeout=_WAIT_SECONDS):
        return _later(int(_WAIT_SECONDS), "somebody else looks through the tables right now")
    try:
        found = device.look(parts, claim, after, seconds=_LOOK_SECONDS)
    finally:
        one_at_a_time.release()
    if found.hits and not after:
        with parts.database.write() as connection:
            limits.succeeded(connection, key)
    return then(parts, claim, found, not after)


def _see(platform: Platform, claim: Claim, found: Looked, is_first: bool) -> Response:
    lists = device.shown(platform, found.hits)
    return jsonify({"ids": claim.number, **lists, "next": found.following or None})


def _erase(platform: Platform, claim: Claim, found: Looked, is_first: bool) -> Response:
    if not found.hits:
        return jsonify({"rows": 0, "erasure": None, "receipt": None, "next": found.following})
    wish, receipt = device.ask(platform, claim, found.hits, is_first=is_first)
    response = jsonify(
        {
            "rows": len(found.hits),
            "erasure": f"/v1/my-data/erasures/{wish.id}",
            "receipt": {"number": receipt.number, "digest": receipt.digest, "at": receipt.at},
            "next": found.following or None,
        }
    )
    response.status_code = 202
    return response


def _state(parts: Parts, id: str) -> Response:
    wish = erasure.find(parts.database, id)
    if wish is None or wish.asked_by != device.WHO:
        return answer(404, "unknown_erasure", ["there is no erasure of this id"])
    return jsonify(_shown(wish))


def _shown(wish: Erasure) -> dict[str, Any]:
    """What the person may know of it: all but the names of hosts."""
    number, detail = wish.detail.get("receipt"), wish.detail
    return {
        "state": wish.state,
        "asked_at": wish.asked_at,
        "done_at": wish.done_at,
        "rows": wish.rows,
        "log_lines": detail.get("log_lines", 0),
        "held": sum(detail.get("held", {}).values()),
        "receipt": {"number": number, "digest": detail.get("digest", "")} if number else None,
    }


def _later(seconds: int, text: str) -> Response:
    response = answer(429, "too_many_requests", [text])
    response.headers["Retry-After"] = str(seconds)
    return response
