"""What a restore does before anything can start: forget what was forgotten since the backup."""

from __future__ import annotations

from collections.abc import Sequence

from eventlogging import clock
from eventlogging.jobs.erasure_duties import carry_out_erasures
from eventlogging.jobs.retention_duties import carry_out, look_after_stripped, plan_of
from eventlogging.platform import Platform
from eventlogging.receipts.chain import Receipt
from eventlogging.retention import aggregates, erasure, extensions, holds, safety
from eventlogging.retention.plan import TABLES


def replay(platform: Platform, receipts: Sequence[Receipt]) -> int:
    """Hold, keep longer and erase once more what the receipts say; return how many rows went."""

    def recompute(schema: str, days: Sequence[str]) -> None:
        aggregates.recompute(platform, schema, days)

    platform.registry.refresh()
    holds.replay(platform.database, receipts)
    extensions.replay(platform.database, receipts)
    erased = erasure.replay(platform, receipts, recompute=recompute)
    carry_out_erasures(platform, clock.minute(clock.now_ms()))
    return erased


def purge(platform: Platform) -> str:
    """Delete from the tables what is due; return what went, in words.

    The log stays as it is until it is loaded, and backups stay: one of them is being put back.
    Where the clock cannot be believed, nothing goes before somebody has read the plan.
    """
    now = clock.now_ms()
    if reason := safety.why_not(platform, now):
        return f"nothing was purged: {reason}"
    outcome = carry_out(platform, plan_of(platform, now, kinds=TABLES))
    after = look_after_stripped(platform, clock.day(now))
    return "; ".join([outcome.sentence, *outcome.deferred, *after.deferred])
