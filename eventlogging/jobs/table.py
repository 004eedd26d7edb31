"""The table of jobs: each one's name, when it is due, what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from socket import gethostname

from eventlogging import clock
from eventlogging.jobs import alert_duties, duties, report_duties, review_duties
from eventlogging.jobs.duties import Result
from eventlogging.platform import Platform

_SLOT = 32  # characters of a run's name
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

    def due_at(self, day: str) -> int:
        """Return when the run for a day is due, in milliseconds."""
        since_midnight = (self.hour * 60 + self.minute) * 60_000
        midnight = datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp() * 1000
        return round(midnight) + clock.DAY_MS + since_midnight

    def __str__(self) -> str:
        return f"daily at {self.hour:02}:{self.minute:02} UTC"


@dataclass(frozen=True, slots=True)
class Every:
    """Again and again, every so many minutes (counted from midnight, UTC), for that moment.

    `catch_up` is how many missed moments are made good: 1 for a duty that looks at the present.
    """

    minutes: int
    catch_up: int = 1

    def due(self, now_ms: int) -> list[str]:
        """Return the moments whose runs are due, such as `2026-11-22 03:05`."""
        step = self.minutes * 60_000
        last = now_ms - (now_ms % clock.DAY_MS) % step
        return [clock.minute(last - back * step) for back in reversed(range(self.catch_up))]

    def __str__(self) -> str:
        return "every minute" if self.minutes == 1 else f"every {self.minutes} minutes"


@dataclass(frozen=True, slots=True)
class Job:
    """A duty with the time it is due at.

    The duty gets the platform and what the run is for: the day, or the moment, that its trigger
    names.
    """

    name: str
    trigger: Daily | Every
    duty: Duty
    on_each_host: bool = False  # what it works on lies on a host's own disk

    def slot(self, time: str) -> str:
        """Return the name of the run for a day or moment; begins with it."""
        return f"{time}@{_host(_SLOT - len(time) - 1)}" if self.on_each_host else time

    @staticmethod
    def time_of(slot: str) -> str:
        """Return what a run is for, its day or moment, from its name."""
        return slot.partition("@")[0]

    @property
    def purpose(self) -> str:
        """What it is for: the first sentence of its duty's docstring."""
        return (self.duty.__doc__ or "").strip().splitlines()[0].rstrip(".")


def look_at_alerts(platform: Platform, moment: str) -> Result:
    """Hold the ledger, the jobs and the database against the rules of alerts/."""
    return alert_duties.look_at_alerts(platform, moment, watched)


def watched(now_ms: int) -> list[tuple[str, str, int]]:
    """Return (job, the slot that is due, since when in ms) of the jobs that alerts watch.

    Those that run all the time have no such slot: theirs is always the present.
    """
    found = []
    for job in JOBS:
        if isinstance(job.trigger, Daily):
            day = job.trigger.due(now_ms)[-1]
            found.append((job.name, job.slot(day), job.trigger.due_at(day)))
        elif job.name != alert_duties.ALERTS:  # who watches cannot see itself
            found.append((job.name, "", 0))
    return found


JOBS: tuple[Job, ...] = (
    Job("ledger-proof", Daily(0, 30), duties.prove_ledger),
    Job("retire-log", Daily(1, 0), duties.retire_log, on_each_host=True),
    Job("forget-ids", Daily(1, 10), duties.forget_ids),
    Job("daily-report", Daily(0, 20, catch_up=7), report_duties.report_day),
    Job("weekly-digest", Daily(6, 0, catch_up=7), report_duties.digest_week),
    Job("reviews", Daily(7, 0), review_duties.look_after_reviews),
    Job("alerts", Every(1), look_at_alerts),
    Job("alerts-host", Every(1), alert_duties.look_at_host, on_each_host=True),
    Job("webhooks", Every(1), alert_duties.call_webhooks),
)


def _host(room: int) -> str:
    """Return the name of this host; a long one as a hash, so that two stay two."""
    name = gethostname()
    return name if len(name) <= room else sha256(name.encode()).hexdigest()[:room]


def last_day(now_ms: int) -> str:
    """Return the day that ended last: what a job run by hand is for unless somebody says else."""
    return clock.day(now_ms - clock.DAY_MS)
