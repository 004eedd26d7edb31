"""The registry as the pages see it: the newest snapshot to be had, an old one rather than none."""

from __future__ import annotations

from eventlogging.console.parts import Parts
from eventlogging.errors import StoreUnavailable
from eventlogging.registry.model import RegisteredSchema, Snapshot

_FRESH_SECONDS = 1.0


def newest(parts: Parts) -> Snapshot:
    """Return the newest snapshot; raises StoreUnavailable where none was ever read."""
    registry = parts.registry
    try:
        if registry.snapshot.counter < 0:
            registry.refresh()
        else:
            registry.refresh_if_older(_FRESH_SECONDS)
    except StoreUnavailable:
        if registry.snapshot.counter < 0:
            raise
    return registry.snapshot


def find(parts: Parts, name: str) -> RegisteredSchema | None:
    """Return a schema, published a moment ago perhaps; raises StoreUnavailable."""
    known = newest(parts).schemas.get(name)
    if known is None:
        parts.registry.refresh_if_older(0)
        known = parts.registry.snapshot.schemas.get(name)
    return known
