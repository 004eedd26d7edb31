"""The format of an edge log's lines, in the words of classic EventLogging: `%q %{recvFrom}s %t`.

A field ends where the text that follows it in the format begins, the last one with the line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

CLASSIC = "%q %{recvFrom}s %{seqId}d %t %o %u"
_SPECIFIER = re.compile(r"%(?:\{([^{}%]*)\})?(.?)", re.DOTALL)
_PLAIN = {"q": "query", "j": "json", "t": "time", "D": "time", "u": "agent", "o": "", "h": ""}
_NAMED = "sid"
# What a named field may be called, and what it says; other names are read and left out.
_MEANINGS = {
    "recvfrom": "edge",
    "seqid": "number",
    "requestid": "number",
    "request-id": "number",
    "useragent": "agent",
    "user-agent": "agent",
    "dnt": "dnt",
    "gpc": "sec-gpc",
    "sec-gpc": "sec-gpc",
    "cookie": "cookie",
    "eventlogging-opt-out": "cookie",
    "eventlogging-opt-out-for": "opt-out-for",
    "origin": "origin",
}
_BLANKS = b" \t"
_LONGEST_ODD = 262_144  # beyond that a pattern could take long, and no server writes such lines
_TO_THE_END = ("query", "json", "agent")  # as the last field these may hold blanks


class FormatError(ValueError):
    """Raised when a format cannot be understood; its text says where and what would be right."""


@dataclass(frozen=True, slots=True)
class _Field:
    kind: str  # the letter of its specifier
    meaning: str


class Format:
    """A compiled format. `at` says at which place of `parts` stands what: query or json, time …"""

    def __init__(self, text: str) -> None:
        """Compile a format. Raises FormatError."""
        fields, literals = _read(text)
        self.text = text
        self.at = {field.meaning: i for i, field in enumerate(fields) if field.meaning}
        self.is_query = "query" in self.at
        self.event_at = self.at["query" if self.is_query else "json"]
        self._pattern = re.compile(_pattern(fields, literals), re.DOTALL)
        self._time_at = self.at.get("time")
        self._numbers = [i for i, field in enumerate(fields) if field.kind == "d"]
        self._separator = _separator(fields, literals)
        self._most = len(fields) - 1
        self._is_open = fields[-1].meaning in _TO_THE_END or fields[-1].kind == "i"

    def rows(self, lines: Sequence[bytes]) -> list[Sequence[bytes] | None]:
        """Return the fields of each line, in order; None for a line that is not of this format.

        Lines end with their line break. Between fields that a blank or a tab parts, `split` finds
        the same as the pattern, much sooner; the long first field is looked through faster still
        by `partition`.
        """
        separator, most = self._separator, self._most
        if not separator:
            return [self._matched(line) for line in lines]
        rows: list[Sequence[bytes] | None]
        if self.event_at == 0 and most:
            cut = [line.partition(separator) for line in lines]
            rows = [[first, *rest[:-1].split(separator, most - 1)] for first, _, rest in cut]
        else:
            rows = [line[:-1].split(separator, most) for line in lines]
        for place, row in enumerate(rows):
            if row is None or len(row) <= most or not self._is_right(row):
                rows[place] = self._matched(lines[place])
        return rows

    def _is_right(self, row: Sequence[bytes]) -> bool:
        for place in self._numbers:
            if not row[place].isdigit() and row[place] != b"-":
                return False
        # A time such as [22/Nov/2026:03:04:05 +0000] was parted at its blank.
        if self._separator == b" " and self._time_at is not None and b"/" in row[self._time_at]:
            return False
        return self._is_open or self._separator not in row[-1]

    def _matched(self, line: bytes) -> Sequence[bytes] | None:
        match = self._pattern.fullmatch(line[:-1]) if len(line) <= _LONGEST_ODD else None
        return match.groups() if match else None


def _read(text: str) -> tuple[list[_Field], list[str]]:
    """Return the fields, and the texts before, between and after them."""
    fields: list[_Field] = []
    literals = [""]
    position = 0
    for match in _SPECIFIER.finditer(text):
        literals[-1] += text[position : match.start()]
        position = match.end()
        if match[0] == "%%":
            literals[-1] += "%"
            continue
        fields.append(_field(match))
        literals.append("")
    literals[-1] += text[position:]
    _check(fields, literals)
    return fields, literals


def _field(match: re.Match[str]) -> _Field:
    name, kind = match[1], match[2]
    where = f"--format: {match[0]!r} at character {match.start() + 1}"
    if name is None:
        if kind not in _PLAIN or not kind:
            hint = " needs a name, such as %{recvFrom}s" if kind and kind in _NAMED else ""
            known = ", ".join(f"%{letter}" for letter in _PLAIN)
            raise FormatError(f"{where}{hint or f' is no field; fields are {known}'}")
        return _Field(kind, _PLAIN[kind])
    if not name or not kind or kind not in _NAMED:
        raise FormatError(f"{where} is no field; named ones are %{{name}}s, %{{name}}i, %{{name}}d")
    plain = name.lower().replace("_", "-").removeprefix("http-")
    return _Field(kind, _MEANINGS.get(plain, ""))


def _check(fields: Sequence[_Field], literals: Sequence[str]) -> None:
    meanings = [field.meaning for field in fields if field.meaning]
    twice = {meaning for meaning in meanings if meanings.count(meaning) > 1}
    if twice:
        raise FormatError(f"--format: names {', '.join(sorted(twice))} twice")
    if ("query" in meanings) == ("json" in meanings):
        raise FormatError("--format: say where the event stands, by %q (a query) or %j (JSON)")
    for place, literal in enumerate(literals[1:-1]):
        if not literal:
            raise FormatError(f"--format: nothing parts field {place + 1} from the next one")
    if any("\n" in literal for literal in literals):
        raise FormatError("--format: an event is one line; the format holds a line break")


def _separator(fields: Sequence[_Field], literals: Sequence[str]) -> bytes:
    """Return the one blank or tab between all fields; empty where there is more to it."""
    between = set(literals[1:-1])
    inside_open = any(field.meaning in ("agent", "json") for field in fields[:-1])
    if literals[0] or literals[-1] or len(between) != 1:
        return b""
    found = between.pop().encode()
    # A raw user agent and JSON hold blanks; no tab is left in them by those who write logs.
    if found == b"\t" or (found == b" " and not inside_open):
        return found
    return b""


def _pattern(fields: Sequence[_Field], literals: Sequence[str]) -> bytes:
    pattern = re.escape(literals[0].encode())
    for field, literal in zip(fields, literals[1:], strict=True):
        pattern += _pattern_of(field, literal[:1].encode()) + re.escape(literal.encode())
    return pattern


def _pattern_of(field: _Field, after: bytes) -> bytes:
    if field.kind == "d":
        return rb"(-?\d+|-)"
    if field.meaning == "time":
        return rb"(\[[^\]]*\]|[^\s\]]+(?: [+-]\d{4})?)"
    if field.kind == "j":
        return rb"(\{.*\})"
    if not after:
        return rb"(.*)" if field.meaning in _TO_THE_END or field.kind == "i" else rb"(\S*)"
    if after == b'"':
        return rb'((?:[^"\\]|\\.)*)'
    if field.meaning == "agent" and after in _BLANKS:
        return rb"(.*)"
    return rb"([^" + re.escape(after) + rb"]*)"
