"""Demo traffic: events as sites would send them, some of them wrong, some sent twice.

Of each hundred events one is invalid, in one of several ways, and one is an
exact retry of an earlier one. Schemas follow a Zipf law: the first of them
sends most. The same seed gives the same events, but for ids and times.
"""

from __future__ import annotations

import copy
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from random import Random
from typing import Any

from eventlogging import clock
from eventlogging.cli.traffic_any import Judge, any_payloads
from eventlogging.cli.traffic_starter import MAKERS, zipf
from eventlogging.governance.model import SchemaFolder

Body = dict[str, Any]

BLOCK = 100  # events of which one is invalid and one a retry
_REMEMBERED = 500  # events that a retry may repeat
_LATEST_MS = 5000  # how long ago an event may have happened when it is sent
_SITES = tuple(
    (f"{code}.wiki.example.org", f"{code}wiki")
    for code in ("en", "de", "fr", "es", "ja", "ru", "it", "pt", "nl")
)
_HOSTS = {
    "AccountActivity": "accounts.example.org",
    "DialogInteraction": "signin.example.org",
    "RecipeUptake": "recipes.example.org",
    "StudyEnrollment": "recipes.example.org",
}


class Intent(StrEnum):
    """What an event was made to be."""

    VALID = "valid"
    INVALID = "invalid"
    RETRY = "retry"


@dataclass(frozen=True)
class Parcel:
    """One body to send; `schema` is what it claims, empty where it claims none."""

    body: Body
    intent: Intent
    schema: str


def traffic(schemas: Iterable[SchemaFolder], seed: int) -> Iterator[Body]:
    """Yield capsule bodies for these schemas without end; none where none can be made."""
    return (parcel.body for parcel in parcels(schemas, seed))


def parcels(
    schemas: Iterable[SchemaFolder], seed: int, now: Callable[[], int] = clock.now_ms
) -> Iterator[Parcel]:
    """Yield bodies with what each was made to be; `now` gives milliseconds since the epoch."""
    random = Random(seed)  # noqa: S311 - nothing here is a secret
    folders = in_order(schemas)
    makers = {folder.name: made for folder in folders if (made := payloads(folder, random, now))}
    able = [folder for folder in folders if folder.name in makers]
    sent: deque[Parcel] = deque(maxlen=_REMEMBERED)
    while able:
        wrong = random.randrange(BLOCK // 2)
        again = random.randrange(BLOCK // 2, BLOCK)
        for place in range(BLOCK):
            if place == again:
                earlier = random.choice(sent)
                yield Parcel(copy.deepcopy(earlier.body), Intent.RETRY, earlier.schema)
                continue
            folder = zipf(random, able)
            body = _capsule(folder.name, next(makers[folder.name]), random, now)
            if place == wrong:
                body = spoilt(body, folder, random)
                yield Parcel(body, Intent.INVALID, str(body.get("schema", "")))
            else:
                parcel = Parcel(body, Intent.VALID, folder.name)
                sent.append(parcel)
                yield parcel


def in_order(schemas: Iterable[SchemaFolder]) -> list[SchemaFolder]:
    """Return the schemas that have a version: the starter set's first, then by name."""
    rank = {name: place for place, name in enumerate(MAKERS)}
    versioned = [folder for folder in schemas if folder.latest]
    return sorted(versioned, key=lambda folder: (rank.get(folder.name, len(rank)), folder.name))


def payloads(folder: SchemaFolder, random: Random, now: Callable[[], int]) -> Iterator[Any] | None:
    """Return endless payloads for one schema's latest version; None where none can be made."""
    document = folder.versions[folder.latest]
    examples = [example.payload for example in folder.examples if example.passes]
    if folder.name in MAKERS:
        made: Iterator[Any] = MAKERS[folder.name](random, now)
        first = next(made)
        if Judge(document).accepts(first):
            return chain((first,), made)
    made = any_payloads(document, examples, random)  # not ours, or it has moved on
    first = next(made, None)
    return None if first is None else chain((first,), made)


def _capsule(name: str, payload: Any, random: Random, now: Callable[[], int]) -> Body:
    body = {
        "schema": name,
        "event": payload,
        "id": str(uuid.uuid4()),
        "dt": clock.iso(now() - random.randrange(_LATEST_MS)),
        "client": "eventlogging-demo",
    }
    if name in _HOSTS:
        return body | {"webHost": _HOSTS[name]}
    host, wiki = zipf(random, _SITES)
    return body | {"webHost": host, "wiki": wiki}


def spoilt(body: Body, folder: SchemaFolder, random: Random) -> Body:
    """Return the body with one mistake that a server must refuse."""
    document = folder.versions[folder.latest]
    judge = Judge(document)
    for mistake in random.sample(_MISTAKES, len(_MISTAKES)):
        wrong = mistake(copy.deepcopy(body), document, random)
        if wrong is None:
            continue
        if wrong.get("schema") != folder.name or not judge.accepts(wrong.get("event")):
            return wrong
        if "dt" in wrong and wrong["dt"] == "yesterday":
            return wrong
    return _unknown_schema(body, document, random)


def _wrong_type(body: Body, document: Mapping[str, Any], random: Random) -> Body | None:
    typed = [
        name
        for name in body["event"]
        if (kind := document.get("properties", {}).get(name, {}).get("type"))
        and not {"object", "array"} & set(kind if isinstance(kind, list) else [kind])
    ]
    if not typed:
        return None
    body["event"][random.choice(typed)] = {"value": "an object"}
    return body


def _missing_field(body: Body, document: Mapping[str, Any], random: Random) -> Body | None:
    required = [name for name in document.get("required", ()) if name in body["event"]]
    if not required:
        return None
    del body["event"][random.choice(required)]
    return body


def _unknown_value(body: Body, document: Mapping[str, Any], random: Random) -> Body | None:
    fields = document.get("properties", {})
    limited = [name for name in body["event"] if "enum" in fields.get(name, {})]
    if not limited:
        return None
    name = random.choice(limited)
    body["event"][name] = f"{body['event'][name]}-new"
    return body


def _undeclared_field(body: Body, document: Mapping[str, Any], random: Random) -> Body | None:
    if document.get("additionalProperties") is not False:
        return None
    body["event"]["debugInfo"] = random.randrange(1000)
    return body


def _unknown_schema(body: Body, _: Mapping[str, Any], __: Random) -> Body:
    return body | {"schema": f"{body['schema']}Typo"}


def _malformed_capsule(body: Body, _: Mapping[str, Any], random: Random) -> Body:
    kind = random.choice(("event", "dt", "schema"))
    if kind == "schema":
        del body["schema"]
        return body
    return body | ({"dt": "yesterday"} if kind == "dt" else {"event": "click"})


_MISTAKES: Sequence[Callable[[Body, Mapping[str, Any], Random], Body | None]] = (
    _wrong_type,
    _missing_field,
    _unknown_value,
    _undeclared_field,
    _unknown_schema,
    _malformed_capsule,
)
