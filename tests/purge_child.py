"""A process that purges and kills itself: `python -m tests.purge_child VAR URL POINT MS`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.jobs import retention_duties
from eventlogging.platform import open_platform
from eventlogging.receipts import chain
from eventlogging.retention import passes, purge
from eventlogging.retention.plan import TABLES

# Point → (where a function is, its name, at which of its calls).
POINTS: dict[str, tuple[Any, str, int]] = {
    "before the book": (purge, "settle_books", 1),
    "in a transaction": (purge, "_book_out", 3),
    "before the receipt": (passes._Pass, "_receipt_of_rows", 1),
    "before the last receipt": (chain, "append", 3),  # begin, purge, pass
}


def main() -> None:
    """Purge; killed on the way."""
    var, url, point, offset = sys.argv[1:]
    clock.offset_ms = int(offset)
    purge._BREATH, purge._FEWEST, purge._MOST = 0.0, 10, 10
    place, name, call = POINTS[point]
    setattr(place, name, _killing(getattr(place, name), call))
    platform = open_platform(Config(var=Path(var), database_url=url))
    plan = retention_duties.plan_of(platform, clock.now_ms(), kinds=TABLES)
    retention_duties.carry_out(platform, plan, pause=lambda: None)


def _killing(function: Callable[..., Any], call: int) -> Callable[..., Any]:
    calls = 0

    def killing(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)

    return killing


if __name__ == "__main__":
    main()
