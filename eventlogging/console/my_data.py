"""My data: what this browser sent, by its own token: see it, take it along, have it erased.

Whoever has the token is the device: no account, and nothing else is asked. The token is neither
kept nor logged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, render_template, request

from eventlogging.console import my_data_place
from eventlogging.console.errors import answer
from eventlogging.console.my_data_place import Place
from eventlogging.console.parts import Parts
from eventlogging.people import limits
from eventlogging.platform import Platform
from eventlogging.retention import device, erasure
from eventlogging.retention.device import Claim, Device
from eventlogging.retention.erasure_book import Erasure
from eventlogging.retention.person_rows import Hit

_MOST_BYTES = 100_000
_LOOK_SECONDS = 10.0
_WAIT_SECONDS = 5.0  # for those who look at the same time


@dataclass(frozen=True)
class _Look:
    """What was found of a portion of a device's events; `onward` is what to go on with."""

    device: Device
    claim: Claim
    hits: Sequence[Hit]
    is_first: bool  # of this portion
    onward: str | None


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
    then: Callable[[Platform, _Look], Response],
) -> Response:
    """Look for what a device claims and answer with it; strangers' tokens have to wait."""
    if not isinstance(parts, Platform):
        return answer(503, "unavailable", ["this process has no log and no privacy key"])
    request.max_content_length = _MOST_BYTES
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        text = 'send {"token": "…", "pages": […]} as application/json, as eventLog.mine() gives it'
        return answer(400, "bad_parameter", [text])
    mine = device.device_of(body.get("token"), body.get("pages"))
    if isinstance(mine, str):
        return answer(400, "bad_parameter", [mine])
    after = body.get("after") or ""
    place = my_data_place.read(parts.session_key, mine, after) if after else Place()
    if place is None:
        text = "after is what the last answer to this same claim said as next, an hour ago at most"
        return answer(400, "bad_parameter", [text])
    key = f"device {mine.token}"
    if not after:  # one attempt for the whole look: only who began it has a place to go on from
        with parts.database.write() as connection:
            wait = limits.attempt(connection, key)
        if wait:
            return _later(wait, "nothing was found of this token, several times; wait a little")
    if not one_at_a_time.acquire(timeout=_WAIT_SECONDS):
        return _later(int(_WAIT_SECONDS), "somebody else looks through the tables right now")
    claim = mine.portion(place.start)
    try:
        found = device.look(parts, claim, place.after, seconds=_LOOK_SECONDS)
    finally:
        one_at_a_time.release()
    if found.hits:
        with parts.database.write() as connection:
            limits.succeeded(connection, key)
    following = my_data_place.following(place, mine, found.following)
    onward = my_data_place.written(parts.session_key, mine, following) if following else None
    return then(parts, _Look(mine, claim, found.hits, not place.after, onward))


def _see(platform: Platform, look: _Look) -> Response:
    lists = device.shown(platform, look.hits)
    return jsonify({"ids": look.device.number, **lists, "next": look.onward})


def _erase(platform: Platform, look: _Look) -> Response:
    if not look.hits:
        return jsonify({"rows": 0, "erasure": None, "receipt": None, "next": look.onward})
    wish, receipt = device.ask(platform, look.claim, look.hits, is_first=look.is_first)
    response = jsonify(
        {
            "rows": len(look.hits),
            "erasure": f"/v1/my-data/erasures/{wish.id}",
            "receipt": {"number": receipt.number, "digest": receipt.digest, "at": receipt.at},
            "next": look.onward,
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
