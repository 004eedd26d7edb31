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
from eventlogging.jobs.not_yet import NotYet
from eventlogging.jobs.table import JOBS, Every, Job, Monthly
from eventlogging.platform import Platform

LOOK_SECONDS = 120
_AFTER_THE_MINUTE = 3  # seconds, in which the loader stores what came in it
_logger = logging.getLogger(__name__)


def run(platform: Platform, stopped: threading.Event, jobs: Sequence[Job] = JOBS) -> None:
    """Run jobs until stopped; what was missed before is made good at once."""
    scheduler = BackgroundScheduler(
        timezone=UTC,
        jobstores={"default": MemoryJobStore()},
        executors={"default": ThreadPoolExecutor(8)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    for job in jobs:
        scheduler.add_job(run_due, _wakes_at(job), args=(platform, [job]), id=job.name)
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


def _wakes_at(job: Job) -> CronTrigger:
    if isinstance(job.trigger, Every):
        return CronTrigger(second=_AFTER_THE_MINUTE, timezone=UTC)  # whether it is due, `due` says
    if isinstance(job.trigger, Monthly):
        months = ",".join(map(str, job.trigger.months))
        return CronTrigger(
            month=months, day=job.trigger.day, hour=job.trigger.hour, minute=job.trigger.minute,
            timezone=UTC,
        )  # fmt: skip
    return CronTrigger(hour=job.trigger.hour, minute=job.trigger.minute, timezone=UTC)


def run_due(platform: Platform, jobs: Sequence[Job]) -> int:
    """Do the runs that are due and that nobody has done or is doing; return how many."""
    done = 0
    for job in jobs:
        for time in job.trigger.due(clock.now_ms()):
            slot = job.slot(time)
            try:
                claim = claims.claim(platform.database, job.name, slot)
                if claim is not None:
                    perform(platform, job, claim)
                    done += 1
            except NotYet as error:
                _logger.info("%s for %s waits: %s", job.name, slot, error)
            except StoreUnavailable as error:
                # Not finished: its lease ends, and it is taken over once the database is back.
                _logger.warning("%s for %s has to wait: %s", job.name, slot, error)
    return done


def perform(platform: Platform, job: Job, claim: Claim) -> Result:
    """Do a claimed run and record what it came to; a duty that raises has failed.

    Raises StoreUnavailable and NotYet, and the run is then still to be done.
    """
    often = isinstance(job.trigger, Every)
    _logger.debug("%s for %s begins", job.name, claim.slot)
    with claims.kept(platform.database, claim):
        try:
            result = job.duty(platform, job.time_of(claim.slot))
        except StoreUnavailable:
            raise
        except NotYet:
            claims.release(platform.database, claim)
            raise
        except Exception as error:
            _logger.exception("%s for %s failed", job.name, claim.slot)
            result = Result("failed", f"{type(error).__name__}: {error}")
    if not claims.finish(platform.database, claim, result.outcome, result.detail):
        _logger.warning("%s for %s was taken over by another scheduler", job.name, claim.slot)
    # What went well is on the page Jobs; a terminal is for what somebody has to look at.
    level = logging.DEBUG if result.outcome == "done" else logging.INFO
    _logger.log(level, "%s for %s: %s", job.name, claim.slot, result.outcome)
    if often:
        claims.forget(platform.database, job.name, clock.minute(clock.now_ms() - clock.DAY_MS))
    return result
