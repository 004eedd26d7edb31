"""Propose a schema that would let a refused event pass, in simple cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from eventlogging.schema.walk import Tokens, pointer

_BOUNDS = {"minimum": 0, "maximum": 0, "minLength": 1, "maxLength": 1, "minItems": 1, "maxItems": 1}
_MOST_FIELDS = 3
_UNDECLARED = ("additionalProperties", "unevaluatedProperties")


def loosened(
    document: Mapping[str, Any], rule: str, place: Tokens, payload: Any
) -> tuple[str, dict[str, Any]] | None:
    """Return (the change in words, the changed document), None where the case is not simple.

    `rule` is the keyword that failed at `place` of the payload. Simple is what lies in plain
    `properties` and `items`: a type widened, a value added, a bound loosened, a property allowed,
    one that need not be there.
    """
    copy = deepcopy(dict(document))
    found, value = _value_at(payload, place)
    if rule == "required":
        return _not_required(copy, place)
    if not found:
        return None
    if rule in _UNDECLARED:
        return _declared(copy, place, value)
    node = _node(copy, place)
    change = _CHANGES.get(rule)
    if rule in _BOUNDS and node is not None:
        change = _bound(rule)
    if node is None or change is None or rule not in node:
        return None
    words = change(node, value)
    return (f"{pointer(place)}: {words}", copy) if words else None


def _widen_type(node: dict[str, Any], value: Any) -> str | None:
    kind = _type_of(value)
    standing = node["type"] if isinstance(node["type"], list) else [node["type"]]
    if kind == "number" and "integer" in standing:
        node["type"] = _one_or_list([one if one != "integer" else "number" for one in standing])
        return "allow numbers with a fraction too"
    node["type"] = [*standing, kind]
    if "enum" in node:
        return None  # the value would have to be listed as well
    return f"allow {kind} beside {' and '.join(standing)}"


def _add_value(node: dict[str, Any], value: Any) -> str | None:
    if not isinstance(value, str | int | float | bool) and value is not None:
        return None
    node["enum"] = [*node["enum"], value]
    shown = repr(value) if not isinstance(value, str) else f'"{value[:60]}"'
    return f"add {shown} to the values it may have"


def _bound(rule: str) -> Callable[[dict[str, Any], Any], str | None]:
    def change(node: dict[str, Any], value: Any) -> str | None:
        needed = value if not _BOUNDS[rule] else len(value) if hasattr(value, "__len__") else None
        if not isinstance(needed, int | float) or isinstance(needed, bool):
            return None
        before, node[rule] = node[rule], needed
        return f"{rule} {needed} instead of {before}"

    return change


_CHANGES: Mapping[str, Callable[[dict[str, Any], Any], str | None]] = {
    "type": _widen_type,
    "enum": _add_value,
}


def undeclared(document: Mapping[str, Any], place: Tokens, payload: Any) -> list[str]:
    """Return the fields of the object at a place that the schema does not declare there."""
    holder = _node(document, place)
    found, value = _value_at(payload, place)
    members = holder.get("properties", {}) if holder is not None else None
    if not found or not isinstance(value, dict) or not isinstance(members, dict):
        return []
    return [name for name in value if name not in members]


def _declared(copy: dict[str, Any], place: Tokens, value: Any) -> tuple[str, dict[str, Any]] | None:
    holder = _node(copy, place)
    names = undeclared(holder, (), value) if holder is not None else []
    if holder is None or not 0 < len(names) <= _MOST_FIELDS:
        return None
    members = holder.setdefault("properties", {})
    for name in names:
        kind = _type_of(value[name])
        members[name] = {"type": kind} if kind != "null" else {}
    words = ", ".join(f"{name} as {_type_of(value[name])}" for name in names)
    return f"{pointer(place) or '(event)'}: declare {words}", copy


def _not_required(copy: dict[str, Any], place: Tokens) -> tuple[str, dict[str, Any]] | None:
    """`place` is the field that is missing."""
    holder = _node(copy, place[:-1]) if place else None
    required = holder.get("required") if holder is not None else None
    if holder is None or not isinstance(required, list) or place[-1] not in required:
        return None
    holder["required"] = [name for name in required if name != place[-1]]
    if not holder["required"]:
        del holder["required"]
    return f"{pointer(place)}: need not be there any more", copy


def _node(document: Any, place: Tokens) -> dict[str, Any] | None:
    """Return the schema of a place, reached by properties and items alone."""
    node = document
    for step in place:
        if not isinstance(node, dict):
            return None
        members = node.get("properties")
        if isinstance(members, dict) and step in members:
            node = members[step]
        elif step.isdigit() and isinstance(node.get("items"), dict):
            node = node["items"]
        else:
            return None
    return node if isinstance(node, dict) else None


def _value_at(payload: Any, place: Tokens) -> tuple[bool, Any]:
    value = payload
    for step in place:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step[:9]) < len(value):
            value = value[int(step[:9])]
        else:
            return False, None
    return True, value


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if value is None:
        return "null"
    for kind, name in ((int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "object"


def _one_or_list(kinds: list[str]) -> str | list[str]:
    return kinds[0] if len(kinds) == 1 else kinds
