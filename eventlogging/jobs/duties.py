"""The duties of the books: prove, forget. Each may be done twice."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.ledger.proof import prove
from eventlogging.ledger.sentence import grouped
from eventlogging.platform import Platform
from eventlogging.store.fixed import recent_id

_RECENT_DAYS = 7  # a retry that comes later than that is not looked for
_CHUNK = 500
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to, in words: `done`, `warning` where somebody should look, or `failed`."""

    outcome: Literal["done", "warning", "failed"]
    detail: str


def prove_ledger(platform: Platform, day: str) -> Result:
    """Count every table of events against its book.

    A difference is logged and makes the run a warning.
    """
    proof = prove(platform.database)
    counted = ", ".join(f"{grouped(number)} {what}" for what, number in proof.checked.items())
    if proof.holds:
        return Result("done", f"the books hold: {counted}")
    for sentence in proof.discrepancies:
        _logger.warning("ledger-proof: %s", sentence)
    return Result("warning", "\n".join(proof.discrepancies))


def forget_ids(platform: Platform, day: str) -> Result:
    """Delete the remembered times of ids that no retry is expected of any more."""
    first_kept = _days_ago(_RECENT_DAYS)
    key = sa.tuple_(recent_id.c.table_name, recent_id.c.id)
    query = sa.select(recent_id.c.table_name, recent_id.c.id).where(recent_id.c.added < first_kept)
    forgotten = 0
    while True:
        # Short transactions: the loader writes into this table all the time.
        with platform.database.write() as connection:
            keys = [tuple(row) for row in connection.execute(query.limit(_CHUNK))]
            if keys:
                connection.execute(sa.delete(recent_id).where(key.in_(keys)))
        forgotten += len(keys)
        if len(keys) < _CHUNK:
            return Result("done", f"forgot {grouped(forgotten)} ids added before {first_kept}")


def _days_ago(days: int) -> str:
    today = date.fromisoformat(clock.day(clock.now_ms()))
    return (today - timedelta(days=days)).isoformat()
