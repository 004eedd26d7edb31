"""Bodies that are almost right: valid ones, changed in their structure or in their bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from tests.schemas import CLICK, registered

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
}
DOCUMENT: dict[str, Any] = {
    **CLICK,
    "properties": {
        **CLICK["properties"],
        "who": PERSON,
        "people": {"type": "array", "items": PERSON, "maxItems": 20},
        "more": {"type": "object"},
    },
}
PRIVATE = {
    "/user": "hmac", "/mail": "drop", "/who/name": "hmac", "/people/*/name": "drop", "/more": "hmac"
}  # fmt: skip
SCHEMA = registered(
    documents={"1.0.0": DOCUMENT, "1.1.0": DOCUMENT}, privacy=PRIVATE, sampling_rate=0.9
)
SECRETS = tuple(f"sEcReT{number}" for number in range(5))
_ODD: tuple[Any, ...] = (
    None, True, 0, -0.0, 1e308, 2**53 + 1, 2**63 - 1, "", "x" * 300, "x" * 9000, [], {}, [[]], [{}],
    {"": None}, "\u2028", "\U0010ffff", "2026-02-30T00:00:00Z", "1.0.0", "Click", "Clock",
    {"name": 5},
    ["sEcReT0"], {"name": "sEcReT1"}, "\x01",
)  # fmt: skip
_TOKENS = (
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u0000", b"\\ud800", b"\xff",
    b"\xef\xbb\xbf",
    b"1e400", b"9" * 25, b"NaN", b"-", b"\0", b"\n", b'"user":"sEcReT2",', b'"schema":"Click",',
    b'"event":{},', b'"$schema":"/Click/1.0.0",', b"[" * 300, b'"consent":false,', b'"meta":{},',
)  # fmt: skip


def body(chance: random.Random) -> bytes:
    """Return a body: a right one, one of changed structure, or one of changed bytes."""
    try:
        data = _structured(chance)
    except RecursionError:  # it nests more deeply than Python can write
        data = b"[" * 2000 + b"]" * 2000
    for _ in range(chance.choice((0, 0, 1, 2, 8))):
        data = _damaged(data, chance)
    return data


def _structured(chance: random.Random) -> bytes:
    value: Any = _event(chance)
    if chance.random() < 0.4:
        value = [value, *(_event(chance) for _ in range(chance.randrange(6)))]
    for _ in range(chance.choice((0, 0, 1, 1, 2, 5))):
        value = _changed(value, chance)
    return json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "replace")


def _event(chance: random.Random) -> dict[str, Any]:
    payload: dict[str, Any] = {"target": "a"}
    optional = {
        "count": 5, "ratio": 0.5, "when": "2026-11-22T04:05:06.789Z", "tags": ["a", "b"],
        "user": SECRETS[0], "mail": SECRETS[1], "who": {"name": SECRETS[2], "age": 7},
        "people": [{"name": SECRETS[3], "age": 1}, {"age": 2}], "more": {"a": [SECRETS[4]]},
    }  # fmt: skip
    payload.update({key: value for key, value in optional.items() if chance.random() < 0.6})
    if chance.random() < 0.3:
        meta = {"id": str(chance.random()), "dt": "2026-11-22T04:05:06Z", "domain": "a.example"}
        return {"$schema": "/Click/1.0.0", "meta": meta, **payload}
    capsule = {
        "version": "1.0.0", "id": str(chance.random()), "dt": 1_795_000_000_000,
        "host": "a.example",
        "wiki": "enwiki", "client": "web", "sample_rate": 0.5, "sample_unit_id": "u",
        "consent": chance.random() < 0.8,
    }  # fmt: skip
    chosen = {key: value for key, value in capsule.items() if chance.random() < 0.3}
    return {"schema": "Click", **chosen, "event": payload}


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (container, key or index) of everything inside a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        yield value, key
        if isinstance(item, dict | list):
            yield from _places(item)


def _odd(chance: random.Random) -> Any:
    return json.loads(json.dumps(chance.choice(_ODD)))  # one of its own, for it may be changed


def _changed(value: Any, chance: random.Random) -> Any:
    places = list(_places(value)) if isinstance(value, dict | list) else []
    if not places:
        return _odd(chance)
    container, key = chance.choice(places)
    other, other_key = chance.choice(places)
    # A value that has grown large is only changed in places, or it would soon be gigabytes.
    kind = chance.randrange(6 if len(places) < 200 else 2)
    if kind == 0:
        container[key] = _odd(chance)
    elif kind == 1:
        del container[key]
    elif kind == 2:  # a piece of it elsewhere
        container[key] = json.loads(json.dumps(other[other_key]))
    elif kind == 3:
        for _ in range(chance.choice((1, 3, 70, 300))):
            container[key] = [container[key]] if chance.random() < 0.5 else {"a": container[key]}
    elif kind == 4 and isinstance(container, dict):
        container[chance.choice(("", "x", "user", "meta", "event", "__proto__", "\n"))] = (
            container.pop(key)
        )
    else:
        container[key] = [container[key]] * chance.choice((2, 12))
    return value


def _damaged(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    at = chance.randrange(len(changed) + 1)
    kind = chance.randrange(5)
    if kind == 0 and at < len(changed):
        changed[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        changed[at:at] = chance.choice(_TOKENS)
    elif kind == 2:
        start = chance.randrange(len(changed) + 1)
        changed[at:at] = changed[start : start + chance.randrange(60)]
    elif kind == 3:
        del changed[at : at + chance.randrange(20)]
    else:
        del changed[at:]
    return bytes(changed)
