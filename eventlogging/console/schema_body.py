"""Read a proposal's body, JSON or YAML 1.2, within bounds that no text can exceed.

YAML is built from the parser's events by the rules of the 1.2 core schema, so that what it
says is exactly what JSON could say: no dates, no merge keys, no objects of Python. What an
alias stands for counts each time it is used, so that a short text cannot mean a huge document.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

MAX_BYTES = 256 * 1024
MAX_DEPTH = 100
MAX_VALUES = 20_000  # keys and values, each use of an alias with all that it stands for

_JSON = re.compile(r"application/(?:[a-z0-9.\-]+\+)?json\Z")
_YAML = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})


class Unreadable(ValueError):
    """Raised when a body is not JSON or YAML within the bounds; its text says why."""


def reader_of(content_type: str) -> Callable[[bytes], Any] | None:
    """Return what reads bodies of this media type, or None where it is not understood."""
    media = content_type.split(";", 1)[0].strip().lower()
    if _JSON.match(media):
        return read_json
    return read_yaml if media in _YAML else None


def read_json(body: bytes) -> Any:
    """Return the value of a JSON text. Raises Unreadable."""
    text = _text(body)
    try:
        value = json.loads(
            text, object_pairs_hook=_members, parse_constant=_refuse, parse_float=_finite
        )
    except RecursionError as error:
        raise Unreadable("the body is nested too deeply") from error
    except ValueError as error:
        raise Unreadable(f"the body is not JSON: {error}") from error
    _check_depth(value)
    return value


def _text(body: bytes) -> str:
    if len(body) > MAX_BYTES:
        raise Unreadable(f"the body is larger than {MAX_BYTES} bytes")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"the body is not UTF-8: byte {error.start}") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return members


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large for a number")
    return number


def _check_depth(value: Any) -> None:
    layer, depth = [value], 0
    while layer:
        depth += 1
        if depth > MAX_DEPTH:
            raise Unreadable(f"the body is nested deeper than {MAX_DEPTH} levels")
        inner = [v for v in layer if isinstance(v, dict | list)]
        layer = [x for v in inner for x in (v.values() if isinstance(v, dict) else v)]


def read_yaml(body: bytes) -> Any:
    """Return the value of a YAML 1.2 text of one document. Raises Unreadable."""
    text = _text(body)
    builder = _Builder()
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            builder.take(event)
    except YAMLError as error:
        raise Unreadable(f"the body is not YAML: {' '.join(str(error).split())[:300]}") from error
    except RecursionError as error:
        raise Unreadable("the body is nested too deeply") from error
    except ValueError as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"the body is not YAML: {error}") from error
    value = builder.result()
    _check_depth(value)  # what aliases stand for may be deeper than the text
    return value


@dataclass
class _Open:
    """A sequence or mapping that is being read; `key` waits for its value."""

    value: Any
    anchor: str | None
    size: int = 1
    key: Any = None
    has_key: bool = False


@dataclass
class _Builder:
    """Builds one value from YAML events; `anchors` maps a name to (value, its size)."""

    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    roots: list[Any] = field(default_factory=list)
    events: int = 0
    documents: int = 0

    def take(self, event: Any) -> None:
        """Take the next event."""
        self.events += 1
        if self.events > 2 * MAX_VALUES:
            raise Unreadable(f"the body holds more than {MAX_VALUES} values")
        if isinstance(event, DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise Unreadable("the body holds more than one YAML document")
        elif isinstance(event, ScalarEvent):
            self._add(_scalar(event), 1, event.anchor)
        elif isinstance(event, AliasEvent):
            if event.anchor not in self.anchors:
                raise Unreadable(f"the alias *{event.anchor} names nothing that is complete")
            value, size = self.anchors[event.anchor]
            self._add(value, size, None)
        elif isinstance(event, SequenceStartEvent | MappingStartEvent):
            if event.tag not in (None, "!", _TAG + "seq", _TAG + "map"):
                raise Unreadable(f"the tag {event.tag!s} is not of YAML's core schema")
            if len(self.stack) >= MAX_DEPTH:
                raise Unreadable(f"the body is nested deeper than {MAX_DEPTH} levels")
            empty: Any = [] if isinstance(event, SequenceStartEvent) else {}
            self.stack.append(_Open(empty, event.anchor))
        elif isinstance(event, SequenceEndEvent | MappingEndEvent):
            done = self.stack.pop()
            self._add(done.value, done.size, done.anchor)

    def _add(self, value: Any, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = (value, size)
        if not self.stack:
            self.roots.append(value)
            return
        top = self.stack[-1]
        top.size += size
        if top.size > MAX_VALUES:
            raise Unreadable(
                f"the body holds more than {MAX_VALUES} values; an alias counts with all it repeats"
            )
        if isinstance(top.value, list):
            top.value.append(value)
        elif not top.has_key:
            if not isinstance(value, str):
                raise Unreadable(f"the key {value!r} is not a text; put it in quotes")
            if value == "<<":
                raise Unreadable("merge keys (<<) are not part of YAML 1.2; write the fields out")
            if value in top.value:
                raise Unreadable(f"the key {value!r} stands twice in one mapping")
            top.key, top.has_key = value, True
        else:
            top.value[top.key], top.has_key = value, False

    def result(self) -> Any:
        """Return the value of the only document."""
        if not self.roots:
            raise Unreadable("the body is empty")
        return self.roots[0]


_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?[0-9]+\Z", re.ASCII)
_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z", re.ASCII)
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def _scalar(event: Any) -> Any:
    """Return what a scalar means by the core schema of YAML 1.2."""
    text = str(event.value)
    tag = None if event.tag is None else str(event.tag)
    if tag in ("!", _TAG + "str") or (tag is None and event.style is not None):
        return text
    value = _plain(text)
    if tag is None or _TAGGED.get(tag, object) is type(value):
        return value
    if tag == _TAG + "float" and type(value) is int:
        return float(value)
    raise Unreadable(f"{text[:60]!r} is not a {tag} of YAML's core schema")


_TAGGED: dict[str, type] = {
    _TAG + "null": type(None),
    _TAG + "bool": bool,
    _TAG + "int": int,
    _TAG + "float": float,
}


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.match(text):
        return int(text)
    if _BASED.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        return _finite(text)
    if _NOT_FINITE.match(text):
        raise Unreadable(f"{text} is not a JSON number")
    return text
