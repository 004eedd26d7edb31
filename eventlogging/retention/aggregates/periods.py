"""Days, weeks from Monday and months, in UTC; each named by its first day."""

from __future__ import annotations

from datetime import date, timedelta

from eventlogging.clock import moved

PERIODS = ("day", "week", "month")


def period_of(day: str, per: str) -> str:
    """Return the first day of the day, week (from Monday) or month that a day lies in."""
    if per == "week":
        found = date.fromisoformat(day)
        return (found - timedelta(days=found.weekday())).isoformat()
    return f"{day[:7]}-01" if per == "month" else day


def period_after(period: str, per: str) -> str:
    """Return the first day of the next period."""
    days = {"day": 1, "week": 7, "month": 31}[per]
    return period_of(moved(period, days), per)


def whole(start: str, end: str, per: str) -> tuple[str, str]:
    """Widen a span [start, end) to whole periods, one at least."""
    last = max(start, moved(end, -1))
    return period_of(start, per), period_after(period_of(last, per), per)
