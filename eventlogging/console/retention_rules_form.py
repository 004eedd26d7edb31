"""The form of a schema's own retention rule: from the document to its fields, and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventlogging.governance.model import field_of, pointer_of
from eventlogging.governance.syntax import KeyPath
from eventlogging.retention.remains import ANY, NUMBER, TEXT, TIME, Leaf

DAYS = ("keep_days", "invalid_keep_days", "unsealed_keep_days")
STRIP, STRIPPED_DAYS = "strip", "scrub.keep_days"
CAPSULE = ("host", "wiki", "user_agent", "client")
GROUPS = ("wiki", "host", "browser", "os")
LISTS = ("fields", "sum", "quantiles", "distinct")
_TIMES = ("hour", "day", "month", "year")
UNITS = {TIME: _TIMES, TEXT: (*_TIMES, "browser"), ANY: (*_TIMES, "browser")}
KEEP, HASH, BUCKET, DROP = "keep", "hash", "bucket", "drop"
COUNT = "aggregates"
_ON = "on"
_ORDER = "order"
_MOST_AGGREGATES = 20
_MOST_NAMES = 400
_MOST_PROBLEMS = 10
_WHOLE = re.compile(r"-?\d{1,9}", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,15}([.,]\d{1,9})?", re.ASCII)
Check = Callable[[Mapping[str, Any]], Iterable[tuple[KeyPath, str]]]


@dataclass(frozen=True)
class Form:
    """What stands in the form: field → text, and what is wrong with each field."""

    values: Mapping[str, str]
    problems: Mapping[str, Sequence[str]] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)  # with what the form does not know
    focus: str = ""

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def aggregates(self) -> list[str]:
        """The beginnings of the names of each aggregate's fields: `a0.`, `a1.`."""
        return [f"a{number}." for number in range(_count(self.values))]


def ways(leaf: Leaf) -> list[str]:
    """Return how a field may outlive its event, as far as its privacy and type allow."""
    if leaf.private:
        return [HASH] if leaf.private == "hmac" else []
    return [KEEP, HASH, BUCKET] if leaf.kind in (NUMBER, TIME, TEXT, ANY) else [KEEP, HASH]


def named(own: Mapping[str, Any]) -> list[str]:
    """Return the pointers of the fields that a document's `scrub` lists."""
    scrub = own.get("scrub")
    table = scrub if isinstance(scrub, Mapping) else {}
    return [pointer_of(str(n)) for way in (KEEP, HASH, BUCKET, DROP) for n in table.get(way, ())]


def of_document(own: Mapping[str, Any]) -> Form:
    """Return the form as it opens."""
    values = {key: _shown(own.get(key)) for key in DAYS}
    scrub = own.get("scrub", {})
    values[STRIP] = _ON if "scrub" in own else ""
    values[STRIPPED_DAYS] = _shown(scrub.get("keep_days"))
    for name in CAPSULE:
        values[f"capsule.{name}"] = _ON if name in scrub.get("capsule", ()) else ""
    for way in (KEEP, HASH, BUCKET, DROP):
        for name in scrub.get(way, ()):
            values[f"how:{pointer_of(name)}"] = way
    for name, bucket in scrub.get(BUCKET, {}).items():
        values[f"bucket:{pointer_of(name)}"] = _shown(bucket)
    aggregates = own.get("aggregate", ())
    values[COUNT] = str(len(aggregates))
    for number, table in enumerate(aggregates):
        values |= {f"a{number}.{key}": text for key, text in _aggregate_values(table).items()}
    return Form(values, document=own)


def of_request(
    sent: Mapping[str, str], own: Mapping[str, Any], leaves: Sequence[Leaf], check: Check
) -> Form:
    """Return what somebody sent, checked as the governance folder is.

    `own` is the document it changes: what the form does not know, an extension, stays as it is.
    """
    values = {name: text.strip() for name, text in sent.items()}
    values[COUNT] = str(_count(values))
    document = dict(own)
    for key in DAYS:
        _put(document, key, _number(values.get(key, ""), _WHOLE))
    _put(document, "scrub", _scrub(values, own, leaves) if values.get(STRIP) == _ON else "")
    tables, places = [], []
    for number in range(_count(values)):
        if table := _aggregate(values, f"a{number}."):
            tables.append(table)
            places.append(f"a{number}.")
    _put(document, "aggregate", tables or "")
    document = _in_order(document, own)
    problems: dict[str, list[str]] = {}
    for at, text in check(document):
        _add(problems, _field(at, document, places), text)
    return Form(values, problems, document)


def pressed(sent: Mapping[str, str], act: str) -> Form:
    """Return the form after a button that adds an aggregate (`add`) or removes one (`remove:0`)."""
    values = dict(sent)
    count = _count(values)
    if act == "add" and count < _MOST_AGGREGATES:
        values[COUNT] = str(count + 1)
        return Form(values, focus=f"a{count}.name")
    gone = act.removeprefix("remove:")
    if act != gone and gone.isdecimal() and int(gone) < count:
        kept = [f"a{number}." for number in range(count) if number != int(gone)]
        rows = {name: text for name, text in values.items() if not re.match(r"a\d+\.", name)}
        for number, was in enumerate(kept):
            for name, text in values.items():
                if name.startswith(was):
                    rows[f"a{number}.{name.removeprefix(was)}"] = text
        return Form({**rows, COUNT: str(len(kept))}, focus="add")
    return Form(values)


def _count(values: Mapping[str, str]) -> int:
    text = values.get(COUNT, "")
    return min(int(text), _MOST_AGGREGATES) if re.fullmatch(r"\d{1,3}", text, re.ASCII) else 0


def _scrub(
    values: Mapping[str, str], own: Mapping[str, Any], leaves: Sequence[Leaf]
) -> dict[str, Any]:
    """Return the `scrub` table. Fields that were listed keep their place and their spelling."""
    old = own.get("scrub", {})
    spelled = {pointer_of(n): n for way in (KEEP, HASH, BUCKET, DROP) for n in old.get(way, ())}
    chosen = {leaf.pointer: values.get(f"how:{leaf.pointer}", "") for leaf in leaves}
    order = [*spelled, *(pointer for pointer in chosen if pointer not in spelled)]
    found: dict[str, Any] = {}
    for way in (KEEP, HASH, DROP):
        names = [spelled.get(p, field_of(p)) for p in order if chosen.get(p) == way]
        _put(found, way, names or "")
    buckets = {
        spelled.get(p, field_of(p)): _number(values.get(f"bucket:{p}", ""), _NUMBER)
        for p in order
        if chosen.get(p) == BUCKET
    }
    _put(found, BUCKET, buckets or "")
    old_capsule = [name for name in old.get("capsule", ()) if values.get(f"capsule.{name}") == _ON]
    capsule = [name for name in CAPSULE if values.get(f"capsule.{name}") == _ON]
    _put(found, "capsule", list(dict.fromkeys([*old_capsule, *capsule])) or "")
    _put(found, "keep_days", _number(values.get(STRIPPED_DAYS, ""), _WHOLE))
    return _in_order(found, old)


def _aggregate(values: Mapping[str, str], at: str) -> dict[str, Any]:
    """Return one aggregate; empty where nothing was entered."""
    found: dict[str, Any] = {"name": values.get(f"{at}name", ""), "per": "day"}
    # Ticked ones stay in the order in which they stood, for another order is another aggregate.
    order = dict.fromkeys([*values.get(f"{at}{_ORDER}", "").split(), *GROUPS])
    _put(found, "capsule", [g for g in order if values.get(f"{at}capsule.{g}") == _ON] or "")
    for key in LISTS:
        lines = re.split(r"[\n,]", values.get(f"{at}{key}", ""))
        _put(found, key, [n for line in lines if (n := line.strip())][:_MOST_NAMES] or "")
    _put(found, "min_cell", _number(values.get(f"{at}min_cell", ""), _WHOLE))
    if not found["name"]:
        del found["name"]
    return {} if found.keys() == {"per"} else found


def _aggregate_values(table: Mapping[str, Any]) -> dict[str, str]:
    values = {"name": str(table.get("name", "")), "min_cell": _shown(table.get("min_cell"))}
    values |= {f"capsule.{g}": _ON for g in table.get("capsule", ())}
    values[_ORDER] = " ".join(table.get("capsule", ()))
    return values | {key: "\n".join(table.get(key, ())) for key in LISTS}


def _put(table: dict[str, Any], key: str, value: Any) -> None:
    """Put a value that was entered; "" takes the key away."""
    table.pop(key, None)
    if value != "":
        table[key] = value


def _number(text: str, form: re.Pattern[str]) -> Any:
    """Return a number as people write it; another text as it is, for the checks to refuse."""
    if not form.fullmatch(text):
        return text
    value = float(text.replace(",", "."))
    return int(value) if value.is_integer() else value


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else f"{value:.15g}"


def _add(problems: dict[str, list[str]], name: str, text: str) -> None:
    listed = problems.setdefault(name, [])
    if len(listed) < _MOST_PROBLEMS:
        listed.append(text)


def _field(at: KeyPath, document: Mapping[str, Any], places: Sequence[str]) -> str:
    """Return the field of the form that a place in the document came from; "": none."""
    first = at[0] if at else ""
    if first in DAYS:
        return str(first)
    if first == "extension":
        return DAYS[0]
    if first == "aggregate":
        if len(at) < 2 or not isinstance(at[1], int):
            return "add"
        return places[at[1]] + (str(at[2]) if len(at) > 2 else "name")
    if first != "scrub":
        return ""
    if len(at) == 1:
        return STRIP
    if at[1] == "keep_days":
        return STRIPPED_DAYS
    if at[1] == "capsule" or len(at) < 3:
        return STRIP
    name = at[2] if at[1] == BUCKET else document["scrub"][at[1]][at[2]]
    return f"how:{pointer_of(str(name))}"


def _in_order(table: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table with its keys where they stood, new ones behind."""
    keys = [*(key for key in old if key in table), *(key for key in table if key not in old)]
    return {key: table[key] for key in keys}
