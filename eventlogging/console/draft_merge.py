"""Two people edited one draft: what the other changed, and taking it over piece by piece."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from eventlogging.console import form_types as types
from eventlogging.console.form import privacy_of
from eventlogging.console.form_document import name_of
from eventlogging.console.form_tree import Node, Tree
from eventlogging.governance.model import pointer_of
from eventlogging.schema.walk import pointer, tokens_of

_BESIDE = ("properties", "required")
_REQUIRED, _PRIVATE = "is required", "is private"


Place = tuple[str, ...]  # ("setting", name), ("field", pointer), ("keyword", pointer, name) …
_WORDS = {"setting": "", "document": "the schema’s", "answer": "answer:", "example": "example"}


@dataclass(frozen=True)
class Choice:
    """One piece that the other changed. Values are texts for people; empty: it is not there.

    `both` says that it was changed here as well, so that one of the two must give way.
    """

    key: str
    label: str
    was: str
    mine: str
    theirs: str
    both: bool


def choices(
    base: Mapping[str, Any], mine: Mapping[str, Any], theirs: Mapping[str, Any]
) -> list[Choice]:
    """Return what `theirs` says differently from `base` and from `mine`, piece by piece.

    Bodies may hold `answers` besides what a proposal has.
    """
    was, own, other = pieces(base), pieces(mine), pieces(theirs)
    everywhere = {place for place in was if place[0] == "field" and place in own and place in other}
    was, own, other = (_by_keyword(found, everywhere) for found in (was, own, other))
    return [
        Choice(
            key=json.dumps(place, ensure_ascii=False),
            label=_label(place),
            was=_text(was.get(place)),
            mine=_text(own.get(place)),
            theirs=_text(other.get(place)),
            both=_differ(was.get(place), own.get(place)),
        )
        for place in dict.fromkeys([*other, *was])
        if _differ(other.get(place), was.get(place)) and _differ(other.get(place), own.get(place))
    ]


def merged(
    mine: Mapping[str, Any], theirs: Mapping[str, Any], keys: Collection[str]
) -> dict[str, Any]:
    """Return `mine` with these pieces, named by the key of a choice, as they are in `theirs`."""
    places = [place for key in keys if (place := _place(key)) is not None]
    body = _with_fields(dict(mine), theirs, places)
    for kind, name in (place for place in places if len(place) == 2):
        if kind == "setting":
            _put(body, name, theirs)
        elif kind == "document" and isinstance(body.get("schema"), Mapping):
            document, other = dict(body["schema"]), theirs.get("schema")
            _put(document, name, other if isinstance(other, Mapping) else {})
            body["schema"] = document
        elif kind == "answer":
            answers = dict(body.get("answers") or {})
            _put(answers, name, theirs.get("answers") or {})
            body["answers"] = answers
        elif kind == "example":
            body["examples"] = _with_example(body.get("examples"), theirs.get("examples"), name)
        elif kind == "whole":
            _put(body, "schema", theirs)
    return body


def _place(key: str) -> Place | None:
    try:
        place = json.loads(key)
    except (ValueError, RecursionError):
        return None
    fits = isinstance(place, list) and all(isinstance(part, str) for part in place)
    return tuple(place) if fits else None


def _label(place: Place) -> str:
    if place[0] in ("field", "keyword"):
        return f"{name_of(tokens_of(place[1]))} {' '.join(place[2:])}".strip()
    return f"{_WORDS.get(place[0], '')} {place[1]}".strip()


def pieces(body: Mapping[str, Any]) -> dict[Place, Any]:
    """Return a body taken apart: fields, what else the document says, settings, examples."""
    found: dict[Place, Any] = {}
    document = body.get("schema")
    if isinstance(document, Mapping):
        tree = Tree(document, {})
        treated = {pointer_of(str(key)): rule for key, rule in privacy_of(body).items()}
        for path, node in tree.nodes():
            found["field", pointer(path)] = {
                "schema": _own(node),
                "required": node.required,
                "private": treated.pop(pointer(path), "no"),
            }
        if treated:
            found["setting", "privacy"] = treated
        found |= {("document", key): document[key] for key in document if key not in _BESIDE}
    else:
        found["whole", "schema"] = document
    for name, value in body.items():
        if name == "examples":
            found |= {("example", key): item for key, item in _named(value).items()}
        elif name == "answers" and isinstance(value, Mapping):
            found |= {("answer", key): text for key, text in value.items()}
        elif name not in ("schema", "privacy"):
            found["setting", name] = value
    return found


def _by_keyword(found: Mapping[Place, Any], fields: Collection[Place]) -> dict[Place, Any]:
    """Take those fields further apart, so that two people may change one field."""
    apart: dict[Place, Any] = {}
    for place, value in found.items():
        if place not in fields or not isinstance(value["schema"], Mapping):
            apart[place] = value
            continue
        apart |= {("keyword", place[1], name): part for name, part in value["schema"].items()}
        apart["keyword", place[1], _REQUIRED] = value["required"]
        apart["keyword", place[1], _PRIVATE] = value["private"]
    return apart


def _own(node: Node) -> Any:
    if node.children is None or not isinstance(node.schema, Mapping):
        return node.schema
    return {key: value for key, value in node.schema.items() if key not in _BESIDE}


def _with_fields(
    body: dict[str, Any], theirs: Mapping[str, Any], places: Collection[Place]
) -> dict[str, Any]:
    mine, other = body.get("schema"), theirs.get("schema")
    if not isinstance(mine, Mapping) or not isinstance(other, Mapping):
        return body
    tree, model = Tree(mine, privacy_of(body)), Tree(other, privacy_of(theirs))
    for kind, place, *rest in places:
        node, wanted = tree.find(place), model.find(place)
        if kind == "field":
            _take_field(tree, node, wanted, place)
        elif kind == "keyword" and node is not None and wanted is not None and rest:
            _take_keyword(node, wanted, rest[0])
    document, privacy = tree.document(), tree.privacy()
    if privacy != privacy_of(body):
        body = {**body, "privacy": privacy}
    return {**body, "schema": document}


def _take_field(tree: Tree, node: Node | None, wanted: Node | None, place: str) -> None:
    if wanted is None:
        if node is not None:
            tree.take(node)
        return
    if node is None:
        path = tokens_of(place)
        above = tree.object_at(path[:-1])
        if above is None:
            return
        node = Node(path[-1], {}, children=None if wanted.children is None else [])
        tree.put(node, above, path[-1])
    before = node.schema if isinstance(node.schema, Mapping) else {}
    node.schema = _own(wanted)
    if wanted.children is None:
        node.children = None
    else:
        node.children = node.children or []
        node.schema = {**node.schema, **{key: before[key] for key in _BESIDE if key in before}}
    node.required, node.private = wanted.required, wanted.private


def _take_keyword(node: Node, wanted: Node, name: str) -> None:
    if name == _REQUIRED:
        node.required = wanted.required
    elif name == _PRIVATE:
        node.private = wanted.private
    elif isinstance(node.schema, Mapping) and isinstance(wanted.schema, Mapping):
        schema = dict(node.schema)
        _put(schema, name, wanted.schema)
        node.schema = schema
        if types.type_of(schema) != "object":
            node.children = None


def _with_example(mine: Any, theirs: Any, name: str) -> list[Any]:
    own, other = _named(mine), _named(theirs)
    _put(own, name, other)
    return list(own.values())


def _named(examples: Any) -> dict[str, Any]:
    items = examples if isinstance(examples, list) else []
    return {
        str(item.get("name") if isinstance(item, Mapping) else "") or f"example-{number}": item
        for number, item in enumerate(items, 1)
    }


def _put(target: dict[str, Any], name: str, source: Mapping[str, Any]) -> None:
    if name in source:
        target[name] = source[name]
    else:
        target.pop(name, None)


def _differ(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)
