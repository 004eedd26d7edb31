"""The examples of a proposal as the form shows them, and a first one made from the fields."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventlogging.console.form_types import json_or_text, type_of
from eventlogging.console.schema_body import Unreadable, read_json

_ENDINGS = (".pass.json", ".fail.json")
_DEEPEST = 10


@dataclass(frozen=True)
class ExampleText:
    """One example; `was` is its place in the body's list, None for a new one."""

    name: str = ""
    passes: bool = True
    payload: str = ""
    was: int | None = None

    @property
    def is_blank(self) -> bool:
        """Whether a new one says nothing yet."""
        return self.was is None and not self.payload.strip()

    @property
    def is_json(self) -> bool:
        """Whether the payload can be read."""
        return _reads(self.payload)


def examples_of(body: Mapping[str, Any]) -> list[ExampleText]:
    """Return the examples of a body, whatever form they are stated in."""
    return [
        ExampleText(_stem(item.get("name")), item.get("passes") is True,
                    _payload_text(item.get("payload")), at)
        for at, item in enumerate(_listed(body.get("examples")))
    ]  # fmt: skip


def with_examples(body: Mapping[str, Any], posted: Sequence[ExampleText]) -> dict[str, Any]:
    """Return the body with what these say differently; those that are not there go."""
    before, shown = _listed(body.get("examples")), examples_of(body)
    items = []
    for number, one in enumerate(posted, 1):
        if one.is_blank:
            continue
        known = one.was is not None and one.was < len(before)
        item = dict(before[one.was or 0]) if known else {}
        old = shown[one.was or 0] if known else ExampleText(name="\0")
        if one.name.strip() != old.name:
            item["name"] = one.name.strip() or f"example-{number}"
        if not known or one.passes != old.passes:
            item["passes"] = one.passes
            item["name"] = _stem(item.get("name")) or f"example-{number}"
        if not known or _plain(one.payload) != _plain(old.payload):
            item["payload"] = json_or_text(_plain(one.payload))
        items.append(item)
    if items == before:
        return dict(body)
    return {**body, "examples": items}


def first_example(document: Any) -> str:
    """Return a payload that says something in every field of a document, as a start."""
    return json.dumps(_sample(document, 0), indent=2, ensure_ascii=False)


def _sample(field: Any, depth: int) -> Any:
    if not isinstance(field, Mapping):
        return None
    if "default" in field:
        return field["default"]
    kind = "object" if depth == 0 else type_of(field)
    if kind == "object":
        below = field.get("properties")
        below = below if isinstance(below, Mapping) and depth < _DEEPEST else {}
        return {key: _sample(sub, depth + 1) for key, sub in below.items()}
    if kind in ("integer", "number"):
        least = field.get("minimum")
        return least if isinstance(least, int | float) else 1
    if kind == "one_of":
        return next((option for option in field["enum"] if option is not None), None)
    if kind == "text":
        longest = field.get("maxLength")
        return "text"[: longest if isinstance(longest, int) and longest >= 0 else None]
    plain = {"boolean": True, "time": "2026-11-22T03:04:05.678Z", "texts": ["text"]}
    return {**plain, "integers": [1], "numbers": [1.5]}.get(kind)


def _listed(stated: Any) -> list[dict[str, Any]]:
    if isinstance(stated, Mapping):
        return [
            {"name": f"{number}", "passes": group == "pass", "payload": payload}
            for group in ("pass", "fail")
            for number, payload in enumerate(_items(stated.get(group)), 1)
        ]
    return [
        dict(item) if isinstance(item, Mapping) else {"payload": item} for item in _items(stated)
    ]


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _stem(name: Any) -> str:
    if not isinstance(name, str):
        return ""
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name


def _payload_text(payload: Any) -> str:
    if isinstance(payload, str) and not _reads(payload):
        return payload  # what was typed, and is no JSON yet
    return json.dumps(payload, indent=2, ensure_ascii=False)


def _reads(text: str) -> bool:
    try:
        read_json(text.encode())
    except (Unreadable, UnicodeError):
        return False
    return True


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
