"""Which documents may become schemas, and how the gate judges events by them."""

from __future__ import annotations

import time
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlogging.schema.document import (
    CHECKED_FORMATS,
    check_document,
    compile_gate,
    draft_of,
)
from eventlogging.schema.faults import first_faults
from tests.strategies import payloads_for, schemas, values

_DRAFTS = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "2019-09": "https://json-schema.org/draft/2019-09/schema",
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _problems(document: Any) -> list[str]:
    started = time.monotonic()
    problems, _ = check_document(document)
    assert time.monotonic() - started < 1
    return problems


@pytest.mark.parametrize(("draft", "uri"), _DRAFTS.items())
def test_each_draft_is_known_by_any_spelling(draft: str, uri: str) -> None:
    plain = uri.rstrip("#")
    for spelling in (
        plain,
        plain + "#",
        plain.replace("https:", "http:"),
        plain.replace("http:", "https:"),
    ):
        document = {"$schema": spelling, **_object(a={"format": "date-time"})}
        assert draft_of(document) == draft
        assert check_document(document) == ([], [])
        assert not compile_gate(document, mask=False).is_valid({"a": "no time"})


def test_without_a_word_it_is_the_newest_draft() -> None:
    assert draft_of({}) == "2020-12"


@pytest.mark.parametrize(
    "uri", ["http://json-schema.org/draft-03/schema#", "http://x/", "", 5, None, [], "draft-07"]
)
def test_an_unknown_draft_is_refused(uri: Any) -> None:
    document = {"$schema": uri, "type": "object"}
    assert draft_of(document) is None
    assert _problems(document)[0].startswith("/$schema: ")


def test_every_problem_is_told_with_its_place() -> None:
    problems = _problems(
        _object(
            a={"type": "strng"}, b={"maxLength": -1}, c={"pattern": "("}, d={"$ref": "x.json"},
            e={"$id": "y"},
        )
    )  # fmt: skip
    assert sorted(problem.split(":")[0] for problem in problems) == [
        "/properties/a/type", "/properties/b/maxLength", "/properties/c/pattern",
        "/properties/d/$ref", "/properties/e/$id",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "document", [{}, {"type": "string"}, {"type": ["object", "null"]}, {"type": "array"}]
)
def test_a_schema_describes_an_object(document: Any) -> None:
    assert any("/type" in problem for problem in _problems(document))


@pytest.mark.parametrize("document", [None, [], "x", 5, True])
def test_a_schema_is_an_object(document: Any) -> None:
    assert _problems(document) == ["(root): a schema is a JSON object"]


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 2**70, {1: 2}, b"x", {1, 2}, "\ud800", object()]
)
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    assert _problems({"type": "object", "default": value})


def test_a_form_that_is_not_checked_is_remarked() -> None:
    problems, warnings = check_document(_object(a={"format": "colour"}, b={"format": "uuid"}))
    assert problems == []
    assert warnings == ["/properties/a/format: 'colour' is not checked in 2020-12"]
    problems, warnings = check_document(
        {"$schema": _DRAFTS["draft7"], **_object(b={"format": "uuid"})}
    )
    assert warnings == ["/properties/b/format: 'uuid' is not checked in draft7"]


@pytest.mark.parametrize("draft", _DRAFTS)
def test_the_gate_checks_exactly_the_formats_it_says(draft: str) -> None:
    for form in CHECKED_FORMATS["2020-12"] | {"colour"}:
        gate = compile_gate({"$schema": _DRAFTS[draft], **_object(a={"format": form})}, mask=False)
        assert gate.is_valid({"a": "zz {^( "}) is (form not in CHECKED_FORMATS[draft]), form


# What could take unbounded time.


def _deep(levels: int) -> dict[str, Any]:
    document: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        document = {"type": "object", "properties": {"a": document}}
    return document


def _doubling(levels: int) -> dict[str, Any]:
    defs: dict[str, Any] = {"d0": {"type": "string"}}
    for i in range(1, levels):
        defs[f"d{i}"] = {"anyOf": [{"$ref": f"#/$defs/d{i - 1}"}] * 2}
    return {**_object(a={"$ref": f"#/$defs/d{levels - 1}"}), "$defs": defs}


def _chain(length: int) -> dict[str, Any]:
    defs: dict[str, Any] = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(length)}
    return {**_object(a={"$ref": "#/$defs/d0"}), "$defs": {**defs, f"d{length}": {}}}


def _self_containing() -> dict[str, Any]:
    endless: list[Any] = []
    endless.append(endless)
    return {"type": "object", "default": endless}


def _alias_bomb() -> dict[str, Any]:
    bomb: list[Any] = ["x"]
    for _ in range(40):
        bomb = [bomb, bomb]
    return {"type": "object", "default": bomb}


def _recursive(*alternatives: Any) -> dict[str, Any]:
    return {
        **_object(a={"$ref": "#/$defs/n"}),
        "$defs": {"n": {"anyOf": [{"type": "string"}, *alternatives]}},
    }


_SELF = {"$ref": "#/$defs/n"}


@pytest.mark.parametrize(
    "document",
    [
        _deep(10_000),
        _deep(150),
        _doubling(16),
        _doubling(2000),
        _chain(300),
        _chain(2500),
        _self_containing(),
        _alias_bomb(),
        _object(**{f"p{i}": {} for i in range(5000)}),
        _object(a={"description": "x" * 300_000}),
        _object(a={"enum": [{"a": i} for i in range(900)]}),
        _object(a={"enum": [f"v{i}" for i in range(2000)]}),
        {"type": "object", "required": [[i] for i in range(1000)]},
        {"type": "object", "allOf": [{"$ref": "#"}]},
        {**_object(a={"$ref": "#/$defs/a"}), "$defs": {"a": {"$ref": "#/$defs/a"}}},
        _recursive(_object(x=_SELF), _object(x=_SELF)),
        _recursive({"additionalProperties": _SELF}, {"patternProperties": {"": _SELF}}),
        _recursive({"items": _SELF}, {"items": {"items": _SELF}}),
        _object(a={"items": {"anyOf": [{"const": i} for i in range(100)]}}),
        _object(**{f"p{i}": {"pattern": f"^a{i}"} for i in range(300)}),
        _object(a={"allOf": [{"pattern": f"a{i}$"} for i in range(20)]}),
    ],
)  # fmt: skip
def test_what_could_take_for_ever_is_refused_at_once(document: Any) -> None:
    assert _problems(document)


@pytest.mark.parametrize(
    "document",
    [
        _deep(40),
        _doubling(5),
        _chain(100),
        _recursive(_object(left=_SELF, right=_SELF), {"type": "array", "items": _SELF}),
        _recursive({"type": "object", "properties": {"x": _SELF}, "additionalProperties": _SELF}),
        _object(a={"oneOf": [{"const": i} for i in range(100)]}),
        _object(**{f"p{i}": {"type": "string", "maxLength": 10} for i in range(900)}),
        _object(a={"enum": [f"v{i}" for i in range(1000)]}),
    ],
)
def test_what_is_merely_large_is_taken(document: Any) -> None:
    assert _problems(document) == []


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(values(), schemas()))
def test_no_document_makes_the_check_fail(document: Any) -> None:
    problems, warnings = check_document(document)
    assert all(isinstance(text, str) for text in [*problems, *warnings])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_documents_made_by_the_strategies_accept_their_payloads(data: st.DataObject) -> None:
    document = data.draw(schemas())
    assert check_document(document)[0] == []
    assert compile_gate(document, mask=True).is_valid(data.draw(payloads_for(document)))


# Patterns.


@pytest.mark.parametrize(
    ("pattern", "text", "answer"),
    [
        (r"^\d+$", "12", True),
        (r"^\d+$", "١٢", False),
        (r"^\d+$", "12\n", False),
        (r"^[\d]+$", "١", False),
        (r"^\D$", "١", True),
        (r"^\w+$", "é", False),
        (r"^a$", "b\na", False),
        (r"^\cA$", "\x01", True),
        (r"^\u0041$", "A", True),
        (r"^\p{L}$", "é", True),
        (r"^.$", "😀", True),
        (r"^(?!x)\d+$", "12", True),
        (r"^(?!x)\d+$", "١٢", False),
        (r"^(?!x)\d+$", "12\n", False),
        (r"^(.)\1$", "aa", True),
        (r"^(.)\1$", "ab", False),
        (r"^(?!x)[\d\s]+$", "1\ufeff", True),
        (r"^(?!x)[\d\s]+$", "1\x85", False),
        (r"^(?!x)[^\D]$", "١", False),
        (r"^(?!x)[\W]$", "é", True),
        (r"^(?!x)[\W\d]$", "_", False),
        (r"^(?!x)[\D]$", "١", True),
        (r"^(?!x)[\S]$", "😀", True),
        (r"^(?!x)[\S]$", "\u2003", False),
        (r"^(?!x)\S$", "\ufeff", False),
        (r"^(?!x)[[a]\cA\u0041\/$", "[\x01A/", True),
        (r"é\b", "é", False),
        (r"a\b", "aé", True),
        (r"a\Bb", "ab", True),
        (r"é\Bé", "éé", True),
        (r"^[\b]$", "\x08", True),
        (r"^a{2,3}?b+?$", "aab", True),
    ],
)
def test_patterns_mean_what_ecma_says(pattern: str, text: str, answer: bool) -> None:
    document = _object(a={"type": "string", "pattern": pattern, "maxLength": 100})
    assert _problems(document) == []
    assert compile_gate(document, mask=False).is_valid({"a": text}) is answer


@pytest.mark.parametrize(
    "pattern",
    ["(", "[a", r"\A", r"a\Z", r"\Qa", "(?i)a", "(?x) a", "(?P<n>a)", "(?>a)", r"[a&&b]", "a**",
     "a++", "a{2}{3}", "a+??", "[]a]", "[^]", r"(?<n>a)\k<n>", r"(a{1000}){1000}", r"\b{start}",
     r"\<a", "a" * 5000],
)  # fmt: skip
def test_patterns_that_ecma_does_not_know_are_refused(pattern: str) -> None:
    (problem,) = _problems(_object(a={"pattern": pattern, "maxLength": 10}))
    assert problem.startswith("/properties/a/pattern: ")
    assert _problems({"type": "object", "patternProperties": {pattern: {}}})


@pytest.mark.parametrize("pattern", ["^(?!x)", "(?<=a)b", r"(a)\1", r"a\Bb", r"[ab]*a[ab]{500}"])
def test_costly_patterns_need_short_texts(pattern: str) -> None:
    assert "add maxLength" in _problems(_object(a={"pattern": pattern}))[0]
    assert "add maxLength" in _problems(_object(a={"pattern": pattern, "maxLength": 5000}))[0]
    assert _problems({"type": "object", "patternProperties": {pattern: {}}})
    endless = {"items": {"pattern": pattern, "maxLength": 10}}
    assert "may read more than" in _problems(_object(a=endless))[0]
    assert _problems(_object(a={**endless, "maxItems": 100})) == []


def test_look_around_is_remarked() -> None:
    problems, warnings = check_document(_object(a={"pattern": "^(?!x)", "maxLength": 9}))
    assert problems == []
    assert warnings[0].startswith("/properties/a/pattern: this pattern uses look-around")


@pytest.mark.parametrize("draft", _DRAFTS)
@pytest.mark.parametrize(
    "pattern",
    ["^(a+)+$", "^(?=a)(a|a)*$", "(?=.*b.*c)x", "((?=.*b)a|(?=.*c)a|b)*d", r"[ab]*a[ab]{900}c"],
)
def test_no_text_takes_long_to_judge(draft: str, pattern: str) -> None:
    document = {"$schema": _DRAFTS[draft], **_object(a={"pattern": pattern, "maxLength": 4096})}
    assert _problems(document) == []
    gate = compile_gate(document, mask=True)
    for text in ("a" * 4096, "ab" * 2048, "a" * 250_000, "ab" * 125_000):
        started = time.monotonic()
        gate.is_valid({"a": text})
        list(gate.iter_errors({"a": text}))
        assert time.monotonic() - started < 0.2
    assert not gate.is_valid({"a": "a" * 4097})


@pytest.mark.parametrize("pattern", ["[ab]*a[ab]{100}c", "(.*)(.*)(.*)x", r"\bx", "^.*y$"])
def test_a_pattern_that_may_read_any_text_is_quick(pattern: str) -> None:
    document = _object(a={"type": "string", "pattern": pattern})
    assert _problems(document) == []
    gate = compile_gate(document, mask=True)
    for text in ("a" * 250_000, "ab" * 125_000, "é" * 125_000):
        started = time.monotonic()
        gate.is_valid({"a": text})
        assert time.monotonic() - started < 0.3


# Arrays without repetition.


def test_unique_items_need_a_bound_unless_they_are_texts() -> None:
    assert "maxItems" in _problems(_object(a={"uniqueItems": True}))[0]
    assert "maxItems" in _problems(_object(a={"uniqueItems": True, "maxItems": 1001}))[0]
    problems, warnings = check_document(
        _object(a={"uniqueItems": True, "items": {"type": "string"}})
    )
    assert problems == []
    assert warnings == ["/properties/a/uniqueItems: without maxItems; consider a bound"]


@pytest.mark.parametrize("draft", _DRAFTS)
def test_no_array_takes_long_to_judge(draft: str) -> None:
    document = {"$schema": _DRAFTS[draft], **_object(a={"uniqueItems": True, "maxItems": 1000})}
    gate = compile_gate(document, mask=True)
    assert gate.is_valid({"a": [1, True, "1", [1], {"a": 1}]})
    assert not gate.is_valid({"a": [1, 2, 1.0]})
    assert not gate.is_valid({"a": [{"a": [1]}, {"a": [1]}]})
    colliding = [2**63 - 1 - i for i in range(13_000)]  # as floats they are all the same
    for array in (colliding, colliding[:1000], [{"a": i} for i in colliding[:1000]]):
        started = time.monotonic()
        gate.is_valid({"a": array})
        list(gate.iter_errors({"a": array}))
        assert time.monotonic() - started < 0.2


# The gate's settings.


def test_nothing_is_ever_fetched() -> None:
    with pytest.raises((jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError)):
        compile_gate(_object(a={"$ref": "http://127.0.0.1:9/x"}), mask=False)


def test_a_masked_gate_does_not_repeat_what_was_sent() -> None:
    (error,) = compile_gate(_object(a={"type": "integer"}), mask=True).iter_errors({"a": "secret"})
    assert "secret" not in error.message
    (error,) = compile_gate(_object(a={"type": "integer"}), mask=False).iter_errors({"a": "shown"})
    assert "shown" in error.message


def test_compiling_a_gate_does_not_change_the_document() -> None:
    document = _object(
        a={"pattern": "^(?!x)", "maxLength": 9}, b={"uniqueItems": True, "maxItems": 3}
    )
    before = repr(document)
    compile_gate(document, mask=True)
    assert repr(document) == before


def test_a_guarded_pattern_keeps_its_neighbours() -> None:
    document = _object(
        a={
            "allOf": [{"minLength": 2}],
            "pattern": "^(?!x)",
            "maxLength": 9,
            "if": {},
            "then": {"minLength": 3},
        }
    )
    gate = compile_gate(document, mask=False)
    assert [gate.is_valid({"a": text}) for text in ("abc", "ab", "a", "xbc")] == [
        True, False, False, False,
    ]  # fmt: skip


# What is told of a refused event.


def _told(document: dict[str, Any], payload: Any) -> tuple[list[list[Any]], tuple[str, ...]]:
    assert _problems(document) == []
    gate = compile_gate(document, mask=True)
    assert not gate.is_valid(payload)
    started = time.monotonic()
    faults, unread = first_faults(gate, payload, 20)
    assert time.monotonic() - started < 0.5
    return [fault.instance_path for fault in faults], unread


def test_every_fault_of_an_event_is_told() -> None:
    number = {"type": "integer"}
    told = _told({**_object(a=number, b=number), "required": ["c"]}, {"a": "x", "b": "y"})
    assert sorted(map(str, told[0])) == ["['a']", "['b']", "[]"]
    assert told[1] == ()


def test_faults_of_a_huge_event_are_told_at_once() -> None:
    alternatives = {"oneOf": [{"const": i} for i in range(30)]}
    document = {**_object(a={"items": alternatives}), "required": ["b"]}
    told, unread = _told(document, {"a": ["x"] * 50_000})
    assert [] in told
    assert ["a", 0] in told
    assert len(told) <= 20
    assert unread == ("/a",)


def test_a_fault_that_only_shortening_made_is_not_told() -> None:
    document = _object(a={"minItems": 5000, "items": {"type": "integer"}}, b={"type": "string"})
    told, unread = _told(document, {"a": list(range(6000)), "b": 1})
    assert told == [["b"]]
    assert unread == ("/a",)


def test_a_fault_beyond_what_is_read_says_where_reading_stopped() -> None:
    document = _object(a={"items": {"type": "integer"}})
    told, unread = _told(document, {"a": [*range(6000), "x"]})
    assert told == []
    assert unread == ("/a",)
