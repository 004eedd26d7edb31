"""Columns and event_more give back exactly what was sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlogging.schema.codec import compile_decoder, compile_encoder
from eventlogging.schema.columns import Column, ColumnPlan, Kind
from eventlogging.schema.plan import plan_columns
from tests.strategies import disturbed_payloads, payloads_for, same, schemas


def _plan(*columns: tuple[str, Kind], length: int = 5) -> ColumnPlan:
    return ColumnPlan(
        tuple(
            Column(pointer, f"c{i}", kind, length if kind is Kind.VARCHAR else None)
            for i, (pointer, kind) in enumerate(columns)
        )
    )


def _one(kind: Kind, value: Any) -> tuple[Any, Any]:
    """Return (the column's value, what event_more holds of the field) after a round trip."""
    plan = _plan(("/f", kind))
    values, more = compile_encoder(plan)({"f": value})
    assert same(compile_decoder(plan)(values, more), {"f": value})
    return values[0], orjson.loads(more)["f"] if more else "nothing"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_payload_comes_back_exactly(data: st.DataObject) -> None:
    document = data.draw(schemas())
    payload = data.draw(st.one_of(payloads_for(document), disturbed_payloads(document)))
    plan = plan_columns(document)
    values, more = compile_encoder(plan)(payload)
    assert len(values) == len(plan.columns)
    assert {type(value) for value in values} <= {type(None), bool, int, float, str}
    assert same(compile_decoder(plan)(values, more), payload)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_each_database_hands_back_is_understood(data: st.DataObject) -> None:
    document = data.draw(schemas())
    payload = data.draw(disturbed_payloads(document))
    plan = plan_columns(document)
    values, more = compile_encoder(plan)(payload)
    decode = compile_decoder(plan)
    kinds = [column.kind for column in plan.columns]
    sqlite = [int(v) if type(v) is bool else v for v in values]
    pymysql = [
        datetime.fromisoformat(v) if kind is Kind.DATETIME and v is not None else v
        for v, kind in zip(sqlite, kinds, strict=True)
    ]
    assert same(decode(sqlite, more), payload)
    assert same(decode(pymysql, more), payload)


@settings(max_examples=100, deadline=None)
@given(schemas())
def test_an_empty_payload_is_empty_columns(document: dict[str, Any]) -> None:
    plan = plan_columns(document)
    values, more = compile_encoder(plan)({})
    assert values == [None] * len(plan.columns)
    assert more is None
    assert compile_decoder(plan)(values, more) == {}


@pytest.mark.parametrize(
    ("kind", "value", "column"),
    [
        (Kind.BOOLEAN, True, 1),
        (Kind.BIGINT, 2**63 - 1, 2**63 - 1),
        (Kind.DOUBLE, 0.1, 0.1),
        (Kind.DOUBLE, 7, 7.0),
        (Kind.DOUBLE, 2**53, 2.0**53),
        (Kind.VARCHAR, "😀" * 5, "😀" * 5),
        (Kind.TEXT, "", ""),
        (Kind.DATETIME, "2026-11-22T03:04:05.678Z", "2026-11-22 03:04:05.678"),
        (Kind.JSON, [1, 1.0, None], "[1,1.0,null]"),
        (Kind.JSON, {}, "{}"),
    ],
)
def test_a_value_its_column_holds_needs_nothing_more(kind: Kind, value: Any, column: Any) -> None:
    stored, more = _one(kind, value)
    assert same(stored, column)
    assert more == "nothing"


@pytest.mark.parametrize(
    ("kind", "value", "column"),
    [
        (Kind.BOOLEAN, None, None),
        (Kind.JSON, None, None),
        (Kind.BOOLEAN, 1, None),
        (Kind.BIGINT, True, None),
        (Kind.BIGINT, 1.0, 1),
        (Kind.BIGINT, 1.5, None),
        (Kind.BIGINT, 2**63, None),
        (Kind.DOUBLE, 1.0, 1.0),
        (Kind.DOUBLE, -0.0, -0.0),
        (Kind.DOUBLE, 2**53 + 1, 2.0**53),
        (Kind.DOUBLE, False, None),
        (Kind.VARCHAR, "longer", "longe"),
        (Kind.VARCHAR, 3, None),
        (Kind.TEXT, {"a": 1}, None),
        (Kind.DATETIME, "2026-11-22T03:04:05Z", "2026-11-22 03:04:05.000"),
        (Kind.DATETIME, "2026-11-22T03:04:05.678999Z", "2026-11-22 03:04:05.678"),
        (Kind.DATETIME, "2026-11-22T03:04:05.678+05:30", "2026-11-21 21:34:05.678"),
        (Kind.DATETIME, "2016-12-31T23:59:60Z", "2016-12-31 23:59:59.999"),
        (Kind.DATETIME, "0999-12-31T23:59:59.000Z", None),
        (Kind.DATETIME, "9999-12-31T23:59:59.000-01:00", None),
        (Kind.DATETIME, "2026-02-30T00:00:00.000Z", None),
        (Kind.DATETIME, "yesterday", None),
    ],
)
def test_a_value_its_column_would_change_is_kept_beside_it(
    kind: Kind, value: Any, column: Any
) -> None:
    stored, more = _one(kind, value)
    assert same(stored, column)
    assert same(more, value)


def test_the_rest_is_a_sparse_nested_document() -> None:
    plan = _plan(("/a/b", Kind.BIGINT), ("/a/c", Kind.TEXT), ("/d", Kind.JSON))
    payload = {"a": {"b": 1, "c": None, "x": {"y": []}}, "d": {"k": 1}, "e": {}}
    values, more = compile_encoder(plan)(payload)
    assert values == [1, None, '{"k":1}']
    assert more is not None
    assert orjson.loads(more) == {"a": {"c": None, "x": {"y": []}}, "e": {}}
    assert same(compile_decoder(plan)(values, more), payload)


@pytest.mark.parametrize("value", [{}, None, [], 5, {"z": 1}, {"b": {}}])
def test_a_declared_object_may_be_anything(value: Any) -> None:
    plan = _plan(("/a/b", Kind.BIGINT))
    values, more = compile_encoder(plan)({"a": value})
    assert same(compile_decoder(plan)(values, more), {"a": value})
