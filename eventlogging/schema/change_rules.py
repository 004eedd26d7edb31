"""What one changed keyword means for events: the rules for types, values, bounds and patterns.

Each rule compares the same keyword of an old and a new subschema and yields
`Change`s. Wider is minor: what was valid stays valid. All else is major.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eventlogging.schema.version import Level
from eventlogging.schema.walk import escape, tokens_of

Node = Mapping[str, Any]
_ALL_TYPES = frozenset({"null", "boolean", "object", "array", "number", "string"})
_COUNTS = (
    ("minLength", "maxLength", "characters"),
    ("minItems", "maxItems", "items"),
    ("minProperties", "maxProperties", "fields"),
    ("minContains", "maxContains", "matching items"),
)
KEYWORDS = frozenset(
    {
        "type", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
        "multipleOf", "pattern", "format", "uniqueItems",
        *(name for low, high, _ in _COUNTS for name in (low, high)),
    }
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One difference between two versions of a schema.

    `pointer` is the JSON pointer of the field in the payload ("" is the whole event, `*` each
    item or each value of a map), `what` one sentence for people, `rule` a stable name.
    """

    pointer: str
    level: Level
    what: str
    rule: str


@dataclass(frozen=True)
class Spot:
    """Which field is compared, and how strictly.

    `exact`: inside `not` and the like, where wider turns into narrower, only "same" counts;
    `evaluating`: an enclosing `unevaluated…` sees which keywords are there.
    """

    pointer: str = ""
    exact: bool = False
    evaluating: bool = False

    def field(self, name: str) -> Spot:
        return Spot(f"{self.pointer}/{escape(name)}", self.exact)

    def each(self) -> Spot:
        return Spot(f"{self.pointer}/*", self.exact)


def label(pointer: str) -> str:
    """Return the field that `pointer` names as people write it: `nested.tags[]`."""
    if not pointer:
        return "the event"
    return "`" + ".".join(tokens_of(pointer)).replace(".*", "[]") + "`"


def canonical(value: Any) -> str:
    """Return a text that two JSON values share exactly when JSON Schema holds them equal."""
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def keyword_changes(
    old: Node, new: Node, pointer: str, drafts: tuple[str, str]
) -> Iterator[Change]:
    """Yield what changed in the keywords of `KEYWORDS` (and `const`), `drafts` = (old, new)."""
    yield from _type(old, new, pointer)
    yield from _values(old, new, pointer, drafts)
    yield from _limits(old, new, pointer, drafts)
    yield from _counts(old, new, pointer)
    yield from _texts(old, new, pointer)
    yield from _multiple(old, new, pointer)
    yield from _unique(old, new, pointer)


def _type(old: Node, new: Node, pointer: str) -> Iterator[Change]:
    """A type may take null too; every other change of type changes the column."""
    was, now = _types(old), _types(new)
    if was == now:
        return
    field = label(pointer)
    if now == was | {"null"}:
        yield Change(pointer, Level.MINOR, f"{field} may now be null", "type_nullable")
    elif was == now | {"null"}:
        yield Change(pointer, Level.MAJOR, f"{field} may no longer be null", "null_refused")
    elif was - {"null"} == {"integer"} and now - {"null"} == {"number"}:
        what = f"{field} is now a number, was an integer: its column would have to change"
        yield Change(pointer, Level.MAJOR, what, "integer_to_number")
    else:
        what = f"{field} is now {_named(now)}, was {_named(was)}"
        yield Change(pointer, Level.MAJOR, what, "type_changed")


def _types(node: Node) -> frozenset[str]:
    stated = node.get("type")
    if stated is None:
        return _ALL_TYPES
    types = frozenset(stated) if isinstance(stated, list) else frozenset({str(stated)})
    return types - {"integer"} if "number" in types else types


def _named(types: frozenset[str]) -> str:
    return "of any type" if types == _ALL_TYPES else " or ".join(sorted(types)) or "of no type"


def _values(old: Node, new: Node, pointer: str, drafts: tuple[str, str]) -> Iterator[Change]:
    """More listed values, or no list any more, is wider; fewer, or a new list, narrower."""
    was, now = _allowed(old, drafts[0]), _allowed(new, drafts[1])
    field = label(pointer)
    if was is None or now is None:
        if now is not None:
            what = f"{field} is now limited to {_list(now)}"
            yield Change(pointer, Level.MAJOR, what, "enum_added")
        elif was is not None:
            what = f"{field} is no longer limited to listed values"
            yield Change(pointer, Level.MINOR, what, "enum_removed")
        return
    if gone := was - now:
        what = f"{field} no longer accepts {_list(gone)}"
        yield Change(pointer, Level.MAJOR, what, "enum_narrowed")
    if added := now - was:
        noun = "a new value" if len(added) == 1 else "new values"
        what = f"{field} accepts {noun} {_list(added)}"
        yield Change(pointer, Level.MINOR, what, "enum_widened")


def _allowed(node: Node, draft: str) -> frozenset[str] | None:
    listed = frozenset(map(canonical, node["enum"])) if "enum" in node else None
    if "const" in node and draft != "draft4":  # draft 4 does not know const
        only = frozenset({canonical(node["const"])})
        return only if listed is None else listed & only
    return listed


def _list(values: frozenset[str], most: int = 5) -> str:
    shown = sorted(text if len(text) <= 40 else text[:39] + "…" for text in values)
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more if shown else "nothing"


def _limits(old: Node, new: Node, pointer: str, drafts: tuple[str, str]) -> Iterator[Change]:
    """A lower minimum or a higher maximum is wider."""
    whole = all(_types(node) - {"null"} == {"integer"} for node in (old, new))
    for name, sign in (("minimum", 1), ("maximum", -1)):
        was = _limit(old, name, sign, drafts[0], whole)
        now = _limit(new, name, sign, drafts[1], whole)
        yield from _moved(pointer, name, was, now, _shown(was, sign), _shown(now, sign))


def _limit(node: Node, name: str, sign: int, draft: str, whole: bool) -> tuple[float, bool]:
    """Return the lower limit of sign·value as (limit, exclusive); none is minus infinity."""
    other = "exclusive" + name.capitalize()
    limits: list[tuple[float, bool]] = [(-math.inf, False)]
    if _is_number(node.get(name)):
        limits.append((sign * node[name], draft == "draft4" and node.get(other) is True))
    if _is_number(node.get(other)):
        limits.append((sign * node[other], True))
    limit, exclusive = max(limits)
    if whole and math.isfinite(limit):  # for integers, more than 0 and at least 1 are the same
        return (math.floor(limit) + 1 if exclusive else math.ceil(limit), False)
    return limit, exclusive


def _shown(limit: tuple[float, bool], sign: int) -> str:
    value, exclusive = limit
    if value == -math.inf:
        return "none"
    word = ("more than " if sign > 0 else "less than ") if exclusive else ""
    return f"{word}{sign * value}"


def _counts(old: Node, new: Node, pointer: str) -> Iterator[Change]:
    """A smaller least count or a larger greatest count is wider."""
    for low, high, noun in _COUNTS:
        if noun == "matching items" and not ("contains" in old and "contains" in new):
            continue  # without `contains` they mean nothing, and its own change is major
        least = 1 if noun == "matching items" else 0
        was, now = old.get(low, least), new.get(low, least)
        yield from _moved(pointer, low, was, now, f"{was} {noun}", f"{now} {noun}")
        was, now = old.get(high, math.inf), new.get(high, math.inf)
        words = [f"{n} {noun}" if n != math.inf else "none" for n in (was, now)]
        yield from _moved(pointer, high, -was, -now, *words)


def _moved(
    pointer: str, name: str, was: Any, now: Any, shown_was: str, shown_now: str
) -> Iterator[Change]:
    """Compare two lower limits; those of maxima come negated."""
    if was == now:
        return
    tighter = now > was
    level, verb = (Level.MAJOR, "tightened") if tighter else (Level.MINOR, "loosened")
    what = f"{name} of {label(pointer)} is {verb}: {shown_now}, was {shown_was}"
    yield Change(pointer, level, what, f"{_snake(name)}_{verb}")


def _texts(old: Node, new: Node, pointer: str) -> Iterator[Change]:
    """A pattern or format may go; a new or another one refuses what was valid."""
    for name in ("pattern", "format"):
        was, now = old.get(name), new.get(name)
        if was == now:
            continue
        field = label(pointer)
        if now is None:
            what = f"{field} needs no longer have the {name} {was!r}"
            yield Change(pointer, Level.MINOR, what, f"{name}_removed")
        elif was is None:
            yield Change(
                pointer, Level.MAJOR, f"{field} must now have the {name} {now!r}", f"{name}_added"
            )
        else:
            what = f"{field} must now have the {name} {now!r}, was {was!r}"
            yield Change(pointer, Level.MAJOR, what, f"{name}_changed")


def _multiple(old: Node, new: Node, pointer: str) -> Iterator[Change]:
    """A step that divides the old step is wider; steps with fractions are not compared."""
    was, now = old.get("multipleOf"), new.get("multipleOf")
    if was == now:
        return
    wider = now is None or (
        isinstance(was, int) and isinstance(now, int) and now > 0 and was % now == 0
    )
    level, verb = (Level.MINOR, "loosened") if wider else (Level.MAJOR, "tightened")
    what = f"multipleOf of {label(pointer)} is {verb}: {_or_none(now)}, was {_or_none(was)}"
    yield Change(pointer, level, what, f"multiple_of_{verb}")


def _unique(old: Node, new: Node, pointer: str) -> Iterator[Change]:
    """Items that had to differ may repeat, not the other way round."""
    was, now = bool(old.get("uniqueItems")), bool(new.get("uniqueItems"))
    if was and not now:
        what = f"items of {label(pointer)} may now repeat"
        yield Change(pointer, Level.MINOR, what, "unique_items_loosened")
    elif now and not was:
        what = f"items of {label(pointer)} must now all differ"
        yield Change(pointer, Level.MAJOR, what, "unique_items_tightened")


def keyword_changed(keyword: str, at: Spot) -> Change:
    """Return the change of a keyword that no rule can call wider or narrower."""
    what = f"`{keyword}` of {label(at.pointer)} changed, which may refuse what was valid"
    return Change(at.pointer, Level.MAJOR, what, "keyword_changed")


def differ(old: Node, new: Node, keyword: str) -> bool:
    """Tell whether two subschemas say something else under `keyword`."""
    if (keyword in old) != (keyword in new):
        return True
    return keyword in old and canonical(old[keyword]) != canonical(new[keyword])


def _or_none(value: Any) -> str:
    return "none" if value is None else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
