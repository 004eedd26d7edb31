"""What the registry knows, as values: the snapshot that collectors, loaders and pages read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eventlogging.governance.model import DEFAULT_FILL_DEFAULTS, DEFAULT_READERS
from eventlogging.schema.columns import ColumnPlan
from eventlogging.schema.version import Version


@dataclass(frozen=True)
class RegisteredVersion:
    """One published version: immutable, its document stands alone."""

    name: str
    version: Version
    document: Mapping[str, Any]
    draft: str
    revision: int | None
    table: str


@dataclass(frozen=True)
class RegisteredSchema:
    """A schema with the settings in force and all its published versions.

    `privacy` maps JSON pointers to `hmac` or `drop`; `plans` maps a major
    version to the column plan of its table; `revisions` maps classic revision
    numbers to versions.
    """

    name: str
    title: str
    description: str
    owners: tuple[str, ...]
    producers: str  # public | token
    origins: tuple[str, ...]  # empty: any
    sampling_rate: float
    sampling_unit: str  # pageview | session | device
    privacy: Mapping[str, str]
    keep_days: int
    stem: str
    invalid_table: str
    versions: Mapping[str, RegisteredVersion]
    latest: str
    plans: Mapping[int, ColumnPlan]
    revisions: Mapping[int, str]
    state: str = "published"  # published | deprecated | retired
    fill_defaults: str = DEFAULT_FILL_DEFAULTS  # eventgate | always | never
    readers: str = DEFAULT_READERS  # of single events: analysts | owners


@dataclass(frozen=True)
class OptOuts:
    """Accounts that opted out, as keyed hashes, at one value of their counter."""

    counter: int = 0
    hashes: frozenset[str] = field(default=frozenset(), repr=False)


NOBODY = OptOuts()


@dataclass(frozen=True)
class Snapshot:
    """The registry at one value of its counter. `tokens` maps SHA-256 (hex) to scopes.

    `test_keys` maps those of test keys to their names.
    `tokens_until` is the ISO time at which the first of them expires, after which the snapshot
    must be read anew.
    """

    counter: int
    schemas: Mapping[str, RegisteredSchema] = field(default_factory=dict)
    tokens: Mapping[str, frozenset[str]] = field(default_factory=dict)
    tokens_until: str | None = None
    test_keys: Mapping[str, str] = field(default_factory=dict)
    opt_outs: OptOuts = NOBODY
