"""The KPI back end's address for dialogs: one document for each use, sent with a CSRF token.

What comes is coarse before it is written anywhere: times are cut to ten minutes, the browser is a
family and a version. The stream of what happened in the dialog is kept as it was sent. Of a body
that cannot be read nothing is kept but the refusal, for nobody can make it coarse.
"""

from __future__ import annotations

import contextlib
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
from eventlogging.intake.seal import PrivacyKey
from eventlogging.intake.useragent import coarse
from eventlogging.people import form_token as tokens

STEP_MS = 600_000
COOKIE = "eventlogging_wsapi"
_LAST_TIME = 253_402_300_799_999  # the end of the year 9999, in milliseconds
_FINE_STEP = STEP_MS * 1_000_000  # ten minutes in nanoseconds
_LAST_NUMBER = 2**63 - 1
_FORM = "wsapi"  # what the token is for


def session_context(headers: Mapping[str, str], key: str, *, is_secure: bool) -> Answer:
    """Return the token to send back, and the cookie it belongs to."""
    cookie = _cookie(headers) or tokens.new_value()
    flags = "; Path=/wsapi; HttpOnly; SameSite=Lax" + ("; Secure" if is_secure else "")
    body = orjson.dumps({"csrf_token": tokens.token(key, _FORM, cookie)}) + b"\n"
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
    consent = (decoded.parcel or {}).get("consent")
    if len(found) == 1 and not decoded.is_batch and isinstance(found[0], dict):
        whole = found[0]
        said = said or str(whole.get("csrf", ""))
        data, consent = whole.get("data"), whole.get("consent")
        if isinstance(data, list):
            # A key that was given twice may have hidden documents.
            code = decoded.code if type(whole) is dict else "duplicate_key"
            found, decoded = tuple(data), replace(decoded, is_batch=True, code=code)
        else:
            found = (_copy(whole),)
            found[0].pop("csrf", None)
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
    parcel = {"consent": False} if consent is False else None
    return replace(decoded, events=found, parcel=parcel)


def coarsened(context: Context) -> Context:
    """Return the context of a request with the time of its receipt cut to ten minutes."""
    return replace(context, received=context.received // STEP_MS * STEP_MS)


def as_capsules(found: decode.Body, schema: str, context: Context, key: PrivacyKey) -> decode.Body:
    """Return the documents as events of a schema, coarse.

    The same document sent again is the same event; what it is, is asked before it is coarse. The
    key is in the id, or whoever reads it could try out which exact time it was made from.
    """
    capsules = (_capsule(one, schema, context, key) for one in found.events)
    return replace(found, events=tuple(capsules))


def answer(accepted: Accepted) -> Answer:
    """Return 200 where all is stored, or rightly left out; else 400 with what is wrong."""
    if all(verdict.outcome is not Outcome.INVALID for verdict in accepted.verdicts):
        return Answer(200, b'{"success":true}\n')
    refused = answers.of_events(accepted)
    return replace(refused, status=400 if refused.status == 207 else refused.status)


def later(unavailable: Answer) -> Answer:
    """Return the same as an answer that is no server error: a client keeps it and tries again."""
    return replace(unavailable, status=429)


def _capsule(document: Any, schema: str, context: Context, key: PrivacyKey) -> dict[str, Any]:
    if not isinstance(document, dict):
        # Of what is no document, a refusal needs to know the kind alone.
        kind = type(document)
        return {"schema": schema, "event": kind() if kind in (list, str) else document}
    capsule: dict[str, Any] = {"schema": schema}
    if document.get("consent") is False:
        capsule["consent"] = False
    with contextlib.suppress(orjson.JSONEncodeError):  # flawed, or too deep: refused anyway
        text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
        capsule["id"] = key.hash(text.decode())
    event = _copy(document)
    if "timestamp" in event:
        event["timestamp"] = _cut(event["timestamp"])
        if type(event["timestamp"]) is int:
            capsule["dt"] = event["timestamp"]
    rate = event.get("sample_rate")
    if isinstance(rate, int | float) and not isinstance(rate, bool) and 0 < rate <= 1:
        capsule["sample_rate"] = rate
    agent = event.get("user_agent", context.user_agent)
    if isinstance(agent, str):  # a whole header tells one person from another
        event["user_agent"] = _agent(agent)
    return {**capsule, "event": event}


def _copy(document: dict[str, Any]) -> dict[str, Any]:
    """Return a copy that still knows whether a key was given twice."""
    return type(document)(document)


def _cut(stamp: Any) -> Any:
    """Return a time cut to ten minutes; what is of another kind or unit says as little."""
    if isinstance(stamp, str):
        return ""
    if type(stamp) not in (int, float) or not 0 <= stamp <= _LAST_NUMBER:
        return stamp  # no time at all: refused by the schema
    step = STEP_MS if stamp <= _LAST_TIME else _FINE_STEP
    return int(stamp // step * step)


def _agent(header: str) -> dict[str, str]:
    known = coarse(header)
    said = {"os": known.os, "browser": known.browser, "version": known.major}
    return {name: value for name, value in said.items() if value}


def _is_right(said: str, headers: Mapping[str, str], key: str) -> bool:
    return tokens.is_right(said, key, _FORM, _cookie(headers))


def _cookie(headers: Mapping[str, str]) -> str:
    for one in headers.get("cookie", "").split(";"):
        name, _, value = one.strip().partition("=")
        if name == COOKIE and tokens.is_value(value):
            return value
    return ""
