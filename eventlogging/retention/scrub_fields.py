"""What remains of a payload that is stripped: the columns it gets, and how it is cut down.

Only what a rule lists goes into the new payload; nothing is taken out of the old one. So what
nobody thought of cannot remain, wherever it stands.

A kept field keeps the columns that the table of events has for it. Any other field has one
column, whose name begins with what was done to it: `hash_uid`, `bucket_loadEventEnd`,
`time_when`, `browser_agent`. Another treatment means another column, so that a column holds
one kind of value for ever.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

from eventlogging.errors import EventLoggingError
from eventlogging.governance.fields import overlap
from eventlogging.retention.buckets import BROWSER, TIMES, browser_of, cut_time, floor_to
from eventlogging.retention.epochs import HASH_LENGTH, EpochKey
from eventlogging.retention.policy import Kept, Scrub
from eventlogging.schema.columns import Column, ColumnPlan, Kind
from eventlogging.schema.plan import MAX_NAME
from eventlogging.schema.room import fit
from eventlogging.schema.walk import pointer, tokens_of

# What a payload raises that nobody can read, cut or write.
UNREADABLE = (TypeError, ValueError, ArithmeticError, RecursionError)
_GONE: Any = object()
_ITEMS = "*"
_UNSAFE = re.compile(r"[^A-Za-z0-9_]", re.ASCII)
_PREFIX = "event_"
_DIGEST = 8

# What becomes of a value; `_GONE` where nothing of it may remain.
Leaf = Callable[[Any, EpochKey], Any]
_Tree = dict[str, Any]  # key → what becomes of the field, or the tree of an object or array


class ScrubRefused(EventLoggingError):
    """Raised when a rule would leave more of an event than it may; nothing is stripped."""


@dataclass(frozen=True)
class Stripping:
    """How the payloads of one table are stripped.

    `sources` are the columns of the table of events that are needed for it, `plan` says which
    columns the result has. `names` are those that it has or may once have had: all others are
    explained by nothing. `changes_inside`: something is taken out of the value of a column.
    """

    plan: ColumnPlan
    sources: tuple[Column, ...]
    names: frozenset[str]
    changes_inside: bool
    tree: _Tree = field(repr=False)

    def strip(self, payload: dict[str, Any], key: EpochKey) -> dict[str, Any]:
        """Return a new payload with what may remain; nothing else of the old one is in it."""
        found = _pick(payload, self.tree, key)
        return {} if found is _GONE else found


def stripping(scrub: Scrub, privacy: Mapping[str, str], plan: ColumnPlan) -> Stripping:
    """Return how payloads of a table with the columns of `plan` are stripped.

    `privacy` maps pointers to `hmac` or `drop`. Raises ScrubRefused where a private field would
    remain, or where two fields of the rule contain each other.
    """
    refuse(scrub, privacy)
    tree: _Tree = {}
    for kept in scrub.fields:
        _put(tree, kept)
    standing: dict[str, Column] = {}
    fresh: dict[str, Column] = {}
    for kept in scrub.fields:
        own, is_standing = _columns(kept, plan.columns)
        (standing if is_standing else fresh).update({one.pointer: one for one in own})
    order = {column.pointer: index for index, column in enumerate(plan.columns)}
    columns = sorted(standing.values(), key=lambda one: order[one.pointer])
    # A field that has a column in the table of events now may have had none when the first
    # events were stripped, and another name then.
    former = chain.from_iterable(_columns(kept, ())[0] for kept in scrub.fields)
    return Stripping(
        plan=fit(columns, list(fresh.values())),
        sources=tuple(
            one
            for one in plan.columns
            if any(overlap(one.pointer, kept.pointer) for kept in scrub.fields)
        ),
        names=frozenset(one.name for one in chain(standing.values(), fresh.values(), former)),
        changes_inside=any(_ITEMS in tokens_of(kept.pointer) for kept in scrub.fields),
        tree=tree,
    )


def refuse(scrub: Scrub, privacy: Mapping[str, str]) -> None:
    """Raise ScrubRefused where a private field would remain without being hashed anew.

    Rules are checked when they are made; a field may have become private since.
    """
    for kept in scrub.fields:
        for private in privacy:
            if kept.how != "hash" and overlap(kept.pointer, private):
                raise ScrubRefused(
                    f"{kept.pointer} would remain of stripped events, and {private} is private; "
                    "take it out of [scrub], or put it into `scrub.hash`"
                )


def again(before: Sequence[Kept], now: Sequence[Kept]) -> _Tree:
    """Return how payloads that were stripped as `before` are cut down to what `now` leaves.

    Fields that are hashed or kept as before stay; those with another bucket are cut once more;
    all others go.
    """
    tree: _Tree = {}
    were = {(one.pointer, one.how, form(one)) for one in before}
    for kept in now:
        if (kept.pointer, kept.how, form(kept)) in were:
            is_cut = kept.how == "bucket" and kept.bucket != BROWSER
            _put(tree, kept, None if is_cut else _keep)
    return tree


def cut_down(payload: dict[str, Any], tree: _Tree, key: EpochKey) -> dict[str, Any]:
    """Return what a tree of `again` leaves of a payload."""
    found = _pick(payload, tree, key)
    return {} if found is _GONE else found


def form(kept: Kept) -> str:
    """Return which kind of value remains of a field: `event`, `hash`, `bucket`, `time` …"""
    if kept.how != "bucket":
        return "event" if kept.how == "keep" else kept.how
    if kept.bucket == BROWSER:
        return BROWSER
    return "time" if kept.bucket in TIMES else "bucket"


def place(text: str) -> str:
    """Return the pointer of the column that a field lives in: that of an item's outermost array."""
    tokens = tokens_of(text)
    return pointer(tokens[: tokens.index(_ITEMS)] if _ITEMS in tokens else tokens)


def _put(tree: _Tree, kept: Kept, leaf: Leaf | None = None) -> None:
    *above, last = tokens_of(kept.pointer)
    node = tree
    for token in above:
        node = node.setdefault(token, {})
        if callable(node):
            break
    # An array's items have no names, and what has names has no items.
    if callable(node) or last in node or (node and (_ITEMS in node or last == _ITEMS)):
        raise ScrubRefused(
            f"[scrub] names {kept.pointer} beside a field that holds it or that it holds; keep one"
        )
    node[last] = leaf or _leaf(kept)


def _pick(value: Any, node: Any, key: EpochKey) -> Any:
    if callable(node):
        return node(value, key)
    if type(value) is dict:
        found = {}
        for token, below in node.items():
            if token in value:
                # Most fields are kept as they are; asking here saves a call for each.
                inner = value[token] if below is _keep else _pick(value[token], below, key)
                if inner is not _GONE:
                    found[token] = inner
        return found or _GONE
    if type(value) is list and _ITEMS in node:
        items = [_pick(item, node[_ITEMS], key) for item in value]
        return [item for item in items if item is not _GONE] or _GONE
    return _GONE


def _leaf(kept: Kept) -> Leaf:
    if kept.how == "keep":
        return _keep
    if kept.how == "hash":
        return _hash
    if kept.bucket == BROWSER:
        return partial(_cut, browser_of)
    if kept.bucket in TIMES:
        return partial(_cut, partial(_time, str(kept.bucket)))
    if isinstance(kept.bucket, int | float):
        return partial(_cut, partial(_floor, kept.bucket))
    raise ScrubRefused(f"{kept.pointer} has the bucket {kept.bucket!r}, which is none")


def _keep(value: Any, key: EpochKey) -> Any:
    return value


def _hash(value: Any, key: EpochKey) -> Any:
    return None if value is None else key.hashed(value)


def _cut(how: Callable[[Any], Any], value: Any, key: EpochKey) -> Any:
    if value is None:
        return None
    found = how(value)
    return _GONE if found is None else found


def _time(part: str, value: Any) -> Any:
    return cut_time(value, part)


def _floor(width: float, value: Any) -> Any:
    return floor_to(value, width)


def _columns(kept: Kept, columns: Sequence[Column]) -> tuple[list[Column], bool]:
    """Return the columns of a field, and whether the table of events has just these."""
    where = tokens_of(place(kept.pointer))
    inside = [one for one in columns if tokens_of(one.pointer)[: len(where)] == where]
    if kept.how == "keep" and _ITEMS not in tokens_of(kept.pointer):
        if inside:
            return inside, True
        return [Column(kept.pointer, _fresh(kept.pointer), Kind.JSON)], False
    exact = next((one for one in inside if len(tokens_of(one.pointer)) == len(where)), None)
    name = exact.name if exact else _fresh(pointer(where))
    if _ITEMS in tokens_of(kept.pointer):
        if exact is not None and exact.kind is Kind.JSON:
            return [exact], True
        return [Column(pointer(where), _fresh(pointer(where)), Kind.JSON)], False
    name = _renamed(name, form(kept), kept.pointer)
    if form(kept) == "bucket":
        return [Column(kept.pointer, name, Kind.DOUBLE)], False
    return [Column(kept.pointer, name, Kind.VARCHAR, HASH_LENGTH)], False


def _renamed(name: str, prefix: str, field: str) -> str:
    plain = f"{prefix}_{name.removeprefix(_PREFIX)}"
    return plain if len(plain) <= MAX_NAME else _with_digest(plain, field)


def _fresh(field: str) -> str:
    """Return the name of a field that the table of events has no column for."""
    plain = _PREFIX + "_".join(_UNSAFE.sub("_", key) for key in tokens_of(field))
    return _with_digest(plain, field)


def _with_digest(plain: str, field: str) -> str:
    digest = hashlib.sha256(field.encode()).hexdigest()[:_DIGEST]
    return f"{plain[: MAX_NAME - _DIGEST - 1]}_{digest}"
