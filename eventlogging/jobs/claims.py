"""Claims on runs of jobs: a row per run, so that each happens once across all machines."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.errors import StoreError
from eventlogging.store.database import Database
from eventlogging.store.fixed import job_run

LEASE_SECONDS = 300  # after so long without a sign of life, a run counts as abandoned
WORST = ("failed", "warning", None, "done")  # of several hosts' outcomes; None: it runs still
_DETAIL = 100_000  # characters
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do one run; `started_at` tells it from an earlier claim on the same run."""

    job: str
    slot: str
    started_at: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the database has it. `outcome`: done, warning, failed; None while it runs."""

    job: str
    slot: str
    started_at: str
    lease_until: str
    finished_at: str | None
    outcome: str | None
    detail: str


def claim(database: Database, job: str, slot: str, *, again: bool = False) -> Claim | None:
    """Claim a run; None where it is done, or is being done.

    A run whose lease is over was abandoned and is taken over. `again`: one that is finished
    is claimed as well. Raises StoreUnavailable.
    """
    now = clock.now_ms()
    started, until = clock.iso(now), clock.iso(now + LEASE_SECONDS * 1000)
    names = ("job", "slot", "started_at", "lease_until", "detail")
    c = job_run.c
    with database.write() as connection:
        row = (job, slot, started, until, "")
        if database.dialect.insert_new(connection, "job_run", names, [row], ("job", "slot")):
            return Claim(job, slot, started)
        free = sa.and_(c.finished_at.is_(None), c.lease_until < started)
        if again:
            free = sa.or_(free, c.finished_at.is_not(None))
        taken = connection.execute(
            sa.update(job_run)
            .where(c.job == job, c.slot == slot, free)
            .values(
                started_at=started, lease_until=until, finished_at=None, outcome=None, detail=""
            )
        )
    return Claim(job, slot, started) if taken.rowcount == 1 else None


def finish(database: Database, claim: Claim, outcome: str, detail: str) -> bool:
    """Record what a run came to; return False where somebody else has taken it over."""
    return _update(
        database,
        claim,
        finished_at=clock.iso(clock.now_ms()),
        outcome=outcome,
        detail=detail[:_DETAIL],
    )


def release(database: Database, claim: Claim) -> bool:
    """Give a run back that cannot be done yet: anybody may claim it at the next look."""
    return _update(database, claim, lease_until="")


def forget(database: Database, job: str, before: str) -> int:
    """Delete a job's finished runs for times before that; return how many there were.

    For jobs that run so often that nobody reads of each.
    """
    c = job_run.c
    with database.write() as connection:
        result = connection.execute(
            sa.delete(job_run).where(c.job == job, c.slot < before, c.finished_at.is_not(None))
        )
    return int(result.rowcount)


@contextmanager
def kept(database: Database, claim: Claim) -> Iterator[None]:
    """Renew the lease while the block runs, however long that is."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(LEASE_SECONDS / 4):
            until = clock.iso(clock.now_ms() + LEASE_SECONDS * 1000)
            try:
                _update(database, claim, lease_until=until)
            except StoreError as error:
                _logger.warning("the lease of %s cannot be renewed: %s", claim.job, error)

    thread = threading.Thread(target=renew, name=f"lease-{claim.job}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def read(database: Database, job: str, slot: str) -> Run | None:
    """Return one run, None where nobody has begun it."""
    query = sa.select(job_run).where(job_run.c.job == job, job_run.c.slot == slot)
    with database.read() as connection:
        row = connection.execute(query).mappings().first()
    return Run(**row) if row is not None else None


def last_runs(database: Database) -> dict[str, Run]:
    """Return job → its run for the latest slot; of a job that each host has, the worst of it."""
    c = job_run.c
    newest = sa.select(c.job, sa.func.max(c.slot)).group_by(c.job)
    with database.read() as connection:
        latest = {job: slot.partition("@")[0] for job, slot in connection.execute(newest)}
        wanted = [sa.and_(c.job == job, c.slot >= moment) for job, moment in latest.items()]
        query = sa.select(job_run).where(sa.or_(sa.false(), *wanted))
        runs = [Run(**row) for row in connection.execute(query).mappings()]
    # The worst is the last to be put in.
    return {run.job: run for run in sorted(runs, key=lambda one: -WORST.index(one.outcome))}


def _update(database: Database, claim: Claim, **values: str) -> bool:
    c = job_run.c
    mine = sa.and_(c.job == claim.job, c.slot == claim.slot, c.started_at == claim.started_at)
    with database.write() as connection:
        result = connection.execute(
            sa.update(job_run).where(mine, c.finished_at.is_(None)).values(**values)
        )
    return bool(result.rowcount == 1)
