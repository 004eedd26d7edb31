"""A schema's fields in plain words, for people who know nothing of JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventlogging.governance.fields import overlap, subschemas
from eventlogging.ledger.sentence import grouped
from eventlogging.registry.model import RegisteredSchema
from eventlogging.schema.walk import escape, tokens_of, whole

MOST_FIELDS = 200
_MOST_DEEP = 8
_MOST_VERSIONS = 20  # the newest ones
_MOST_VALUES, _VALUE_CHARS = 6, 40
_TEXT_CHARS = 500
_TYPES: Mapping[str, str] = {
    "string": "text", "integer": "whole number", "number": "number", "boolean": "yes or no",
    "object": "group", "array": "list", "null": "nothing",
}  # fmt: skip
_MANY: Mapping[str, str] = {
    "text": "texts", "whole number": "whole numbers", "number": "numbers", "group": "groups",
    "list": "lists", "date and time": "dates and times", "yes or no": "answers yes or no",
}  # fmt: skip
_FORMATS: Mapping[str, str] = {
    "date-time": "date and time", "date": "date", "time": "time of day", "duration": "duration",
    "email": "e-mail address", "idn-email": "e-mail address", "ipv4": "IP address",
    "ipv6": "IP address", "uri": "web address", "uri-reference": "web address",
    "iri": "web address", "hostname": "name of a site", "uuid": "identifier",
}  # fmt: skip

Nodes = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class FieldWords:
    """One field. `private`: hmac, drop, `inside` where that is so of a part of it, or empty.

    `is_old`: only versions before the latest have it.
    """

    pointer: str
    name: str
    text: str
    kind: str
    required: bool
    private: str
    is_old: bool = False

    @property
    def private_words(self) -> str:
        """How it is protected, in words; empty where it is stored as it is sent."""
        return {
            "hmac": "stored as a hash",
            "drop": "never stored",
            "inside": "parts of it are hashed or never stored",
        }.get(self.private, "")


@dataclass(frozen=True)
class Fields:
    """The fields of all versions, the latest first; `more` are left out.

    `is_open`: senders may add fields that nobody described, and these are stored too.
    """

    fields: tuple[FieldWords, ...]
    more: int
    is_open: bool


def fields_of(schema: RegisteredSchema) -> Fields:
    """Return what a schema's events hold, in words."""
    every = [version.document for version in schema.versions.values()][::-1]
    latest = schema.versions[schema.latest].document
    documents = [latest, *(one for one in every if one is not latest)][:_MOST_VERSIONS]
    found: dict[str, FieldWords] = {}
    is_open = False
    for document in documents:
        walker = _Walker(document, schema.privacy, is_old=document is not latest)
        for one in walker.below("", [document], True):
            found.setdefault(one.pointer, one)
        is_open = is_open or walker.is_open
    for pointer, how in schema.privacy.items():
        if pointer not in found and not any(overlap(pointer, other) for other in found):
            found[pointer] = FieldWords(pointer, _name(pointer), "", "", False, how)
    fields = tuple(found.values())
    return Fields(fields[:MOST_FIELDS], max(0, len(fields) - MOST_FIELDS), is_open)


class _Walker:
    """Goes through one document, outermost fields first."""

    def __init__(
        self, document: Mapping[str, Any], privacy: Mapping[str, str], *, is_old: bool
    ) -> None:
        self.is_open = False
        self._document = document
        self._privacy = privacy
        self._is_old = is_old
        self._left = 2 * MOST_FIELDS

    def below(
        self, above: str, nodes: Nodes, required: bool, seen: frozenset[int] = frozenset()
    ) -> Iterator[FieldWords]:
        """Yield the fields within a place; a schema that holds itself is entered once."""
        together = subschemas(self._document, above)
        named = dict.fromkeys(name for one in together for name in _properties(one))
        if not _are_closed(nodes[:1]) and not _are_closed([n for n in together if _properties(n)]):
            self.is_open = True
        needed = {name for one in nodes[:1] for name in _required(one)}
        for name in named:
            pointer = f"{above}/{escape(name)}"
            yield from self._at(pointer, required and name in needed, seen)

    def _at(self, pointer: str, required: bool, seen: frozenset[int]) -> Iterator[FieldWords]:
        self._left -= 1
        if self._left < 0:
            return
        nodes = subschemas(self._document, pointer)
        private = _private(self._privacy, pointer)
        yield FieldWords(
            pointer, _name(pointer), _text(nodes), kind_words(nodes, self._items(pointer)),
            required, private, self._is_old,
        )  # fmt: skip
        mine = frozenset(id(one) for one in nodes if _properties(one) or "items" in one)
        if private == "drop" or mine & seen or len(tokens_of(pointer)) >= _MOST_DEEP:
            return
        if any(_properties(one) for one in nodes):
            yield from self.below(pointer, nodes, required, seen | mine)
        elif any(_properties(one) for one in self._items(pointer)):
            yield from self.below(f"{pointer}/*", self._items(pointer), required, seen | mine)

    def _items(self, pointer: str) -> Nodes:
        return subschemas(self._document, f"{pointer}/*")


def kind_words(nodes: Nodes, items: Nodes = ()) -> str:
    """Return what kind of value the field has: `whole number`, `one of “view”, “save”`."""
    if values := _values(nodes):
        shown = [_value(one) for one in values[:_MOST_VALUES]]
        more = len(values) - len(shown)
        start = "always " if len(values) == 1 else "one of "
        return start + ", ".join(shown) + (f" and {grouped(more)} more" if more else "")
    kinds = dict.fromkeys(_kinds(nodes))
    if "group" in kinds and not any(_properties(one) for one in nodes):
        kinds = {("values under any names" if kind == "group" else kind): None for kind in kinds}
    if "list" in kinds:
        of = dict.fromkeys(_kinds(items))
        kinds = {(_list_of(of) if kind == "list" else kind): None for kind in kinds}
    empty = kinds.pop("nothing", "") is None
    said = " or ".join(kinds) or "anything"
    bounds = [whole(one["maxLength"]) for one in nodes if "maxLength" in one]
    if said == "text" and (longest := max((b for b in bounds if b), default=0)):
        said = f"text of at most {grouped(longest)} characters"
    return f"{said}, or nothing" if empty else said


def _kinds(nodes: Nodes) -> Iterator[str]:
    formats = [str(one["format"]) for one in nodes if "format" in one]
    for one in nodes:
        stated = one.get("type")
        for kind in stated if isinstance(stated, list) else [stated]:
            words = _TYPES.get(str(kind))
            if words == "text":
                words = next((_FORMATS[name] for name in formats if name in _FORMATS), words)
            if words:
                yield words


def _list_of(kinds: Mapping[str, None]) -> str:
    kinds = {kind: None for kind in kinds if kind != "nothing"}
    words = next(iter(kinds), "")
    return f"list of {_MANY.get(words, f'{words}s')}" if len(kinds) == 1 else "list"


def _values(nodes: Nodes) -> list[Any]:
    found: list[Any] = []
    for one in nodes:
        listed = one.get("enum", [one["const"]] if "const" in one else [])
        found += [value for value in listed if value is not None and value not in found]
    return found


def _value(value: Any) -> str:
    text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    text = text if len(text) <= _VALUE_CHARS else text[: _VALUE_CHARS - 1] + "…"
    return f"“{text}”" if isinstance(value, str) else text


def _text(nodes: Nodes) -> str:
    said = [str(one.get("description") or one.get("title") or "") for one in nodes]
    text = next((one for one in said if one), "")
    return text if len(text) <= _TEXT_CHARS else text[: _TEXT_CHARS - 1] + "…"


def _properties(node: Mapping[str, Any]) -> Iterable[str]:
    found = node.get("properties")
    return found if isinstance(found, Mapping) else ()


def _required(node: Mapping[str, Any]) -> Iterable[str]:
    found = node.get("required")
    return found if isinstance(found, list) else ()


def _are_closed(nodes: Nodes) -> bool:
    words = ("additionalProperties", "unevaluatedProperties")
    return bool(nodes) and all(any(one.get(word) is False for word in words) for one in nodes)


def _private(privacy: Mapping[str, str], pointer: str) -> str:
    found = ""
    for other, how in privacy.items():
        if not overlap(pointer, other):
            continue
        if other.count("/") <= pointer.count("/"):
            return how
        found = "inside"
    return found


def _name(pointer: str) -> str:
    """Return `timing.start`, or `resources[].name` for each of several."""
    text = ""
    for step in tokens_of(pointer):
        text += "[]" if step == "*" else f".{step}" if text else step
    return text
