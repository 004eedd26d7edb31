"""What changed between two bodies of a proposal, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_SETTINGS = (
    "title", "description", "owners", "sampling", "privacy", "producers", "origins",
    "fill_defaults", "readers", "version", "revision", "override",
)  # fmt: skip
_DEEPEST = 20
_LONGEST = 80


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return each change from `old` to `new`, fields first; empty: they say the same.

    Bodies are as `registry.proposal.Proposal.as_dict` gives them, of any form.
    """
    found = [*_fields(old.get("schema"), new.get("schema"))]
    for name in _SETTINGS:
        if not _same(old.get(name), new.get(name)):
            found.append(_changed(name, old.get(name), new.get(name)))
    found += _examples(old.get("examples"), new.get("examples"))
    return found


def _fields(old: Any, new: Any) -> Iterator[str]:
    before, after = dict(_flat(old)), dict(_flat(new))
    for name in [*after, *(name for name in before if name not in after)]:
        if name not in before:
            yield f"the field {name!r} was added"
        elif name not in after:
            yield f"the field {name!r} was removed"
        else:
            what = f"the field {name!r}" if name else "the schema"
            yield from _keywords(what, before[name], after[name])


def _flat(node: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield dotted name → what is said of that field itself; "" is the document."""
    if not isinstance(node, Mapping):
        yield path, {"": node}
        return
    below = node.get("properties")
    if not isinstance(below, Mapping) or depth >= _DEEPEST:
        yield path, dict(node)
        return
    yield path, {key: value for key, value in node.items() if key != "properties"}
    for name, field in below.items():
        yield from _flat(field, f"{path}.{name}" if path else str(name), depth + 1)


def _keywords(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys([*old, *new]):
        if key in old and key in new and _same(old[key], new[key]):
            continue
        was, now = old.get(key), new.get(key)
        if key == "required" and _names(was) is not None and _names(now) is not None:
            names = {str(name) for name in _names(was) or ()}, {str(n) for n in _names(now) or ()}
            yield from (
                f"the field {name!r} of {what} is required now"
                for name in sorted(names[1] - names[0])
            )
            yield from (
                f"the field {name!r} of {what} is not required any more"
                for name in sorted(names[0] - names[1])
            )
        else:
            yield f"{what}: {_changed(key, was, now)}" if key else f"{what} changed"


def _names(value: Any) -> list[Any] | None:
    if value is None:
        return []
    return value if isinstance(value, list) else None


def _examples(old: Any, new: Any) -> Iterator[str]:
    before, after = _by_name(old), _by_name(new)
    if before is None or after is None:
        if not _same(old, new):
            yield "the examples changed"
        return
    for name in [*after, *(name for name in before if name not in after)]:
        if name not in before:
            yield f"the example {name!r} was added"
        elif name not in after:
            yield f"the example {name!r} was removed"
        elif not _same(before[name], after[name]):
            yield f"the example {name!r} changed"


def _by_name(examples: Any) -> dict[str, Any] | None:
    if examples is None:
        return {}
    if not isinstance(examples, list):
        return None
    named = {
        str(item.get("name") or f"example-{number}"): item
        for number, item in enumerate(examples, 1)
        if isinstance(item, Mapping)
    }
    return named if len(named) == len(examples) else None


def _changed(name: str, was: Any, now: Any) -> str:
    if was is None:
        return f"{name} is now {_shown(now)}"
    if now is None:
        return f"{name} was {_shown(was)} and is not stated any more"
    return f"{name} was {_shown(was)} and is now {_shown(now)}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _same(one: Any, other: Any) -> bool:
    # As texts: 1, 1.0 and true are different things here, and the order of fields says nothing.
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
