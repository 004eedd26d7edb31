"""Which columns the payload of a schema gets: named, typed, and fitted into one row.

Columns that exist keep name, kind and place for ever; a minor version appends new ones
after them, and may lengthen a VARCHAR where that is instant (`can_hold`). The plan never
decides what is valid: what a column cannot hold exactly is kept in `event_more`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eventlogging.schema.columns import Column, ColumnPlan, Kind
from eventlogging.schema.draft import draft_of
from eventlogging.schema.room import fit
from eventlogging.schema.walk import OLD_DRAFTS, Tokens, follow, pointer, tokens_of, whole

MAX_NAME = 64
MAX_VARCHAR = 255  # characters; longer texts are TEXT
HMAC_LENGTH = 64
_RESERVED = frozenset({"event_more"})
_MAX_LEAVES = 5000  # beyond it, objects are kept whole; a table holds far fewer anyway
_UNSAFE = re.compile(r"[^A-Za-z0-9_]", re.ASCII)


@dataclass(frozen=True, slots=True)
class PlanChange:
    """What a table needs to follow a plan: columns to add, columns to lengthen (new form)."""

    added: tuple[Column, ...] = ()
    widened: tuple[Column, ...] = ()


def plan_columns(
    document: Mapping[str, Any],
    privacy: Mapping[str, str] | None = None,
    existing: Sequence[Column] = (),
) -> ColumnPlan:
    """Return the columns of a checked document that stands alone.

    `privacy` maps pointers into the payload to `hmac` or `drop`. `existing` are the columns
    the table has: they come first, unchanged but for a VARCHAR that may be lengthened; a
    field at, above or below one of them gets no second column.
    """
    wanted = wanted_columns(document, privacy or {})
    by_pointer = {column.pointer: column for column in wanted}
    kept = [_widened(column, by_pointer.get(column.pointer)) for column in existing]
    held = {tokens_of(column.pointer) for column in existing}
    around = {place[:length] for place in held for length in range(len(place) + 1)}
    names = {column.name.casefold() for column in existing} | _RESERVED
    fresh = []
    for column in wanted:
        place = tokens_of(column.pointer)
        if place in around or any(place[:length] in held for length in range(len(place))):
            continue
        name = _free_name(place, column.pointer, names)
        names.add(name.casefold())
        fresh.append(replace(column, name=name))
    return fit(kept, fresh)


def plan_change(existing: Sequence[Column], plan: ColumnPlan) -> PlanChange:
    """Return what to add and what to lengthen so that a table with `existing` follows `plan`."""
    lengths = {column.pointer: column.length for column in existing}
    return PlanChange(
        added=tuple(column for column in plan.columns if column.pointer not in lengths),
        widened=tuple(
            column
            for column in plan.columns
            if column.pointer in lengths and column.length != lengths[column.pointer]
        ),
    )


def unholdable(
    document: Mapping[str, Any], privacy: Mapping[str, str], existing: Sequence[Column]
) -> list[tuple[Column, Column]]:
    """Return (existing, wanted) for each field whose column cannot serve: a major is due."""
    wanted = {column.pointer: column for column in wanted_columns(document, privacy)}
    return [
        (column, wanted[column.pointer])
        for column in existing
        if column.pointer in wanted and not can_hold(column, wanted[column.pointer])
    ]


def can_hold(existing: Column, wanted: Column) -> bool:
    """Whether a column may serve a field of a new minor version, instantly.

    The same kind does; a VARCHAR may grow while its length prefix keeps its size (one byte
    up to 255 bytes, that is 63 characters of utf8mb4; two beyond). TEXT serves a bounded
    text, DOUBLE an integer, JSON anything.
    """
    if existing.kind is Kind.VARCHAR and wanted.kind is Kind.VARCHAR:
        have, need = existing.length or 0, wanted.length or 0
        if need <= have:
            return True
        return need <= MAX_VARCHAR and (4 * have <= 255) == (4 * need <= 255)
    return (
        existing.kind is wanted.kind
        or existing.kind is Kind.JSON
        or (existing.kind, wanted.kind) in ((Kind.TEXT, Kind.VARCHAR), (Kind.DOUBLE, Kind.BIGINT))
    )


def _widened(column: Column, wanted: Column | None) -> Column:
    if (
        wanted is not None
        and column.kind is wanted.kind is Kind.VARCHAR
        and (wanted.length or 0) > (column.length or 0)
        and can_hold(column, wanted)
    ):
        return replace(column, length=wanted.length)
    return column


def wanted_columns(document: Mapping[str, Any], privacy: Mapping[str, str]) -> list[Column]:
    """Return a column (as yet without a name) for each field that a document declares."""
    leaves = _Leaves(document, draft_of(document) or "", privacy)
    return list(leaves.below(document, (), frozenset()))


class _Leaves:
    """The walk over declared fields; it follows local references, but none into itself."""

    def __init__(self, root: Mapping[str, Any], draft: str, privacy: Mapping[str, str]) -> None:
        self.root = root
        self.draft = draft
        self.privacy = {tokens_of(place): rule for place, rule in privacy.items()}
        self.count = 0

    def below(self, schema: Any, place: Tokens, above: frozenset[int]) -> Iterator[Column]:
        """Yield the columns of an object's properties. `above` holds the objects around it."""
        view, inside = self.seen(schema, above)
        for key, sub in view.get("properties", {}).items():
            yield from self.field(sub, (*place, key), inside)

    def field(self, schema: Any, place: Tokens, above: frozenset[int]) -> Iterator[Column]:
        rule = self.privacy.get(place)
        if rule == "drop":
            return
        if rule == "hmac":
            yield Column(pointer(place), "", Kind.VARCHAR, HMAC_LENGTH)
            return
        view, inside = self.seen(schema, above)
        properties = view.get("properties")
        if (
            _types(view) == {"object"}
            and isinstance(properties, dict)
            and properties
            and inside != above
            and self.count < _MAX_LEAVES
        ):
            yield from self.below(schema, place, above)
            return
        self.count += 1
        kind, length = _kind(view)
        yield Column(pointer(place), "", kind, length)

    def seen(self, schema: Any, above: frozenset[int]) -> tuple[Mapping[str, Any], frozenset[int]]:
        """Return (the schema with its references followed, `above` with what was met).

        `above` comes back unchanged where the schema leads into itself.
        """
        view: dict[str, Any] = {}
        met = set(above)
        while isinstance(schema, dict):
            if id(schema) in met:
                return {}, above
            met.add(id(schema))
            reference = schema.get("$ref")
            if isinstance(reference, str) and self.draft in OLD_DRAFTS:
                siblings: dict[str, Any] = {}
            else:
                siblings = {key: value for key, value in schema.items() if key != "$ref"}
            view = {**siblings, **view}
            only = schema.get("allOf")
            if isinstance(reference, str) and reference.startswith("#"):
                schema = follow(self.root, reference)[1]
            elif isinstance(only, list) and len(only) == 1 and "type" not in view:
                schema = only[0]
            else:
                break
        return view, frozenset(met)


def _types(schema: Mapping[str, Any]) -> set[str]:
    declared = schema.get("type")
    types = {declared} if isinstance(declared, str) else set(declared or ())
    if not types:
        options = schema["enum"] if isinstance(schema.get("enum"), list) else []
        if "const" in schema:
            options = [schema["const"]]
        types = {_NAMES.get(type(option), "other") for option in options}
    return types - {"null"}


_NAMES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


def _kind(schema: Mapping[str, Any]) -> tuple[Kind, int | None]:
    types = _types(schema)
    if types == {"boolean"}:
        return Kind.BOOLEAN, None
    if types == {"integer"}:
        return Kind.BIGINT, None
    if types in ({"number"}, {"integer", "number"}):
        return Kind.DOUBLE, None
    if types != {"string"}:
        return Kind.JSON, None
    if schema.get("format") == "date-time":
        return Kind.DATETIME, None
    options = schema["enum"] if isinstance(schema.get("enum"), list) else []
    if "const" in schema:
        options = [schema["const"]]
    texts = [option for option in options if isinstance(option, str)]
    if texts and max(map(len, texts)) <= MAX_VARCHAR:
        return Kind.VARCHAR, MAX_VARCHAR
    longest = whole(schema.get("maxLength"))
    if longest is not None and longest <= MAX_VARCHAR:
        return Kind.VARCHAR, max(longest, 1)
    return Kind.TEXT, None


def _free_name(place: Tokens, field: str, taken: set[str]) -> str:
    """Return `event_<path joined with _>`, or that with a hash where it is long or taken."""
    plain = "event_" + "_".join(_UNSAFE.sub("_", key) for key in place)
    if len(plain) <= MAX_NAME and plain.casefold() not in taken:
        return plain
    digest = hashlib.sha256(field.encode("utf-8")).hexdigest()
    for length in range(8, len(digest), 8):
        name = f"{plain[: MAX_NAME - length - 1]}_{digest[:length]}"
        if name.casefold() not in taken:
            return name
    raise AssertionError("two fields share one pointer")
