"""The one clock: all code asks it for the time, so that tests can move time.

Times are UTC. An event's times are whole milliseconds since the epoch; the
texts made here are the forms that tables, pages and files share.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

_MILLIS = tuple(f".{ms:03d}" for ms in range(1000))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MS = 86_400_000


def now_ms() -> int:
    """Return the present as milliseconds since the epoch."""
    return time.time_ns() // 1_000_000 + offset_ms


def _offset() -> int:
    text = os.environ.get("EVENTLOGGING_CLOCK_OFFSET", "")
    return int(float(text) * 1000) if text else 0


# `EVENTLOGGING_CLOCK_OFFSET` (seconds, may be negative) moves the clock of a process from its
# start; drills use that, and tests set this. Read once: looking into the environment for each
# event takes longer than asking for the time.
offset_ms = _offset()


def now() -> datetime:
    """Return the present as an aware UTC datetime, cut to milliseconds."""
    return from_ms(now_ms())


def from_ms(ms: int) -> datetime:
    """Return the aware UTC datetime of `ms` milliseconds since the epoch."""
    return _EPOCH + timedelta(milliseconds=ms)


def iso(ms: int) -> str:
    """Return `2026-11-22T03:04:05.678Z`, the form events and answers carry."""
    return f"{sql_time(ms).replace(' ', 'T')}Z"


def sql_time(ms: int) -> str:
    """Return `2026-11-22 03:04:05.678`, the form of a DATETIME(3) literal."""
    return _second(ms // 1000) + _MILLIS[ms % 1000]


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """Events come close together: the same second is asked for again and again."""
    return from_ms(seconds * 1000).strftime("%Y-%m-%d %H:%M:%S")


def minute(ms: int) -> str:
    """Return `2026-11-22 03:04`, the ledger's unit of time."""
    return _second(ms // 1000)[:16]


def day(ms: int) -> str:
    """Return `2026-11-22`, the UTC day that `ms` lies in."""
    return _second(ms // 1000)[:10]


def moved(day: str, days: int) -> str:
    """Return the day that lies so many days after a day, or before it where `days` is negative."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def age(day: str, today: str) -> int:
    """Return how many days a day lies before `today`; negative for days to come."""
    return (date.fromisoformat(today) - date.fromisoformat(day)).days
