"""Whether the clock can be believed: one that jumped must not delete what is not old.

The scheduled pass compares the present with its last one. Where they lie far apart, the days in
between must show life: the ledger's minutes and the starts of jobs, written by the clock of those
days. An outage of the jobs alone leaves it; a clock that jumped does not.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.clock import age, moved
from eventlogging.platform import Platform
from eventlogging.receipts import chain
from eventlogging.store.fixed import job_run, ledger

MOST_DAYS = 2  # between two passes without asking; and days without life among those in between
PASSES = ("begin", "pass", "log")  # receipts that a pass leaves; others come by any clock
JOBS = ("retention", "retire-log")  # whose runs that went well also say when the last pass was


def last_pass(platform: Platform) -> str | None:
    """Return when the newest pass was, as an ISO time, None where there was none.

    Raises BrokenChain, StoreUnavailable.
    """
    receipts = chain.read(chain.folder_of(platform.config.var))
    times = [receipt.at for receipt in receipts if receipt.kind in PASSES]
    c = job_run.c
    # Another host may have done the passes, with receipts of its own.
    query = sa.select(sa.func.max(c.finished_at)).where(
        c.job.in_(JOBS), c.outcome.in_(("done", "warning"))
    )
    with platform.database.read() as connection:
        by_jobs = connection.execute(query).scalar()
    return max([*times, *([by_jobs] if by_jobs else [])], default=None)


def why_not(platform: Platform, now_ms: int) -> str | None:
    """Return why nothing may be deleted by the clock as it is, None where it can be believed.

    Raises BrokenChain, StoreUnavailable.
    """
    last = last_pass(platform)
    if last is None:
        return None
    apart = clock.from_ms(now_ms) - datetime.fromisoformat(last)
    if abs(apart) <= timedelta(days=MOST_DAYS):
        return None
    today = clock.day(now_ms)
    if apart < timedelta():
        return _refusal(f"the clock says {today}, and the last pass was later, on {last[:10]}")
    lifeless = _days_without_life(platform, last[:10], today)
    if len(lifeless) <= MOST_DAYS:
        return None
    return _refusal(
        f"the clock says {today}, the last pass was on {last[:10]}, and {len(lifeless)} days in "
        f"between show no life (the first is {lifeless[0]})"
    )


def _refusal(fact: str) -> str:
    return (
        f"{fact}; nothing was deleted. Check the clock. If it is right: "
        "eventlogging purge --dry-run"
    )


def _days_without_life(platform: Platform, last: str, today: str) -> list[str]:
    between = [moved(last, days) for days in range(1, age(last, today))]
    if not between:
        return []
    # Starts of runs and not what they were for: a run may be for a day long ago.
    minute, started = ledger.c.minute, job_run.c.started_at
    alive = []
    with platform.database.read() as connection:
        for day in between:
            end = moved(day, 1)
            found = [
                connection.execute(sa.select(column).where(column >= day, column < end).limit(1))
                for column in (minute, started)
            ]
            if any(rows.first() is not None for rows in found):
                alive.append(day)
    return [day for day in between if day not in alive]
