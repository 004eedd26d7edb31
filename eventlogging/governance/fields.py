"""Which fields a schema document declares, by JSON pointer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

_ALTERNATIVES = ("allOf", "anyOf", "oneOf")
_CONDITIONS = ("if", "then", "else", "$ref")
_MOST_STEPS = 2000  # subschemas looked at for one step of a pointer; references may loop


def declares(document: Mapping[str, Any], pointer: str) -> bool:
    """Say whether the document declares the field; `*` stands for each item of an array."""
    return bool(subschemas(document, pointer))


def subschemas(document: Mapping[str, Any], pointer: str) -> list[Mapping[str, Any]]:
    """Return all subschemas that describe the field at `pointer` (none: it is not declared)."""
    nodes: list[Any] = [document]
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        nodes = [child for node in _together(document, nodes) for child in _step(node, name)]
    return _together(document, nodes)


def field_names(document: Mapping[str, Any]) -> list[str]:
    """Return the names of the declared top-level fields, in the document's order."""
    names: dict[str, None] = {}
    for node in _together(document, [document]):
        names.update(dict.fromkeys(node.get("properties", {})))
    return list(names)


def overlap(one: str, other: str) -> bool:
    """Say whether one of two pointers leads to the other's field, or into it, or above it."""
    steps = zip(one.split("/"), other.split("/"), strict=False)
    return all(a == b or ("*" in (a, b) and _is_item(a) and _is_item(b)) for a, b in steps)


def _is_item(step: str) -> bool:
    return step.isdecimal() or step == "*"


def _step(node: Mapping[str, Any], name: str) -> Iterator[Any]:
    properties = node.get("properties")
    if isinstance(properties, Mapping) and name in properties:
        yield properties[name]
    if name != "*" and not name.isdecimal():
        return
    for keyword in ("items", "prefixItems", "additionalItems"):
        below = node.get(keyword)
        if isinstance(below, list):
            yield from below if name == "*" else below[_index(name) : _index(name) + 1]
        elif below is not None and below is not False:
            yield below


def _index(name: str) -> int:
    """Return the number that digits name; one of very many lies behind every list anyway."""
    return int(name[:9])


def _together(document: Mapping[str, Any], nodes: list[Any]) -> list[Mapping[str, Any]]:
    """Return these subschemas and all that apply at the same place: alternatives, references."""
    seen: dict[int, Mapping[str, Any]] = {}
    waiting = list(nodes)
    while waiting and len(seen) < _MOST_STEPS:
        node = waiting.pop()
        if node is True:
            node = {}
        if not isinstance(node, Mapping) or id(node) in seen:
            continue
        seen[id(node)] = node
        for keyword in _ALTERNATIVES:
            below = node.get(keyword)
            waiting += below if isinstance(below, list) else []
        for keyword in _CONDITIONS:
            below = node.get(keyword)
            waiting.append(_referred(document, below) if keyword == "$ref" else below)
    return list(seen.values())


def _referred(document: Mapping[str, Any], reference: Any) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    node: Any = document
    for token in unquote(reference[1:]).split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and name.isdecimal() and _index(name) < len(node):
            node = node[_index(name)]
        elif isinstance(node, Mapping) and name in node:
            node = node[name]
        else:
            return None
    return node
