"""The form of a schema's own retention rule: from the document to its fields, and back."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventlogging.console import own_form
from eventlogging.console.own_form import WHOLE, OwnForm, add_problem, in_order, number, shown
from eventlogging.governance.model import field_of, pointer_of
from eventlogging.governance.syntax import KeyPath
from eventlogging.ledger.sentence import grouped
from eventlogging.retention.remains import ANY, NUMBER, TEXT, TIME, Leaf

DAYS = ("keep_days", "invalid_keep_days", "unsealed_keep_days")
STRIP, STRIPPED_DAYS = "strip", "scrub.keep_days"
CAPSULE = ("host", "wiki", "user_agent", "client")
GROUPS = ("wiki", "host", "browser", "os")
LISTS = ("fields", "sum", "quantiles", "distinct")
_TIMES = ("hour", "day", "month", "year")
UNITS = {TIME: _TIMES, TEXT: (*_TIMES, "browser"), ANY: (*_TIMES, "browser")}
KEEP, HASH, BUCKET, DROP = "keep", "hash", "bucket", "drop"
_ON = "on"
_ORDER = "order"
# More than so many are taken only where so many stand already: each name costs time to check.
_MOST_AGGREGATES = 20
_MOST_NAMES = 400
_OF_AGGREGATE = re.compile(r"a(\d{1,5})\.(.*)", re.ASCII)
Check = Callable[[Mapping[str, Any]], Iterable[tuple[KeyPath, str]]]


@dataclass(frozen=True)
class Form(OwnForm):
    """The form, and the field that is to be filled in next."""

    focus: str = ""

    @property
    def aggregates(self) -> list[str]:
        """The beginnings of the names of each aggregate's fields: `a0.`, `a1.`."""
        return [f"a{at}." for at in range(_count(self.values))]


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
    values = {key: shown(own.get(key)) for key in DAYS}
    scrub = own.get("scrub", {})
    values[STRIP] = _ON if "scrub" in own else ""
    values[STRIPPED_DAYS] = shown(scrub.get("keep_days"))
    for name in CAPSULE:
        values[f"capsule.{name}"] = _ON if name in scrub.get("capsule", ()) else ""
    for way in (KEEP, HASH, BUCKET, DROP):
        for name in scrub.get(way, ()):
            values[f"how:{pointer_of(name)}"] = way
    for name, bucket in scrub.get(BUCKET, {}).items():
        values[f"bucket:{pointer_of(name)}"] = shown(bucket)
    for at, table in enumerate(own.get("aggregate", ())):
        values |= {f"a{at}.{key}": text for key, text in _aggregate_values(table).items()}
    return Form(values, document=own)


def of_request(
    sent: Mapping[str, str], own: Mapping[str, Any], leaves: Sequence[Leaf], check: Check
) -> Form:
    """Return what somebody sent, checked as the governance folder is.

    `own` is the document it changes: what the form does not know, an extension, stays as it is.
    """
    values = {name: text.strip() for name, text in sent.items()}
    document = dict(own)
    for key in DAYS:
        _put(document, key, number(values.get(key, ""), WHOLE))
    _put(document, "scrub", _scrub(values, own, leaves) if values.get(STRIP) == _ON else "")
    found = {at: _aggregate(values, at) for at in Form(values).aggregates}
    tables = {at: table for at, table in found.items() if table}
    _put(document, "aggregate", list(tables.values()) or "")
    document = in_order(document, own)
    problems = _too_many(tables, own.get("aggregate", ()))
    for at, text in check(document) if not problems else ():
        add_problem(problems, _field(at, document, list(tables)), text)
    return Form(values, problems, document)


def pressed(sent: Mapping[str, str], act: str) -> Form:
    """Return the form after a button that adds an aggregate (`add`) or removes one (`remove:0`)."""
    values = dict(sent)
    count = _count(values)
    if act == "add" and count >= _MOST_AGGREGATES:
        return Form(values, {"add": [_no_more()]})
    if act == "add":
        name = f"a{count}.name"
        return Form(values | {name: ""}, focus=name)
    gone = act.removeprefix("remove:")
    if act != gone and re.fullmatch(r"\d{1,5}", gone, re.ASCII) and int(gone) < count:
        rows = {}
        for name, text in values.items():
            place = _OF_AGGREGATE.fullmatch(name)
            at = int(place[1]) if place is not None else -1
            if place is not None and at > int(gone):
                name = f"a{at - 1}.{place[2]}"
            if at != int(gone):
                rows[name] = text
        return Form(rows, focus="add")
    return Form(values)


def _count(values: Mapping[str, str]) -> int:
    """Return how many aggregates there are: the form has a name for each, if only an empty one."""
    return next(at for at in itertools.count() if f"a{at}.name" not in values)


def _too_many(
    tables: Mapping[str, Mapping[str, Any]], old: Sequence[Mapping[str, Any]]
) -> dict[str, list[str]]:
    """Return what is wrong where more was sent than is checked; nothing is cut off in silence."""
    problems: dict[str, list[str]] = {}
    if len(tables) > max(_MOST_AGGREGATES, len(old)):
        add_problem(problems, "add", _no_more())
    most = max([_MOST_NAMES, *(len(one.get(key, ())) for one in old for key in LISTS)])
    for at, table in tables.items():
        for key in LISTS:
            if len(table.get(key, ())) > most:
                text = f"`{key}` lists {grouped(len(table[key]))} fields; at most {most} are taken"
                add_problem(problems, f"{at}{key}", text)
    return problems


def _no_more() -> str:
    return f"at most {_MOST_AGGREGATES} aggregates can be made here"


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
        spelled.get(p, field_of(p)): number(values.get(f"bucket:{p}", ""), own_form.NUMBER)
        for p in order
        if chosen.get(p) == BUCKET
    }
    _put(found, BUCKET, buckets or "")
    old_capsule = [name for name in old.get("capsule", ()) if values.get(f"capsule.{name}") == _ON]
    capsule = [name for name in CAPSULE if values.get(f"capsule.{name}") == _ON]
    _put(found, "capsule", list(dict.fromkeys([*old_capsule, *capsule])) or "")
    _put(found, "keep_days", number(values.get(STRIPPED_DAYS, ""), WHOLE))
    return in_order(found, old)


def _aggregate(values: Mapping[str, str], at: str) -> dict[str, Any]:
    """Return one aggregate; empty where nothing was entered."""
    found: dict[str, Any] = {"name": values.get(f"{at}name", ""), "per": "day"}
    # Ticked ones stay in the order in which they stood, for another order is another aggregate.
    order = dict.fromkeys([*values.get(f"{at}{_ORDER}", "").split(), *GROUPS])
    _put(found, "capsule", [g for g in order if values.get(f"{at}capsule.{g}") == _ON] or "")
    for key in LISTS:
        lines = re.split(r"[\n,]", values.get(f"{at}{key}", ""))
        _put(found, key, [n for line in lines if (n := line.strip())] or "")
    _put(found, "min_cell", number(values.get(f"{at}min_cell", ""), WHOLE))
    if not found["name"]:
        del found["name"]
    return {} if found.keys() == {"per"} else found


def _aggregate_values(table: Mapping[str, Any]) -> dict[str, str]:
    values = {"name": str(table.get("name", "")), "min_cell": shown(table.get("min_cell"))}
    values |= {f"capsule.{g}": _ON for g in table.get("capsule", ())}
    values[_ORDER] = " ".join(table.get("capsule", ()))
    return values | {key: "\n".join(table.get(key, ())) for key in LISTS}


def _put(table: dict[str, Any], key: str, value: Any) -> None:
    """Put a value that was entered; "" takes the key away."""
    table.pop(key, None)
    if value != "":
        table[key] = value


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
