"""The KPI back end's address for dialogs: one document for each use, sent with a CSRF token.

What comes is coarse before it is written anywhere: times are cut to ten minutes, the browser is a
family and a version. The stream of what happened in the dialog is kept as it was sent.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from eventlogging.collector import answers
from eventlogging.collector.answers import Answer
from eventlogging.event import Outcome
from eventlogging.intake import decode
from eventlogging.intake.accept import Accepted
from eventlogging.intake.context import Context
from eventlogging.intake.useragent import coarse

STEP_MS = 600_000
COOKIE = "eventlogging_wsapi"
_NAMESPACE = uuid.UUID("5f1bb0c5-8f0e-5c34-9d2b-0f2f6a1f6f10")
_MOST_COOKIE = 64


def session_context(headers: Mapping[str, str], key: str, *, is_secure: bool) -> Answer:
    """Return the token to send back, and the cookie it belongs to."""
    cookie = _cookie(headers) or secrets.token_urlsafe(18)
    flags = "; Path=/wsapi; HttpOnly; SameSite=Lax" + ("; Secure" if is_secure else "")
    body = orjson.dumps({"csrf_token": _token(cookie, key)}) + b"\n"
    return Answer(200, body, ((b"set-cookie", f"{COOKIE}={cookie}{flags}".encode()),))


def documents(
    body: bytes, headers: Mapping[str, str], key: str, *, most: int
) -> decode.Body | Answer:
    """Return the documents that a body holds, or why it is not taken.

    A body is one document, or `{"csrf": …, "data": [documents]}`; the token is in the header
    X-CSRF-Token or in `csrf`.
    """
    decoded = decode.decode(body, max_batch=most)
    said, found = headers.get("x-csrf-token", ""), decoded.events
    if len(found) == 1 and not decoded.is_batch and isinstance(found[0], dict):
        whole = found[0]
        said = said or str(whole.get("csrf", ""))
        rest = {name: value for name, value in whole.items() if name != "csrf"}
        found = (rest,)
        if isinstance(rest.get("data"), list):
            found = tuple(rest["data"])
    if not _is_right(said, headers, key):
        text = (
            "get a token at /wsapi/session_context, and send it back as X-CSRF-Token or csrf, "
            "with its cookie"
        )
        return answers.plain_error(403, "bad_csrf_token", text)
    if len(found) > most:
        return replace(decoded, events=(), code="batch_too_large")
    if not decoded.code and not found:
        return replace(decoded, code="empty_batch")
    return replace(decoded, events=found, parcel=None)


def coarsened(context: Context) -> Context:
    """Return the context of a request with the time of its receipt cut to ten minutes."""
    return replace(context, received=context.received // STEP_MS * STEP_MS)


def as_capsules(found: decode.Body, schema: str, context: Context) -> decode.Body:
    """Return the documents as events of a schema, coarse.

    The same document sent again is the same event; what it is, is asked before it is coarse.
    """
    return replace(found, events=tuple(_capsule(one, schema, context) for one in found.events))


def answer(accepted: Accepted) -> Answer:
    """Return 200 where all is stored, or rightly left out; else 400 with what is wrong."""
    if all(verdict.outcome is not Outcome.INVALID for verdict in accepted.verdicts):
        return Answer(200, b'{"success":true}\n')
    refused = answers.of_events(accepted)
    return replace(refused, status=400 if refused.status == 207 else refused.status)


def later(unavailable: Answer) -> Answer:
    """Return the same as an answer that is no server error: a client keeps it and tries again."""
    return replace(unavailable, status=429)


def _capsule(document: Any, schema: str, context: Context) -> dict[str, Any]:
    capsule: dict[str, Any] = {"schema": schema, "event": document}
    if not isinstance(document, dict):
        return capsule
    try:
        text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # flawed, or too deep: refused anyway
        return capsule
    capsule["id"] = str(uuid.uuid5(_NAMESPACE, text.hex()))
    event = dict(document)
    stamp = event.get("timestamp")
    if isinstance(stamp, int | float) and not isinstance(stamp, bool):
        event["timestamp"] = int(stamp // STEP_MS * STEP_MS)
        capsule["dt"] = event["timestamp"]
    rate = event.get("sample_rate")
    if isinstance(rate, int | float) and not isinstance(rate, bool) and 0 < rate <= 1:
        capsule["sample_rate"] = rate
    agent = event.get("user_agent", context.user_agent)
    if isinstance(agent, str):  # a whole header tells one person from another
        event["user_agent"] = _agent(agent)
    return {**capsule, "event": event}


def _agent(header: str) -> dict[str, str]:
    known = coarse(header)
    said = {"os": known.os, "browser": known.browser, "version": known.major}
    return {name: value for name, value in said.items() if value}


def _is_right(said: str, headers: Mapping[str, str], key: str) -> bool:
    cookie = _cookie(headers)
    return bool(cookie) and hmac.compare_digest(said.encode(), _token(cookie, key).encode())


def _token(cookie: str, key: str) -> str:
    made = hmac.digest(key.encode(), b"wsapi\0" + cookie.encode(), hashlib.sha256)
    return made.hex()[:48]


def _cookie(headers: Mapping[str, str]) -> str:
    for one in headers.get("cookie", "").split(";"):
        name, _, value = one.strip().partition("=")
        if name == COOKIE and 0 < len(value) <= _MOST_COOKIE and value.isascii():
            return value
    return ""
