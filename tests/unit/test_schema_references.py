"""References to registered schemas, and the document that stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from eventlogging.schema.document import check_document, compile_gate
from eventlogging.schema.references import resolve

_CAPSULE = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "/common/capsule/1.0.0",
    "title": "Common fields",
    "type": "object",
    "properties": {"page": {"$ref": "#/$defs/page"}},
    "required": ["page"],
    "additionalProperties": False,
    "$defs": {"page": {"type": "object", "properties": {"id": {"type": "integer"}}}},
}
_USER = {
    "type": "object",
    "properties": {"user": {"$ref": "/common/text/1.0.0"}},
    "additionalProperties": False,
}
_REGISTERED: dict[tuple[str, str], Any] = {
    ("common/capsule", "1.0.0"): _CAPSULE,
    ("common/user", "2.1.0"): _USER,
    ("common/text", "1.0.0"): {"type": "string", "maxLength": 9},
    ("common/old", "1.0.0"): {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "object",
    },
}


def _lookup(name: str, version: str) -> Mapping[str, Any] | None:
    return _REGISTERED.get((name, version))


def _resolved(document: dict[str, Any]) -> dict[str, Any]:
    result, problems = resolve(document, _lookup)
    assert problems == []
    assert result is not None
    assert check_document(result)[0] == []
    return result


def test_a_document_without_references_stays_as_it_is() -> None:
    document = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {}}}
    assert _resolved(document) == document


def test_a_registered_schema_is_drawn_in_with_all_it_needs() -> None:
    document = {
        "type": "object",
        "properties": {
            "c": {"$ref": "/common/capsule/1.0.0"},
            "u": {"$ref": "/common/user/2.1.0"},
            "p": {"$ref": "/common/capsule/1.0.0#/$defs/page"},
        },
    }
    result = _resolved(document)
    assert set(result["$defs"]) == {
        "common.capsule.1.0.0",
        "common.user.2.1.0",
        "common.text.1.0.0",
    }
    gate = compile_gate(result, mask=False)
    assert gate.is_valid({"c": {"page": {"id": 1}}, "u": {"user": "me"}, "p": {"id": 2}})
    assert not gate.is_valid({"c": {}})
    assert not gate.is_valid({"u": {"user": "much too long"}})
    assert not gate.is_valid({"p": {"id": "x"}})
    assert document["properties"]["c"] == {"$ref": "/common/capsule/1.0.0"}  # not changed


def test_closed_fragments_joined_at_the_root_are_merged() -> None:
    result = _resolved(
        {
            "title": "Click",
            "allOf": [{"$ref": "/common/capsule/1.0.0"}, {"$ref": "/common/user/2.1.0"}],
            "properties": {"button": {"type": "string"}},
            "required": ["button"],
        }
    )
    assert "allOf" not in result
    assert (result["type"], result["title"]) == ("object", "Click")
    assert list(result["properties"]) == ["button", "page", "user"]
    assert result["required"] == ["button", "page"]
    gate = compile_gate(result, mask=False)
    assert gate.is_valid({"button": "b", "page": {}, "user": "u"})
    assert not gate.is_valid({"button": "b", "page": {}, "other": 1})
    assert "common.user.2.1.0" not in result["$defs"]  # nothing points to it any more


def test_parts_that_disagree_are_a_problem() -> None:
    part = {"type": "object", "properties": {"a": {"type": "string"}}}
    _, problems = resolve(
        {"type": "object", "properties": {"a": {"type": "integer"}}, "allOf": [part]}, _lookup
    )
    assert problems == [
        "/allOf/0/properties/a: defined in another way elsewhere; parts of one schema must agree"
    ]


def test_an_all_of_with_rules_is_left_alone() -> None:
    document = {
        "type": "object",
        "allOf": [{"if": {"required": ["a"]}, "then": {"required": ["b"]}}],
    }
    assert _resolved(document) == document


def test_all_that_remains_must_be_an_object() -> None:
    result, problems = resolve({"allOf": [{"anyOf": [{}]}]}, _lookup)
    assert result is None
    assert "type" in problems[0]


@pytest.mark.parametrize(
    "reference",
    [
        "http://example.org/x", "https://json-schema.org/draft-07/schema#", "file:///etc/passwd",
        "//example.org/x", "other.json", "../../package.json", "#anchor", "", "urn:x:y",
        "/../../package.json", "/common/capsule", "/common/capsule/latest", "/1.0.0",
        "/common/nothing/1.0.0", "/common/old/1.0.0", "/common/capsule/1.0.0#nothing",
        "/common/capsule/1.0.0#/$defs/nothing", "#/$defs/nothing", "#/title",
    ],
)  # fmt: skip
def test_any_other_reference_is_refused_with_its_place(reference: str) -> None:
    document = {
        "type": "object",
        "title": "T",
        "properties": {"a": {"items": {"$ref": reference}}},
    }
    result, problems = resolve(document, _lookup)
    assert result is None
    assert len(problems) == 1
    assert problems[0].startswith("/properties/a/items/$ref: ")


@pytest.mark.parametrize("word", ["$id", "$anchor", "$dynamicRef", "$recursiveRef", "$schema"])
def test_words_that_move_the_base_are_refused_inside(word: str) -> None:
    result, problems = resolve(
        {"type": "object", "properties": {"a": {word: "#x"}, "$id": {"type": "string"}}}, _lookup
    )
    assert result is None
    assert [problem.split(":")[0] for problem in problems] == [f"/properties/a/{word}"]


def test_the_id_of_the_root_is_taken_off() -> None:
    assert _resolved({"$id": "http://evil.example/", "type": "object"}) == {"type": "object"}


def test_registered_schemas_that_name_each_other_end() -> None:
    def lookup(name: str, version: str) -> Mapping[str, Any] | None:
        other = "b" if name == "a" else "a"
        return {"type": "object", "properties": {"x": {"$ref": f"/{other}/1.0.0"}}}

    result, problems = resolve(
        {"type": "object", "properties": {"a": {"$ref": "/a/1.0.0"}}}, lookup
    )
    assert problems == []
    assert result is not None
    assert set(result["$defs"]) == {"a.1.0.0", "b.1.0.0"}
    _, problems = resolve({"type": "object", "allOf": [{"$ref": "#"}]}, lookup)
    assert problems == [] or "allOf" in problems[0]


def test_an_endless_supply_of_schemas_is_cut_off() -> None:
    def lookup(name: str, version: str) -> Mapping[str, Any] | None:
        return {"type": "object", "properties": {"x": {"$ref": f"/{name}x/1.0.0"}}}

    _, problems = resolve({"type": "object", "properties": {"a": {"$ref": "/a/1.0.0"}}}, lookup)
    assert len(problems) == 1
    assert "more than 50" in problems[0]


def test_drawn_in_names_do_not_hide_the_authors_own() -> None:
    result = _resolved(
        {
            "type": "object",
            "properties": {
                "a": {"$ref": "/common/text/1.0.0"},
                "b": {"$ref": "#/$defs/common.text.1.0.0"},
            },
            "$defs": {"common.text.1.0.0": {"type": "integer"}},
        }
    )
    assert compile_gate(result, mask=False).is_valid({"a": "text", "b": 1})
