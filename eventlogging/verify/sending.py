"""A person who is nobody, and who said no: what they send, by every route and way of saying it."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import requests

from eventlogging.event import UNKNOWN
from eventlogging.intake.seal import PrivacyKey

_TIMEOUT = 10.0
_JSON = "application/json"
_CLOUD, _CLOUDS = "application/cloudevents+json", "application/cloudevents-batch+json"
_COOKIE = "eventlogging_opt_out=1"
_COOKIE_FOR = "eventlogging_opt_out_for="  # names of schemas, with colons between them
_FOR_SCHEMA, _IN_BODY = "cookie for the schema", "consent in the body"
# How somebody says no: the header, or nothing where the body says it. `_COOKIE_FOR` is completed
# by what is sent. An account's no is not among them: it is nobody's without an id that is known.
WAYS: Mapping[str, Mapping[str, str]] = {
    "cookie": {"Cookie": _COOKIE},
    _FOR_SCHEMA: {"Cookie": _COOKIE_FOR},
    "DNT": {"DNT": "1"},
    "Sec-GPC": {"Sec-GPC": "1"},
    _IN_BODY: {},
}


@dataclass(frozen=True)
class Nobody:
    """A synthetic person: `mark` is a UUID that stands in everything they send."""

    mark: uuid.UUID = field(default_factory=uuid.uuid4)

    def traces(self, keys: Sequence[PrivacyKey]) -> list[bytes]:
        """Return the texts that must be nowhere: as sent, and hashed by the keys in use."""
        texts = [self.mark.hex, str(self.mark)]
        return [t.encode() for t in [*texts, *(key.hash(text) for key in keys for text in texts)]]


@dataclass(frozen=True)
class Request:
    """One request: `events` of a schema are in it. `name` says the route and the form."""

    name: str
    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]
    schema: str
    events: int = 1


@dataclass(frozen=True)
class Target:
    """What is sent: events of a version of a schema, with the mark in a field of the payload.

    `dialogs` is the schema of what comes to the KPI back end's address.
    """

    schema: str
    version: str
    field: str
    dialogs: str


def requests_of(
    person: Nobody, target: Target, url: str, *, opted_out: bool = True
) -> Iterator[Request]:
    """Yield a request for each route, form and way of saying no.

    Not `opted_out`: the same without a no, for proof that the search would find it.
    """
    for way, headers in WAYS.items():
        common = {
            "User-Agent": f"opt-out-canary/{person.mark.hex}",
            "X-Request-ID": person.mark.hex,
            **(headers if opted_out else {}),
        }
        if opted_out and way == _FOR_SCHEMA:
            common["Cookie"] += ":".join({target.schema, target.dialogs} - {UNKNOWN})
        in_body = way == _IN_BODY
        yield from _of_events(person, target, way, common, says_no=opted_out and in_body)
        if not in_body:  # its documents are payload alone
            yield from _of_dialogs(person, target, way, common, url)


def _of_events(
    person: Nobody, target: Target, way: str, common: Mapping[str, str], *, says_no: bool
) -> Iterator[Request]:
    no = {"consent": False} if says_no else {}
    capsule, whole, cloud = (
        _capsule(person, target),
        _eventgate(person, target),
        _cloud(person, target),
    )
    parcel = {"events": [capsule, whole], **no}
    if way != _FOR_SCHEMA:  # who says no to some kinds may still report how many of all there were
        parcel["counters"] = _counters(person, target)
    capsule, cloud = {**capsule, **no}, {**cloud, **no}
    whole = {**whole, "meta": {**whole["meta"], **no}}
    text, path = _text(capsule), "/v1/events"

    def typed(media: str, **more: str) -> Mapping[str, str]:
        return {**common, "Content-Type": media, **more}

    binary = {f"ce-{name}": _plain(value) for name, value in cloud.items() if name != "data"}
    forms: Sequence[tuple[str, str, str, bytes, Mapping[str, str], int]] = (
        ("capsule", "POST", path, text, typed(_JSON), 1),
        ("EventGate", "POST", path, _text(whole), typed(_JSON), 1),
        ("array", "POST", path, _text([capsule, whole]), typed(_JSON), 2),
        ("parcel", "POST", path, _text(parcel), typed(_JSON), 2),
        ("CloudEvent", "POST", path, _text(cloud), typed(_CLOUD), 1),
        ("CloudEvents", "POST", path, _text([cloud]), typed(_CLOUDS), 1),
        ("binary CloudEvent", "POST", path, _text(cloud["data"]), typed(_JSON, **binary), 1),
        ("text/plain", "POST", path, text, typed("text/plain"), 1),
        (
            "gzip",
            "POST",
            path,
            gzip.compress(text),
            {**typed(_JSON), "Content-Encoding": "gzip"},
            1,
        ),
        ("hasty", "POST", f"{path}?hasty=true", text, typed(_JSON), 1),
        ("beacon", "GET", f"/beacon/event?{quote(text, safe='')};", b"", common, 1),
        ("beacon body", "POST", "/beacon/event", text, typed(_JSON), 1),
    )
    if not says_no:  # what nobody can read says nothing in its body
        way_of = f"POST broken JSON with {way}"
        yield Request(way_of, "POST", path, text[:-1], typed(_JSON), UNKNOWN, 1)
    for name, method, where, body, headers, events in forms:
        yield Request(
            f"{method} {name} with {way}", method, where, body, headers, target.schema, events
        )


def _of_dialogs(
    person: Nobody, target: Target, way: str, common: Mapping[str, str], url: str
) -> Iterator[Request]:
    """Yield what goes to the KPI back end's address, with a token of the server's; none: none."""
    try:
        begun = requests.get(f"{url}/wsapi/session_context", timeout=_TIMEOUT)
        token = begun.json()["csrf_token"]
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return
    cookies = [f"{name}={value}" for name, value in begun.cookies.items()]
    cookies += [common["Cookie"]] if "Cookie" in common else []
    headers = {
        **common, "Content-Type": _JSON, "Cookie": "; ".join(cookies), "X-CSRF-Token": token,
    }  # fmt: skip
    body = _text({"data": [{target.field: person.mark.hex, "id": str(person.mark)}]})
    name = f"POST dialog with {way}"
    yield Request(name, "POST", "/wsapi/interaction_data", body, headers, target.dialogs)


def send(url: str, request: Request) -> str:
    """Send a request; return why it was not taken, an empty text where it was."""
    try:
        answer = requests.request(
            request.method, url + request.path, data=request.body or None,
            headers=dict(request.headers), timeout=_TIMEOUT, allow_redirects=False,
        )  # fmt: skip
    except requests.RequestException as error:
        return f"{request.name}: {type(error).__name__}"
    if answer.status_code in (200, 201, 202, 204):
        return ""
    return f"{request.name}: answered {answer.status_code}"


def answers(url: str) -> bool:
    """Whether a server of ours answers at an address."""
    try:
        return requests.get(f"{url}/healthz", timeout=_TIMEOUT).status_code == 200
    except requests.RequestException:
        return False


def _capsule(person: Nobody, target: Target) -> dict[str, Any]:
    mark = person.mark.hex
    return {
        "schema": target.schema, "id": str(person.mark), "host": f"{mark}.example.org",
        "wiki": mark, "client": mark, "sample_unit_id": mark, "event": {target.field: mark},
    }  # fmt: skip


def _eventgate(person: Nobody, target: Target) -> dict[str, Any]:
    meta = {"id": str(person.mark), "domain": f"{person.mark.hex}.example.org"}
    schema = f"/{target.schema}/{target.version}"
    return {"$schema": schema, "meta": meta, target.field: person.mark.hex}


def _cloud(person: Nobody, target: Target) -> dict[str, Any]:
    mark = person.mark.hex
    return {
        "specversion": "1.0", "id": str(person.mark), "source": f"https://{mark}.example.org/",
        "type": target.schema, "dataschema": f"/{target.schema}/{target.version}",
        "data": {target.field: mark},
    }  # fmt: skip


def _counters(person: Nobody, target: Target) -> dict[str, Any]:
    counts = {target.schema: {"attempted": 2, "sent": 2}}
    return {"id": str(person.mark), "client": person.mark.hex, "counts": counts}


def _text(value: Any) -> bytes:
    return json.dumps(value).encode()


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
