"""Accounts that opted out, as a site's own server says: kept as keyed hashes, obeyed in seconds."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, jsonify, request

from eventlogging.console import access
from eventlogging.console.errors import answer
from eventlogging.console.parts import Parts
from eventlogging.platform import Platform
from eventlogging.registry import opt_outs
from eventlogging.retention.identity import keys_of

_SCOPE = "produce"
_LONGEST = 500


def register(app: Flask, parts: Parts) -> None:
    """Add the address to the app."""
    api = Blueprint("opt_out_api", __name__)

    @api.route("/v1/opt-out/<path:account>", methods=["GET", "PUT", "DELETE"])
    def of_account(account: str) -> Response:
        return _answer(parts, account)

    app.register_blueprint(api)


def _answer(parts: Parts, account: str) -> Response:
    refused = access.refusal(access.holder_of(request, parts), _SCOPE)
    if refused is not None:
        return refused
    if not account.strip() or len(account) > _LONGEST:
        text = f"an account's id is a text of 1 to {_LONGEST} characters, as events have it"
        return answer(400, "bad_parameter", [text])
    if not isinstance(parts, Platform):
        return answer(503, "unavailable", ["this process has no privacy key"])
    # A no that was said under a former key holds, and can be taken back, as well.
    hashes = [key.hash(account) for key in keys_of(parts)]
    since: str | None = None
    if request.method == "PUT":
        since = opt_outs.say_no(parts.database, hashes[0])
    elif request.method == "DELETE":
        for hash in hashes:
            opt_outs.take_back(parts.database, hash)
    else:
        with parts.database.read() as connection:
            found = [opt_outs.since(connection, hash) for hash in hashes]
        since = min((one for one in found if one), default=None)
    return jsonify({"opted_out": since is not None, "since": since})
