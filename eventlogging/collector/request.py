"""What intake needs to know of a request, read from its headers."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qs

from eventlogging.intake import cloudevents
from eventlogging.intake.context import Context
from eventlogging.registry.model import Snapshot
from eventlogging.registry.tokens import TEST, TEST_PREFIX

OPT_OUT_COOKIE = "eventlogging_opt_out"
OPT_OUT_FOR_COOKIE = "eventlogging_opt_out_for"  # names of schemas, with colons between them
_WANTED = {
    name.encode(): name
    for name in ("user-agent", "origin", "authorization", "cookie", "dnt", "sec-gpc")
    + ("content-type", "content-length", "content-encoding", "x-request-id", "x-csrf-token")
}
_NOTHING: frozenset[str] = frozenset()
_NO = frozenset({"", "false", "0", "no"})
JSON_TYPES = frozenset(
    {"", "application/json", "text/plain", "application/reports+json", "text/json"}
    | {cloudevents.STRUCTURED, cloudevents.BATCHED}
)


def headers_of(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers that intake looks at, by name; of repeated ones the last, cookies joined.

    ASGI gives their names in lower case.
    """
    headers: dict[str, str] = {}
    for name, value in raw:
        key = _WANTED.get(name)
        if key is None and name.startswith(b"ce-"):
            key = name.decode("latin-1")
        if key is not None:
            text = value.decode("latin-1")
            headers[key] = (
                f"{headers[key]}; {text}" if name == b"cookie" and key in headers else text
            )
    return headers


def context_of(
    headers: dict[str, str], received: int, snapshot: Snapshot, admin_token: str
) -> Context:
    """Return the context of all events in a request."""
    scopes, test_key = _rights(headers.get("authorization", ""), snapshot, admin_token)
    opted_out, opted_out_of = said_no(headers)
    return Context(
        received=received,
        user_agent=headers.get("user-agent", ""),
        origin=headers.get("origin", ""),
        scopes=scopes,
        opted_out=opted_out,
        opted_out_of=opted_out_of,
        request_id=headers.get("x-request-id", ""),
        test_key=test_key,
    )


def is_hasty(query: bytes) -> bool:
    """Whether a query asks for an answer before the events are judged: `hasty=true`."""
    values = parse_qs(query.decode("latin-1")).get("hasty", ())
    return any(value.strip().lower() not in _NO for value in values)


def media_type(headers: dict[str, str]) -> str:
    """Return the Content-Type without its parameters, lower-case."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def is_binary(headers: dict[str, str]) -> bool:
    """Whether a body is the payload of a CloudEvent whose attributes are headers.

    A structured one may carry them as well: its type says so.
    """
    if "ce-specversion" not in headers:
        return False
    return media_type(headers) not in (cloudevents.STRUCTURED, cloudevents.BATCHED)


def is_json(headers: dict[str, str]) -> bool:
    """Whether a body's type is one that we take: JSON, or what browsers send it as.

    What a CloudEvent in binary form holds may be JSON of any kind.
    """
    kind = media_type(headers)
    return kind in JSON_TYPES or ("ce-specversion" in headers and kind.endswith("+json"))


def names_test_key(headers: dict[str, str]) -> bool:
    """Whether a request comes with what looks like a test key, good or not."""
    return "authorization" in headers and _secret(headers["authorization"]).startswith(TEST_PREFIX)


def _rights(authorization: str, snapshot: Snapshot, admin_token: str) -> tuple[frozenset[str], str]:
    """Return the scopes of a request's token, and its name if it is a test key."""
    secret = _secret(authorization)
    if not secret:
        return frozenset(), ""
    if admin_token and hmac.compare_digest(secret.encode(), admin_token.encode()):
        return frozenset({"admin"}), ""
    digest = hashlib.sha256(secret.encode()).hexdigest()
    scopes = snapshot.tokens.get(digest, frozenset())
    return scopes, snapshot.test_keys[digest] if TEST in scopes else ""


def _secret(authorization: str) -> str:
    kind, _, secret = authorization.partition(" ")
    return secret.strip() if kind.lower() == "bearer" else ""


def said_no(headers: Mapping[str, str]) -> tuple[bool, frozenset[str]]:
    """Return whether a request's headers say no to everything, and the schemas they say no to."""
    everything = (
        headers.get("dnt") == "1"
        or headers.get("sec-gpc") == "1"
        or ("ce-consent" in headers and headers["ce-consent"].strip().lower() == "false")
    )
    cookies = headers.get("cookie", "")
    if OPT_OUT_COOKIE not in cookies:
        return everything, _NOTHING
    names: list[str] = []
    # Not by a parser, which gives up on one bad cookie: a person who said no is believed.
    for cookie in cookies.split(";"):
        name, _, value = cookie.partition("=")
        if name.strip() == OPT_OUT_COOKIE and value.strip(' "') not in ("0", ""):
            everything = True
        elif name.strip() == OPT_OUT_FOR_COOKIE:
            names += value.strip(' "').split(":")
    return everything, frozenset(filter(None, names)) if names else _NOTHING
