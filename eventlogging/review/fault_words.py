"""What is wrong with an event, as a fact about a field: `duration` is a number, not an integer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eventlogging.schema.patterns import as_written
from eventlogging.schema.walk import locate, pointer

_CUT = 60
_TYPES = {
    "string": "a text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}
_UNDECLARED = ("additionalProperties", "unevaluatedProperties")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong. `pointer` names the field, items of an array as `*`.

    `words` go on behind the field's name: "is longer than 40 characters"; where `found` is set,
    the words say what would be right instead ("an integer") and `found` what came ("a text").
    `value` is what stands there.
    """

    pointer: str
    rule: str
    words: str
    found: str = ""
    value: Any = None


_WORDS: dict[str, Callable[[Any], str]] = {
    "const": lambda value: f"is not {_quote(value)}",
    "format": lambda value: f"is not of the format {value}",
    "pattern": lambda value: f"does not match {_quote(as_written(str(value)))}",
    "minimum": lambda value: f"is less than {value}",
    "maximum": lambda value: f"is more than {value}",
    "exclusiveMinimum": lambda value: f"is not above {value}",
    "exclusiveMaximum": lambda value: f"is not below {value}",
    "multipleOf": lambda value: f"is no multiple of {value}",
    "minLength": lambda value: f"is shorter than {_some(value, 'character')}",
    "maxLength": lambda value: f"is longer than {_some(value, 'character')}",
    "minItems": lambda value: f"has fewer than {_some(value, 'item')}",
    "maxItems": lambda value: f"has more than {_some(value, 'item')}",
    "uniqueItems": lambda value: "holds an item twice",
    "minProperties": lambda value: f"has fewer than {_some(value, 'field')}",
    "maxProperties": lambda value: f"has more than {_some(value, 'field')}",
    "contains": lambda value: "lacks an item that must be in it",
    "not": lambda value: "is what the schema rules out",
    "anyOf": lambda value: "fits none of the forms that the schema offers",
    "oneOf": lambda value: "does not fit one, and only one, of the forms that the schema offers",
    "propertyNames": lambda value: "holds a field whose name the schema does not allow",
    "falseSchema": lambda value: "is refused by the schema, whatever it holds",
}


def fault_of(error: Any, payload: Any) -> Iterator[Fault]:
    """Yield the faults that an error of jsonschema-rs tells of: one for each undeclared field."""
    rule = error.kind.name
    tokens, value = _at(payload, error.instance_path)
    given = getattr(error.kind, "value", None)
    place = pointer(tokens)
    if rule == "required":
        yield Fault(pointer([*tokens, str(given)]), rule, "is missing")
    elif rule in _UNDECLARED:
        for name in given or ():
            member = value.get(name) if isinstance(value, dict) else None
            yield Fault(pointer([*tokens, str(name)]), rule, "is not declared", value=member)
    elif rule == "type":
        names = given if isinstance(given, list) else [given]
        words = " or ".join(_TYPES.get(str(name), str(name)) for name in names)
        yield Fault(place, rule, words, kind_of(value), value)
    elif rule == "enum":
        yield Fault(place, rule, "is not among the values listed", value=value)
    else:
        say = _WORDS.get(rule)
        words = say(given) if say else f"breaks the rule {rule}"
        yield Fault(place, rule, words, value=value)


def kind_of(value: Any) -> str:
    """Return what a value is: a text, a number, null …"""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def _at(payload: Any, path: Sequence[str | int]) -> tuple[list[str], Any]:
    """Return the keys of a path, each index of an array as `*`, and the value that stands there."""
    located, found, _ = locate(payload, path)
    tokens: list[str] = []
    value = payload
    for token in located:
        if isinstance(value, list):
            tokens.append("*")
            value = value[int(token)]
        else:
            tokens.append(token)
            value = value.get(token) if isinstance(value, dict) else None
    return tokens, found


def _quote(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= _CUT else f"{text[: _CUT - 1]}…"


def _some(number: Any, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
