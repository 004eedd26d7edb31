"""Run the jobs when they are due, and make good what was missed.

APScheduler only wakes us, from memory. What is due is computed from the clock,
and who does it is settled by a claim in the database, so that any number of
schedulers may run. Every few minutes somebody looks for runs that were missed
or abandoned: by a machine that was off, or a database that did not answer.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from eventlogging import clock
from eventlogging.errors import StoreUnavailable
from eventlogging.jobs import claims
from eventlogging.jobs.claims import Claim
from eventlogging.jobs.duties import Result
from eventlogging.jobs.table import JOBS, Job
from eventlogging.platform import Platform

LOOK_SECONDS = 120
_logger = logging.getLogger(__name__)


def run(platform: Platform, stopped: threading.Event, jobs: Sequence[Job] = JOBS) -> None:
    """Run jobs until stopped; what was missed before is made good at once."""
    scheduler = BackgroundScheduler(
        timezone=UTC,
        jobstores={"default": MemoryJobStore()},
        executors={"default": ThreadPoolExecutor(4)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    for job in jobs:
        trigger = CronTrigger(hour=job.trigger.hour, minute=job.trigger.minute, timezone=UTC)
        scheduler.add_job(run_due, trigger, args=(platform, [job]), id=job.name)
    scheduler.add_job(
        run_due,
        IntervalTrigger(seconds=LOOK_SECONDS, timezone=UTC),
        args=(platform, jobs),
        id="missed and abandoned runs",
        next_run_time=datetime.now(UTC),
    )
    scheduler.start()
    stopped.wait()
    scheduler.shutdown(wait=True)


def run_due(platform: Platform, jobs: Sequence[Job]) -> int:
    """Do the runs that are due and that nobody has done or is doing; return how many."""
    done = 0
    for job in jobs:
        for day in job.trigger.due(clock.now_ms()):
            slot = job.slot(day)
            try:
                claim = claims.claim(platform.database, job.name, slot)
                if claim is not None:
                    perform(platform, job, claim)
                    done += 1
            except StoreUnavailable as error:
                # Not finished: its lease ends, and it is taken over once the database is back.
                _logger.warning("%s for %s has to wait: %s", job.name, slot, error)
    return done


def perform(platform: Platform, job: Job, claim: Claim) -> Result:
    """Do a claimed run and record what it came to; a duty that raises has failed.

    Raises StoreUnavailable, and the run is then still to be done.
    """
    _logger.info("%s for %s begins", job.name, claim.slot)
    with claims.kept(platform.database, claim):
        try:
            result = job.duty(platform, claim.slot[:10])
        except StoreUnavailable:
            raise
        except Exception as error:
            _logger.exception("%s for %s failed", job.name, claim.slot)
            result = Result("failed", f"{type(error).__name__}: {error}")
    if not claims.finish(platform.database, claim, result.outcome, result.detail):
        _logger.warning("%s for %s was taken over by another scheduler", job.name, claim.slot)
    _logger.info("%s for %s: %s", job.name, claim.slot, result.outcome)
    return result
