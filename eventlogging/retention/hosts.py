"""Which hosts have a log of their own: those whose jobs ran lately."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from socket import gethostname

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.store.database import Database
from eventlogging.store.fixed import job_run

_ROOM = 15  # characters that the slot of a job of each host leaves for the host's name
_DAYS = 2


def this_host() -> str:
    """Return this host's name, as it stands in the slots of jobs that run often."""
    name = gethostname()
    return name if len(name) <= _ROOM else sha256(name.encode()).hexdigest()[:_ROOM]


def hosts(database: Database, jobs: Sequence[str]) -> tuple[str, ...]:
    """Return the hosts on which one of some jobs began a run in the last two days, and this one.

    The jobs are such as run on each host, every so many minutes. Raises StoreUnavailable.
    """
    c = job_run.c
    since = clock.iso(clock.now_ms() - _DAYS * clock.DAY_MS)
    query = sa.select(c.slot).where(c.job.in_(jobs), c.started_at >= since, c.slot.contains("@"))
    with database.read() as connection:
        slots = list(connection.execute(query).scalars())
    return tuple(sorted({this_host(), *(slot.partition("@")[2] for slot in slots)}))
