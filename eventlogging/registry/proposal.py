"""A proposal: what somebody asks to have registered, as it came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventlogging.governance.model import Example

_SETTINGS = (
    "title", "description", "owners", "sampling", "privacy", "producers", "origins",
    "fill_defaults", "readers",
)  # fmt: skip
_FIELDS = ("version", "revision", *_SETTINGS, "examples", "override")


@dataclass(frozen=True)
class Proposal:
    """A schema document with what is said beside it; None: not stated, so it stays as it is.

    Values are as they came and may be of any form: `assess` names everything that is wrong.
    `sampling` is {rate, unit}; `privacy` maps fields or JSON pointers to `hmac` or `drop`;
    `examples` is a list of `Example` or of {"name", "passes", "payload"}, or
    {"pass": [payloads], "fail": [payloads]}; `override` is the reason for a smaller version.
    """

    name: str
    document: Any
    version: Any = None
    revision: Any = None
    title: Any = None
    description: Any = None
    owners: Any = None
    sampling: Any = None
    privacy: Any = None
    producers: Any = None
    origins: Any = None
    fill_defaults: Any = None
    readers: Any = None
    examples: Any = None
    override: Any = None

    def stated_settings(self) -> dict[str, Any]:
        """Return the settings that the proposal states, by name."""
        return {name: getattr(self, name) for name in _SETTINGS if getattr(self, name) is not None}

    def as_dict(self) -> dict[str, Any]:
        """Return the body that `proposal_of` reads as this proposal."""
        stated = {name: getattr(self, name) for name in _FIELDS if getattr(self, name) is not None}
        if isinstance(self.examples, Sequence):
            stated["examples"] = [
                vars(item) if isinstance(item, Example) else item for item in self.examples
            ]
        return {"schema": self.document, **stated}


def proposal_of(name: str, body: Any) -> tuple[Proposal | None, list[str]]:
    """Return the proposal that a parsed body makes, and what is wrong with its outline."""
    if not isinstance(body, Mapping):
        return None, ['the body is an object such as {"schema": {…}, "owners": ["me@…"]}']
    problems = []
    unknown = sorted(str(key) for key in set(body) - {"schema", *_FIELDS})
    if unknown:
        known = ", ".join(("schema", *_FIELDS))
        problems += [f"{key!r} is not a field of a proposal; known are {known}" for key in unknown]
    if "schema" not in body:
        problems.append("the field 'schema' is missing: the JSON schema to register")
        return None, problems
    return Proposal(name, body["schema"], **{key: body.get(key) for key in _FIELDS}), problems


def examples_of(stated: Any) -> tuple[tuple[Example, ...] | None, list[str]]:
    """Return the examples that a proposal states (None: none stated), and what is wrong."""
    if stated is None:
        return None, []
    if isinstance(stated, Mapping):
        return _grouped(stated)
    if not isinstance(stated, Sequence) or isinstance(stated, str):
        return None, ["examples is a list of {name, passes, payload} or {pass: […], fail: […]}"]
    found: list[Example] = []
    problems: list[str] = []
    for index, item in enumerate(stated):
        if isinstance(item, Example):
            item = vars(item)
        if not (isinstance(item, Mapping) and {"passes", "payload"} <= set(item)):
            problems.append(f"examples[{index}] needs name, passes (true or false) and payload")
            continue
        passes = item["passes"]
        if not isinstance(passes, bool):
            problems.append(f"examples[{index}].passes is true or false, not {passes!r}")
            continue
        name = _file_name(item.get("name") or f"example-{index + 1}", passes)
        if name is None:
            problems.append(
                f"examples[{index}].name {item['name']!r} names a file: at most 100 letters, "
                "digits, blanks, '-', '_' and '.', not beginning with '.'"
            )
        else:
            found.append(Example(name, passes, item["payload"]))
    names = [example.name for example in found]
    problems += [f"two examples are named {n!r}" for n in sorted(set(names)) if names.count(n) > 1]
    return tuple(found), problems


def _grouped(stated: Mapping[Any, Any]) -> tuple[tuple[Example, ...] | None, list[str]]:
    unknown = sorted(str(key) for key in set(stated) - {"pass", "fail"})
    problems = [f"examples.{key}: known are pass and fail" for key in unknown]
    found: list[Example] = []
    for group in ("pass", "fail"):
        payloads = stated.get(group, [])
        if not isinstance(payloads, list):
            problems.append(f"examples.{group} is a list of payloads")
            continue
        for number, payload in enumerate(payloads, 1):
            found.append(Example(f"{number}.{group}.json", group == "pass", payload))
    return tuple(found), problems


def _file_name(name: Any, passes: bool) -> str | None:
    """Return the name of the example's file in a governance folder, or None where it has none."""
    ending = ".pass.json" if passes else ".fail.json"
    if not isinstance(name, str):
        return None
    stem = name.removesuffix(ending)
    plain = all(char.isalnum() or char in " -_." for char in stem)
    if not (0 < len(stem) <= 100 and stem == stem.strip() and plain) or stem.startswith("."):
        return None
    return stem + ending
