"""Defaults of a schema, as Ajv fills them in."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from eventlogging.intake.defaults import compile_defaults
from eventlogging.intake.meta import fields_declared

NESTED = {
    "properties": {
        "a": {"type": "integer", "default": 1},
        "b": {
            "type": "object",
            "properties": {"c": {"default": "x"}, "d": {"properties": {"e": {"default": None}}}},
        },
        "f": {"type": "object", "default": {}, "properties": {"g": {"default": [1]}}},
        "h": {"items": {"properties": {"i": {"default": 0}}}},
        "default": {"type": "string"},
    }
}
SHARED = {
    "$defs": {"common": {"properties": {"a": {"default": 1}}}},
    "allOf": [{"$ref": "#/$defs/common"}, {"properties": {"b": {"default": 2}}}],
    "properties": {"c": {"$ref": "#/$defs/common"}},
}


def fill(document: Any, payload: Any, max_bytes: int = 10_000, **settings: Any) -> Any:
    """Fill, and see that what was passed in stays as it was."""
    filler = compile_defaults(
        document, ref_is_alone=settings.get("ref_is_alone", False), max_bytes=max_bytes
    )
    assert filler is not None
    before = copy.deepcopy((document, payload))
    filled = filler(payload)
    assert (document, payload) == before
    return filled


@pytest.mark.parametrize(
    ("payload", "filled"),
    [
        ({}, {"a": 1, "f": {"g": [1]}}),
        ({"a": 5, "f": {}}, {"a": 5, "f": {"g": [1]}}),
        ({"a": None, "f": None}, {"a": None, "f": None}),
        ({"b": {}, "f": 1}, {"a": 1, "b": {"c": "x"}, "f": 1}),
        ({"b": {"d": {}}, "f": 1}, {"a": 1, "b": {"c": "x", "d": {"e": None}}, "f": 1}),
        ({"h": [{}, {"i": 1}, 5], "f": 1}, {"a": 1, "f": 1, "h": [{"i": 0}, {"i": 1}, 5]}),
        ({"h": {"i": 1}, "f": 1}, {"a": 1, "f": 1, "h": {"i": 1}}),
    ],
)
def test_what_is_absent_is_filled_and_what_is_there_stays(payload: Any, filled: Any) -> None:
    assert fill(NESTED, payload) == filled


def test_a_payload_that_lacks_nothing_is_given_back_as_it_is() -> None:
    filler = compile_defaults(NESTED, ref_is_alone=False, max_bytes=100)
    payload = {"a": 1, "f": {"g": []}}
    assert filler is not None
    assert filler(payload) is payload


def test_all_of_and_references_bring_their_defaults() -> None:
    assert fill(SHARED, {"c": {}}) == {"a": 1, "b": 2, "c": {"a": 1}}


def test_beside_a_reference_of_an_old_draft_nothing_counts() -> None:
    document = {
        "definitions": {"d": {"properties": {"a": {"default": 1}}}},
        "properties": {
            "x": {"$ref": "#/definitions/d", "properties": {"b": {"default": 2}}},
        },
    }
    assert fill(document, {"x": {}}, ref_is_alone=True) == {"x": {"a": 1}}
    assert fill(document, {"x": {}}) == {"x": {"a": 1, "b": 2}}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"properties": {"a": {"type": "string"}}},
        {"default": {"a": 1}, "properties": {"a": True}},
        {"anyOf": [{"properties": {"a": {"default": 1}}}]},
        {"if": {"properties": {"a": {"default": 1}}}},
        {"properties": {"default": {"type": "string"}}},
        {"properties": {"a": {"$ref": "#"}}},
    ],
)
def test_a_schema_without_defaults_costs_nothing(document: Any) -> None:
    assert compile_defaults(document, ref_is_alone=False, max_bytes=100) is None


def test_a_default_that_holds_itself_is_too_much() -> None:
    assert fill({"properties": {"a": {"$ref": "#", "default": {}}}}, {}) is None


def test_defaults_in_many_items_are_bounded() -> None:
    document = {
        "properties": {"a": {"items": {"properties": {"b": {"default": "x" * 1000}}}}}
    }  # fmt: skip
    assert fill(document, {"a": [{}] * 9}) is not None
    assert fill(document, {"a": [{}] * 10}) is None


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ({"properties": {"meta": {"properties": {"id": {}, "dt": True}}}}, ("id", "dt")),
        ({"properties": {"meta": {"properties": {"stream": {}}}}}, ()),
        ({"properties": {"meta": True}}, ()),
        ({"properties": {"id": {}, "dt": {}}}, ()),
        (
            {
                "$defs": {"m": {"properties": {"request_id": {}}}},
                "allOf": [{"properties": {"meta": {"allOf": [{"$ref": "#/$defs/m"}]}}}],
            },
            ("request_id",),
        ),
    ],
)
def test_meta_fields_are_those_declared(document: Any, fields: tuple[str, ...]) -> None:
    assert fields_declared(document, ref_is_alone=False) == fields
