"""Make payloads for any schema: from its types, bounds and formats, else from its examples."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

import jsonschema
import referencing
from jsonschema.exceptions import SchemaError
from referencing.exceptions import Unresolvable

from eventlogging.schema.local_refs import Place, effective, place_of

_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "iris", "jade")
_TRIES = 8
_DEEPEST = 12
_FORMATS = {
    "date-time": "2026-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{ms:03d}Z",
    "date": "2026-{month:02d}-{day:02d}",
    "time": "{hour:02d}:{minute:02d}:{second:02d}Z",
    "email": "{word}.{number}@example.org",
    "uri": "https://www.example.org/{word}/{number}",
    "uri-reference": "/{word}/{number}",
    "hostname": "{word}-{number}.example.org",
    "ipv4": "192.0.2.{day}",
    "ipv6": "2001:db8::{number:x}",
    "uuid": "{hex8}-0000-4000-8000-{hex12}",
    "duration": "PT{minute}M{second}S",
    "json-pointer": "/{word}/{day}",
}


class _CannotMake(Exception):
    """Raised when a value cannot be made from a subschema alone."""


class Judge:
    """Tells whether a payload suits a document; references out of the document suit nothing."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        cls = jsonschema.validators.validator_for(document, jsonschema.Draft202012Validator)
        self._validator = cls(
            document,
            registry=referencing.Registry(),  # nothing is ever fetched
            format_checker=cls.FORMAT_CHECKER,
        )

    def accepts(self, payload: Any) -> bool:
        try:
            return bool(self._validator.is_valid(payload))
        except (Unresolvable, SchemaError, RecursionError):
            return False


def any_payloads(
    document: Mapping[str, Any], examples: Sequence[Any], random: Random
) -> Iterator[Any]:
    """Yield payloads that `document` accepts, without end; none where none could be made.

    `examples` are payloads it accepts: they give values to fields with a pattern, and stand in
    where the document is too intricate.
    """
    judge = Judge(document)
    while True:
        payload = _made(document, examples, random, judge)
        if payload is None and examples:
            payload = copy.deepcopy(random.choice(examples))
        if payload is None:
            return
        yield payload


def _made(
    document: Mapping[str, Any], examples: Sequence[Any], random: Random, judge: Judge
) -> Any:
    for _ in range(_TRIES):
        try:
            payload = _value(place_of(document), list(examples), random, 0)
        except (_CannotMake, RecursionError):
            continue
        if judge.accepts(payload):
            return payload
    return None


def _value(place: Place, seen: list[Any], random: Random, depth: int) -> Any:
    """Return a value for a subschema; `seen` are the values that examples have there."""
    place = effective(place)
    if place.node is False or depth > _DEEPEST:
        raise _CannotMake
    place = _one_way(place, random)
    if "const" in place.node:
        return place.get("const")
    if "enum" in place.node:
        return random.choice(place.get("enum"))
    kind = place.get("type") or ("object" if "properties" in place.node else None)
    if isinstance(kind, list):
        kind = random.choice([one for one in kind if one != "null"] * 9 + kind)
    if kind == "object":
        return _object(place, seen, random, depth)
    if kind == "array":
        return _array(place, seen, random, depth)
    if kind == "string":
        return _text(place, seen, random)
    if kind in ("integer", "number"):
        return _number(place, kind, random)
    if kind == "boolean":
        return random.random() < 0.5
    if kind == "null":
        return None
    return random.choice(seen) if seen else random.choice(_WORDS)


def _one_way(place: Place, random: Random) -> Place:
    """Return the subschema with one alternative of each anyOf/oneOf, and all of allOf, put in."""
    node: dict[str, Any] = dict(place.node)
    chosen = [random.choice(node[word]) for word in ("anyOf", "oneOf") if node.get(word)]
    for part in [*node.get("allOf", ()), *chosen]:
        inner = effective(place.child(part)).node
        if not isinstance(inner, Mapping):
            continue
        properties = {**node.get("properties", {}), **inner.get("properties", {})}
        required = [*node.get("required", ()), *inner.get("required", ())]
        node = {**node, **inner}
        node |= {"properties": properties} if properties else {}
        node |= {"required": required} if required else {}
    return Place(node, place.root, place.document, place.draft, place.identity)


def _object(place: Place, seen: list[Any], random: Random, depth: int) -> dict[str, Any]:
    required = place.get("required", ())
    fields = place.get("properties", {})
    made: dict[str, Any] = {}
    for name in dict.fromkeys((*fields, *required)):
        if name not in required and (depth > 3 or random.random() < 0.3):
            continue
        inside = [one[name] for one in seen if isinstance(one, dict) and name in one]
        try:
            made[name] = _value(place.child(fields.get(name, {})), inside, random, depth + 1)
        except _CannotMake:
            if name in required:
                raise
    return made


def _array(place: Place, seen: list[Any], random: Random, depth: int) -> list[Any]:
    inside = [item for one in seen if isinstance(one, list) for item in one]
    items, first = place.get("items", {}), place.get("prefixItems", [])
    if isinstance(items, list):
        items, first = place.get("additionalItems", {}), items
    least = place.get("minItems", 0)
    most = min(place.get("maxItems", least + 3), max(least, len(first)) + 3)
    count = random.randint(int(least), max(int(least), int(most)))
    if items is False:
        count = min(count, len(first))
    schemas = [*first, *[items] * max(0, count - len(first))][:count]
    return [_value(place.child(schema), inside, random, depth + 1) for schema in schemas]


def _number(place: Place, kind: str, random: Random) -> int | float:
    low, high = place.get("minimum"), place.get("maximum")
    over, under = place.get("exclusiveMinimum"), place.get("exclusiveMaximum")
    step = 1 if kind == "integer" else 0
    if isinstance(over, (int, float)) and not isinstance(over, bool):
        low = max(over + step, low if low is not None else -math.inf)
    if isinstance(under, (int, float)) and not isinstance(under, bool):
        high = min(under - step, high if high is not None else math.inf)
    if low is None:
        low = 0 if high is None or high >= 0 else high - 1000
    if high is None:
        high = low + 1000
    multiple = place.get("multipleOf")
    if multiple:
        first, last = math.ceil(low / multiple), math.floor(high / multiple)
        return random.randint(first, max(first, last)) * multiple
    if kind == "integer":
        low, high = math.ceil(low), math.floor(high)
        if low > high:
            raise _CannotMake
        return random.randint(low, high)
    return round(random.uniform(low, high), 3)


def _text(place: Place, seen: list[Any], random: Random) -> str:
    texts = [one for one in seen if isinstance(one, str)]
    if "pattern" in place.node:
        if not texts:
            raise _CannotMake  # texts are not made from patterns: examples have them
        return random.choice(texts)
    form = _FORMATS.get(place.get("format", ""))
    if form is not None:
        return form.format(
            month=random.randint(1, 12), day=random.randint(1, 28), hour=random.randint(0, 23),
            minute=random.randint(0, 59), second=random.randint(0, 59), ms=random.randint(0, 999),
            word=random.choice(_WORDS), number=random.randint(1, 9999),
            hex8=f"{random.getrandbits(32):08x}", hex12=f"{random.getrandbits(48):012x}",
        )  # fmt: skip
    least, most = int(place.get("minLength", 0)), int(place.get("maxLength", 40))
    text = f"{random.choice(_WORDS)}-{random.randint(1, 99)}"
    while len(text) < least:
        text += f"-{random.choice(_WORDS)}"
    return text[: max(most, least)]
