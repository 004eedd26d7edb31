"""What a regular expression asks of the engines that run it.

The gate runs patterns on an engine that takes linear time and gives `\\d`, `\\w` and `$`
their ECMA meaning, though not `.` and `\\b`. Look-around and back-references need another
engine, which backtracks, and lets `\\d` match any script's digits. `form` spells out what an
engine would read otherwise than ECMA does.
Linear is not always fast: a step costs as much as the pattern has live states. So both
kinds, when costly, see short texts only (measured on 4 096 characters: at most 25 ms).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import jsonschema_rs

BACKTRACK_LIMIT = 10_000
MAX_COMPILED = 256 * 1024  # bytes; a larger pattern is refused
FREE_COMPILED = 8 * 1024  # bytes; up to here a pattern may read a text of any length
MAX_COSTLY_TEXT = 4096  # characters that a costly pattern may read
MAX_PATTERN = 4096  # characters of the pattern itself

_TOKEN = re.compile(
    r"""\\(?P<escape>u\{[0-9A-Fa-f]+\}|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|c[A-Za-z]|.)
      | \(\?(?P<group>:|=|!|<=|<!|<[A-Za-z_$][\w$]*>|.|$)
      | (?P<open>\[\^?)
      | (?P<times>[*+?]|\{\d+(?:,\d*)?\})
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_LETTERS = frozenset("dDwWsSbBfnrtvpPkucx0123456789")


@dataclass(frozen=True, slots=True)
class PatternRisk:
    """How a pattern is to be treated; `problem` says why it cannot be taken ("": it can).

    `form` is the pattern as the engine is to get it, so that it means what ECMA says.
    `edges`: the form has word boundaries in a spelling that only the linear engine knows,
    and the metaschemas of old drafts do not.
    """

    problem: str = ""
    backtracks: bool = False
    costly: bool = False
    form: str = ""
    edges: bool = False


@lru_cache(maxsize=4096)
def pattern_risk(pattern: str) -> PatternRisk:
    """Return how a pattern is to be treated. Takes at most a few milliseconds."""
    if len(pattern) > MAX_PATTERN:
        return PatternRisk(f"a pattern of {len(pattern)} characters; at most {MAX_PATTERN}")
    foreign, backtracks, form = _read(pattern)
    if foreign:
        return PatternRisk(f"{foreign} is not part of ECMA-262 regular expressions")
    if not _compiles(form, backtracks, MAX_COMPILED):
        return PatternRisk("this pattern does not compile, or is too large when compiled")
    costly = backtracks or not _compiles(form, False, FREE_COMPILED)
    return PatternRisk("", backtracks, costly, form, _EDGE in form)


def as_written(form: str) -> str:
    """Return a form as people know it, for messages."""
    return form.replace(_EDGE, r"\b").replace(_ANY, ".")


def engine(backtracks: bool) -> jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions:
    """Return the engine settings for a document, by whether any of its patterns backtracks."""
    return _options(backtracks, MAX_COMPILED)


def _options(
    backtracks: bool, size: int
) -> jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions:
    if backtracks:
        return jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACK_LIMIT, size_limit=size)
    return jsonschema_rs.RegexOptions(size_limit=size)


def _compiles(pattern: str, backtracks: bool, size: int) -> bool:
    try:
        jsonschema_rs.Draft202012Validator(
            {"pattern": pattern}, pattern_options=_options(backtracks, size), offline=True
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
        return False
    return True


def _read(pattern: str) -> tuple[str, bool, str]:
    """Return (the first construct that ECMA does not know, whether it backtracks, engine form).

    The engines understand more than ECMA does (`\\A`, `(?i)`, `[a&&b]`); a pattern that uses
    that would mean something else to a client's own validator.
    """
    linear: list[str] = []  # the form for either engine
    spelled: list[str] = []
    backtracks = in_class = False
    before = ""  # the text before, where it matters: a quantifier, or a character in a class
    for match in _TOKEN.finditer(pattern):
        text, escape, group = match[0], match["escape"], match["group"]
        last, before = before, ""
        plain = text
        if escape is not None:
            first = escape[0]
            if (first.isalnum() and first not in _LETTERS) or first in "<>":
                return f"\\{first}", backtracks, pattern
            if first == "b" and pattern.startswith("{", match.end()):
                return "\\b{", backtracks, pattern
            if first == "B" and in_class:
                return "\\B in a class", backtracks, pattern
            if first in "123456789kB":
                backtracks = True
            if first in "b0":
                plain = _EDGE if first == "b" and not in_class else _spelled(escape, in_class)
            text = _spelled(escape, in_class) or text
        elif in_class:
            if text == "]":
                in_class = False
            elif text in "&-~" and text == last and pattern[match.end() :][:1] not in ("]", ""):
                return text * 2 + " in a class", backtracks, pattern
            before = text if in_class else ""
            text = plain = "\\[" if text == "[" else text
        elif match["open"]:
            if pattern.startswith("]", match.end()):
                return text + "]", backtracks, pattern
            in_class = True
        elif group is not None:
            if group in ("=", "!", "<=", "<!"):
                backtracks = True
            elif group != ":" and not group.startswith("<"):
                return f"(?{group}", backtracks, pattern
        elif text == ".":
            text = plain = _ANY
        elif match["times"]:
            if last and (text != "?" or last.endswith("lazy")):
                return f"{text} after another repetition", backtracks, pattern
            before = "lazy" if last else "times"
        linear.append(plain)
        spelled.append(text)
    return "", backtracks, "".join(spelled if backtracks else linear)


_EDGE = r"(?-u:\b)"  # foreign to ECMA, so every one is ours
_ANY = r"[^\n\r\u2028\u2029]"
_WORD = "A-Za-z0-9_"
_SPACE = r"\t-\r \xA0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF"
_RANGES = {
    "d": "0-9",
    "w": _WORD,
    "s": _SPACE,
    "D": r"\x00-\x2F\x3A-\u{10FFFF}",
    "W": r"\x00-\x2F\x3A-\x40\x5B-\x5E\x60\x7B-\u{10FFFF}",
    "S": (
        r"\x00-\x08\x0E-\x1F\x21-\x9F\xA1-\u167F\u1681-\u1FFF\u200B-\u2027\u202A-\u202E"
        r"\u2030-\u205E\u2060-\u2FFF\u3001-\uFEFE\uFF00-\u{10FFFF}"
    ),
}


def _spelled(escape: str, in_class: bool) -> str:
    """Return an escape as the backtracking engine is to get it ("": as it is)."""
    first = escape[0]
    if first in _RANGES:
        return _RANGES[first] if in_class else f"[{_RANGES[first]}]"
    if first == "b" and in_class:
        return r"\x08"
    if first == "b":
        return rf"(?:(?<=[{_WORD}])(?![{_WORD}])|(?<![{_WORD}])(?=[{_WORD}]))"
    if first == "B":
        return rf"(?:(?<=[{_WORD}])(?=[{_WORD}])|(?<![{_WORD}])(?![{_WORD}]))"
    if first == "c":
        return f"\\x{ord(escape[1]) % 32:02x}"
    return r"\x00" if first == "0" else ""
