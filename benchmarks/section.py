"""What a section of the benchmarks is given, and what it gives back."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import Figure


@dataclass(frozen=True, slots=True)
class Options:
    """How long to measure. `events` are loaded a round; `minutes` is the soak of memory."""

    seconds: int = 5
    rounds: int = 5
    events: int = 60_000
    lag_seconds: int = 20
    minutes: float = 1.0

    def say(self, text: str) -> None:
        """Tell the person who waits what is going on."""
        print(f"· {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Section:
    """Figures, everything that was measured (for the JSON file), and a table of it."""

    figures: Sequence[Figure]
    raw: dict[str, Any]
    table: str = ""
