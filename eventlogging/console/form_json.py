"""Read a schema that somebody typed or uploaded as JSON or YAML, with the line of each part."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from eventlogging.console.schema_body import Unreadable, read_json, read_yaml
from eventlogging.governance.syntax import json_lines
from eventlogging.registry.proposal import Proposal

KeyPath = tuple[str | int, ...]
_BODY = frozenset(Proposal.__dataclass_fields__) - {"name", "document"}
_LINE = re.compile(r"\bline (\d+)")
_MOST_NODES = 20_000


@dataclass(frozen=True)
class Source:
    """A text and what it says: a document, or a whole proposal whose `schema` is the document.

    `problem` says why it cannot be read, `line` where; then `value` is None.
    """

    text: str
    value: Any = None
    problem: str = ""
    line: int = 1
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    @property
    def is_body(self) -> bool:
        """Whether the text is a whole proposal, as the API takes it."""
        value = self.value
        return isinstance(value, Mapping) and "schema" in value and set(value) <= _BODY | {"schema"}

    def line_of(self, pointer: str) -> int:
        """Return the line of a place in the document, or that of the nearest around it."""
        path: list[str | int] = ["schema"] if self.is_body else []
        node = self.value["schema"] if self.is_body else self.value
        for token in pointer.split("/")[1:]:
            key: str | int = token.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and str(key).isdecimal() and int(str(key)[:9]) < len(node):
                key = int(str(key)[:9])
            elif not (isinstance(node, Mapping) and key in node):
                break
            node = node[key]
            path.append(key)
        return next(
            (self.lines[tuple(path[:n])] for n in range(len(path), -1, -1)
             if tuple(path[:n]) in self.lines), 1
        )  # fmt: skip


def read_source(text: str) -> Source:
    """Return what a text says. What begins like JSON is read as JSON, all else as YAML 1.2."""
    text = text.removeprefix("\ufeff")
    is_json = text.lstrip()[:1] in ("{", "[")
    try:
        data = text.encode()
        value = read_json(data) if is_json else read_yaml(data)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError:
        return Source(text, problem="it holds half a character (a lone surrogate); write it whole")
    except Unreadable as error:
        found = _LINE.findall(str(error))
        problem = re.sub(r"^the body\b", "this text", str(error))
        return Source(text, problem=problem, line=int(found[-1]) if found else 1)
    return Source(text, value, lines=json_lines(text)[0] if is_json else _yaml_lines(text))


def _yaml_lines(text: str) -> dict[KeyPath, int]:
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except (YAMLError, RecursionError, ValueError):
        return {}
    lines: dict[KeyPath, int] = {(): 1}
    waiting: list[tuple[KeyPath, Any]] = [((), root)]
    while waiting and len(lines) < _MOST_NODES:
        path, node = waiting.pop()
        members: list[tuple[str | int, Any, Any]] = []
        if isinstance(node, MappingNode):
            members = [
                (str(key.value), key, value)
                for key, value in node.value
                if isinstance(key, ScalarNode)
            ]
        elif isinstance(node, SequenceNode):
            members = [(at, item, item) for at, item in enumerate(node.value)]
        for key, mark, below in members:
            lines[(*path, key)] = mark.start_mark.line + 1
            waiting.append(((*path, key), below))
    return lines


def pretty(value: Any) -> str:
    """Return JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)
