"""Turn a validator's error into words: which code it is, what was found, what would be right."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from eventlogging.event import Problem
from eventlogging.schema.patterns import as_written
from eventlogging.schema.walk import locate, pointer

_CODES = {
    "type": "type_mismatch",
    "required": "missing_field",
    "additionalProperties": "undeclared_field",
    "unevaluatedProperties": "undeclared_field",
    "propertyNames": "undeclared_field",
    "enum": "value_not_allowed",
    "const": "value_not_allowed",
    "format": "bad_format",
    "pattern": "bad_format",
    "minimum": "out_of_bounds",
    "maximum": "out_of_bounds",
    "exclusiveMinimum": "out_of_bounds",
    "exclusiveMaximum": "out_of_bounds",
    "multipleOf": "out_of_bounds",
    "minLength": "out_of_bounds",
    "maxLength": "out_of_bounds",
    "minItems": "out_of_bounds",
    "maxItems": "out_of_bounds",
    "uniqueItems": "out_of_bounds",
    "minProperties": "out_of_bounds",
    "maxProperties": "out_of_bounds",
}
# The first of these that occurs names the event's code; the rest are still listed.
_ORDER = ("missing_field", "type_mismatch", "value_not_allowed", "bad_format", "out_of_bounds")

_EXPECTED: dict[str, Callable[[Any], str]] = {
    "type": lambda value: " or ".join(_type_words(value)),
    "required": lambda value: f"the field {_quote(value)}, which is required",
    "additionalProperties": lambda value: "only fields that the schema declares",
    "unevaluatedProperties": lambda value: "only fields that the schema declares",
    "enum": lambda value: f"one of {_listed(value)}",
    "const": lambda value: f"exactly {_quote(value)}",
    "format": lambda value: f"a text in the format {value}",
    "pattern": lambda value: f"a text that matches {_quote(as_written(str(value)))}",
    "minimum": lambda value: f"at least {value}",
    "maximum": lambda value: f"at most {value}",
    "exclusiveMinimum": lambda value: f"more than {value}",
    "exclusiveMaximum": lambda value: f"less than {value}",
    "multipleOf": lambda value: f"a multiple of {value}",
    "minLength": lambda value: f"at least {value} characters",
    "maxLength": lambda value: f"at most {value} characters",
    "minItems": lambda value: f"at least {value} items",
    "maxItems": lambda value: f"at most {value} items",
    "uniqueItems": lambda value: "items that all differ",
    "minProperties": lambda value: f"at least {value} fields",
    "maxProperties": lambda value: f"at most {value} fields",
}
_TYPE_WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "array": "an array",
    "object": "an object",
}
_CUT = 80


def problem(error: Any, payload: Any, is_private: Callable[[str], bool]) -> Problem:
    """Return the problem that a jsonschema-rs error describes.

    Values of private fields, and of whatever holds them, are never shown.
    """
    keyword = error.kind.name
    path, value, sure = locate(payload, error.instance_path)
    where = pointer(path)
    rule_value = getattr(error.kind, "value", None)
    if keyword == "required":
        where = f"{where}{pointer([str(rule_value)])}"
        return Problem(where, keyword, "nothing", _EXPECTED[keyword](rule_value))
    if keyword in ("additionalProperties", "unevaluatedProperties"):
        found = f"undeclared {_listed(rule_value)}"
    else:
        found = describe(value, private=not sure or is_private(where))
    expected = _EXPECTED.get(keyword)
    words = expected(rule_value) if expected else _cut(error.message, 200)
    return Problem(where, keyword, found, words)


def code(problems: Iterable[Problem]) -> str:
    """Return the one code that an event with these problems is refused with."""
    found = {_CODES.get(item.rule, "schema_mismatch") for item in problems}
    for candidate in _ORDER:
        if candidate in found:
            return candidate
    return min(found) if len(found) == 1 else "schema_mismatch"


def describe(value: Any, *, private: bool = False) -> str:
    """Say what a value is, cut short; a private one by its type alone."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower() if not private else "true or false (private)"
    if isinstance(value, dict):
        return f"an object with {len(value)} fields"
    if isinstance(value, list):
        return f"an array of {len(value)} items"
    kind = "text" if isinstance(value, str) else "number"
    return f"a {kind} (private)" if private else f"the {kind} {_quote(value)}"


def _type_words(value: Any) -> list[str]:
    names = value if isinstance(value, list) else [value]
    return [_TYPE_WORDS.get(str(name), str(name)) for name in names]


def _listed(values: Any) -> str:
    items = values if isinstance(values, list) else [values]
    shown = ", ".join(_quote(item) for item in items[:12])
    return f"{shown} and {len(items) - 12} more" if len(items) > 12 else shown


def _quote(value: Any) -> str:
    return _cut(f'"{value}"' if isinstance(value, str) else str(value))


def _cut(text: str, length: int = _CUT) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
