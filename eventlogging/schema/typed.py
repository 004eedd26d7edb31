"""What a schema document says of types, as a small tree that code can be generated from.

It says less than the document: what types cannot say (bounds, patterns, conditions) is kept as
words for people, and the collector judges. References are followed; objects get names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from eventlogging.schema.draft import draft_of
from eventlogging.schema.identifiers import camel, one_line
from eventlogging.schema.walk import OLD_DRAFTS, Tokens, follow, tokens_of

_MOST_NODES = 3_000  # of the tree; references may multiply without end
_DEEPEST = 12


@dataclass(frozen=True)
class Plain:
    """A value of one JSON type."""

    kind: Literal["string", "integer", "number", "boolean", "null"]


@dataclass(frozen=True)
class Anything:
    """Any value."""


@dataclass(frozen=True)
class OneOf:
    """One of the values listed; none of them is an array or an object."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Items:
    """An array of items of one type."""

    of: Type


@dataclass(frozen=True)
class Mapped:
    """An object with fields of any name, their values of one type."""

    to: Type


@dataclass(frozen=True)
class Either:
    """One of several types."""

    options: tuple[Type, ...]


@dataclass(frozen=True)
class Named:
    """An object that is described by the record of this name."""

    name: str


Type = Plain | Anything | OneOf | Items | Mapped | Either | Named


@dataclass(frozen=True)
class Field:
    """A declared field; `notes` are lines for people, without control characters."""

    key: str
    type: Type
    required: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Record:
    """An object with declared fields; `name` is an identifier, the first record's is the event's.

    `open`: the schema says that other fields may be sent as well. Where it says nothing, one that
    is not declared is more likely a slip.
    """

    name: str
    fields: tuple[Field, ...]
    notes: tuple[str, ...]
    open: bool


def records(
    document: Mapping[str, Any], name: str, privacy: Mapping[str, str] | None = None
) -> list[Record]:
    """Return the records of a checked document that stands alone, the event's first.

    `name` is the schema's; `privacy` maps pointers to `hmac` or `drop`.
    """
    reader = _Reader(document, privacy or {})
    reader.named(document, f"{camel(name)}Event", ())
    return [reader.found[key] for key in reader.order]


class _Reader:
    """Reads a document once; each object schema becomes one record, wherever it is met."""

    def __init__(self, root: Mapping[str, Any], privacy: Mapping[str, str]) -> None:
        self._root = root
        self._ref_is_alone = draft_of(root) in OLD_DRAFTS
        self._privacy = {tokens_of(place): rule for place, rule in privacy.items()}
        self._names: dict[int, str] = {}
        self._taken: set[str] = set()
        self._nodes = 0
        self.found: dict[str, Record] = {}
        self.order: list[str] = []

    def named(self, schema: Mapping[str, Any], wanted: str, place: Tokens) -> Named:
        """Return the name of an object schema's record, which is made when first met."""
        known = self._names.get(id(schema))
        if known is not None:
            return Named(known)
        name, number = wanted[:100], 2
        while name.casefold() in self._taken:
            name, number = f"{wanted[:100]}{number}", number + 1
        self._taken.add(name.casefold())
        self._names[id(schema)] = name
        self.order.append(name)
        parts = list(self._parts(schema))
        required = {key for part in parts for key in _texts(part.get("required"))}
        members: dict[str, Any] = {}
        for part in parts:
            properties = part.get("properties")
            for key, member in properties.items() if isinstance(properties, Mapping) else ():
                if member is not False:
                    members.setdefault(key, member)
        fields = tuple(
            self._field(key, member, f"{name}{camel(key)}", (*place, key), key in required)
            for key, member in members.items()
        )
        rest = [part.get("additionalProperties") for part in parts]
        is_open = any(said is True or isinstance(said, Mapping) for said in rest)
        notes = _lines(one_line(part.get("description") or part.get("title")) for part in parts[:1])
        self.found[name] = Record(name, fields, notes, is_open)
        return Named(name)

    def _field(self, key: str, schema: Any, wanted: str, place: Tokens, required: bool) -> Field:
        notes = []
        if isinstance(schema, Mapping):
            parts = list(self._parts(schema))
            words = [one_line(part.get("description") or part.get("title")) for part in parts]
            notes += [next(filter(None, words), ""), "; ".join(_bounds(parts))]
        rule = self._privacy.get(place)
        notes.append({"hmac": "Stored as a hash.", "drop": "Not stored."}.get(rule or "", ""))
        return Field(key, self._type(schema, wanted, place, 0), required, _lines(notes))

    def _type(self, schema: Any, wanted: str, place: Tokens, depth: int) -> Type:
        self._nodes += 1
        if not isinstance(schema, Mapping) or depth > _DEEPEST or self._nodes > _MOST_NODES:
            return Anything()
        target = self._target(schema)
        if target is not schema:  # so that a definition is one record, whoever refers to it
            return self._type(target, wanted, place, depth + 1)
        parts = list(self._parts(schema))
        for part in parts:
            if "const" in part:
                return _one_of([part["const"]])
            if isinstance(part.get("enum"), Sequence):
                return _one_of(part["enum"])
        kinds = next((part["type"] for part in parts if "type" in part), None)
        if kinds is None:
            return self._untyped(schema, parts, wanted, place, depth)
        names = [kinds] if isinstance(kinds, str) else list(_texts(kinds))
        if "number" in names:
            names = [name for name in names if name != "integer"]
        options = [self._of_kind(kind, schema, parts, wanted, place, depth) for kind in names]
        return _either(options)

    def _untyped(
        self,
        schema: Mapping[str, Any],
        parts: list[Mapping[str, Any]],
        wanted: str,
        place: Tokens,
        depth: int,
    ) -> Type:
        for part in parts:
            for word in ("anyOf", "oneOf"):
                options = part.get(word)
                if isinstance(options, list) and options:
                    return _either(
                        [
                            self._type(option, f"{wanted}{number}", place, depth + 1)
                            for number, option in enumerate(options, 1)
                        ]
                    )
        if any("properties" in part for part in parts):
            return self.named(schema, wanted, place)
        return Anything()

    def _of_kind(
        self,
        kind: str,
        schema: Mapping[str, Any],
        parts: list[Mapping[str, Any]],
        wanted: str,
        place: Tokens,
        depth: int,
    ) -> Type:
        if kind == "array":
            items = next((part["items"] for part in parts if "items" in part), None)
            first = any("prefixItems" in part for part in parts)
            if not isinstance(items, Mapping) or first:
                return Items(Anything())
            return Items(self._type(items, f"{wanted}Item", (*place, "*"), depth + 1))
        if kind == "object":
            if any(part.get("properties") for part in parts):
                return self.named(schema, wanted, place)
            word = "additionalProperties"
            rest = next((part[word] for part in parts if word in part), True)
            return Mapped(self._type(rest, f"{wanted}Value", (*place, "*"), depth + 1))
        if kind in ("string", "integer", "number", "boolean", "null"):
            return Plain(kind)  # type: ignore[arg-type]  # one of those just listed
        return Anything()

    def _target(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what a schema that is a reference and no more leads to."""
        met: set[int] = set()
        while isinstance(schema.get("$ref"), str) and id(schema) not in met:
            met.add(id(schema))
            if not self._ref_is_alone and set(schema) - {
                "$ref",
                "description",
                "title",
                "$comment",
            }:
                break
            found = follow(self._root, schema["$ref"])[1] if schema["$ref"][:1] == "#" else None
            if not isinstance(found, Mapping):
                return {}
            schema = found
        return schema

    def _parts(self, schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Yield the schema and what its `$ref` and `allOf` add to it, each once."""
        met: set[int] = set()
        waiting: list[Any] = [schema]
        while waiting:
            part = waiting.pop(0)
            if not isinstance(part, Mapping) or id(part) in met:
                continue
            met.add(id(part))
            self._nodes += 1
            if self._nodes > 2 * _MOST_NODES and len(met) > 1:
                return
            reference = part.get("$ref")
            if isinstance(reference, str) and reference[:1] == "#":
                waiting.append(follow(self._root, reference)[1])
                if self._ref_is_alone:
                    continue
            yield part
            members = part.get("allOf")
            if isinstance(members, list):
                waiting += members


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))


def _lines(texts: Any) -> tuple[str, ...]:
    return tuple(text for text in texts if text)


def _one_of(values: Sequence[Any]) -> Type:
    scalars = [value for value in values if not isinstance(value, dict | list)]
    if len(scalars) < len(values):
        return Anything()
    unique = {(type(value), value): value for value in scalars}
    return OneOf(tuple(unique.values())) if unique else Anything()


def _either(options: Sequence[Type]) -> Type:
    flat: dict[str, Type] = {}  # by what is seen of them: 1 and true are equal, yet differ
    for option in options:
        for inner in option.options if isinstance(option, Either) else (option,):
            flat[repr(inner)] = inner
    found = tuple(flat.values())
    if not found or any(isinstance(option, Anything) for option in found):
        return Anything()
    return found[0] if len(found) == 1 else Either(found)


def _bounds(parts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what types do not say of a value, in words."""
    rules: dict[str, Any] = {}
    for part in parts:
        for word in _BOUNDS:
            if word in part:
                rules.setdefault(word, part[word])
        kinds = part.get("type")
        if kinds == "integer" or (isinstance(kinds, list) and "integer" in kinds):
            rules.setdefault("integer", "")
    for word, say in _BOUNDS.items():
        value = rules.get(word)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            yield say.format(one_line(str(value), 120))


_BOUNDS = {
    "integer": "a whole number",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "above {}",
    "exclusiveMaximum": "below {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "format": "format {}",
    "pattern": "pattern {}",
}
