"""CloudEvents 1.0: `dataschema` names the schema, which describes `data`.

Structured and batched bodies arrive as JSON of their own type; of the binary form the attributes
are headers (`ce-…`), which `from_headers` puts around the body, so that one road serves all three.
See https://github.com/cloudevents/spec (spec, JSON event format, HTTP protocol binding).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from eventlogging.event import Problem
from eventlogging.sampling import LEAST_RATE

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
PREFIX = "ce-"
_REQUIRED = ("id", "source", "type")
_OURS = "/v1/schemas/"
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z")
_MOST_SOURCE = 2000


def is_cloudevent(body: Mapping[str, Any]) -> bool:
    """Whether an event says that it is one, and nothing else."""
    return "specversion" in body and "$schema" not in body and "schema" not in body


def schema_uri(body: Mapping[str, Any]) -> Any:
    """Return what names the schema as `/name/version`, else as it is; `type` where nothing does.

    Of an absolute URI only the part after `/v1/schemas` counts: nothing is ever fetched.
    """
    stated = body.get("dataschema")
    if stated is None:
        return body.get("type", "")
    if isinstance(stated, str) and "://" in stated:
        _, ours, rest = stated.partition(_OURS)
        return f"/{rest}" if ours else stated
    return stated


def problems_of(body: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the attributes around the payload."""
    found = []
    if body["specversion"] != "1.0":
        said = body["specversion"]
        shown = repr(said[:20]) if isinstance(said, str) else "no text"
        found.append(Problem("/specversion", "const", shown, '"1.0"'))
    for name in _REQUIRED:
        value = body.get(name)
        if not isinstance(value, str) or not value or len(value) > _MOST_SOURCE:
            kind = "nothing" if value in (None, "") else "something else"
            found.append(Problem(f"/{name}", "required", kind, "a text, as CloudEvents demands it"))
    if rate_of(body) < LEAST_RATE:
        most = f"at most {round(1 / LEAST_RATE)}"
        found.append(Problem("/sampledrate", "range", str(body["sampledrate"]), most))
    if "data_base64" in body:
        found.append(Problem("/data_base64", "encoding", "bytes", "the payload as JSON in `data`"))
    return found


def id_of(body: Mapping[str, Any]) -> str | None:
    """Return what tells the event from all others: of CloudEvents that is source and id.

    An id that is a UUID stands for itself.
    """
    id, source = body.get("id"), body.get("source")
    if not isinstance(id, str) or not isinstance(source, str):
        return None
    return id if _UUID.match(id) else f"{source} {id}"


def host_of(body: Mapping[str, Any]) -> str | None:
    """Return the host that the source names, where it is an absolute URI."""
    source = body.get("source")
    try:
        host = urlsplit(source).hostname if isinstance(source, str) else None
    except ValueError:
        return None
    return host[:255] if host else None


def rate_of(body: Mapping[str, Any]) -> float:
    """Return the share of events that the sender let through: its extension `sampledrate` is n
    where it keeps one of n."""
    said = body.get("sampledrate")
    return 1 / said if type(said) is int and said >= 1 else 1.0


def consent_of(body: Mapping[str, Any]) -> bool:
    """Whether nothing says no: the extension `consent`; of headers it is a text."""
    said = body.get("consent")
    return said is not False and str(said).lower() != "false"


def from_headers(headers: Mapping[str, str], body: bytes) -> bytes:
    """Return the binary form as a structured one; a body that is no JSON stays what it is."""
    attributes: dict[str, Any] = {
        name.removeprefix(PREFIX): unquote(value, errors="replace")
        for name, value in headers.items()
        if name.startswith(PREFIX)
    }
    attributes.pop("data", None)
    if (said := attributes.get("sampledrate", "")).isdecimal() and len(said) < 10:
        attributes["sampledrate"] = int(said)
    if not body.strip():
        return orjson.dumps(attributes)
    try:
        orjson.loads(body)  # lest a body closes the brace and says more than it is
    except orjson.JSONDecodeError:
        return body
    return orjson.dumps({**attributes, "data": orjson.Fragment(body)})
