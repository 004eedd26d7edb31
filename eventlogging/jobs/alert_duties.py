"""The duties of alerts: look at the platform, look at this host, call webhooks.

Each looks at the present and may be done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.alerts import webhooks
from eventlogging.alerts.evaluate import evaluate, evaluate_host
from eventlogging.alerts.figures import JobState
from eventlogging.alerts.sample import Recovery
from eventlogging.jobs import claims
from eventlogging.jobs.duties import Result
from eventlogging.platform import Platform
from eventlogging.registry.assess import assess
from eventlogging.registry.proposal import Proposal
from eventlogging.review.dry_run import dry_run
from eventlogging.store.fixed import job_run

ALERTS = "alerts"  # the job that watches all others
# now → (job, slot that is due, since when in ms) of each job; no slot: one that runs all the time
Due = Callable[[int], Sequence[tuple[str, str, int]]]
_MINUTE_MS = 60_000
_RECOVERY_SECONDS = 3.0
_RECOVERY_EVENTS = 10_000


def look_at_alerts(platform: Platform, moment: str, due: Due = lambda now: ()) -> Result:
    """Hold the ledger, the jobs and the database against the rules of alerts/."""
    now = clock.now_ms()
    jobs = job_states(platform, due(now), now)

    def recover(name: str, document: Mapping[str, Any]) -> Recovery | None:
        return _recovery(platform, name, document)

    return Result("done", evaluate(platform, jobs, recover).sentence)


def look_at_host(platform: Platform, moment: str) -> Result:
    """Hold this host's log and its disk against the rules of alerts/."""
    return Result("done", evaluate_host(platform).sentence)


def call_webhooks(platform: Platform, moment: str) -> Result:
    """Call the webhooks that are due."""
    done = webhooks.deliver_due(platform.database, platform.config)
    return Result("done", f"{done.sent} called, {done.later} to try again, {done.failed} given up")


def job_states(
    platform: Platform, due: Sequence[tuple[str, str, int]], now_ms: int
) -> list[JobState]:
    """Return how each job fares, by the newest run that was finished and the one that is due."""
    finished = _last_finished(platform)
    states = []
    for name, slot, since_ms in due:
        last = finished.get(name)
        if slot:
            late = _late(platform, name, slot, since_ms, now_ms)
        elif last is not None and last.finished_at is not None:
            late = (now_ms - _ms(last.finished_at)) / _MINUTE_MS
        else:
            late = 0.0
        if last is None:
            states.append(JobState(name, slot, "", "", late))
        else:
            states.append(JobState(name, last.slot, last.outcome or "", last.detail, late))
    return states


def _late(platform: Platform, name: str, slot: str, since_ms: int, now_ms: int) -> float:
    """Return by how many minutes a run is late, of those in which anybody could have done it.

    A platform that was off is not late: only minutes in which alerts were looked at count.
    """
    run = claims.read(platform.database, name, slot)
    if now_ms <= since_ms or (run is not None and run.finished_at is not None):
        return 0.0
    c = job_run.c
    query = sa.select(sa.func.count()).where(
        c.job == ALERTS, c.slot >= clock.minute(since_ms), c.finished_at.is_not(None)
    )
    with platform.database.read() as connection:
        watched = int(connection.execute(query).scalar() or 0)
    return min((now_ms - since_ms) / _MINUTE_MS, float(watched))


def _last_finished(platform: Platform) -> dict[str, claims.Run]:
    c = job_run.c
    newest = (
        sa.select(c.job, sa.func.max(c.finished_at).label("at"))
        .where(c.finished_at.is_not(None))
        .group_by(c.job)
        .subquery()
    )
    query = sa.select(job_run).join(
        newest, sa.and_(c.job == newest.c.job, c.finished_at == newest.c.at)
    )
    with platform.database.read() as connection:
        runs = [claims.Run(**row) for row in connection.execute(query).mappings()]
    return {run.job: run for run in runs}


def _recovery(platform: Platform, name: str, document: Mapping[str, Any]) -> Recovery | None:
    """Return what a changed schema would be and recover, None where it could not be published."""
    snapshot = platform.registry.snapshot
    schema = snapshot.schemas.get(name)
    if schema is None:
        return None
    with platform.database.read() as connection:
        assessment = assess(connection, Proposal(name=name, document=document))
    if assessment.problems or assessment.version is None or assessment.identical:
        return None
    run = dry_run(
        platform.database, snapshot, name, document, privacy=schema.privacy,
        now_ms=clock.now_ms(), most=_RECOVERY_EVENTS, seconds=_RECOVERY_SECONDS,
    )  # fmt: skip
    level = assessment.level.name.lower()
    return Recovery(str(assessment.version), level, run.newly_valid, run.refused_now)


def _ms(iso: str) -> int:
    return round(datetime.fromisoformat(iso).timestamp() * 1000)
