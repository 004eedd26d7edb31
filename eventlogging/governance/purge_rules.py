"""Check what purge/ says against the organisation's cap and against a schema's fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventlogging.governance import metaschema
from eventlogging.governance.fields import declares, field_names, overlap, subschemas
from eventlogging.governance.model import (
    DEFAULT_CAP_DAYS,
    DEFAULT_KEEP_DAYS,
    field_of,
    pointer_of,
)
from eventlogging.governance.problems import did_you_mean
from eventlogging.governance.syntax import KeyPath, dotted

Found = tuple[KeyPath, str]  # where in the document, and what is wrong there
_TREATMENTS = ("keep", "hash", "drop", "bucket")
_NUMBERS = ("sum", "quantiles")


@dataclass(frozen=True)
class Fields:
    """The fields of a schema: all its documents, and pointer → treatment of what is private."""

    schema: str
    documents: Sequence[Mapping[str, Any]]
    privacy: Mapping[str, str]

    def declares(self, pointer: str) -> bool:
        """Whether any version declares the field."""
        return any(declares(document, pointer) for document in self.documents)

    def types(self, pointer: str) -> set[str]:
        """Return the JSON types that the versions state; empty where none does.

        A version that states none is not looked at: it says nothing against a use.
        """
        found = [node for one in self.documents for node in subschemas(one, pointer)]
        types: set[str] = set()
        for node in found:
            stated = node.get("type", [])
            types.update([stated] if isinstance(stated, str) else stated)
        return types


def default_days(default: Mapping[str, Any]) -> dict[str, int]:
    """Return `keep_days` and `cap_days` in force, from what purge/default.toml holds."""
    days = {"keep_days": DEFAULT_KEEP_DAYS, "cap_days": DEFAULT_CAP_DAYS}
    return {key: default[key] if _number(default.get(key)) else days[key] for key in days}


def own_problems(
    value: Mapping[str, Any], default: Mapping[str, Any], fields: Fields
) -> Iterator[Found]:
    """Yield all that is wrong with a schema's own rule, as for purge/<Name>.toml."""
    found = list(metaschema.problems("purge_rule", value))
    yield from found
    if not found:
        yield from wrong_days(value, default_days(default))
        yield from wrong_names(value)
        yield from wrong_fields(value, fields)


def wrong_days(value: Mapping[str, Any], default: Mapping[str, int]) -> Iterator[Found]:
    """Yield the days that exceed the cap, or that contradict each other."""
    cap = default["cap_days"]
    extension, scrub = value.get("extension"), value.get("scrub")
    stated: list[tuple[KeyPath, Any]] = [
        ((key,), value.get(key)) for key in ("keep_days", "invalid_keep_days", "unsealed_keep_days")
    ]
    if isinstance(extension, dict):
        stated.append((("extension", "keep_days"), extension.get("keep_days")))
    for at, days in stated:
        if _number(days) and days > cap:
            yield at, f"`{dotted(at)}` is {days}; at most cap_days, which is {cap}, is right"
    keep = value.get("keep_days", default["keep_days"])
    for table, name in ((extension, "extension"), (scrub, "scrub")):
        days = table.get("keep_days") if isinstance(table, dict) else None
        if _number(days) and _number(keep) and days <= keep:
            text = f"`{name}.keep_days` is {days}; more than keep_days, which is {keep}, is right"
            yield (name, "keep_days"), text


def wrong_names(value: Mapping[str, Any]) -> Iterator[Found]:
    """Yield aggregates that share a name."""
    names: set[str] = set()
    for index, table in enumerate(_tables(value.get("aggregate"))):
        name = table.get("name")
        if isinstance(name, str) and name.casefold() in names:
            yield ("aggregate", index, "name"), f"two aggregates are named {name!r}; rename one"
        names.add(name.casefold() if isinstance(name, str) else "")


def wrong_fields(value: Mapping[str, Any], fields: Fields) -> Iterator[Found]:
    """Yield the named fields that do not exist, that stay private, or that cannot be so used."""
    treated = _Treated()
    for at, field, use in _named_fields(value):
        pointer = pointer_of(field)
        where = dotted(at[:-1])
        if not fields.declares(pointer):
            hint = did_you_mean(field, _names(fields))
            yield (
                at,
                f"`{where}` names {field!r}, which no version of {fields.schema} declares{hint}",
            )
        elif use == "bucket":
            yield from _wrong_bucket(at, field, value["scrub"]["bucket"][field], fields)
        yield from _wrong_privacy(at, field, use, fields)
        if use in _NUMBERS and not _may_be_number(fields, pointer):
            yield at, f"`{where}` names {field!r}, which is not a number; leave it out"
        if use in _TREATMENTS:
            for other, its_use in treated.beside(pointer, use):
                if pointer == other:
                    text = f"`{where}` names {field!r}, which `scrub.{its_use}` names too; keep one"
                else:
                    text = (
                        f"`{where}` names {field!r} beside {field_of(other)!r} of "
                        f"`scrub.{its_use}`, and one holds the other; keep one"
                    )
                yield at, text


class _Treated:
    """The fields that `scrub` named so far, to be found by what they hold and what holds them."""

    def __init__(self) -> None:
        self._named: dict[tuple[str, ...], tuple[str, str]] = {}
        self._above: dict[tuple[str, ...], tuple[str, str]] = {}

    def beside(self, pointer: str, use: str) -> list[tuple[str, str]]:
        """Return (pointer, use) of a field that is this one, holds it or lies in it; note it."""
        steps = tuple("*" if step.isdecimal() else step for step in pointer.split("/"))
        near = [self._named.get(steps[:n]) for n in range(1, len(steps) + 1)]
        found = [one for one in (*near, self._above.get(steps)) if one is not None]
        self._named.setdefault(steps, (pointer, use))
        for n in range(1, len(steps)):
            self._above.setdefault(steps[:n], (pointer, use))
        return [one for one in found if overlap(one[0], pointer)][:1]


def _wrong_privacy(at: KeyPath, field: str, use: str, fields: Fields) -> Iterator[Found]:
    where, pointer = dotted(at[:-1]), pointer_of(field)
    for other, treatment in fields.privacy.items():
        if not overlap(pointer, other):
            continue
        if use in ("hash", "distinct") and pointer == other and treatment == "hmac":
            continue  # hashed anew, or only counted: nobody is tied to it for longer
        if use == "drop":
            continue
        if use in ("hash", "distinct") and treatment == "drop":
            text = f"`{where}` names {field!r}, which is dropped before it is stored; leave it out"
        elif use in ("hash", "distinct"):
            text = f"`{where}` names {field!r}, which holds the private {other!r}; name that one"
        else:
            text = (
                f"`{where}` would keep {field!r}, which is private in schema.toml; "
                "leave it out, for a hash still ties one person's events together"
            )
            if use == "keep" and pointer == other and treatment == "hmac":
                text += ", or put it into `scrub.hash`, where it is hashed anew each month"
        yield at, text


def _wrong_bucket(at: KeyPath, field: str, bucket: Any, fields: Fields) -> Iterator[Found]:
    types = fields.types(pointer_of(field)) - {"null"}
    if _number(bucket) and types and not types <= {"integer", "number"}:
        yield at, f"`scrub.bucket` gives {field!r} a width, and it is not a number; leave it out"
    if isinstance(bucket, str) and types and not types <= {"string"}:
        yield at, f"`scrub.bucket` cuts {field!r} to {bucket!r}, and it is not a text; leave it out"


def _named_fields(value: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str, str]]:
    """Yield (place, field, use) of each field that the rule names."""
    places: list[tuple[KeyPath, Any]] = []
    scrub = value.get("scrub")
    if isinstance(scrub, dict):
        places += [(("scrub", use), scrub.get(use)) for use in _TREATMENTS]
    for index, table in enumerate(_tables(value.get("aggregate"))):
        for use in ("fields", *_NUMBERS, "distinct"):
            places.append((("aggregate", index, use), table.get(use)))
    for at, listed in places:
        if isinstance(listed, dict):
            yield from ((((*at, field)), field, str(at[-1])) for field in listed if field)
        for number, field in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(field, str) and field:
                yield (*at, number), field, str(at[-1])


def _names(fields: Fields) -> set[str]:
    return {name for document in fields.documents for name in field_names(document)}


def _may_be_number(fields: Fields, pointer: str) -> bool:
    if not fields.declares(pointer):
        return True  # told already
    types = fields.types(pointer)
    return bool(types) and types <= {"integer", "number", "null"}


def _tables(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else []
    return [item if isinstance(item, dict) else {} for item in items]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
