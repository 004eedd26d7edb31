"""Recognise the shape a sender wrapped an event in, and take the capsule's fields out of it.

EventGate: the schema (`$schema`) describes the whole body, `meta` carries id and
time. Capsule, also classic EventLogging's: the schema describes `event`. CloudEvents: `data`.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eventlogging.event import Problem
from eventlogging.intake import cloudevents
from eventlogging.sampling import LEAST_RATE

# As in a repository of schemas: the file's ending may be there, and an empty fragment.
_SCHEMA_URI = re.compile(
    r"/?([A-Za-z][A-Za-z0-9_.\-/]{0,63})/([0-9]+\.[0-9]+\.[0-9]+|latest)"
    r"(?:\.(?:json|yaml|yml))?#?\Z",
    re.ASCII,
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_ANY_UUID = re.compile(r"\{?[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}\}?\Z")
_TEXT_LIMIT = 255
# Bodies of clients that cannot ask the clock give seconds; this is the year 5138 in seconds.
_SECONDS_BELOW = 100_000_000_000


@dataclass(slots=True)  # not frozen: one is made for every event, and freezing costs 2 µs
class Envelope:
    """What a sender says around a payload. Empty texts and None: not said.

    `whole_body`: the payload is the body itself, `$schema` and `meta` still in
    it. `dt` is milliseconds since the epoch; `unit_id` is used for sampling and
    never kept.
    """

    name: str = ""
    version: str = ""  # empty: the latest
    revision: int | None = None
    payload: Any = None
    whole_body: bool = False
    id: str | None = None
    dt: int | None = None
    host: str | None = None
    wiki: str | None = None
    client: str | None = None
    sample_rate: float = 1.0
    unit_id: str | None = None
    consent: bool = True
    problems: tuple[Problem, ...] = ()
    field: str = "event"  # that holds the payload


def open_envelope(body: dict[str, Any]) -> Envelope:
    """Return what the body says; wrong fields are listed in `problems`."""
    if "$schema" in body:
        return _eventgate(body)
    if "specversion" in body and cloudevents.is_cloudevent(body):
        return _cloudevent(body)
    return _capsule(body)


def claimed_name(body: Any) -> str:
    """Return the schema name an event claims, unchecked; empty where it claims none."""
    if not isinstance(body, dict):
        return ""
    uri = body.get("$schema")
    if uri is None and "specversion" in body and cloudevents.is_cloudevent(body):
        uri = cloudevents.schema_uri(body)
    if isinstance(uri, str):
        match = _SCHEMA_URI.match(uri)
        return match[1] if match else uri
    name = body.get("schema") if "$schema" not in body else None  # as open_envelope sees it
    return name if isinstance(name, str) else ""


def canonical_id(text: str, name: str) -> str:
    """Return the 36-character lower-case UUID for an id: itself, or UUIDv5 of (schema, text)."""
    if _UUID.match(text):
        return text
    if _ANY_UUID.match(text):
        return str(uuid.UUID(text))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}:{text}"))


def _eventgate(body: dict[str, Any]) -> Envelope:
    problems: list[Problem] = []
    uri = body["$schema"]
    match = _SCHEMA_URI.match(uri) if isinstance(uri, str) else None
    meta = body.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    return Envelope(
        name=match[1] if match else str(uri)[:_TEXT_LIMIT],
        version="" if match and match[2] == "latest" else (match[2] if match else "?"),
        payload=body,
        whole_body=True,
        id=_text(meta, "id", "/meta", problems),
        dt=_time(body["dt"] if "dt" in body else meta.get("dt"), "/dt", []),
        host=_text(meta, "domain", "/meta", []),
        consent=meta.get("consent") is not False and body.get("consent") is not False,
        problems=tuple(problems),
    )


def _cloudevent(body: dict[str, Any]) -> Envelope:
    problems = cloudevents.problems_of(body)
    uri = cloudevents.schema_uri(body)
    match = _SCHEMA_URI.match(uri) if isinstance(uri, str) else None
    if match:
        name, version = match[1], "" if match[2] == "latest" else match[2]
    else:  # a schema that the type alone names is the newest; what else was said is unknown
        name = str(uri)[:_TEXT_LIMIT]
        version = "?" if body.get("dataschema") is not None else ""
    data = body.get("data")
    if not isinstance(data, dict):
        found = _kind(data) if "data" in body else "nothing"
        problems.append(Problem("/data", "type", found, "the payload as an object"))
    return Envelope(
        name=name,
        version=version,
        payload=data,
        id=cloudevents.id_of(body),
        dt=_time(body.get("time"), "/time", problems),
        host=cloudevents.host_of(body),
        sample_rate=cloudevents.rate_of(body),
        consent=cloudevents.consent_of(body),
        problems=tuple(problems),
        field="data",
    )


def _capsule(body: dict[str, Any]) -> Envelope:
    problems: list[Problem] = []
    name = body.get("schema")
    if name is not None and not isinstance(name, str):
        problems.append(Problem("/schema", "type", _kind(name), "a schema's name as text"))
        name = ""
    version, revision = _version(body, problems)
    event = body.get("event")
    if type(event) is not dict and not isinstance(event, dict):
        found = _kind(event) if "event" in body else "nothing"
        problems.append(Problem("/event", "type", found, "the payload as an object"))
    envelope = Envelope(name or "", version, revision, event)
    if "id" in body:
        envelope.id = _text(body, "id", "", problems)
    elif "uuid" in body:
        envelope.id = _text(body, "uuid", "", problems)
    if "dt" in body:
        envelope.dt = _time(body["dt"], "/dt", problems)
    elif "timestamp" in body:
        envelope.dt = _time(body["timestamp"], "/timestamp", problems)
    if "host" in body:
        envelope.host = _text(body, "host", "", problems)
    elif "webHost" in body:
        envelope.host = _text(body, "webHost", "", problems)
    if "wiki" in body:
        envelope.wiki = _text(body, "wiki", "", problems, 64)
    if "client" in body:
        envelope.client = _text(body, "client", "", problems, 64)
    if "sample_rate" in body:
        envelope.sample_rate = _rate(body["sample_rate"], problems)
    if "sample_unit_id" in body:
        envelope.unit_id = _text(body, "sample_unit_id", "", problems)
    envelope.consent = body.get("consent") is not False
    envelope.problems = tuple(problems)
    return envelope


def _rate(rate: Any, problems: list[Problem]) -> float:
    if type(rate) in (int, float) and LEAST_RATE <= rate <= 1:
        return float(rate)
    found = repr(rate) if type(rate) in (int, float) else _kind(rate)
    wanted = f"a number of at least {LEAST_RATE:f}, at most 1"
    problems.append(Problem("/sample_rate", "range", found, wanted))
    return 1.0


def _version(body: dict[str, Any], problems: list[Problem]) -> tuple[str, int | None]:
    version, revision = body.get("version"), body.get("revision")
    if version is not None and not isinstance(version, str):
        problems.append(
            Problem("/version", "type", _kind(version), 'a version as text, such as "1.0.0"')
        )
        version = None
    if revision is not None and type(revision) is not int:
        problems.append(Problem("/revision", "type", _kind(revision), "a whole number"))
        revision = None
    if version == "latest":
        version = None
    return version or "", revision if not version else None


def _text(
    body: dict[str, Any],
    key: str,
    base: str,
    problems: list[Problem],
    limit: int = _TEXT_LIMIT,
) -> str | None:
    value = body.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        problems.append(Problem(f"{base}/{key}", "type", _kind(value), "a text"))
        return None
    if len(value) > limit:
        problems.append(
            Problem(
                f"{base}/{key}", "maxLength", f"{len(value)} characters", f"at most {limit} of them"
            )
        )
        return None
    return value


def _time(value: Any, pointer: str, problems: list[Problem]) -> int | None:
    """Milliseconds of an ISO 8601 text or of a number; without a zone it is UTC."""
    if value is None:
        return None
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            return int(moment.timestamp() * 1000 + 0.0005)
        if type(value) in (int, float):
            return int(value * 1000 if abs(value) < _SECONDS_BELOW else value)
    except (ValueError, OverflowError):
        pass
    found = repr(value[:40]) if isinstance(value, str) else _kind(value)
    problems.append(Problem(pointer, "date-time", found, "a time such as 2026-11-22T03:04:05.678Z"))
    return None


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "an array" if isinstance(value, list) else "an object"
