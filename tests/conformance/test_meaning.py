"""What the words of a schema mean where implementations differ: patterns, numbers, drafts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from eventlogging.schema.document import check_document, compile_gate, draft_of
from eventlogging.schema.patterns import MAX_COSTLY_TEXT, as_written, pattern_risk
from tests.conformance.judges import URIS

_EVERY = "".join(map(chr, (*range(0xD800), *range(0xE000, sys.maxunicode + 1))))
_DIGITS = set("0123456789")
_WORD = _DIGITS | set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_LINE_ENDS = set("\n\r\u2028\u2029")
# ECMA-262: WhiteSpace (tab, VT, FF, ZWNBSP and the class Zs) and LineTerminator.
_ZS = {" ", "\xa0", "\u1680", *map(chr, range(0x2000, 0x200B)), "\u202f", "\u205f", "\u3000"}
_SPACE = {"\t", "\v", "\f", "\ufeff"} | _ZS | _LINE_ENDS
_CLASSES = {r"\d": _DIGITS, r"\w": _WORD, r"\s": _SPACE}
_NOT = {r"\D": _DIGITS, r"\W": _WORD, r"\S": _SPACE, ".": _LINE_ENDS}

# Both engines: the linear one, and the one that a look-ahead calls for.
engines = pytest.mark.parametrize("ahead", ["", "(?=)"], ids=["linear", "backtracking"])
drafts = pytest.mark.parametrize("draft", URIS)


def judge(draft: str, **words: Any) -> Callable[[Any], bool]:
    """Return how events with one property `a` are judged; registration takes the schema."""
    document = {"$schema": URIS[draft], "type": "object", "properties": {"a": words}}
    assert check_document(document)[0] == []
    validator = compile_gate(document, mask=True)
    return lambda value: validator.is_valid({"a": value})


def matches(draft: str, pattern: str) -> Callable[[Any], bool]:
    return judge(draft, type="string", pattern=pattern, maxLength=MAX_COSTLY_TEXT)


def pieces(texts: set[str]) -> list[str]:
    """Return all characters but these, in texts that a costly pattern may read."""
    rest = "".join(character for character in _EVERY if character not in texts)
    return [rest[i : i + MAX_COSTLY_TEXT] for i in range(0, len(rest), MAX_COSTLY_TEXT)]


@engines
@pytest.mark.parametrize(("token", "members"), _CLASSES.items())
def test_a_class_holds_exactly_what_ecma_says(token: str, members: set[str], ahead: str) -> None:
    for spelling in (token, f"[{token}]", f"[{token}{token}]"):
        one = matches("2020-12", f"^{ahead}{spelling}$")
        assert all(one(character) for character in members), spelling
        found = matches("2020-12", f"{ahead}{spelling}")
        assert not any(found(piece) for piece in pieces(members)), spelling


@engines
@pytest.mark.parametrize(("token", "missing"), _NOT.items())
def test_what_a_negated_class_lacks_is_exactly_what_ecma_says(
    token: str, missing: set[str], ahead: str
) -> None:
    found = matches("2020-12", f"{ahead}{token}")
    assert not any(found(character) for character in missing)
    every = matches("2020-12", f"^{ahead}{token}*$")
    assert all(every(piece) for piece in pieces(missing))


@drafts
@engines
@pytest.mark.parametrize(
    ("pattern", "text", "answer"),
    [
        (r"^\d$", "3", True), (r"^\d$", "३", False), (r"^\D$", "३", True),
        (r"^\w$", "_", True), (r"^\w$", "é", False), (r"^\W$", "é", True),
        (r"^\s$", "\u00a0", True), (r"^\s$", "\ufeff", True), (r"^\s$", "\u0085", False),
        (r"^a$", "a", True), (r"^a$", "a\n", False), (r"^a$", "a\nb", False), (r"a$", "b\na", True),
        (r"^b", "a\nb", False),
        (r"\bx", "x", True), (r"\bx", "a x", True), (r"\bx", "ax", False), (r"\bx", "éx", True),
        (r"x\b", "xé", True), (r"x\b", "x_", False), (r"^\b$", "", False), (r"^[\b]$", "\b", True),
        (r"a.b", "a\rb", False), (r"a.b", "a\u2028b", False), (r"a.b", "a\u0085b", True),
        (r"^.$", "😀", True), (r"^..$", "😀", False), (r"^[.]$", "a", False),
        (r"^\.$", ".", True), (r"^\.$", "a", False), (r"^\0$", "\0", True), (r"^\cJ$", "\n", True),
        (r"^[\d.]+\.\w$", "1.2.a", True),
        ("b", "abc", True),
    ],
)  # fmt: skip
def test_patterns_mean_what_ecma_says_in_every_draft(
    draft: str, ahead: str, pattern: str, text: str, answer: bool
) -> None:
    spelled = f"^{ahead}{pattern[1:]}" if pattern.startswith("^") else ahead + pattern
    assert matches(draft, spelled)(text) is answer


@drafts
@pytest.mark.parametrize(
    ("pattern", "key", "answer"),
    [(r"\bx", "éx", False), (r"\bx", "ax", True), (r"^\d$", "३", True), ("^a.$", "a\r", True),
     ("^a.$", "ab", False)],
)  # fmt: skip
def test_names_of_properties_are_matched_as_texts_are(
    draft: str, pattern: str, key: str, answer: bool
) -> None:
    by_name = judge(draft, type="object", patternProperties={pattern: {"type": "integer"}})
    assert by_name({key: "no integer"}) is answer


def test_word_boundaries_do_not_stand_beside_look_around() -> None:
    one, other = ({"pattern": text, "maxLength": 9} for text in (r"\bx", "(?!y)x"))
    document = {"type": "object", "properties": {"a": one, "b": other}}
    (problem,) = check_document(document)[0]
    assert r"write (?=)\b in place of \b" in problem
    one["pattern"] = r"(?=)\bx"
    assert check_document(document)[0] == []


@pytest.mark.parametrize("pattern", [r"\bx", "a.b", r"^[a.]\.\b."])
def test_the_form_of_a_pattern_is_shown_as_its_author_wrote_it(pattern: str) -> None:
    form = pattern_risk(pattern).form
    assert form != pattern
    assert as_written(form) == pattern


@drafts
def test_an_array_of_what_a_reference_says_is_not_taken_for_texts(draft: str) -> None:
    items = {"$ref": "#/definitions/x", "type": "string"}
    document = {
        "$schema": URIS[draft],
        "type": "object",
        "properties": {"a": {"type": "array", "uniqueItems": True, "items": items}},
        "definitions": {"x": {}},
    }
    assert "add maxItems" in check_document(document)[0][0]


@pytest.mark.parametrize(
    ("uri", "draft"),
    [
        ("https://json-schema.org/draft-07/schema#", "draft7"),
        ("https://json-schema.org/draft-07/schema", "draft7"),
        ("http://json-schema.org/draft-07/schema", "draft7"),
        ("https://json-schema.org/draft-04/schema#", "draft4"),
        ("http://json-schema.org/draft/2020-12/schema#", "2020-12"),
    ],
)
def test_a_draft_is_known_whatever_the_scheme(uri: str, draft: str) -> None:
    document = {
        "$schema": uri,
        "type": "object",
        "properties": {"a": {"if": {"minimum": 5}, "then": {"multipleOf": 2}}, "b": {}},
        "dependentRequired": {"b": ["a"]},
    }
    assert draft_of(document) == draft
    assert check_document(document)[0] == []
    validator = compile_gate(document, mask=True)
    assert validator.is_valid({"a": 7}) is (draft == "draft4")  # if … then came with draft 7
    assert validator.is_valid({"b": 7}) is (draft != "2020-12")  # and dependentRequired later


@drafts
def test_a_number_without_fraction_is_an_integer(draft: str) -> None:
    integer = judge(draft, type="integer")
    assert all(integer(value) for value in (1, -7, 2**53 + 1, 2**63 - 1, -(2**63)))
    for value in (1.0, -0.0, 1e3, 1e300, 2.0**63):
        assert integer(value) is (draft != "draft4")  # which looks at how a number is written
    assert not any(integer(value) for value in (1.5, 5e-324, True, "1", None, [1]))


@drafts
def test_equal_numbers_are_equal_however_they_are_written(draft: str) -> None:
    one = judge(draft, enum=[1, 2**53 + 1, {"a": [1.0]}])
    assert [one(value) for value in (1, 1.0, {"a": [1]}, {"a": [1.0]})] == [True] * 4
    assert [one(value) for value in (True, "1", 2**53, 2**53 + 2, {"a": [True]})] == [False] * 5
    unique = judge(draft, type="array", uniqueItems=True, maxItems=10)
    assert unique([1, True, "1", [1], [True]])
    assert not unique([1, 1.0])
    assert not unique([{"a": 1, "b": 2}, {"b": 2.0, "a": 1}])


@drafts
def test_bounds_of_big_numbers_are_exact(draft: str) -> None:
    most = judge(draft, maximum=2**63 - 2)
    assert most(2**63 - 2)
    assert not most(2**63 - 1)
    least = judge(draft, minimum=-(2**53) - 1)
    assert least(-(2**53) - 1)
    assert not least(-(2**53) - 2)
    assert not most(1e300)
    assert least(1e300)


@drafts
def test_a_float_is_the_decimal_that_it_is_written_as(draft: str) -> None:
    assert repr(2.0**62) == "4.611686018427388e+18"  # as on the wire; its binary value is 2**62
    assert judge(draft, enum=[4611686018427388000])(2.0**62)
    assert not judge(draft, enum=[2**62])(2.0**62)
    assert not judge(draft, maximum=2**62)(2.0**62)
    assert judge(draft, maximum=10**16)(1e16)


@drafts
@pytest.mark.parametrize(
    ("divisor", "value", "answer"),
    [(0.01, 19.99, True), (0.01, 0.0075, False), (0.1, 0.3, True), (3, 2**53 + 1, True),
     (2, 2**63 - 1, False), (1, 1e300, True), (0.5, 1e308, True), (1e-8, 12391239123, True)],
)  # fmt: skip
def test_multiples_are_decimal(draft: str, divisor: float, value: float, answer: bool) -> None:
    assert judge(draft, multipleOf=divisor)(value) is answer


@drafts
def test_the_length_of_a_text_counts_characters_not_bytes(draft: str) -> None:
    short = judge(draft, maxLength=2)
    assert short("😀😀")
    assert not short("😀😀😀")
    assert short("e\u0301")
