"""Check parsed TOML files against our own JSON schemas, in words that say what would be right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from eventlogging.governance.problems import Found, did_you_mean, shown
from eventlogging.governance.syntax import KeyPath, Source, dotted, is_there

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

# Which keys are right in another kind of file, for those who put them here.
_ELSEWHERE = {
    ("alerts_rule", "lag"): "alerts/default.toml",
    ("alerts_rule", "unexplained"): "alerts/default.toml",
    **{
        ("alerts_rule", rule): "alerts/default.toml"
        for rule in ("stored", "disk", "database", "jobs", "certificate")
    },
    ("alerts_default", "silent"): "alerts/<Name>.toml",
    ("purge_rule", "cap_days"): "purge/default.toml",
    ("purge_default", "scrub"): "purge/<Name>.toml",
    ("purge_default", "extension"): "purge/<Name>.toml",
    ("purge_default", "aggregate"): "purge/<Name>.toml",
}


def load(kind: str) -> dict[str, Any]:
    """Return the metaschema of a kind of file: schema, roster, alerts_rule, purge_default …"""
    text = files("eventlogging.governance").joinpath(f"metaschemas/{kind}.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def check(kind: str, source: Source) -> Iterator[Found]:
    """Yield every way in which a parsed file differs from what its kind may hold."""
    for at, text in problems(kind, source.value):
        yield source.found(at if is_there(source.value, at) else at[:-1], text)


def problems(kind: str, value: Any) -> Iterator[tuple[KeyPath, str]]:
    """Yield the same of a value that is no file's; what is missing has the path it would have."""
    # Loaded here, for it takes a second, and few processes ever judge a file.
    from jsonschema import Draft202012Validator, FormatChecker

    validator = Draft202012Validator(load(kind), format_checker=FormatChecker(["date"]))
    for error in validator.iter_errors(value):
        yield from _told(kind, error)


def _told(kind: str, error: ValidationError) -> Iterator[tuple[KeyPath, str]]:
    at: KeyPath = tuple(error.absolute_path)
    schema: dict[str, Any] = dict(error.schema) if isinstance(error.schema, dict) else {}
    right = schema.get("description", error.message)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = schema["properties"]
        for key in [key for key in error.instance if key not in known]:
            other = _ELSEWHERE.get((kind, key)) if not at else None
            hint = f"; it belongs into {other}" if other else did_you_mean(key, known)
            yield (*at, key), f"unknown key {dotted((*at, key))!r}{hint}"
    elif error.validator == "required" and isinstance(error.instance, dict):
        # jsonschema gives one error for each missing key, and names the key in its text alone.
        key = error.message.split("'")[1]
        expected = schema["properties"][key]["description"]
        yield (*at, key), f"`{dotted((*at, key))}` is missing; add {expected}"
    elif "propertyNames" in error.absolute_schema_path:
        yield (*at, str(error.instance)), f"the key {shown(error.instance)} should be {right}"
    elif error.validator == "uniqueItems" and isinstance(error.instance, list):
        seen: list[Any] = []
        for index, item in enumerate(error.instance):
            if item in seen:
                yield (*at, index), f"`{dotted(at)}` lists {shown(item)} twice; keep one of them"
            seen.append(item)
    elif error.validator == "minProperties":
        yield at, f"`{dotted(at)}` is empty; it should be {right}"
    else:
        yield at, f"`{dotted(at)}` is {shown(error.instance)}; it should be {right}"
