"""Follow `$ref`s inside one schema document, so that two ways of writing a schema compare equal.

A reference is followed when it points into its own document ("#", "#/$defs/x",
"#anchor") or at a resource embedded in it by `$id`. Nothing is ever fetched:
another reference stays as it is, and the caller compares its text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from eventlogging.schema.draft import draft_of
from eventlogging.schema.walk import OLD_DRAFTS, tokens_of

_DATA = frozenset({"enum", "const", "default", "examples"})  # hold values, never schemas
_MOST_HOPS = 64

NOTES = frozenset(
    {
        "title", "description", "examples", "$comment", "default", "$id",
        "deprecated", "readOnly", "writeOnly",
    }
)  # fmt: skip
CONTAINERS = frozenset({"$schema", "$defs", "definitions", "$anchor"})


@dataclass(frozen=True, eq=False)
class Place:
    """A subschema and where it stands, which gives its references their meaning.

    `root` is the nearest enclosing resource (what "#" means), `identity` tells one subschema
    of a document from another, however it was reached.
    """

    node: Any
    root: Any
    document: Any
    draft: str
    identity: int

    def child(self, node: Any) -> Place:
        """Return the place of a subschema of this one."""
        draft, root = self.draft, self.root
        if isinstance(node, Mapping) and _names_a_resource(node, draft):
            root = node
            draft = _draft(node) if "$schema" in node else draft
        return Place(node, root, self.document, draft, id(node))

    def get(self, keyword: str, default: Any = None) -> Any:
        """Return what the subschema says under `keyword`."""
        return self.node.get(keyword, default)


def place_of(document: Mapping[str, Any]) -> Place:
    """Return the place of a whole document; an unknown draft goes by its `$schema` as it is."""
    return Place(document, document, document, _draft(document), id(document))


def _draft(document: Mapping[str, Any]) -> str:
    return draft_of(document) or str(document["$schema"])


def notes(draft: str) -> frozenset[str]:
    """Return the keywords that say something to people alone."""
    return NOTES | {"id"} if draft == "draft4" else NOTES


def effective(place: Place) -> Place:
    """Return the place that `place` means once its references are followed.

    Texts beside a `$ref` win over those of its target. Where conditions stand beside it, and
    the draft honours them, the reference becomes one more `allOf` part.
    """
    words: dict[str, Any] = {}
    for _ in range(_MOST_HOPS):
        node = place.node
        ref = node.get("$ref") if isinstance(node, Mapping) else None
        if not isinstance(ref, str):
            break
        known = notes(place.draft)
        words = {key: value for key, value in node.items() if key in known} | words
        if place.draft not in OLD_DRAFTS and set(node) - known - CONTAINERS - {"$ref"}:
            rest = {key: value for key, value in node.items() if key != "$ref"}
            rest["allOf"] = [*node.get("allOf", ()), {"$ref": ref}]
            return replace(place, node=rest | words)
        target = _follow(place, ref)
        if target is None:
            return replace(place, node={"$ref": ref} | words)
        place = target
    if place.node is True:
        return replace(place, node=words)
    if words and isinstance(place.node, Mapping):
        return replace(place, node={**place.node, **words})
    return place


def is_open(place: Place) -> bool:
    """Tell whether the subschema accepts everything."""
    node = effective(place).node
    return isinstance(node, Mapping) and not set(node) - notes(place.draft) - CONTAINERS


def is_closed(place: Place) -> bool:
    """Tell whether the subschema is `false`, which accepts nothing."""
    return effective(place).node is False


def _follow(place: Place, ref: str) -> Place | None:
    resource, _, fragment = ref.partition("#")
    start: Any = place.root
    if resource:
        key = "id" if place.draft == "draft4" else "$id"
        start = next((n for n in _nodes(place.document) if n.get(key) == resource), None)
        if start is None:
            return None
    fragment = unquote(fragment)
    at = replace(place, root=start).child(start)
    if not fragment:
        return at
    return _at_pointer(at, fragment) if fragment.startswith("/") else _at_anchor(at, fragment)


def _at_pointer(place: Place, pointer: str) -> Place | None:
    for token in tokens_of(pointer):
        inner = place.node
        if isinstance(inner, Mapping) and token in inner:
            place = place.child(inner[token])
        elif isinstance(inner, list) and token.isdecimal() and int(token) < len(inner):
            place = place.child(inner[int(token)])
        else:
            return None
    return place if isinstance(place.node, (Mapping, bool)) else None


def _at_anchor(place: Place, anchor: str) -> Place | None:
    keyword, text = {
        "draft4": ("id", f"#{anchor}"),
        "draft6": ("$id", f"#{anchor}"),
        "draft7": ("$id", f"#{anchor}"),
    }.get(place.draft, ("$anchor", anchor))
    found = next((n for n in _nodes(place.root) if n.get(keyword) == text), None)
    return None if found is None else place.child(found)


def _names_a_resource(node: Mapping[str, Any], draft: str) -> bool:
    name = node.get("id" if draft == "draft4" else "$id")
    hidden = draft in OLD_DRAFTS and "$ref" in node
    return isinstance(name, str) and not name.startswith("#") and not hidden


def _nodes(document: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every object of a document that may be a schema, outermost first."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            yield value
            waiting.extend(inner for key, inner in value.items() if key not in _DATA)
        elif isinstance(value, list):
            waiting.extend(value)
