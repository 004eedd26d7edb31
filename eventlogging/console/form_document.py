"""Between a schema document and the rows of a form: one row for each declared field.

Rows are edits, not a copy: `apply_rows` changes in the document only what a row says differently
from what it was shown, so that whatever the form has no words for stays exactly as it was written.
Neither function changes what it is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eventlogging.console import form_types as types
from eventlogging.console.form_tree import Node, Tree
from eventlogging.governance.model import pointer_of
from eventlogging.schema.walk import Tokens, pointer

MOST_ROWS = 300  # a document with more fields is edited as JSON
UNNAMED = "unnamed"
_BREAKS = re.compile(r"[\r\n]")
_BOUNDS = {
    "minimum": "minimum", "maximum": "maximum", "min_length": "minLength",
    "max_length": "maxLength", "pattern": "pattern", "most_items": "maxItems",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One field, each value as the text that an input shows.

    `was` is the JSON pointer of the field in the payload (None: the row is new), `name` its path
    joined by dots, `more` the keywords that the form has no place for.
    """

    name: str = ""
    was: str | None = None
    type: str = "text"
    description: str = ""
    required: bool = False
    nullable: bool = False
    private: str = ""  # hmac | drop
    values: str = ""  # one a line
    minimum: str = ""
    maximum: str = ""
    min_length: str = ""
    max_length: str = ""
    pattern: str = ""
    most_items: str = ""
    default: str = ""
    more: tuple[str, ...] = ()

    @property
    def is_blank(self) -> bool:
        """Whether a new row says nothing yet, but perhaps which object it is for."""
        return not path_of(self.name)[-1].strip() and self == Row(name=self.name, type=self.type)

    @property
    def depth(self) -> int:
        """How many objects the field is in."""
        return max(0, len(path_of(self.name)) - 1)


@dataclass(frozen=True)
class Applied:
    """What rows made of a document.

    `places` says for each row where its field is now (None: it is none), `problems` are (index of
    the row, sentence).
    """

    document: Any
    privacy: Mapping[str, Any]
    places: tuple[str | None, ...]
    problems: tuple[tuple[int, str], ...]


def name_of(path: Sequence[str]) -> str:
    """Return a path of keys joined by dots; a dot within a key is written `\\.`."""
    return ".".join(key.replace("\\", "\\\\").replace(".", "\\.") for key in path)


def path_of(name: str) -> Tokens:
    """Return the keys that a name joined by dots stands for."""
    keys, key, escaped = [], "", False
    for char in name:
        if escaped:
            key, escaped = key + (char if char in "\\." else "\\" + char), False
        elif char == "\\":
            escaped = True
        elif char == ".":
            keys.append(key)
            key = ""
        else:
            key += char
    return (*keys, key + "\\" * escaped)


def rows_of(document: Any, privacy: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a document, in its order, what is in an object behind it.

    `privacy` maps fields or JSON pointers to a treatment.
    """
    treated = {pointer_of(str(key)): value for key, value in privacy.items()}
    return [_row(path, field, above, treated) for path, field, above in _fields(document, ())]


def _fields(node: Any, path: Tokens) -> Iterator[tuple[Tokens, Any, Mapping[str, Any]]]:
    waiting = list(reversed([((*path, key), sub, node) for key, sub in _properties(node)]))
    while waiting:
        here, field, above = waiting.pop()
        yield here, field, above
        if types.type_of(field) == "object":
            inside = [((*here, key), sub, field) for key, sub in _properties(field)]
            waiting.extend(reversed(inside))


def _properties(node: Any) -> list[tuple[str, Any]]:
    properties = node.get("properties") if isinstance(node, Mapping) else None
    return list(properties.items()) if isinstance(properties, Mapping) else []


def _row(path: Tokens, field: Any, above: Mapping[str, Any], treated: Mapping[str, Any]) -> Row:
    place = pointer(path)
    private = treated.get(place, "")
    return Row(
        name=name_of(path),
        was=place,
        type=types.type_of(field),
        description=types.description_of(field),
        required=_requires(above, path[-1]),
        nullable=types.is_nullable(field),
        private=private if isinstance(private, str) else "",
        values=types.values_text(field) if types.type_of(field) == "one_of" else "",
        default=types.default_text(field),
        more=types.unshown(field),
        **{name: types.bound_text(field, word) for name, word in _BOUNDS.items()},
    )


def _requires(node: Mapping[str, Any], key: str) -> bool:
    names = node.get("required")
    return isinstance(names, list) and key in names


def apply_rows(document: Any, privacy: Mapping[str, Any], rows: Sequence[Row]) -> Applied:
    """Return the document with what the rows say differently, and the new rows' fields added.

    What is no object becomes one with the first field. The order of the rows says nothing; see
    `moved_field`.
    """
    if not isinstance(document, Mapping) and all(row.is_blank or row.was for row in rows):
        return Applied(document, dict(privacy), (None,) * len(rows), ())
    whole = document if isinstance(document, Mapping) else {"type": "object"}
    shown = {row.was: row for row in rows_of(whole, privacy)}
    tree = Tree(whole, privacy)
    nodes = {
        at: node
        for at, row in enumerate(rows)
        if row.was in shown and (node := tree.find(row.was or "")) is not None
    }
    problems: list[tuple[int, str]] = []
    for at, node in nodes.items():
        _change(node, shown[rows[at].was], rows[at])
    problems += _rename(tree, {at: (nodes[at], shown[rows[at].was], rows[at]) for at in nodes})
    for at, row in enumerate(rows):
        if row.was is None and not row.is_blank:
            nodes[at], said = _add(tree, row)
            problems += [(at, text) for text in said]
    places = {id(node): pointer(path) for path, node in tree.nodes()}
    return Applied(
        tree.document(),
        tree.privacy(),
        tuple(places.get(id(nodes[at])) if at in nodes else None for at in range(len(rows))),
        tuple(sorted(problems)),
    )


def _change(node: Node, before: Row, row: Row) -> None:
    """Change what a row says differently of its field, the name aside."""
    schema = node.schema
    if row.type != before.type and row.type in types.TYPES:
        schema = types.with_type(schema, row.type, row.nullable)
        if row.type == "object":
            node.children = node.children or []
        elif row.type != "other":
            node.children = None
    elif row.nullable != before.nullable and row.type != "other":
        schema = types.with_nullable(schema, row.nullable)
    kind = types.type_of(schema)
    if kind == "one_of" and _text(row.values) != _text(before.values):
        schema = types.with_values(schema, row.values)
    for name, keyword in _BOUNDS.items():
        text = _line(getattr(row, name))
        if text != _line(getattr(before, name)) and keyword in types.BOUNDS.get(kind, ()):
            schema = types.with_bound(schema, keyword, text)
    if _text(row.description) != _text(before.description):
        schema = types.with_description(schema, _text(row.description))
    if _line(row.default) != _line(before.default):
        schema = types.with_default(schema, _line(row.default))
    node.schema = schema
    if row.required != before.required:
        node.required = row.required
    if row.private != before.private:
        node.private = row.private


def _rename(tree: Tree, rows: Mapping[int, tuple[Node, Row, Row]]) -> list[tuple[int, str]]:
    """Rename fields; one whose name leads elsewhere moves there. Return what could not be."""
    problems = []
    away = []
    for at, (node, before, row) in rows.items():
        if _line(row.name) == _line(before.name):
            continue
        path = _path(row.name, path_of(before.name)[:-1])
        if not path[-1]:
            said = f"A field needs a name; this one is still called `{before.name}`."
            problems.append((at, said))
        elif path[:-1] == path_of(before.name)[:-1]:
            node.key = path[-1]
        else:
            away.append((at, node, path))
    waiting = True
    while waiting:  # giving back one name may take that of another
        waiting = False
        for at, (node, before, _) in rows.items():
            key = path_of(before.name)[-1]
            siblings = (node.parent.children if node.parent else None) or ()
            if node.key != key and any(o is not node and o.key == node.key for o in siblings):
                said = f"There is another field `{node.key}`; this one is still called `{key}`."
                problems.append((at, said))
                node.key, waiting = key, True
    for at, node, path in away:
        target = tree.object_at(path[:-1])
        around = target
        while around is not None and around is not node:
            around = around.parent
        if target is None or around is node:
            where = name_of(path[:-1])
            said = f"`{where}` is no object that could hold this field, so it stays where it was."
            problems.append((at, said))
        elif tree.put(node, target, path[-1]) != path[-1]:
            said = f"There is a field `{name_of(path)}` already; this one became `{node.key}`."
            problems.append((at, said))
    return problems


def _add(tree: Tree, row: Row) -> tuple[Node, list[str]]:
    """Add the field of a new row; one without a name, or with a taken one, gets another."""
    path = _path(row.name, ())
    problems = []
    if not path[-1]:
        path = (*path[:-1], UNNAMED)
    target = tree.object_at(path[:-1]) if all(path) else None
    if target is None:
        flat = "_".join(key for key in path if key)
        said = f"`{name_of(path[:-1])}` is no object that holds fields; this one became `{flat}`."
        problems.append(said)
        target, path = tree.root, (flat,)
    kind = row.type if row.type in types.TYPES else "text"
    schema = {} if kind == "other" else types.with_type({}, kind, row.nullable)
    node = Node(path[-1], schema, children=[] if kind == "object" else None)
    key = tree.put(node, target, path[-1])
    if key != path[-1] and path[-1] != UNNAMED:
        problems.append(f"There is a field `{name_of(path)}` already; this one became `{key}`.")
    _change(node, Row(type=kind, nullable=row.nullable), replace(row, type=kind))
    return node, problems


def without_field(
    document: Mapping[str, Any], privacy: Mapping[str, Any], place: str
) -> tuple[Any, Mapping[str, Any]]:
    """Return document and privacy without the field at a pointer, and all that is in it."""
    tree = Tree(document, privacy)
    node = tree.find(place)
    if node is not None:
        tree.take(node)
    return tree.document(), tree.privacy()


def moved_field(document: Mapping[str, Any], place: str, step: int) -> Any:
    """Return the document with a field further up (-1) or down (1) among those of its object."""
    tree = Tree(document, {})
    node = tree.find(place)
    if node is not None and node.parent is not None:
        siblings = list(node.parent.children or ())
        at = siblings.index(node)
        siblings.insert(max(at + step, 0), siblings.pop(at))
        node.parent.children = siblings
    return tree.document()


def _path(name: str, above: Tokens) -> Tokens:
    """Return the keys that a person wrote, without blanks around them; those above may have any."""
    path = path_of(_line(name))
    if path[:-1] == tuple(_line(key) for key in above):
        return (*above, path[-1].strip())
    return tuple(key.strip() for key in path)


def _line(text: str) -> str:
    """Return a text as an input of one line gives it back."""
    return _BREAKS.sub("", text)


def _text(text: str) -> str:
    """Return a text as an input of several lines gives it back, with line breaks of one kind."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
