"""Which version a document becomes: computed from what changed, held against what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eventlogging.governance.model import meaning
from eventlogging.schema.compatibility import Change, compare
from eventlogging.schema.version import FIRST, Level, Version


@dataclass(frozen=True)
class Bump:
    """The version that a document becomes, and why.

    `computed` is the smallest that the change allows, `version` the one to publish; `previous`
    is what it was compared with (None: nothing came before). `identical` means that `version`
    says the same already. `conflicts` say why `version` cannot be published.
    """

    version: Version
    computed: Version
    previous: Version | None = None
    level: Level = Level.NONE
    changes: tuple[Change, ...] = ()
    identical: bool = False
    conflicts: tuple[str, ...] = ()


def bump(
    name: str,
    published: Mapping[Version, Mapping[str, Any]],
    document: Mapping[str, Any],
    given: Version | None,
    override: str | None,
    unheld: Callable[[Version], tuple[Change, ...]],
) -> Bump:
    """Return which version `document` becomes, `published` being what there is.

    `given` is the version asked for, `override` the reason for one that is too small.
    `unheld(version)` names the columns of that version's table that cannot hold the document.
    """
    if not published:
        return Bump(given or FIRST, FIRST)
    if given is not None and given in published:
        return _again(name, given, published[given], document)
    latest = max(published)
    base = _base(published, given) if given else latest
    if base is None:
        return Bump(given or FIRST, FIRST)
    if given is None and meaning(published[base]) == meaning(document):
        return Bump(base, base, base, identical=True)
    compared = compare(published[base], document)
    stiff = unheld(base)
    changes = (*compared.changes, *stiff)
    level = max([compared.level, Level.PATCH, *(change.level for change in stiff)])
    if level is Level.PATCH and not changes:
        changes = (Change("", Level.PATCH, "the same conditions are written differently", "text"),)
    computed = base.raised(level)
    while computed.major != base.major and any(v.major == computed.major for v in published):
        computed = computed.raised(level)  # what breaks an older major gets a free number
    version = given or computed
    conflicts = _conflicts(name, version, computed, base, level, stiff, override)
    return Bump(version, computed, base, level, changes, conflicts=tuple(conflicts))


def _again(
    name: str, given: Version, standing: Mapping[str, Any], document: Mapping[str, Any]
) -> Bump:
    if meaning(standing) == meaning(document):
        return Bump(given, given, given, identical=True)
    compared = compare(standing, document)
    level = max(compared.level, Level.PATCH)
    return Bump(
        given, given, given, level, compared.changes,
        conflicts=(
            f"{name} {given} is published and never changes; "
            "publish this document as a new version, or state none to have it computed",
        ),
    )  # fmt: skip


def _base(published: Mapping[Version, Any], given: Version) -> Version | None:
    """Return what `given` is compared with: the latest of its major, else what comes before it."""
    own = [version for version in published if version.major == given.major]
    return max(own or [version for version in published if version < given], default=None)


def _conflicts(
    name: str, version: Version, computed: Version, base: Version, level: Level,
    stiff: tuple[Change, ...], override: str | None,
) -> list[str]:  # fmt: skip
    if version >= computed:
        return []
    if version <= base:
        return [f"{name} {version} comes before {base}, which is published; use {computed}"]
    if version.major == base.major and stiff:
        columns = "; ".join(change.what for change in stiff)
        return [f"{name} {version} needs another table, and no override mends that: {columns}; "
                f"use {computed}"]  # fmt: skip
    if override:
        return []
    return [
        f"{name} {version} is too small: the change since {base} is {level.name.lower()}, which "
        f"makes it {computed}; use that, or state a reason in 'override'"
    ]
