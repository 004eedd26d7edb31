"""Parse the texts of governance files: JSON and TOML, with the line of each value."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cached_property
from typing import Any, NoReturn

from eventlogging.governance.problems import Found

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Source:
    """A parsed file: where it is, its text, what it holds."""

    path: str
    text: str
    value: Any

    def line(self, at: KeyPath) -> int:
        """Return the line where the value at this path begins, or that of its nearest parent."""
        if self.path.endswith(".toml"):
            return toml_line(self.text, at, _value_at(self.value, at))
        lines = self._json_lines
        return next(lines[at[:n]] for n in range(len(at), -1, -1) if at[:n] in lines)

    @cached_property
    def _json_lines(self) -> dict[KeyPath, int]:
        return json_lines(self.text)[0]

    def found(self, at: KeyPath, text: str) -> Found:
        """Return a problem with the value at this path."""
        return Found(self.path, self.line(at), text)


def _value_at(value: Any, at: KeyPath) -> Any:
    for part in at:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def is_there(value: Any, at: KeyPath) -> bool:
    """Whether a value has something at this path."""
    for part in at:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def parse_json(path: str, text: str) -> tuple[Source | None, list[Found]]:
    """Return the parsed JSON, or None, and every problem of its syntax."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        return None, [Found(path, error.lineno, f"is not JSON: {error.msg}")]
    except RecursionError:
        return None, [Found(path, 1, "is nested too deeply")]
    except ValueError as error:
        return None, [Found(path, 1, f"is not JSON: {error}")]
    if _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        return None, [Found(path, 1, "holds half a character (a lone surrogate); write it whole")]
    _, twice = json_lines(text)
    problems = [
        Found(path, line, f"the key {key!r} stands twice in one object; keep one of them")
        for line, key in twice
    ]
    return Source(path, text, value), problems


_SURROGATE = re.compile(r"[\ud800-\udfff]")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large for a number")
    return number


_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|\n|[^\s{}\[\],:"]+')


def json_lines(text: str) -> tuple[dict[KeyPath, int], list[tuple[int, str]]]:
    """Return the line of every value of a valid JSON text, and (line, key) of each repeated key.

    The line of a member is that of its key.
    """
    lines: dict[KeyPath, int] = {}
    twice: list[tuple[int, str]] = []
    keys: list[set[str] | None] = []  # one per open bracket: the object's keys, None for an array
    path: list[str | int] = []
    line = 1
    awaits_key = False
    for piece in _PIECE.findall(text):
        if piece == "\n":
            line += 1
        elif piece in "}]":
            keys.pop()
            path.pop()
            awaits_key = False
        elif piece == ",":
            awaits_key = keys[-1] is not None
            if isinstance(path[-1], int):
                path[-1] += 1
        elif piece == ":":
            awaits_key = False
        elif awaits_key:
            key = json.loads(piece)
            path[-1] = key
            members = keys[-1]
            if members is not None:
                if key in members:
                    twice.append((line, key))
                members.add(key)
            lines.setdefault(tuple(path), line)
        else:
            lines.setdefault(tuple(path), line)
            if piece in "{[":
                awaits_key = piece == "{"
                keys.append(set() if awaits_key else None)
                path.append("" if awaits_key else 0)
    return lines, twice


def parse_toml(path: str, text: str) -> tuple[Source | None, list[Found]]:
    """Return the parsed TOML with days and times as texts, or None, and its problems."""
    try:
        value = plain(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"\(at line (\d+)", str(error))
        line = int(match[1]) if match else text.rstrip("\n").count("\n") + 1
        message = re.sub(r" \(at .*\)$", "", str(error))
        return None, [Found(path, line, f"is not TOML: {message}")]
    except RecursionError:
        return None, [Found(path, 1, "is nested too deeply")]
    source = Source(path, text, value)
    return source, [
        source.found(at, f"`{dotted(at)}` is {number}; use a finite number")
        for at, number in _numbers(value, ())
        if not math.isfinite(number)
    ]


def plain(value: Any) -> Any:
    """Return a TOML value as JSON could hold it: days and times as ISO texts."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return value


def _numbers(value: Any, at: KeyPath) -> Iterator[tuple[KeyPath, float]]:
    if isinstance(value, float):
        yield at, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _numbers(item, (*at, index))


def toml_line(text: str, at: KeyPath, value: Any = None) -> int:
    """Return the line of a TOML value: the nearest that a search for its keys finds, else 1.

    `value`, where it is a text, tells the items of a list apart.
    """
    lines = text.split("\n")
    best, start = 1, 0
    for depth, part in enumerate(at):
        headers = [n for n in _headers(lines, at[: depth + 1]) if n >= start]
        if isinstance(part, int):
            headers = _headers(lines, at[:depth])[part : part + 1]  # an item of [[tables]]
        if headers:
            best, start = headers[0] + 1, headers[0] + 1
        elif isinstance(part, str):
            line = _key_line(lines, part, start)
            if line is None and any(_headers(lines, at[:n]) for n in range(depth + 2, len(at) + 1)):
                continue  # as `scrub` of a table [scrub.bucket]
            if line is None:
                return best
            best, start = line + 1, line
    if isinstance(value, str) and at and isinstance(at[-1], int):
        quoted = (f'"{value}"', f"'{value}'")
        for number in range(start, len(lines)):
            if any(text in lines[number] for text in quoted):
                return number + 1
    return best


def _headers(lines: list[str], at: KeyPath) -> list[int]:
    name = r"\s*\.\s*".join(_either_quoted(part) for part in at if isinstance(part, str))
    pattern = re.compile(rf"\s*\[\[?\s*{name}\s*\]")
    return [number for number, line in enumerate(lines) if pattern.match(line)]


_A_HEADER = re.compile(r"\s*\[\[?[^\[\],]+\]\]?\s*(#.*)?$")


def _key_line(lines: list[str], key: str, start: int) -> int | None:
    pattern = re.compile(rf"(?:^|[\s{{,.]){_either_quoted(key)}\s*[=.]")
    for number in range(start, len(lines)):
        line = lines[number]
        if _A_HEADER.match(line):
            return None  # the next table begins
        if not line.lstrip().startswith("#") and pattern.search(line):
            return number
    return None


def _either_quoted(key: str) -> str:
    bare = re.escape(key)
    return rf"""(?:"{bare}"|'{bare}'|{bare})"""


def dotted(at: KeyPath) -> str:
    """Return a path as people write it: `sampling.rate`, `owners[0]`."""
    text = ""
    for part in at:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
