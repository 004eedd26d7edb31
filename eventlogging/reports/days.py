"""Days as texts, and what is so many days from them."""

from __future__ import annotations

from datetime import UTC, date, datetime

from eventlogging import clock
from eventlogging.clock import moved


def next_day(day: str) -> str:
    """Return the day after."""
    return moved(day, 1)


def end_ms(day: str) -> int:
    """Return when a UTC day is over, in milliseconds since the epoch."""
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return int(start.timestamp() * 1000) + clock.DAY_MS


def last_days(day: str, count: int) -> tuple[str, ...]:
    """Return a day and those before it, the oldest first."""
    return tuple(moved(day, -back) for back in reversed(range(count)))


def is_past_day(text: str) -> bool:
    """Whether a text is a day such as 2026-11-22, up to today."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return False
    return text == day.isoformat() and "1970-01-08" <= text <= clock.day(clock.now_ms())
