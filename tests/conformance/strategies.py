"""Hypothesis strategies: schemas of each draft with all its keywords, and values near them.

Keys, texts and numbers come from small pools, so that schemas and values meet. Patterns mean
the same to Python's `re` as to ECMA on these texts, and formats are ones that the reference
knows as exactly as the gate does.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from hypothesis import strategies as st

_KEYS = st.sampled_from(["a", "b", "ab", "1", "a/b", "~", "%", "é", ""])
_TEXTS = st.sampled_from(
    ["", "a", "b", "ab", "aab", "1", "12", "é", "😀", "😀😀", "a b", "-", "_", "2026-11-22",
     "2026-02-30", "127.0.0.1", "::1", "/a/~0", "/~", "A" * 20]
)  # fmt: skip
_PATTERNS = st.sampled_from(
    ["a", "^a", "b$", "^a*b?$", "[0-9]", "^[^a]*$", "^(a|b)+$", "^.$", "^(?!a)", "(.)\\1", "^\\d+$",
     "^[a-z0-9]*$", "\\s", "a{2}", "^$"]
)  # fmt: skip
_FORMATS = {
    "draft4": ("ipv4", "ipv6"),
    "draft6": ("ipv4", "ipv6", "json-pointer"),
    "draft7": ("ipv4", "ipv6", "json-pointer", "date"),
    "2019-09": ("ipv4", "ipv6", "json-pointer", "date", "uuid"),
    "2020-12": ("ipv4", "ipv6", "json-pointer", "date", "uuid"),
}
_COUNTS = st.integers(0, 4)
_EDGE = (2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63))
_NUMBERS = st.one_of(
    st.integers(-4, 4),
    st.sampled_from([0.0, 1.0, -1.0, 0.5, 1.5, 2.0, -0.5, 1e3, 1e16, *_EDGE]),
)


def _same_text(value: Any) -> str:
    """A text that is the same for equal JSON values; metaschemas want options that differ."""
    return json.dumps(value, sort_keys=True).replace(".0", "")


_KINDS = ("null", "boolean", "integer", "number", "string", "array", "object")


@cache
def json_values() -> st.SearchStrategy[Any]:
    """Small JSON values of every kind."""
    scalars = st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXTS)
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=4)
        ),
        max_leaves=8,
    )


def json_schemas(draft: str) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas of a draft, some levels deep, with references to one definition."""
    place = "$defs" if draft.startswith("20") else "definitions"
    leaf = st.one_of(st.just({}), _simple(draft), _simple(draft))
    if draft != "draft4":
        leaf = st.one_of(leaf, st.booleans())
    target = st.recursive(leaf, lambda inner: _compound(draft, inner), max_leaves=2)
    reference = st.just({"$ref": f"#/{place}/x", "minLength": 2})
    trees = st.recursive(
        st.one_of(leaf, leaf, leaf, reference),
        lambda inner: _compound(draft, inner),
        max_leaves=6,
    )
    return st.builds(
        lambda tree, x: {
            place: {"x": x},
            **(tree if isinstance(tree, dict) else {"allOf": [tree]}),
        },
        trees,
        target,
    )


def _some(words: dict[str, st.SearchStrategy[Any]], most: int) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with up to so many of the words."""
    names = st.lists(st.sampled_from(sorted(words)), min_size=1, max_size=most, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({n: words[n] for n in chosen}))


def _simple(draft: str) -> st.SearchStrategy[dict[str, Any]]:
    kind = st.sampled_from(_KINDS)
    kinds = st.one_of(kind, kind, st.lists(kind, min_size=1, max_size=3, unique=True))
    words: dict[str, st.SearchStrategy[Any]] = {
        "type": kinds,
        "enum": st.lists(json_values(), min_size=1, max_size=3, unique_by=_same_text),
        "minLength": _COUNTS,
        "maxLength": _COUNTS,
        "pattern": _PATTERNS,
        "format": st.sampled_from(_FORMATS[draft]),
        "minimum": _NUMBERS,
        "maximum": _NUMBERS,
        "multipleOf": st.sampled_from([1, 2, 3, 0.5, 1.0]),
        "minItems": _COUNTS,
        "maxItems": _COUNTS,
        "uniqueItems": st.booleans(),
        "minProperties": _COUNTS,
        "maxProperties": _COUNTS,
        "required": st.lists(_KEYS, min_size=1, max_size=2, unique=True),
    }
    if draft == "draft4":
        bounds = {"minimum": _NUMBERS, "exclusiveMinimum": st.booleans()}
        return st.one_of(_some(words, 3), st.fixed_dictionaries(bounds))
    words |= {"const": json_values(), "exclusiveMinimum": _NUMBERS, "exclusiveMaximum": _NUMBERS}
    if draft.startswith("20"):
        names = st.lists(_KEYS, max_size=2, unique=True)
        words["dependentRequired"] = st.dictionaries(_KEYS, names, max_size=2)
    return _some(words, 3)


def _compound(draft: str, inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, min_size=1, max_size=3)
    named = st.dictionaries(_KEYS, inner, max_size=3)
    closed = st.booleans() if draft == "draft4" else st.nothing()
    words = {
        "allOf": several,
        "anyOf": several,
        "oneOf": several,
        "not": inner,
        "properties": named,
        "patternProperties": st.dictionaries(
            st.sampled_from(["a", "^a", "b$", "[0-9]", "^$"]), inner, max_size=2
        ),
        "additionalProperties": st.one_of(inner, closed),
        "items": inner,
        "required": st.lists(_KEYS, min_size=1, max_size=2, unique=True),
        "minItems": _COUNTS,
        "uniqueItems": st.just(True),
    }
    if draft == "2020-12":
        words["prefixItems"] = several
    else:
        # The reference fails where `items` is true or false and `additionalItems` is there.
        words["items"] = st.one_of(inner.filter(lambda part: not isinstance(part, bool)), several)
        words["additionalItems"] = st.one_of(inner, closed)
    if draft.startswith("20"):
        words["dependentSchemas"] = named
        words["unevaluatedItems"] = inner
        words["unevaluatedProperties"] = inner
        words["minContains"] = _COUNTS
        words["maxContains"] = _COUNTS
    else:
        words["dependencies"] = st.dictionaries(
            _KEYS,
            st.one_of(inner, st.lists(_KEYS, min_size=1, max_size=2, unique=True)),
            max_size=2,
        )
    if draft != "draft4":
        words["contains"] = inner
        words["propertyNames"] = inner
    if draft in ("draft7", "2019-09", "2020-12"):
        words |= {"if": inner, "then": inner, "else": inner}
    return _some(words, 4)
