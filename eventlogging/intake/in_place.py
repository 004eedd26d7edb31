"""Which parts of a schema say something of one and the same value, whatever the value is.

The schema itself, its `allOf` and what a local `$ref` names. What stands in `anyOf`, `oneOf`,
`not` or `if` holds for some values alone and does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eventlogging.schema.walk import follow


def parts_of(
    schema: Any, root: Mapping[str, Any], *, ref_is_alone: bool
) -> list[Mapping[str, Any]]:
    """Return the parts, each once. `ref_is_alone`: in its draft, `$ref` makes siblings void."""
    found: dict[int, Mapping[str, Any]] = {}
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict) or id(part) in found:
            continue
        reference = part.get("$ref")
        if isinstance(reference, str) and reference.startswith("#"):
            waiting.append(follow(root, reference)[1])
            if ref_is_alone:
                continue
        found[id(part)] = part
        members = part.get("allOf")
        if isinstance(members, list):
            waiting.extend(reversed(members))
    return list(found.values())


def declared(parts: list[Mapping[str, Any]], name: str) -> list[Any]:
    """Return the schemas that the parts give a property; empty where none declares it."""
    return [
        part["properties"][name]
        for part in parts
        if isinstance(part.get("properties"), dict) and name in part["properties"]
    ]
