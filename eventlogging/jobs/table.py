"""The table of jobs: each one's name, when it is due, what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from socket import gethostname

from eventlogging import clock
from eventlogging.jobs import duties
from eventlogging.jobs.duties import Result
from eventlogging.platform import Platform

Duty = Callable[[Platform, str], Result]


@dataclass(frozen=True, slots=True)
class Daily:
    """Once a day, at a time of the day (UTC), for the day that ended before.

    `catch_up` is how many missed days are made good, the oldest first: 1 for a duty whose
    next run does all that the missed ones would have done.
    """

    hour: int
    minute: int
    catch_up: int = 1

    def due(self, now_ms: int) -> list[str]:
        """Return the days whose runs are due by now, of as many days as are caught up."""
        since_midnight = (self.hour * 60 + self.minute) * 60_000
        last = date.fromisoformat(clock.day(now_ms - since_midnight)) - timedelta(days=1)
        return [
            (last - timedelta(days=back)).isoformat() for back in reversed(range(self.catch_up))
        ]

    def __str__(self) -> str:
        return f"daily at {self.hour:02}:{self.minute:02} UTC"


@dataclass(frozen=True, slots=True)
class Job:
    """A duty with the time it is due at. The duty gets the platform and the day it is for."""

    name: str
    trigger: Daily
    duty: Duty
    on_each_host: bool = False  # what it works on lies on a host's own disk

    def slot(self, day: str) -> str:
        """Return the name of the run for a day; begins with the day."""
        return f"{day}@{gethostname()}"[:32] if self.on_each_host else day

    @property
    def purpose(self) -> str:
        """What it is for: the first sentence of its duty's docstring."""
        return (self.duty.__doc__ or "").strip().splitlines()[0].rstrip(".")


JOBS: tuple[Job, ...] = (
    Job("ledger-proof", Daily(0, 30), duties.prove_ledger),
    Job("retire-log", Daily(1, 0), duties.retire_log, on_each_host=True),
    Job("forget-ids", Daily(1, 10), duties.forget_ids),
)


def last_day(now_ms: int) -> str:
    """Return the day that ended last: what a job run by hand is for unless somebody says else."""
    return clock.day(now_ms - clock.DAY_MS)
