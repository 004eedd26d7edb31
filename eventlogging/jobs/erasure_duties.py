"""The duty of erasures: carry out what waits, on each host for its own log. May be done twice."""

from __future__ import annotations

from collections.abc import Sequence

from eventlogging.jobs.duties import Result
from eventlogging.ledger.sentence import grouped
from eventlogging.platform import Platform
from eventlogging.retention import aggregates, erasure, erasure_late
from eventlogging.retention.erasure_book import DONE


def carry_out_erasures(platform: Platform, moment: str) -> Result:
    """Erase the persons who asked for it, from tables and from this host's log.

    What has to wait is tried again at each run, and what came late is looked for.
    """

    def recompute(schema: str, days: Sequence[str]) -> None:
        aggregates.recompute(platform, schema, days)

    lines = []
    for wish in erasure.unfinished(platform.database):
        after = erasure.carry_out(platform, wish, recompute=recompute)
        if after.state == DONE:
            lines.append(f"erasure {after.id}: done, {grouped(after.rows)} rows went")
        else:
            lines.append(f"erasure {after.id} waits: {'; '.join(after.waits)}")
    for after in erasure_late.look_again(platform, recompute=recompute):
        lines.append(f"erasure {after.id}: more of it came late; {grouped(after.rows)} rows went")
    erasure_late.forget(platform)
    return Result("done", "\n".join(lines) if lines else "nobody waits to be forgotten")
