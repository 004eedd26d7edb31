"""The figures that monitoring reads, all of them from the ledger, the log and the database.

No process counts for itself, so that the figures are right whichever process is asked, and after
any restart.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.ledger.lag import Lag, read_lag
from eventlogging.ledger.reading import LineOfTruth, lines_of_truth
from eventlogging.store.database import Database
from eventlogging.store.fixed import job_run, mail

_SETTLED_DAYS = 2  # what was received longer ago hardly changes any more


@dataclass(frozen=True)
class JobState:
    """How a job fares: `succeeded_at` and `failed_at` are seconds since the epoch, 0: never."""

    succeeded_at: float
    failed_at: float


@dataclass(frozen=True)
class Figures:
    """All figures of one moment. `lines` are sums over all time, by schema."""

    lines: tuple[LineOfTruth, ...]
    lag: Lag
    free_bytes: int  # on the log's disk
    jobs: Mapping[str, JobState] = field(default_factory=dict)
    mails: Mapping[str, int] = field(default_factory=dict)  # state → number

    @property
    def residual(self) -> int:
        """How many events are unexplained."""
        return sum(line.residual for line in self.lines)


class Reader:
    """Reads figures; remembers the sums of settled days, which would be long to add up each time.

    May be used by several threads.
    """

    def __init__(self, database: Database, log_folder: Path) -> None:
        self._database = database
        self._folder = log_folder
        self._lock = threading.Lock()
        self._settled: tuple[str, list[LineOfTruth]] = ("", [])

    def read(self) -> Figures:
        """Return the figures of now.

        Raises StoreUnavailable, and OSError where the log cannot be read.
        """
        with self._database.read() as connection:
            settled, before = self._before(connection)
            lines = _added(before, lines_of_truth(connection, start=settled))
            lag = read_lag(connection, self._folder)
            jobs = _jobs(connection)
            count = sa.select(mail.c.state, sa.func.count()).group_by(mail.c.state)
            mails = {str(state): int(number) for state, number in connection.execute(count)}
        return Figures(tuple(lines), lag, free_bytes(self._folder), jobs, mails)

    def _before(self, connection: sa.Connection) -> tuple[str, list[LineOfTruth]]:
        day = clock.day(clock.now_ms() - _SETTLED_DAYS * clock.DAY_MS)
        with self._lock:
            if self._settled[0] != day:
                self._settled = day, lines_of_truth(connection, end=day)
            return self._settled


def free_bytes(folder: Path) -> int:
    """Return how many bytes may still be written beside a folder. Raises OSError."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def _added(one: list[LineOfTruth], other: list[LineOfTruth]) -> list[LineOfTruth]:
    """Return lines of the same schema as one, by name."""
    found: dict[str, dict[str, int]] = {}
    for line in (*one, *other):
        figures = found.setdefault(line.schema, {})
        for name in LineOfTruth.__slots__:
            if name != "schema":
                figures[name] = figures.get(name, 0) + getattr(line, name)
    return [LineOfTruth(name, **found[name]) for name in sorted(found)]


def _jobs(connection: sa.Connection) -> dict[str, JobState]:
    c = job_run.c
    failed = sa.case((c.outcome == "failed", c.finished_at))
    succeeded = sa.case((c.outcome != "failed", c.finished_at))
    query = sa.select(c.job, sa.func.max(succeeded), sa.func.max(failed)).group_by(c.job)
    return {
        str(name): JobState(_seconds(good), _seconds(bad))
        for name, good, bad in connection.execute(query)
    }


def _seconds(iso: str | None) -> float:
    return datetime.fromisoformat(iso).timestamp() if iso else 0.0
