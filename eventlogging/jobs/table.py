"""The table of jobs: each one's name, when it is due, what it does."""

from __future__ import annotations

from calendar import month_name
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from socket import gethostname

from eventlogging import clock
from eventlogging.jobs import (
    aggregate_duties,
    alert_duties,
    backup_duties,
    duties,
    erasure_duties,
    log_duties,
    notice_duties,
    report_duties,
    retention_duties,
    review_duties,
    verify_duties,
)
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
class Monthly:
    """On a day of some months (1 to 12), at a time of the day (UTC), for that day.

    `day` is 1 to 28, which every month has. What was missed is made good once.
    """

    months: tuple[int, ...]
    day: int
    hour: int
    minute: int

    def due(self, now_ms: int) -> list[str]:
        """Return the last day that it was due on."""
        today = date.fromisoformat(clock.day(now_ms))
        days = [
            date(year, month, self.day).isoformat()
            for year in (today.year, today.year - 1)
            for month in sorted(self.months, reverse=True)
        ]
        return [next(day for day in days if self.due_at(day) <= now_ms)]

    def next_at(self, now_ms: int) -> int:
        """Return when it is due next, in milliseconds."""
        year = date.fromisoformat(clock.day(now_ms)).year
        times = [
            self.due_at(date(one, month, self.day).isoformat())
            for one in (year, year + 1)
            for month in sorted(self.months)
        ]
        return next(at for at in times if at > now_ms)

    def due_at(self, day: str) -> int:
        """Return when the run for a day is due, in milliseconds."""
        midnight = datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp() * 1000
        return round(midnight) + (self.hour * 60 + self.minute) * 60_000

    def __str__(self) -> str:
        at = f"{self.hour:02}:{self.minute:02} UTC"
        if len(self.months) == len(month_name) - 1:
            return f"each month on day {self.day} at {at}"
        names = " and ".join(month_name[month] for month in sorted(self.months))
        return f"on day {self.day} of {names} at {at}"


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
    trigger: Daily | Monthly | Every
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
        if isinstance(job.trigger, Daily | Monthly):
            day = job.trigger.due(now_ms)[-1]
            found.append((job.name, job.slot(day), job.trigger.due_at(day)))
        elif job.name != alert_duties.ALERTS:  # who watches cannot see itself
            found.append((job.name, "", 0))
    return found


JOBS: tuple[Job, ...] = (
    Job("ledger-proof", Daily(0, 30), duties.prove_ledger),
    Job("aggregates", Daily(1, 30), aggregate_duties.compute_aggregates),
    Job("retention", Daily(2, 0), retention_duties.forget_events),
    Job("retire-log", Daily(1, 0), log_duties.retire_log, on_each_host=True),
    Job("forget-ids", Daily(1, 10), duties.forget_ids),
    Job("daily-report", Daily(0, 20, catch_up=7), report_duties.report_day),
    Job("weekly-digest", Daily(6, 0, catch_up=7), report_duties.digest_week),
    Job("reviews", Daily(7, 0), review_duties.look_after_reviews),
    Job("backup", Daily(3, 0), backup_duties.back_up),
    Job(
        "backup-check",
        Monthly(tuple(range(1, 13)), 1, 5, 30),
        backup_duties.check_backups,
        on_each_host=True,
    ),
    Job("restore-drill", Monthly((1, 7), 2, 5, 30), backup_duties.practise, on_each_host=True),
    Job("retention-notices", Daily(7, 10), notice_duties.tell_owners),
    Job("erasures", Every(10), erasure_duties.carry_out_erasures, on_each_host=True),
    Job("retention-verify", Daily(4, 0), verify_duties.verify_retention, on_each_host=True),
    Job("opt-out-canary", Daily(5, 0), verify_duties.fly_canary, on_each_host=True),
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
