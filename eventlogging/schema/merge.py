"""A root `allOf` of plain object schemas, made one object schema.

Shared fragments say `"additionalProperties": false`; joined by `allOf`, each refuses the
properties of the others, and nothing is accepted at all. Merged, they mean what people mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eventlogging.schema.walk import follow, pointer

_REMARKS = frozenset(
    {"title", "description", "$comment", "examples", "$schema", "$defs", "definitions"}
)
_PLAIN = frozenset({"type", "properties", "required", "additionalProperties"}) | _REMARKS
_MAX_CHAIN = 20


def merge_root(root: dict[str, Any], draft: str) -> tuple[dict[str, Any], list[str]]:
    """Return (the document with its root `allOf` merged, problems).

    Where a member is anything but a plain object schema, the `allOf` stays as it is.
    Properties and `required` are united; a property defined in two ways is a problem;
    additional properties are refused if any part refuses them.
    """
    members = root.get("allOf")
    if not isinstance(members, list):
        return root, []
    parts: list[Mapping[str, Any]] = []
    for member in members:
        part = _plain(root, member)
        if part is None:
            return root, []
        parts.append(part)
    if not _joinable(root):
        return root, []
    merged = {key: value for key, value in root.items() if key != "allOf"}
    properties = dict(merged.get("properties", {}))
    required = list(merged.get("required", ()))
    problems = []
    for index, part in enumerate(parts):
        for key, value in part.get("properties", {}).items():
            if properties.setdefault(key, value) != value:
                problems.append(
                    f"{pointer(('allOf', str(index), 'properties', key))}: defined in another way "
                    "elsewhere; parts of one schema must agree"
                )
        required += [key for key in part.get("required", ()) if key not in required]
    everything = [merged, *parts]
    if any(part.get("type") == "object" for part in everything):
        merged["type"] = "object"
    if properties:
        merged["properties"] = properties
    if required:
        merged["required"] = required
    if any(part.get("additionalProperties") is False for part in everything):
        merged["additionalProperties"] = False
    return merged, problems


def _plain(root: dict[str, Any], member: Any) -> Mapping[str, Any] | None:
    """Return the plain object schema that a member is, or points to."""
    for _ in range(_MAX_CHAIN):
        if not isinstance(member, dict):
            return None
        reference = member.get("$ref")
        if reference is None:
            break
        if not isinstance(reference, str) or not set(member) <= {"$ref"} | _REMARKS:
            return None
        found, member = follow(root, reference)
        if not found:
            return None
    if not isinstance(member, dict) or not set(member) <= _PLAIN or not _joinable(member):
        return None
    if not {"properties", "required", "type"} & set(member):
        return None
    return member


def _joinable(schema: Mapping[str, Any]) -> bool:
    return (
        schema.get("type", "object") == "object"
        and isinstance(schema.get("properties", {}), dict)
        and isinstance(schema.get("required", []), list)
        and isinstance(schema.get("additionalProperties", True), bool)
    )
