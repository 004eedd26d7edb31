"""Where a proposed document's references lead: to versions that are published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eventlogging.registry.judge import Lookup
from eventlogging.registry.model import Snapshot


def lookup_in(snapshot: Snapshot) -> Lookup:
    """Return the function that gives a version's document, or None."""

    def lookup(name: str, version: str) -> Mapping[str, Any] | None:
        schema = snapshot.schemas.get(name)
        found = schema.versions.get(version) if schema else None
        return found.document if found else None

    return lookup
