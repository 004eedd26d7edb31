"""How much work judging one event may become, found by following a schema as a judge would.

A judge that meets `anyOf`, `allOf`, `$ref` … looks at the same value again. That multiplies:
24 references in a row that each name the next one twice are 16 million looks, and a schema
that refers to itself from two alternatives doubles with each level of the event. So every
place of an event is counted here with the number of times it may be looked at.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eventlogging.schema.patterns import MAX_COSTLY_TEXT, pattern_risk
from eventlogging.schema.walk import OLD_DRAFTS, Tokens, follow, pointer, whole

MAX_LOOKS = 10_000  # at all places that a schema names, references followed
MAX_LOOKS_PER_ITEM = 32  # at each item of an array or map, of which 100 000 may come
MAX_LONG_READS = 8  # patterns at one place that may read a text of any length
MAX_NESTING = 200  # schemas within schemas, references followed
MAX_COSTLY_TEXT_IN_ALL = 16_384  # characters that costly patterns may read of one event

# Steps into an event. Names of an object are "/name"; these stand for any of many.
_ITEM = "[*]"
_EXTRA = "{+}"  # a property that is not declared
_MATCHED = "{~}"  # a property whose name matches a pattern
_IN_PLACE = ("allOf", "anyOf", "oneOf")
_ALSO_IN_PLACE = ("not", "if", "then", "else")


@dataclass
class _Count:
    root: Mapping[str, Any]
    draft: str
    looks: Counter[Tokens] = field(default_factory=Counter)
    long_reads: Counter[Tokens] = field(default_factory=Counter)
    total: int = 0
    recursions: list[Tokens] = field(default_factory=list)
    costly_text: float = 0
    problem: str = ""


def effort_problems(document: Mapping[str, Any], draft: str) -> list[str]:
    """Return why judging an event could take unbounded time (none: it cannot)."""
    count = _Count(document, draft)
    _look(count, document, (), 1.0, {}, ())
    if count.problem:
        return [count.problem]
    problems = []
    many = [at for at, n in count.looks.items() if n > MAX_LOOKS_PER_ITEM and _is_any(at)]
    if many:
        problems.append(
            f"{_place(many[0])}: alternatives make each item be looked at {count.looks[many[0]]} "
            f"times; at most {MAX_LOOKS_PER_ITEM}, so split the schema"
        )
    for at, reads in count.long_reads.items():
        if reads > MAX_LONG_READS:
            problems.append(
                f"{_place(at)}: {reads} patterns may read a text of any length; at most "
                f"{MAX_LONG_READS}, so join them or set maxLength to {MAX_COSTLY_TEXT} or less"
            )
    if len(count.recursions) > 64 or _overlap(count.recursions):
        problems.append(
            "a schema refers to itself in two ways for the same value, which doubles the work "
            "with each level of an event; let one alternative refer to itself"
        )
    if count.costly_text and (count.recursions or not count.costly_text <= MAX_COSTLY_TEXT_IN_ALL):
        problems.append(
            "patterns with look-around, back-references or large repetitions may read more than "
            f"{MAX_COSTLY_TEXT_IN_ALL} characters of one event; lower maxLength and maxItems "
            "around them, and keep them out of schemas that refer to themselves"
        )
    return problems


def _look(
    count: _Count, schema: Any, at: Tokens, fan: float, above: dict[int, Tokens], path: Tokens
) -> None:
    """Count the look that `schema` takes at the place `at`, and all that follow from it.

    `fan` is how many values of one event may stand at that place; `above` holds the schemas
    being looked with, and where; `path` names the schema in the document.
    """
    count.total += 1
    count.looks[at] += 1
    if count.total > MAX_LOOKS:
        count.problem = f"references and alternatives make more than {MAX_LOOKS} schemas of it"
    elif len(above) > MAX_NESTING:
        count.problem = f"{pointer(path[:6])}…: references nest more than {MAX_NESTING} deep"
    if count.problem or not isinstance(schema, dict):
        return
    if id(schema) in above:
        if above[id(schema)] == at:
            count.problem = f"{pointer(path)}: the reference leads back to itself"
        else:
            count.recursions.append(at)
        return
    above[id(schema)] = at
    _look_further(count, schema, at, fan, above, path)
    del above[id(schema)]


def _look_further(
    count: _Count,
    schema: Mapping[str, Any],
    at: Tokens,
    fan: float,
    above: dict[int, Tokens],
    path: Tokens,
) -> None:
    def into(sub: Any, word: Tokens, step: Tokens = (), times: float = 1) -> None:
        if not count.problem:
            _look(count, sub, at + step, fan * times, above, path + word)

    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        found, target = follow(count.root, reference)
        if found:
            into(target, ("$ref",))
        if count.draft in OLD_DRAFTS:
            return
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        longest = whole(schema.get("maxLength"))
        if pattern_risk(pattern).costly:
            count.costly_text += fan * (longest or 0)
        elif longest is None or longest > MAX_COSTLY_TEXT:
            count.long_reads[at] += 1
    for word in _IN_PLACE:
        for index, member in enumerate(_list(schema, word)):
            into(member, (word, str(index)))
    for word in _ALSO_IN_PLACE:
        if word in schema:
            into(schema[word], (word,))
    for word in ("dependentSchemas", "dependencies"):
        for key, member in _map(schema, word).items():
            if not isinstance(member, list):
                into(member, (word, key))
    for key, member in _map(schema, "properties").items():
        into(member, ("properties", key), ("/" + key,))
    names = _bound(schema, "maxProperties")
    for key, member in _map(schema, "patternProperties").items():
        into(member, ("patternProperties", key), (_MATCHED,), names)
    for word in ("additionalProperties", "unevaluatedProperties"):
        if word in schema:
            into(schema[word], (word,), (_EXTRA,), names)
    if "propertyNames" in schema:
        into(schema["propertyNames"], ("propertyNames",), ("{name}", _MATCHED), names)
    members = _bound(schema, "maxItems")
    for word in ("prefixItems", "items"):
        for index, member in enumerate(_list(schema, word)):
            into(member, (word, str(index)), (f"[{index}]",))
    for word in ("items", "additionalItems", "contains", "unevaluatedItems"):
        if word in schema and not isinstance(schema[word], list):
            into(schema[word], (word,), (_ITEM,), members)


def _overlap(places: list[Tokens]) -> bool:
    """Whether one place may lie at or within another."""
    return any(
        all(_same(a, b) for a, b in zip(one, other, strict=False))
        for i, one in enumerate(places)
        for other in places[i + 1 :]
    )


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    if one[0] != other[0]:
        return _MATCHED in (one, other) and "[" not in (one[0], other[0])
    return (_ITEM if one[0] == "[" else _MATCHED) in (one, other)


def _is_any(at: Tokens) -> bool:
    return any(step in (_ITEM, _EXTRA, _MATCHED) for step in at)


def _place(at: Tokens) -> str:
    return "".join(step if step[0] == "/" else "/*" for step in at if step != "{name}")


def _bound(schema: Mapping[str, Any], word: str) -> float:
    bound = whole(schema.get(word))
    return math.inf if bound is None else max(bound, 0)


def _list(schema: Mapping[str, Any], word: str) -> list[Any]:
    value = schema.get(word)
    return value if isinstance(value, list) else []


def _map(schema: Mapping[str, Any], word: str) -> dict[str, Any]:
    value = schema.get(word)
    return value if isinstance(value, dict) else {}
