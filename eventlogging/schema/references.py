"""References to registered schemas, replaced so that the published document stands alone.

    {"$ref": "/common/capsule/1.0.0"}             the whole of that version
    {"$ref": "/common/capsule/1.0.0#/$defs/x"}    a part of it

The referenced document is put under `$defs` (`definitions` in old drafts) of the one that
refers to it. Anything else that is not local is refused: nothing is ever fetched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any
from urllib.parse import unquote

from eventlogging.schema.document import base_problems, reference_problems, root_problems
from eventlogging.schema.draft import draft_of
from eventlogging.schema.merge import merge_root
from eventlogging.schema.shape import shape_problems
from eventlogging.schema.version import Version
from eventlogging.schema.walk import OLD_DRAFTS, escape, pointer, subschemas, unescape

MAX_EMBEDDED = 50  # registered documents that one document may draw in

Lookup = Callable[[str, str], Mapping[str, Any] | None]
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def resolve(document: Mapping[str, Any], lookup: Lookup) -> tuple[dict[str, Any] | None, list[str]]:
    """Return (the document that stands alone, problems); the document is None if there are any.

    `lookup(name, version)` gives a registered document or None. The root loses its `$id`; a
    root `allOf` of plain object schemas is merged into the root, for closed fragments joined
    by `allOf` accept nothing. The given document is not changed.
    """
    problems = shape_problems(document)
    if problems:
        return None, problems
    draft = draft_of(document)
    if draft is None or not isinstance(document, dict):
        return None, ["/$schema: not a draft known here"]
    result = deepcopy(document)
    result.pop("id" if draft == "draft4" else "$id", None)
    problems = list(base_problems(list(subschemas(result)), draft))
    embedding, labels = _embed(result, _definitions(draft), draft, lookup)
    problems += embedding
    if not problems:
        problems += reference_problems(result, list(subschemas(result)))
        problems += shape_problems(result)
    if not problems:
        result, problems = merge_root(result, draft)
    if not problems:
        _drop_unused(result, _definitions(draft), labels)
        problems = root_problems(result)
        if not problems and "type" not in result:
            problems = ["/allOf: these cannot be merged into one object schema; add a type"]
    return (None, problems) if problems else (result, [])


def _definitions(draft: str) -> str:
    return "definitions" if draft in OLD_DRAFTS else "$defs"


def _embed(
    root: dict[str, Any], word: str, draft: str, lookup: Lookup
) -> tuple[list[str], set[str]]:
    """Put each registered document that is referred to under `$defs`, and point there.

    Returns (problems, the names given to them under `$defs`).
    """
    problems: list[str] = []
    labels: set[str] = set()
    embedded: dict[tuple[str, str], str] = {}
    taken = set(root[word]) if isinstance(root.get(word), dict) else set()
    waiting: list[tuple[str, dict[str, Any]]] = [("", root)]
    while waiting:
        base, part = waiting.pop(0)
        for path, schema in list(subschemas(part)):
            reference = schema.get("$ref")
            if not isinstance(reference, str) or not _is_registered(reference):
                continue
            place = base + pointer((*path, "$ref"))
            name, version, fragment = _parsed(reference)
            if Version.parse(version) is None or not name:
                problems.append(f"{place}: {reference!r:.200} names no version; write /name/1.0.0")
                continue
            key = (name, version)
            if key not in embedded:
                found = lookup(name, version)
                problem = _unfit(found, draft, name, version)
                if not problem and len(embedded) >= MAX_EMBEDDED:
                    problem = f"more than {MAX_EMBEDDED} registered schemas are drawn in"
                if problem or found is None:
                    problems.append(f"{place}: {problem}")
                    continue
                label = _label(name, version, taken)
                labels.add(label)
                embedded[key] = f"#/{word}/{escape(label)}"
                guest = _guest(found, draft, embedded[key])
                root.setdefault(word, {})[label] = guest
                waiting.append((embedded[key][1:], guest))
            schema["$ref"] = embedded[key] + fragment  # type: ignore[index]
    return problems, labels


def _is_registered(reference: str) -> bool:
    return reference.startswith("/") and not reference.startswith("//")


def _parsed(reference: str) -> tuple[str, str, str]:
    """Return (name, version, fragment without `#`)."""
    path, _, fragment = reference.partition("#")
    name, _, version = path[1:].rpartition("/")
    return name, version, fragment


def _unfit(found: Mapping[str, Any] | None, draft: str, name: str, version: str) -> str:
    if found is None:
        return f"no schema {name!r:.200} of version {version} is registered"
    other = draft_of(found)
    if other != draft:
        return f"{name} {version} is written in {other}, this document in {draft}; use one draft"
    return "; ".join(shape_problems(found)[:1])


def _label(name: str, version: str, taken: set[str]) -> str:
    label = wanted = _UNSAFE.sub(".", f"{name}.{version}")
    number = 2
    while label in taken:
        label, number = f"{wanted}_{number}", number + 1
    taken.add(label)
    return label


def _guest(found: Mapping[str, Any], draft: str, base: str) -> dict[str, Any]:
    """Return a copy of a registered document whose own references count from `base`."""
    guest = deepcopy(dict(found))
    for word in ("$schema", "id" if draft == "draft4" else "$id"):
        guest.pop(word, None)
    for _, schema in list(subschemas(guest)):
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#"):
            schema["$ref"] = base + reference[1:]  # type: ignore[index]
    return guest


def _drop_unused(root: dict[str, Any], word: str, labels: set[str]) -> None:
    """Remove those of the embedded documents that nothing points to after the merge."""
    while labels:
        used = set()
        for path, schema in subschemas(root):
            reference = schema.get("$ref")
            if isinstance(reference, str) and reference.startswith(f"#/{word}/"):
                label = unescape(unquote(reference.split("/")[2]))
                if path[:2] != (word, label):
                    used.add(label)
        if labels <= used:
            return
        for label in labels - used:
            del root[word][label]
        labels = labels & used
    if root.get(word) == {}:
        del root[word]
