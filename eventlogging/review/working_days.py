"""Working days: Monday to Friday, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

_SATURDAY = 5


def add_working_days(start: datetime, days: int) -> datetime:
    """Return the moment when `days` whole working days have passed since `start`.

    Time at a weekend does not count: Friday noon and one day is Monday noon; any time of a
    Saturday or Sunday and one day is Tuesday 0:00. `start` is aware; `days` is at least 0.
    """
    moment = start.astimezone(UTC)
    if moment.weekday() >= _SATURDAY:
        moment = datetime.combine(moment.date(), time(), UTC)
        while moment.weekday() >= _SATURDAY:
            moment += timedelta(days=1)
    while days > 0:
        moment += timedelta(days=1)
        if moment.weekday() < _SATURDAY:
            days -= 1
    return moment
