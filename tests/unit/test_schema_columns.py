"""Which columns a schema gets, what they are called, and whether they fit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from eventlogging.schema.columns import PAGE_BUDGET, ROW_BUDGET, Column, Kind
from eventlogging.schema.plan import can_hold, plan_change, plan_columns, unholdable
from tests.strategies import schemas


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _forms(document: dict[str, Any], **more: Any) -> dict[str, tuple[str, int | None]]:
    plan = plan_columns(document, **more)
    return {column.pointer: (column.kind.value, column.length) for column in plan.columns}


@pytest.mark.parametrize(
    ("field", "kind", "length"),
    [
        ({"type": "boolean"}, "boolean", None),
        ({"type": ["integer", "null"]}, "bigint", None),
        ({"type": "number"}, "double", None),
        ({"type": ["integer", "number"]}, "double", None),
        ({"type": "string"}, "text", None),
        ({"type": "string", "maxLength": 255}, "varchar", 255),
        ({"type": "string", "maxLength": 10.0}, "varchar", 10),
        ({"type": "string", "maxLength": 0}, "varchar", 1),
        ({"type": "string", "maxLength": 256}, "text", None),
        ({"type": "string", "maxLength": 30, "format": "date-time"}, "datetime", None),
        ({"type": "string", "enum": ["a", "b"]}, "varchar", 255),
        ({"type": "string", "enum": ["a", "b" * 256]}, "text", None),
        ({"const": "a"}, "varchar", 255),
        ({"enum": ["a", None]}, "varchar", 255),
        ({"enum": ["a", 1]}, "json", None),
        ({"enum": [1, 2]}, "bigint", None),
        ({"type": "array"}, "json", None),
        ({"type": "object"}, "json", None),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "json", None),
        ({"type": ["string", "integer"]}, "json", None),
        ({}, "json", None),
        (True, "json", None),
    ],
)
def test_a_field_becomes_the_column_that_holds_it(
    field: Any, kind: str, length: int | None
) -> None:
    assert _forms(_object(f=field)) == {"/f": (kind, length)}


def test_nested_objects_are_flattened() -> None:
    document = _object(a={"type": ["object", "null"], "properties": {"b/c": {"type": "integer"}}})
    (column,) = plan_columns(document).columns
    assert column == Column("/a/b~1c", "event_a_b_c", Kind.BIGINT)


def test_references_are_followed_and_loops_end_as_json() -> None:
    node = _object(value={"type": "integer"}, next={"$ref": "#/$defs/node"})
    document = {**_object(head={"$ref": "#/$defs/node"}), "$defs": {"node": node}}
    assert _forms(document) == {"/head/value": ("bigint", None), "/head/next": ("json", None)}
    assert _forms(_object(self={"$ref": "#"})) == {"/self": ("json", None)}
    loop = {"$ref": "#/$defs/a"}
    assert _forms({**_object(f=loop), "$defs": {"a": loop}}) == {"/f": ("json", None)}


def test_in_old_drafts_a_reference_makes_its_siblings_void() -> None:
    field = {"$ref": "#/definitions/n", "type": "string"}
    document = {**_object(f=field), "definitions": {"n": {"type": "integer"}}}
    assert _forms(document) == {"/f": ("text", None)}
    document["$schema"] = "http://json-schema.org/draft-07/schema#"
    assert _forms(document) == {"/f": ("bigint", None)}


def test_private_fields_hold_a_digest_or_nothing() -> None:
    inner = {"type": "object", "properties": {"ip": {"type": "string"}, "n": {"type": "integer"}}}
    document = _object(uid={"type": "integer"}, deep=inner)
    privacy = {"/uid": "hmac", "/deep/ip": "drop", "/list/*/x": "hmac"}
    assert _forms(document, privacy=privacy) == {
        "/uid": ("varchar", 64),
        "/deep/n": ("bigint", None),
    }
    assert _forms(document, privacy={"/deep": "drop"}) == {"/uid": ("bigint", None)}
    assert _forms(document, privacy={"/deep": "hmac"})["/deep"] == ("varchar", 64)


def test_names_that_meet_are_told_apart() -> None:
    number = {"type": "integer"}
    document = _object(
        **{"a_b": number, "a.b": number, "userId": number, "userid": number, "more": number},
        a={"type": "object", "properties": {"b": number}},
    )
    names = [column.name for column in plan_columns(document).columns]
    assert len({name.casefold() for name in names}) == 6
    assert names[0] == "event_a_b"
    assert names[2] == "event_userId"
    assert "event_more" not in names


def test_a_long_name_is_cut_with_a_hash() -> None:
    names = [
        column.name
        for column in plan_columns(_object(**{"k" * 70: {}, "k" * 71: {}, "k" * 58: {}})).columns
    ]
    assert [len(name) for name in names] == [64, 64, 64]
    assert len(set(names)) == 3
    assert names[2] == "event_" + "k" * 58


@settings(max_examples=150, deadline=None)
@given(schemas())
def test_names_are_unique_whatever_the_keys(document: dict[str, Any]) -> None:
    names = [column.name for column in plan_columns(document).columns]
    assert len({name.casefold() for name in names}) == len(names)
    assert all(name.isascii() and len(name) <= 64 for name in names)


@settings(max_examples=100, deadline=None)
@given(schemas(), schemas())
def test_existing_columns_stay_as_they_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    existing = plan_columns(one).columns
    plan = plan_columns(other, {}, existing)
    kept = plan.columns[: len(existing)]
    assert [(c.pointer, c.name, c.kind) for c in kept] == [
        (c.pointer, c.name, c.kind) for c in existing
    ]
    assert len({c.name.casefold() for c in plan.columns}) == len(plan.columns)
    assert plan_columns(other, {}, plan.columns) == plan_columns(other, {}, plan.columns)
    places = [c.pointer for c in plan.columns]
    assert not any(a != b and b.startswith(a + "/") for a in places for b in places)


def test_a_minor_adds_and_lengthens() -> None:
    first = plan_columns(_object(a={"type": "string", "maxLength": 10}, gone={"type": "integer"}))
    second = _object(a={"type": "string", "maxLength": 20}, b={"type": "boolean"})
    plan = plan_columns(second, {}, first.columns)
    change = plan_change(first.columns, plan)
    assert [column.pointer for column in plan.columns] == ["/a", "/gone", "/b"]
    assert [(c.name, c.length) for c in change.widened] == [("event_a", 20)]
    assert [c.name for c in change.added] == ["event_b"]
    assert plan_change(plan.columns, plan).added == ()


def test_a_change_of_kind_is_reported_and_the_column_stays() -> None:
    first = plan_columns(_object(a={"type": "integer"}))
    second = _object(a={"type": "string"})
    assert plan_columns(second, {}, first.columns).columns == first.columns
    ((have, want),) = unholdable(second, {}, first.columns)
    assert (have.kind, want.kind) == (Kind.BIGINT, Kind.TEXT)


@pytest.mark.parametrize(
    ("have", "want", "answer"),
    [
        (10, 63, True), (63, 64, False), (64, 255, True), (200, 10, True), (10, None, False),
        (None, 10, True), (255, None, False),
    ],
)  # fmt: skip
def test_a_text_column_grows_only_where_that_is_instant(
    have: int | None, want: int | None, answer: bool
) -> None:
    def column(length: int | None) -> Column:
        return Column("/a", "event_a", Kind.VARCHAR if length else Kind.TEXT, length)

    assert can_hold(column(have), column(want)) is answer


def test_columns_that_do_not_fit_overflow() -> None:
    texts = plan_columns(_object(**{f"f{i}": {"type": "string"} for i in range(300)}))
    assert texts.page_bytes <= PAGE_BUDGET
    assert len(texts.columns) + len(texts.overflow) == 300
    assert texts.overflow[0] == f"/f{len(texts.columns)}"
    assert "found no room" in texts.notes[0]


def test_bounded_texts_become_text_before_anything_overflows() -> None:
    long = {"type": "string", "maxLength": 255}
    plan = plan_columns(_object(**{f"f{i}": long for i in range(100)}))
    assert plan.overflow == ()
    assert plan.row_bytes <= ROW_BUDGET
    assert 0 < sum(column.kind is Kind.TEXT for column in plan.columns) < 100
    assert "kept as TEXT" in plan.notes[0]


def test_short_fields_keep_their_columns_when_long_ones_overflow() -> None:
    fields = {f"f{i}": {"type": "string"} for i in range(300)}
    plan = plan_columns(_object(**fields, last={"type": "boolean"}))
    assert plan.columns[-1].pointer == "/last"


def test_a_table_has_no_more_columns_than_innodb_takes() -> None:
    plan = plan_columns(_object(**{f"f{i}": {"type": "boolean"} for i in range(1000)}))
    assert (len(plan.columns), len(plan.overflow)) == (900, 100)
