"""A Hypothesis strategy: values near what a schema describes, valid about as often as not.

It follows one branch of each alternative, takes bounds and those next to them, and disturbs
what it made now and then. (hypothesis-jsonschema 0.23 cannot make objects with today's
Hypothesis, and knows no draft beyond 7.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.conformance.strategies import json_values

_IN_PLACE = ("allOf", "anyOf", "oneOf")
_ALSO_IN_PLACE = ("not", "if", "then", "else")
_COUNTED = ("minItems", "maxItems", "minContains", "maxContains")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_MATCHING = ("a", "ab", "aab", "b", "1", "12", "", " ", "aa", "é")

Draw = Callable[[st.SearchStrategy[Any]], Any]


@st.composite
def values_near(draw: Draw, schema: Any) -> Any:
    """Return values near what `schema` describes; its references lead to its definitions."""
    return _near(draw, schema, schema)


def _near(draw: Draw, schema: Any, root: Any) -> Any:
    if not isinstance(schema, dict) or draw(st.integers(0, 11)) == 0:
        return draw(json_values())
    if "$ref" in schema:
        place = schema["$ref"].split("/")[1]
        return _near(draw, root[place]["x"], root)
    makers = []
    if "const" in schema or "enum" in schema:
        makers.append(_listed)
    if {"properties", "patternProperties", "additionalProperties", "required"} & schema.keys():
        makers += [_object, _object]
    if {"items", "prefixItems", "contains", "uniqueItems", *_COUNTED} & schema.keys():
        makers.append(_array)
    if {"minLength", "maxLength", "pattern", "format"} & schema.keys():
        makers.append(_text)
    if set(_BOUNDS) & schema.keys():
        makers.append(_number)
    if {*_IN_PLACE, *_ALSO_IN_PLACE, "dependentSchemas", "dependencies"} & schema.keys():
        makers += [_branch, _branch]
    if not makers:
        return draw(_of_type(schema.get("type")))
    return draw(st.sampled_from(makers))(draw, schema, root)


def _listed(draw: Draw, schema: Any, root: Any) -> Any:
    return draw(st.sampled_from([*schema.get("enum", ()), schema.get("const")]))


def _object(draw: Draw, schema: Any, root: Any) -> dict[str, Any]:
    parts = dict(schema.get("properties", {}))
    for pattern, part in schema.get("patternProperties", {}).items():
        parts[draw(st.sampled_from([pattern.strip("^$"), *_MATCHING]))] = part
    for name in schema.get("required", []) if isinstance(schema.get("required"), list) else ():
        parts.setdefault(name, True)
    for word in ("additionalProperties", "unevaluatedProperties"):
        if draw(st.booleans()):
            parts.setdefault(draw(st.sampled_from(["z", "b", "1"])), schema.get(word, True))
    return {name: _near(draw, part, root) for name, part in parts.items() if draw(_MOSTLY)}


def _array(draw: Draw, schema: Any, root: Any) -> list[Any]:
    items = schema.get("items", True)
    first = items if isinstance(items, list) else schema.get("prefixItems", [])
    rest = schema.get("additionalItems", True) if isinstance(items, list) else items
    counts = [schema[word] for word in _COUNTED if schema.get(word, 9) < 9]
    length = draw(st.sampled_from([len(first), 1, 2, *counts, *(n + 1 for n in counts)]))
    kinds = [rest, schema.get("contains", rest), schema.get("unevaluatedItems", rest)]
    made = []
    for index in range(length):
        part = first[index] if index < len(first) else draw(st.sampled_from(kinds))
        made.append(_near(draw, part, root))
    if made and draw(st.integers(0, 4)) == 0:
        made.append(made[0])
    return made


def _text(draw: Draw, schema: Any, root: Any) -> str:
    lengths = [schema[word] for word in ("minLength", "maxLength") if schema.get(word, 9) < 9]
    exact = [sign * n for n in lengths for sign in ("a", "😀", "é")]
    formed = {
        "date": ["2026-11-22", "2026-02-30", "2024-02-29"],
        "ipv4": ["127.0.0.1", "256.0.0.1", "1.2.3"],
        "ipv6": ["::1", "::ffff:1.2.3.4", "1::2::3"],
        "uuid": ["2eb8aa08-aa98-11ea-b4aa-73b441d16380", "2eb8aa08-aa98-11ea-b4aa-73b441d1638"],
        "json-pointer": ["/a/~0", "/~", "a"],
    }.get(schema.get("format", ""), [])
    return str(draw(st.sampled_from([*_MATCHING, *exact, *formed, *formed])))


def _number(draw: Draw, schema: Any, root: Any) -> Any:
    bounds = [schema[word] for word in _BOUNDS if type(schema.get(word)) in (int, float)]
    bound = draw(st.sampled_from(bounds or [0]))
    # No floats that only their binary value, not their decimal one, makes equal to an integer.
    half = bound + 0.5 if abs(bound) < 2**53 else 0.5
    return draw(st.sampled_from([bound, bound + 1, bound - 1, bound * 2, half, -bound]))


def _branch(draw: Draw, schema: Any, root: Any) -> Any:
    branches = [part for word in _IN_PLACE for part in schema.get(word, ())]
    branches += [schema[word] for word in _ALSO_IN_PLACE if word in schema]
    for word in ("dependentSchemas", "dependencies"):
        branches += [part for part in schema.get(word, {}).values() if not isinstance(part, list)]
    if not branches:
        return _object(draw, schema, root)
    value = _near(draw, draw(st.sampled_from(branches)), root)
    if isinstance(value, dict):  # what the schema itself asks for, beside its branch
        value |= _object(draw, schema, root)
        if draw(st.booleans()):
            other = _near(draw, draw(st.sampled_from(branches)), root)
            value |= other if isinstance(other, dict) else {}
        for word in ("dependentSchemas", "dependencies", "dependentRequired"):
            value |= {name: 1 for name in schema.get(word, {}) if draw(st.booleans())}
    return value


def _of_type(kinds: Any) -> st.SearchStrategy[Any]:
    kind = kinds[0] if isinstance(kinds, list) else kinds
    made = {
        "null": st.none(),
        "boolean": st.booleans(),
        "integer": st.sampled_from([0, 1, 2.0, -3, 2**53, 1.5]),
        "number": st.sampled_from([0, 0.5, 1e16, -1]),
        "string": st.sampled_from(_MATCHING),
        "array": st.lists(st.integers(0, 2), max_size=3),
        "object": st.dictionaries(st.sampled_from(["a", "b", "z"]), st.integers(0, 2), max_size=3),
    }
    return made.get(kind, json_values())


_MOSTLY = st.sampled_from([True, True, True, False])
