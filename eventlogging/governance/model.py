"""What the four governance folders say, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eventlogging.schema.version import Version

FOLDERS = ("schemas", "reviewers", "alerts", "purge")
DEFAULT_PRODUCERS = "public"
DEFAULT_FILL_DEFAULTS = "eventgate"
DEFAULT_READERS = "analysts"
DEFAULT_STATE = "published"
DEFAULT_RATE = 1.0
DEFAULT_UNIT = "pageview"
DEFAULT_KEEP_DAYS = 90  # in force where purge/default.toml says nothing else
DEFAULT_INVALID_KEEP_DAYS = 30
DEFAULT_UNSEALED_KEEP_DAYS = 7
DEFAULT_CAP_DAYS = 365
DEFAULT_MIN_CELL = 10


@dataclass(frozen=True)
class Example:
    """A payload that the latest version accepts (`passes`) or refuses; `name` is its file's."""

    name: str
    passes: bool
    payload: Any


@dataclass(frozen=True)
class SchemaFolder:
    """One folder of schemas/: its settings, versions and examples.

    `privacy` maps JSON pointers to `hmac` or `drop`; `revisions` maps classic revision numbers to
    version texts; `overrides` maps version texts to the reason why one is smaller than its
    change demands; `versions` maps version texts to documents as they were written.
    Without a `state`, a new schema is published, and one that is there stays what it is.
    """

    name: str
    title: str
    description: str
    owners: tuple[str, ...]
    sampling_rate: float = DEFAULT_RATE
    sampling_unit: str = DEFAULT_UNIT  # pageview | session | device
    privacy: Mapping[str, str] = field(default_factory=dict)
    producers: str = DEFAULT_PRODUCERS  # public | token
    origins: tuple[str, ...] = ()  # empty: any
    fill_defaults: str = DEFAULT_FILL_DEFAULTS  # eventgate | always | never
    readers: str = DEFAULT_READERS  # analysts | owners
    state: str | None = None  # published | deprecated | retired; None: not stated
    revisions: Mapping[int, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()

    @property
    def latest(self) -> str:
        """The highest version's text; empty where there is none."""
        return max(self.versions, key=version_order, default="")


@dataclass(frozen=True)
class Governance:
    """All four folders.

    `documents` maps (folder, path inside it) to what the file holds: a dict for TOML (days as
    texts such as 2026-11-22), a text for Markdown and mail templates; for instance
    ("alerts", "default.toml") and ("alerts", "emails/throughput.txt").
    `warnings` are lines for people, as problems are; they hinder nothing.
    """

    schemas: Mapping[str, SchemaFolder] = field(default_factory=dict)
    documents: Mapping[tuple[str, str], Mapping[str, Any] | str] = field(default_factory=dict)
    warnings: tuple[str, ...] = field(default=(), compare=False)


def version_order(text: str) -> tuple[int, ...]:
    """Return a key that orders version texts as versions; texts that are none come first."""
    version = Version.parse(text)
    return tuple(version) if version else (-1,)


def meaning(value: Any) -> str:
    """Return a text that two values share exactly when they say the same.

    Order of keys does not count; types do: 1, 1.0 and true differ.
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=True)


def pointer_of(field_name: str) -> str:
    """Return the JSON pointer that a field in schema.toml or purge/ means.

    `userId` → `/userId`; `/user/id` stays as it is.
    """
    if field_name.startswith("/"):
        return field_name
    return "/" + field_name.replace("~", "~0").replace("/", "~1")


def field_of(pointer: str) -> str:
    """Return the shortest text that `pointer_of` turns into this pointer."""
    name = pointer[1:].replace("~1", "/").replace("~0", "~")
    top_level = pointer.startswith("/") and "/" not in pointer[1:]
    return name if top_level and name and pointer_of(name) == pointer else pointer
