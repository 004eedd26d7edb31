"""What one field's schema says, in the words of the form: its type and its bounds as texts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from eventlogging.console.schema_body import Unreadable, read_json

# The types of the form, in the order of its list, and their words.
TYPES: Mapping[str, str] = {
    "text": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "yes or no",
    "one_of": "one of these",
    "time": "date and time",
    "texts": "list of texts",
    "integers": "list of whole numbers",
    "numbers": "list of numbers",
    "object": "object",
    "other": "other, as JSON",
}
_LISTS = {"texts": "string", "integers": "integer", "numbers": "number"}
_PLAIN = {"text": "string", "integer": "integer", "number": "number", "boolean": "boolean"}
_NUMERIC = ("minimum", "maximum")
_TEXTUAL = ("minLength", "maxLength", "pattern")
# Which bounds a type has, by the name of the keyword.
BOUNDS: Mapping[str, tuple[str, ...]] = {
    "text": _TEXTUAL,
    "integer": _NUMERIC,
    "number": _NUMERIC,
    **dict.fromkeys(_LISTS, ("maxItems",)),
}
# Keywords that go along with a type of one family, and make no sense with another.
_FAMILIES = (
    (("integer", "number"), (*_NUMERIC, "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
    (("text",), (*_TEXTUAL, "contentEncoding", "contentMediaType")),
    (tuple(_LISTS), ("minItems", "maxItems", "uniqueItems")),
    (
        ("object",),
        (
            "properties", "required", "additionalProperties", "patternProperties", "propertyNames",
            "minProperties", "maxProperties", "dependentRequired", "dependentSchemas",
            "unevaluatedProperties",
        ),
    ),
)  # fmt: skip
_OF_ANY_TYPE = frozenset(
    {
        "type", "enum", "const", "format", "items", "prefixItems", "additionalItems", "contains",
        "anyOf", "oneOf", "allOf", "not", "if", "then", "else", "$ref", "$dynamicRef",
    }
)  # fmt: skip
_SHOWN = frozenset({"type", "description", "default", "enum", "format", "items", "properties",
                    "required", "additionalProperties"})  # fmt: skip
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?\Z", re.ASCII)
_LINE = re.compile(r"\r\n|\r|\n")


def type_of(field: Any) -> str:
    """Return the form's type of a field's schema; `other` for what the form has no words for."""
    if not isinstance(field, Mapping) or "$ref" in field or "const" in field:
        return "other"
    kind = _kind(field)
    if "enum" in field:
        texts = _texts_of(field["enum"])
        plain = texts is not None and lines(as_lines(texts)) == texts
        return "one_of" if kind == "string" and plain and "format" not in field else "other"
    if kind == "string":
        return "time" if field.get("format") == "date-time" else "text"
    if kind == "array":
        return _list_of(field.get("items"))
    return kind if kind in ("integer", "number", "boolean", "object") else "other"


def is_nullable(field: Any) -> bool:
    """Whether the field may be null besides."""
    kinds = field.get("type") if isinstance(field, Mapping) else None
    return isinstance(kinds, list) and "null" in kinds


def _kind(field: Mapping[str, Any]) -> str:
    kinds = field.get("type")
    if isinstance(kinds, list):
        others = [kind for kind in kinds if kind != "null"]
        kinds = others[0] if len(others) == 1 else ""
    return kinds if isinstance(kinds, str) else ""


def _list_of(items: Any) -> str:
    if isinstance(items, Mapping) and set(items) == {"type"}:
        for name, kind in _LISTS.items():
            if items["type"] == kind:
                return name
    return "other"


def _texts_of(options: Any) -> list[str] | None:
    """Return the texts of an enum, null aside; None where it holds anything else."""
    if not isinstance(options, list):
        return None
    others = [option for option in options if option is not None]
    return others if all(isinstance(option, str) for option in others) else None


def lines(text: str) -> list[str]:
    """Return the lines that say something, without blanks around them."""
    return [line.strip() for line in _LINE.split(text) if line.strip()]


def as_lines(texts: list[str]) -> str:
    """Return texts, one a line."""
    return "\n".join(texts)


def unshown(field: Any) -> tuple[str, ...]:
    """Return the keywords of a field that the form has no place for, in their order."""
    if not isinstance(field, Mapping):
        return ()
    shown = _SHOWN | set(BOUNDS.get(type_of(field), ()))
    return tuple(str(key) for key in field if key not in shown)


def with_type(field: Any, wanted: str, nullable: bool) -> Any:
    """Return the field as one of another type; what is said for people, and its default, stay."""
    if wanted == "other":
        return field
    before = field if isinstance(field, Mapping) else {}
    gone = set(_OF_ANY_TYPE)
    for types, keywords in _FAMILIES:
        if wanted not in types or type_of(field) not in types:
            gone |= set(keywords)
    kept = {key: value for key, value in before.items() if key not in gone}
    kind = _PLAIN.get(wanted) or ("string" if wanted in ("one_of", "time") else "")
    kind = kind or ("array" if wanted in _LISTS else "object")
    typed: dict[str, Any] = {"type": [kind, "null"] if nullable else kind}
    if wanted == "one_of":
        typed["enum"] = [None] if nullable else []
    elif wanted == "time":
        typed["format"] = "date-time"
    elif wanted in _LISTS:
        typed["items"] = {"type": _LISTS[wanted]}
    elif wanted == "object" and "properties" not in kept:
        typed |= {"additionalProperties": False, "properties": {}}
    return {**typed, **kept}


def with_nullable(field: Any, nullable: bool) -> Any:
    """Return the field with null allowed besides, or no longer."""
    if not isinstance(field, Mapping):
        return field
    kinds = field.get("type")
    options = field.get("enum")
    others = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind != "null"]
    changed = {**field, "type": [*others, "null"] if nullable else others[0] if others else kinds}
    if isinstance(options, list):
        texts = [option for option in options if option is not None]
        changed["enum"] = [*texts, None] if nullable else texts
    return changed


def values_text(field: Any) -> str:
    """Return the values of an enum of texts, one a line."""
    options = field.get("enum") if isinstance(field, Mapping) else None
    return as_lines(_texts_of(options) or [])


def with_values(field: Any, text: str) -> Any:
    """Return the field with these values, one a line, null aside."""
    if not isinstance(field, Mapping):
        return field
    null = [None] if is_nullable(field) else []
    return {**field, "enum": [*dict.fromkeys(lines(text)), *null]}


def bound_text(field: Any, keyword: str) -> str:
    """Return a bound as an input shows it; empty: there is none."""
    if not isinstance(field, Mapping) or keyword not in field:
        return ""
    value = field[keyword]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def with_bound(field: Any, keyword: str, text: str) -> Any:
    """Return the field with a bound. What is no number stays as the text it is: nothing is lost."""
    if not isinstance(field, Mapping):
        return field
    text = text if keyword == "pattern" else text.strip()
    if not text:
        return {key: value for key, value in field.items() if key != keyword}
    return {**field, keyword: text if keyword == "pattern" else number_or_text(text)}


def number_or_text(text: str) -> Any:
    """Return the number that a text writes, or else the text."""
    plain = text.replace(" ", "").replace("\u2009", "").replace("\u00a0", "")
    if not _NUMBER.match(plain) or len(plain) > 40:
        return text
    number = json.loads(plain) if not re.match(r"-?0[0-9]", plain) else text
    return text if number in (float("inf"), float("-inf")) else number


def default_text(field: Any) -> str:
    """Return the default as an input shows it: texts as they are, all else as JSON."""
    if not isinstance(field, Mapping) or "default" not in field:
        return ""
    value = field["default"]
    if isinstance(value, str) and _is_textual(field):
        return value
    return json.dumps(value, ensure_ascii=False)


def with_default(field: Any, text: str) -> Any:
    """Return the field with the default that the text says; empty: with none."""
    if not isinstance(field, Mapping):
        return field
    if not text.strip():
        return {key: value for key, value in field.items() if key != "default"}
    if _is_textual(field):
        return {**field, "default": text}
    return {**field, "default": json_or_text(text)}


def json_or_text(text: str) -> Any:
    """Return the JSON value that a text writes, or else the text."""
    try:
        return read_json(text.encode())
    except (Unreadable, UnicodeError):
        return text


def _is_textual(field: Mapping[str, Any]) -> bool:
    return type_of(field) in ("text", "one_of", "time")


def description_of(field: Any) -> str:
    """Return what the field says of itself."""
    value = field.get("description") if isinstance(field, Mapping) else None
    return value if isinstance(value, str) else ""


def with_description(field: Any, text: str) -> Any:
    """Return the field with another description; `true` becomes an object to hold it."""
    if field is True:
        field = {}
    if not isinstance(field, Mapping):
        return field
    if not text.strip():
        return {key: value for key, value in field.items() if key != "description"}
    return {**field, "description": text}
