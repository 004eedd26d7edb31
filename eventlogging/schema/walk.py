"""Where a schema document holds subschemas, and how JSON pointers name places in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

_ONE = (
    "additionalProperties", "additionalItems", "contains", "propertyNames", "not", "if", "then",
    "else", "unevaluatedItems", "unevaluatedProperties", "contentSchema",
)  # fmt: skip
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = (
    "properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions",
)  # fmt: skip

Tokens = tuple[str, ...]
OLD_DRAFTS = frozenset({"draft4", "draft6", "draft7"})  # where $ref makes its siblings void


def escape(token: str) -> str:
    """Return a key as one reference token of a JSON pointer (RFC 6901)."""
    return token.replace("~", "~0").replace("/", "~1")


def unescape(token: str) -> str:
    """Return the key that a reference token names."""
    return token.replace("~1", "/").replace("~0", "~")


def pointer(tokens: Sequence[str]) -> str:
    """Return the JSON pointer of a path of keys; the root is the empty text."""
    return "".join("/" + escape(token) for token in tokens)


def tokens_of(text: str) -> Tokens:
    """Return the keys that a JSON pointer names, outermost first."""
    return tuple(unescape(token) for token in text.split("/")[1:])


def children(schema: Mapping[str, Any]) -> Iterator[tuple[Tokens, Any]]:
    """Yield (relative path, subschema) for everything that stands where a schema may."""
    for word in _ONE:
        if word in schema:
            yield (word,), schema[word]
    for word in _LISTS:
        members = schema.get(word)
        if isinstance(members, list):
            for index, member in enumerate(members):
                yield (word, str(index)), member
    for word in _MAPS:
        members = schema.get(word)
        if isinstance(members, dict):
            for key, member in members.items():
                if not isinstance(member, list):  # dependencies may list names
                    yield (word, key), member
    items = schema.get("items")
    if isinstance(items, list):
        for index, member in enumerate(items):
            yield ("items", str(index)), member
    elif "items" in schema:
        yield ("items",), items


def subschemas(root: Any) -> Iterator[tuple[Tokens, Mapping[str, Any]]]:
    """Yield (path, schema) for the root and every object subschema, outermost first."""
    waiting: list[tuple[Tokens, Any]] = [((), root)]
    while waiting:
        path, schema = waiting.pop()
        if isinstance(schema, dict):
            yield path, schema
            waiting.extend(reversed([(path + rest, child) for rest, child in children(schema)]))


def follow(root: Any, reference: str) -> tuple[bool, Any]:
    """Return (found, place) for a local reference, `#` or `#/a/b`."""
    place = root
    for token in tokens_of(unquote(reference[1:])):
        if isinstance(place, dict) and token in place:
            place = place[token]
        elif isinstance(place, list) and token.isascii() and token.isdigit():
            if int(token[:6]) >= len(place):
                return False, None
            place = place[int(token[:6])]
        else:
            return False, None
    return True, place


def whole(value: Any) -> int | None:
    """Return a bound such as `maxLength` as an int, or None where it is not a whole number."""
    if type(value) is int or (type(value) is float and value.is_integer()):
        return int(value)
    return None


def locate(document: Any, path: Sequence[str | int]) -> tuple[Tokens, Any, bool]:
    """Return the keys of a path as jsonschema-rs tells it, what stands there, and whether for sure.

    It tells a key of digits as a number, too: 7 for `7`, `007` and `+7` alike. Where an object
    has several such keys, which of them is meant cannot be known.
    """
    tokens: list[str] = []
    value, sure = document, True
    for step in path:
        if isinstance(value, list):
            tokens.append(str(step))
            value = value[int(step)]
            continue
        members = value if isinstance(value, dict) else {}
        alike = [str(step)]
        if isinstance(step, int):
            alike = [key for key in members if _is_number(key, step)] or alike
            sure = sure and len(alike) == 1
        tokens.append(alike[0])
        value = members.get(alike[0])
    return tuple(tokens), value, sure


def _is_number(key: str, number: int) -> bool:
    digits = key.removeprefix("+")
    return len(digits) < 99 and digits.isascii() and digits.isdecimal() and int(digits) == number
