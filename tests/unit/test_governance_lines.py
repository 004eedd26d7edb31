"""The lines that problems point at."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlogging.governance.fields import declares, overlap
from eventlogging.governance.syntax import KeyPath, json_lines, parse_toml

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=4), below, max_size=3)
    ),
    max_leaves=12,
)


@given(VALUES)
@settings(max_examples=100, deadline=None)
def test_every_json_value_has_a_line_and_no_key_repeats(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=1, ensure_ascii=False)):
        lines, twice = json_lines(text)
        assert twice == []
        assert set(lines) == set(_paths(value, ()))
        assert list(lines.values()) == sorted(lines.values())


def _paths(value: Any, at: KeyPath) -> list[KeyPath]:
    below = value.items() if isinstance(value, dict) else ()
    below = enumerate(value) if isinstance(value, list) else below
    return [at, *(path for key, item in below for path in _paths(item, (*at, key)))]


def test_repeated_keys_are_found_at_any_depth() -> None:
    text = '{\n"a": {"a": 1, "b": [{"c": 1},\n{"c": 1, "\\u0063": 2}]},\n"b": "a", "a": null}'
    assert json_lines(text)[1] == [(3, "c"), (4, "a")]


TOML = """\
title = "x" # rate = 3
sampling = { rate = 3, unit = "pageview" }
owners = [
  "a@b",
  "bad",
]
[privacy]
userId = "hmac"
"/a/b" = "dorp"

[[aggregate]]
name = "a"
[[aggregate]]
name = "b"
fields = ["x",
 "y"]
[scrub]
keep = ["q"]
"""


@pytest.mark.parametrize(
    ("at", "line"),
    [
        (("title",), 1),
        (("sampling", "rate"), 2),
        (("owners", 1), 5),
        (("privacy", "userId"), 8),
        (("privacy", "/a/b"), 9),
        (("aggregate", 0), 11),
        (("aggregate", 0, "fields"), 11),
        (("aggregate", 1, "name"), 14),
        (("aggregate", 1, "fields", 1), 16),
        (("scrub", "keep", 0), 18),
        (("scrub", "missing"), 17),
        (("missing",), 1),
    ],
)
def test_the_line_of_a_toml_key_is_found(at: KeyPath, line: int) -> None:
    source, _ = parse_toml("x.toml", TOML)
    assert source is not None and source.line(at) == line


NESTED = {
    "type": "object",
    "properties": {
        "user": {"$ref": "#/$defs/user"},
        "list": {"type": "array", "items": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/user"}]}},
        "pair": {"type": "array", "prefixItems": [{"$ref": "#/$defs/user"}, True], "items": False},
        "a/b": {},
    },
    "allOf": [{"properties": {"late": {"type": "string"}}}, True, {"$ref": "#"}],
    "$defs": {"user": {"properties": {"id": {}, "self": {"$ref": "#/$defs/user"}}}},
}  # fmt: skip


@pytest.mark.parametrize(
    "pointer",
    ["/user", "/user/id", "/user/self/self/id", "/list/*/id", "/pair/0/id", "/pair/*/id", "/pair/1",
     "/late", "/a~1b", "/list"],
)  # fmt: skip
def test_declared_fields_are_found_through_references_and_alternatives(pointer: str) -> None:
    assert declares(NESTED, pointer)


@pytest.mark.parametrize("pointer", ["/users", "/user/name", "/list/id", "/pair/2", "/a/b", "/*"])
def test_undeclared_fields_are_not(pointer: str) -> None:
    assert not declares(NESTED, pointer)


def test_an_item_of_thousands_of_digits_is_no_field() -> None:
    document = {"properties": {"list": {"prefixItems": [{"type": "string"}]}}}
    assert declares(document, "/list/0")
    assert not declares(document, "/list/" + 5000 * "9")
    assert not declares({"$ref": "#/allOf/" + 5000 * "9", "allOf": [{}]}, "/list")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("/a", "/a", True),
        ("/a", "/a/b", True),
        ("/a/*/b", "/a/0", True),
        ("/a", "/ab", False),
        ("/a/b", "/a/c", False),
        ("/a/*", "/a/b", False),
    ],
)
def test_pointers_overlap_where_one_leads_into_the_other(one: str, other: str, same: bool) -> None:
    assert overlap(one, other) is overlap(other, one) is same
