"""Whether anything arrived that was received before some moment: by the ledger, not the tables.

What is stored is booked in the same transaction under the minute of its receipt. Once the log is
loaded, the number of events of minutes that are over changes only when something comes late: from
a forwarder that was cut off, or from the log of a host that was away.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping
from itertools import accumulate

import sqlalchemy as sa

from eventlogging.clock import moved
from eventlogging.event import Outcome
from eventlogging.store.fixed import ledger

_DAYS = 30  # before a moment that are watched: whoever comes back after longer is not seen


def booked(connection: sa.Connection, moments: Iterable[str]) -> Mapping[str, int]:
    """Return moment (ISO) → how many events are booked that were received in the days before it.

    What waits for its table counts once it is stored. Raises StoreUnavailable.
    """
    wanted = sorted(set(moments))
    if not wanted:
        return {}
    c = ledger.c
    query = (
        sa.select(c.minute, sa.func.sum(c.count))
        .where(c.minute >= _since(wanted[0]), c.minute <= _minute(wanted[-1]))
        .where(c.outcome.in_([str(outcome) for outcome in Outcome]))
        .group_by(c.minute)
        .order_by(c.minute)
    )
    rows = connection.execute(query).all()
    minutes = [row[0] for row in rows]
    sums = [0, *accumulate(int(row[1]) for row in rows)]
    return {
        moment: sums[bisect_right(minutes, _minute(moment))]
        - sums[bisect_left(minutes, _since(moment))]
        for moment in wanted
    }


def mark(number: int, held: Collection[str]) -> list[object]:
    """Return what has to be the same for another look to find the same, as JSON has it."""
    return [number, sorted(held)]


def _since(moment: str) -> str:
    return moved(moment[:10], -_DAYS)


def _minute(moment: str) -> str:
    """The ledger's minute of a moment (ISO)."""
    return moment[:16].replace("T", " ")
