"""The duties of the books: prove, forget. Each may be done twice."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.ledger.proof import prove
from eventlogging.ledger.sentence import grouped
from eventlogging.platform import Platform
from eventlogging.store.fixed import client_report, forwarded, recent_id

# Retries that come later than that are not looked for: of events with a time that is not theirs,
# of what clients reported, and of what forwarders sent.
_REMEMBERED: tuple[tuple[str, sa.Table, int], ...] = (
    ("ids", recent_id, 7),
    ("reports of clients", client_report, 30),
    ("batches of forwarders", forwarded, 30),
)
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
    """Delete what is remembered for the sake of retries that nobody expects any more."""
    said = []
    for what, table, days in _REMEMBERED:
        first_kept = _days_ago(days)
        number = _forget(platform, table, first_kept)
        if number or table is recent_id:
            said.append(f"{grouped(number)} {what} added before {first_kept}")
    return Result("done", f"forgot {', '.join(said)}")


def _forget(platform: Platform, table: sa.Table, first_kept: str) -> int:
    """Delete the rows added before a day; return how many."""
    names = list(table.primary_key.columns)
    query = sa.select(*names).where(table.c.added < first_kept).limit(_CHUNK)
    forgotten = 0
    while True:
        # Short transactions: the loader writes into these tables all the time.
        with platform.database.write() as connection:
            keys = [tuple(row) for row in connection.execute(query)]
            if keys:
                connection.execute(sa.delete(table).where(sa.tuple_(*names).in_(keys)))
        forgotten += len(keys)
        if len(keys) < _CHUNK:
            return forgotten


def _days_ago(days: int) -> str:
    return clock.moved(clock.day(clock.now_ms()), -days)
