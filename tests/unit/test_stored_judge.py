"""Stored events judged anew: as the gate would, and never wrongly for what privacy has hidden."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlogging.intake.seal import PrivacyKey, compile_seal
from eventlogging.review.stored_judge import StoredJudge
from eventlogging.schema.gate import compile_gate
from eventlogging.schema.plan import wanted_columns
from tests.conformance.strategies import json_schemas, json_values
from tests.strategies import payloads_for, schemas

_SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


def judge(document: dict[str, Any], privacy: dict[str, str]) -> StoredJudge:
    return StoredJudge(document, privacy, standing=[document], fill_defaults="never", now_ms=0)


@given(data=st.data(), document=schemas())
@settings(max_examples=100, deadline=None, suppress_health_check=_SLOW)
def test_what_a_schema_took_it_still_takes_whatever_privacy_hid(
    data: st.DataObject, document: dict[str, Any]
) -> None:
    payload = data.draw(payloads_for(document))
    pointers = [column.pointer for column in wanted_columns(document, {})]
    privacy = {
        pointer: data.draw(st.sampled_from(["hmac", "drop"]))
        for pointer in pointers
        if data.draw(st.booleans())
    }
    seal = compile_seal(privacy, PrivacyKey("secret"))
    stored = seal(payload) if seal else payload
    assert judge(document, privacy).valid(stored).faults == ()


@given(data=st.data(), draft=st.sampled_from(["draft4", "draft7", "2020-12"]))
@settings(max_examples=100, deadline=None, suppress_health_check=_SLOW)
def test_without_private_fields_the_verdict_is_the_gates(data: st.DataObject, draft: str) -> None:
    schema = data.draw(json_schemas(draft))
    document = {**(schema if isinstance(schema, dict) else {}), "type": "object"}
    payload = data.draw(st.dictionaries(st.sampled_from(["a", "b", "ab", "1"]), json_values()))
    try:
        gate = compile_gate(document, mask=True)
    except ValueError:
        return  # no schema that registration would let through
    found = judge(document, {}).valid(payload)
    assert found.passes == gate.is_valid(payload)
    assert all(fault.words for fault in found.faults)


def test_keys_of_digits_are_keys_and_no_indexes() -> None:
    fields = {key: {"type": "string"} for key in ("1", "007", "+3")}
    document = {"type": "object", "properties": fields, "additionalProperties": False}
    found = judge(document, {"/007": "hmac"}).valid({"1": 5, "007": 5, "+3": [], "22": 1})
    assert {(fault.pointer, fault.rule) for fault in found.faults} == {
        ("/1", "type"), ("/+3", "type"), ("/22", "additionalProperties")
    }  # fmt: skip


def test_items_of_arrays_are_told_as_one_place() -> None:
    item = {"type": "object", "properties": {"7": {"type": "string"}}, "required": ["at"]}
    document = {"type": "object", "properties": {"list": {"type": "array", "items": item}}}
    found = judge(document, {}).valid({"list": [{"at": 1}, {"7": 5}, {"7": None, "at": 1}]})
    assert {(fault.pointer, fault.rule, fault.value) for fault in found.faults} == {
        ("/list/*/7", "type", 5), ("/list/*/at", "required", None)
    }  # fmt: skip
