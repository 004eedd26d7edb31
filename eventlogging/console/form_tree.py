"""A schema document taken apart into its declared fields, to be changed and put together again.

A field keeps its identity while it is renamed or moved, so that what names it elsewhere (the list
of required fields, the privacy settings) follows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from eventlogging.console import form_types as types
from eventlogging.governance.model import pointer_of
from eventlogging.schema.walk import Tokens, pointer, tokens_of


@dataclass(eq=False)
class Node:
    """A field, or the root. `children` are its declared fields (None: it has no such list).

    `declared` holds them as they were at first, by the key they had.
    """

    key: str
    schema: Any
    parent: Node | None = None
    required: bool = False
    private: str = ""
    children: list[Node] | None = None
    declared: Mapping[str, Node] = field(default_factory=dict)


class Tree:
    """A document and its privacy settings as nodes. Nothing given is changed."""

    def __init__(self, document: Mapping[str, Any], privacy: Mapping[str, Any]) -> None:
        self.root = Node("", document)
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            properties = node.schema.get("properties")
            if not isinstance(properties, Mapping):
                continue
            names = node.schema.get("required")
            names = names if isinstance(names, list) else []
            node.children = [Node(k, sub, node, k in names) for k, sub in properties.items()]
            node.declared = {child.key: child for child in node.children}
            waiting += [one for one in node.children if types.type_of(one.schema) == "object"]
        self._privacy: list[tuple[str, Any, Node, Tokens]] = []
        for name, rule in privacy.items():
            treated, rest = self.nearest(tokens_of(pointer_of(str(name))))
            self._privacy.append((name, rule, treated, rest))
            if not rest and isinstance(rule, str):
                treated.private = rule

    def nodes(self) -> Iterator[tuple[Tokens, Node]]:
        """Yield (path, node) of every field, outermost first."""
        waiting: list[tuple[Tokens, Node]] = [((), self.root)]
        while waiting:
            path, node = waiting.pop()
            if path:
                yield path, node
            waiting += [((*path, child.key), child) for child in reversed(node.children or [])]

    def nearest(self, path: Tokens) -> tuple[Node, Tokens]:
        """Return the innermost node on a path, and what of the path leads on from it."""
        node = self.root
        for at, key in enumerate(path):
            inner = next((child for child in node.children or () if child.key == key), None)
            if inner is None:
                return node, path[at:]
            node = inner
        return node, ()

    def find(self, place: str) -> Node | None:
        """Return the field at a JSON pointer of the payload."""
        node, rest = self.nearest(tokens_of(place))
        return None if rest or node is self.root else node

    def object_at(self, path: Tokens) -> Node | None:
        """Return the object at a path, made where nothing is; None where something else is."""
        node = self.root
        for key in path:
            inner = next((child for child in node.children or () if child.key == key), None)
            if inner is None:
                inner = Node(key, types.with_type({}, "object", False), node, children=[])
                node.children = [*(node.children or ()), inner]
            elif types.type_of(inner.schema) != "object":
                return None
            node = inner
        return node

    def put(self, node: Node, parent: Node, key: str) -> str:
        """Add a field to an object, or move it there, under a key that is free; return the key."""
        self.take(node)
        taken = {child.key for child in parent.children or ()}
        node.key, number = key, 1
        while node.key in taken:
            number += 1
            node.key = f"{key}_{number}"
        node.parent = parent
        parent.children = [*(parent.children or ()), node]
        return node.key

    def take(self, node: Node) -> None:
        """Take a field out of the object it is in."""
        if node.parent is not None and node.parent.children is not None:
            node.parent.children = [one for one in node.parent.children if one is not node]

    def document(self) -> Any:
        """Return the document; what was not changed stands in it as it was."""
        return _schema(self.root)

    def privacy(self) -> dict[str, Any]:
        """Return the privacy settings with each field's treatment, at the place where it is now."""
        places = {id(node): path for path, node in self.nodes()}
        kept: dict[str, Any] = {}
        told = set()
        for name, rule, node, rest in self._privacy:
            if node is self.root:
                kept[name] = rule
            elif id(node) in places and (rest or node.private == rule or not _plain(rule)):
                moved = pointer((*places[id(node)], *rest))
                kept[name if pointer_of(name) == moved else moved] = rule
                if not rest:
                    told.add(id(node))
        for path, node in self.nodes():
            if node.private and id(node) not in told:
                kept[pointer(path)] = node.private
        return kept


def _plain(rule: Any) -> bool:
    return isinstance(rule, str)


def _schema(node: Node) -> Any:
    """Put an object together from its fields. Depth is bounded by what a body may be nested."""
    if node.children is None or not isinstance(node.schema, Mapping):
        return node.schema
    schema = dict(node.schema)
    if node.children or "properties" in schema:
        schema["properties"] = {child.key: _schema(child) for child in node.children}
    before = schema.get("required")
    names = _required(node, before if isinstance(before, list) else [])
    if names:
        schema["required"] = names
    elif before and isinstance(before, list):
        del schema["required"]
    return schema


def _required(node: Node, before: list[Any]) -> list[Any]:
    """Return the names of required fields in the order they had, new ones behind them."""
    children = node.children or []
    names: list[Any] = []
    for name in before:
        child = node.declared.get(name) if isinstance(name, str) else None
        if child is None:
            names.append(name)  # required, though not declared here
        elif any(child is one for one in children) and child.required:
            names.append(child.key)
    return names + [child.key for child in children if child.required and child.key not in names]
