"""Lines for the end of a run: what tests counted, and people want to read."""

from __future__ import annotations

import pytest

LINES = pytest.StashKey[list[str]]()


def tell(config: pytest.Config, *lines: str) -> None:
    """Put lines into the summary of the run."""
    config.stash.setdefault(LINES, []).extend(lines)


def told(config: pytest.Config) -> list[str]:
    """Return the lines so far."""
    return config.stash.get(LINES, [])
