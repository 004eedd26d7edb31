"""Hypothesis strategies: schema documents of every shape, and payloads for them.

`payloads_for(schema)` gives payloads that mostly fit; `any_payloads()` fits nothing in
particular; `disturbed_payloads(schema)` mixes both. None holds NUL or a lone surrogate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

NASTY_KEYS = (
    "", "a", "A", "b", "a.b", "a_b", "a/b", "a~b", "~1", "_", "__", "id", "dt", "more",
    "event_more", "userId", "userid", "naïve", "日本", "😀", " ", "a ", "$ref", "%",
    "`", '"', "'", "\\", ";", "?", "k" * 70, "k" * 70 + "x", "0", "-1", "properties",
)  # fmt: skip

_characters = st.characters(exclude_characters="\0", exclude_categories=("Cs",))


def texts(max_size: int = 12) -> st.SearchStrategy[str]:
    return st.one_of(
        st.text(_characters, max_size=max_size),
        st.sampled_from(["", " ", "é", "😀" * 3, "null", "1", "true", "{}", "a\nb", "a'b", "a\\b"]),
    )


def keys() -> st.SearchStrategy[str]:
    return st.one_of(st.sampled_from(NASTY_KEYS), st.text(_characters, max_size=4))


def integers() -> st.SearchStrategy[int]:
    return st.one_of(
        st.integers(-(2**63), 2**63 - 1),
        st.sampled_from([0, 1, -1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]),
    )


def floats() -> st.SearchStrategy[float]:
    return st.one_of(
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from([0.0, -0.0, 1.0, 0.1, 1e16, 1e22, 5e-324, 1.7976931348623157e308, 2.0**63]),
    )


def times() -> st.SearchStrategy[str]:
    """Date-times: of the exact stored form, and of others."""
    moments = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30))
    exact = moments.map(lambda m: m.isoformat("T", "milliseconds") + "Z")
    zones = st.sampled_from(["Z", "z", "+00:00", "-00:00", "+05:30", "-23:59"])
    other = st.builds(lambda m, zone: m.replace(tzinfo=None).isoformat() + zone, moments, zones)
    odd = st.sampled_from(
        [
            "2016-12-31T23:59:60Z", "2016-12-31T23:59:60.999Z", "2026-11-22t03:04:05.678z",
            "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999-01:00",
            "1000-01-01T00:00:00.000+01:00", "2026-11-22T03:04:05.123456789Z",
            "2024-02-29T00:00:00.000Z", "2026-02-29T00:00:00.000Z", "0000-00-00T00:00:00.000Z",
            "2026-11-22T24:00:00.000Z", "2026-11-22T03:04:05.678Z\n",
        ]
    )  # fmt: skip
    return st.one_of(exact, exact, other, odd)


def values() -> st.SearchStrategy[Any]:
    """Any JSON value."""
    scalars = st.one_of(st.none(), st.booleans(), integers(), floats(), texts(), times())
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(keys(), inner, max_size=3)
        ),
        max_leaves=6,
    )


def any_payloads() -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(keys(), values(), max_size=5)


def _nullable(kind: str) -> st.SearchStrategy[Any]:
    return st.sampled_from([kind, [kind, "null"]])


def fields() -> st.SearchStrategy[dict[str, Any]]:
    """Schemas of one field that is no declared object."""
    lengths = st.sampled_from([1, 3, 10, 63, 64, 255, 256, 1000])
    return st.one_of(
        st.builds(lambda t: {"type": t}, _nullable("boolean")),
        st.builds(lambda t: {"type": t}, _nullable("integer")),
        st.builds(lambda t: {"type": t}, _nullable("number")),
        st.builds(lambda t: {"type": t}, _nullable("string")),
        st.builds(lambda t, n: {"type": t, "maxLength": n}, _nullable("string"), lengths),
        st.builds(lambda t: {"type": t, "format": "date-time"}, _nullable("string")),
        st.builds(
            lambda options: {"type": "string", "enum": options},
            st.lists(texts(6), min_size=1, max_size=3, unique=True),
        ),
        st.just({"type": "array", "items": {"type": "integer"}}),
        st.just({"type": "object", "additionalProperties": {"type": "number"}}),
        st.just({"type": ["integer", "string"]}),
        st.just({}),
    )


def schemas() -> st.SearchStrategy[dict[str, Any]]:
    """Documents with an object root; nested objects, every kind of field, open or closed."""

    def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
        return st.builds(
            lambda kind, properties, closed: {
                "type": kind,
                "properties": properties,
                **({"additionalProperties": False} if closed else {}),
            },
            _nullable("object"),
            st.dictionaries(keys(), inner, min_size=1, max_size=5),
            st.booleans(),
        )

    return objects(st.recursive(fields(), objects, max_leaves=8)).map(
        lambda document: {**document, "type": "object"}
    )


def payloads_for(schema: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Payloads valid against a document of `schemas()`."""
    return _object_for(schema, values_too=False)


def disturbed_payloads(schema: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Payloads of the document's shape in which any value may be of any kind."""
    return st.one_of(_object_for(schema, values_too=True), any_payloads())


def _object_for(schema: Mapping[str, Any], values_too: bool) -> st.SearchStrategy[dict[str, Any]]:
    declared = st.fixed_dictionaries(
        {},
        optional={
            key: st.one_of(_value_for(sub, values_too), values())
            if values_too
            else _value_for(sub, values_too)
            for key, sub in schema["properties"].items()
        },
    )
    if schema.get("additionalProperties") is False:
        return declared
    more = st.dictionaries(keys(), values(), max_size=2)
    names = set(schema["properties"])
    return st.builds(
        lambda one, other: {**one, **{k: v for k, v in other.items() if k not in names}},
        declared,
        more,
    )


def _value_for(schema: Mapping[str, Any], values_too: bool) -> st.SearchStrategy[Any]:
    kinds = schema.get("type")
    if kinds is None:
        return values()
    choices: list[st.SearchStrategy[Any]] = []
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        choices.append(_of_kind(kind, schema, values_too))
    return st.one_of(choices)


def _of_kind(kind: str, schema: Mapping[str, Any], values_too: bool) -> st.SearchStrategy[Any]:
    if kind == "null":
        return st.none()
    if kind == "boolean":
        return st.booleans()
    if kind == "integer":
        whole = floats().filter(lambda f: f.is_integer() and abs(f) < 2**63)
        return st.one_of(integers(), whole)
    if kind == "number":
        return st.one_of(integers(), floats())
    if kind == "array":
        return st.lists(integers(), max_size=4)
    if kind == "object":
        if "properties" in schema:
            return _object_for(schema, values_too)
        return st.dictionaries(keys(), st.one_of(integers(), floats()), max_size=3)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("format") == "date-time":
        return times().filter(_is_time)
    longest = schema.get("maxLength", 300)
    return st.one_of(texts(min(longest, 12)), st.just("😀" * longest)).filter(
        lambda text: len(text) <= longest
    )


def _is_time(text: str) -> bool:
    """Whether RFC 3339 knows the time; leap seconds other than the samples do not occur."""
    if text.endswith("\n"):
        return False
    if ":60" in text:
        return True
    if text.startswith("0000") or "T24" in text:
        return False
    try:
        return datetime.fromisoformat(text.upper().replace("Z", "+00:00")[:40]) is not None
    except ValueError:
        return False


def same(one: Any, other: Any) -> bool:
    """Strict equality of JSON values: 1 is not 1.0 nor true, 0.0 is not -0.0, null not absent."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)
