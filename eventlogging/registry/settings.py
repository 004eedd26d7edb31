"""The settings of a schema: what people decide beside its document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from eventlogging.governance.model import (
    DEFAULT_FILL_DEFAULTS,
    DEFAULT_PRODUCERS,
    DEFAULT_RATE,
    DEFAULT_READERS,
    DEFAULT_UNIT,
    pointer_of,
)
from eventlogging.sampling import LEAST_RATE

UNITS = ("pageview", "session", "device")
PRODUCERS = ("public", "token")
FILL_DEFAULTS = ("eventgate", "always", "never")
READERS = ("analysts", "owners")  # who may read single events
TREATMENTS = ("hmac", "drop")
# The same forms and bounds as schema.toml has, so that what is registered can be exported.
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\Z")
_ORIGIN = re.compile(r"https?://[^/\s?#@]+\Z")
_MOST_TITLE = 255
_MOST_EMAIL = 191
_MOST_DESCRIPTION = 10_000
_MOST_OWNERS = 50
_MOST_ORIGINS = 200


@dataclass(frozen=True)
class Settings:
    """What is in force for a schema; `privacy` maps JSON pointers to `hmac` or `drop`."""

    title: str
    description: str = ""
    owners: tuple[str, ...] = ()
    producers: str = DEFAULT_PRODUCERS
    origins: tuple[str, ...] = ()
    sampling_rate: float = DEFAULT_RATE
    sampling_unit: str = DEFAULT_UNIT
    privacy: Mapping[str, str] = field(default_factory=dict)
    fill_defaults: str = DEFAULT_FILL_DEFAULTS
    readers: str = DEFAULT_READERS

    def changes_to(self, other: Settings) -> dict[str, tuple[Any, Any]]:
        """Return field → (value here, value there) of all that differ."""
        pairs = {f.name: (getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def merged(stated: Mapping[str, Any], current: Settings) -> tuple[Settings, list[str]]:
    """Return `current` with what is stated over it, and everything wrong with what is stated.

    Keys of `stated`: title, description, owners, sampling {rate, unit}, privacy, producers,
    origins, fill_defaults, readers. A wrong value is named and left out.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, value in stated.items():
        if name not in _PARSERS:
            known = ", ".join(_PARSERS)
            problems.append(f"{name!r} is not a setting of a schema; known are {known}")
            continue
        for found in _PARSERS[name](value):
            if isinstance(found, str):
                problems.append(found)
            else:
                values[found.name] = found.value
    return replace(current, **values), problems


@dataclass(frozen=True)
class _Value:
    name: str
    value: Any


_Found = Iterator["_Value | str"]  # a value, or a problem in words


def _title(value: Any) -> _Found:
    if not isinstance(value, str) or not value.strip() or len(value) > _MOST_TITLE:
        yield f"title is a text of 1 to {_MOST_TITLE} characters"
    else:
        yield _Value("title", value.strip())


def _description(value: Any) -> _Found:
    if not isinstance(value, str) or not value.strip() or len(value) > _MOST_DESCRIPTION:
        yield f"description is a text of 1 to {_MOST_DESCRIPTION} characters"
    else:
        yield _Value("description", value)


def _owners(value: Any) -> _Found:
    if not isinstance(value, list | tuple) or not value:
        yield "owners is a list of at least one e-mail address"
        return
    owners: dict[str, str] = {}
    for owner in value:
        if not isinstance(owner, str) or not _EMAIL.match(owner) or len(owner) > _MOST_EMAIL:
            yield f"owner {owner!r} is not an e-mail address"
        else:
            owners.setdefault(owner.casefold(), owner)
    if len(owners) > _MOST_OWNERS:
        yield f"a schema has at most {_MOST_OWNERS} owners; name a mailing list"
    elif owners:
        yield _Value("owners", tuple(owners.values()))


def _producers(value: Any) -> _Found:
    if value in PRODUCERS:
        yield _Value("producers", value)
    else:
        yield f"producers is 'public' or 'token', not {value!r}"


def _fill_defaults(value: Any) -> _Found:
    if value in FILL_DEFAULTS:
        yield _Value("fill_defaults", value)
    else:
        yield f"fill_defaults is one of {', '.join(FILL_DEFAULTS)}, not {value!r}"


def _readers(value: Any) -> _Found:
    if value in READERS:
        yield _Value("readers", value)
    else:
        yield f"readers is 'analysts' or 'owners', not {value!r}"


def _origins(value: Any) -> _Found:
    if not isinstance(value, list | tuple):
        yield "origins is a list such as ['https://www.example.org']"
        return
    if len(value) > _MOST_ORIGINS:
        yield f"a schema has at most {_MOST_ORIGINS} origins"
        return
    wrong = [item for item in value if not isinstance(item, str) or not _is_origin(item)]
    for item in wrong:
        yield f"origin {item!r} is not scheme://host[:port], such as https://www.example.org"
    if not wrong:
        yield _Value("origins", tuple(dict.fromkeys(value)))


def _is_origin(text: str) -> bool:
    return len(text) <= 255 and _ORIGIN.match(text) is not None


def _sampling(value: Any) -> _Found:
    if not isinstance(value, Mapping):
        yield 'sampling is {rate, unit}, such as {"rate": 0.1, "unit": "session"}'
        return
    for key in sorted(str(key) for key in set(value) - {"rate", "unit"}):
        yield f"sampling.{key}: known are rate and unit"
    rate, unit = value.get("rate"), value.get("unit")
    if rate is not None:
        number = isinstance(rate, int | float) and not isinstance(rate, bool)
        if number and (rate == 0 or LEAST_RATE <= rate <= 1):
            yield _Value("sampling_rate", float(rate))
        else:
            yield f"sampling.rate is 0, or a number from {LEAST_RATE:f} to 1, not {rate!r}"
    if unit in UNITS:
        yield _Value("sampling_unit", unit)
    elif unit is not None:
        yield f"sampling.unit is one of {', '.join(UNITS)}, not {unit!r}"


def _privacy(value: Any) -> _Found:
    if not isinstance(value, Mapping):
        yield "privacy maps fields to 'hmac' or 'drop', such as {\"userId\": \"hmac\"}"
        return
    kept: dict[str, str] = {}
    for key, treatment in value.items():
        if treatment not in TREATMENTS:
            yield f"privacy of {key!r} is 'hmac' or 'drop', not {treatment!r}"
        elif kept.setdefault(pointer_of(str(key)), treatment) != treatment:
            yield f"privacy of {key!r} is stated twice, differently"
    yield _Value("privacy", kept)


_PARSERS = {
    "title": _title,
    "description": _description,
    "owners": _owners,
    "sampling": _sampling,
    "privacy": _privacy,
    "producers": _producers,
    "origins": _origins,
    "fill_defaults": _fill_defaults,
    "readers": _readers,
}
