"""The duty of aggregates: compute what is due. It may be done twice."""

from __future__ import annotations

from eventlogging import clock
from eventlogging.jobs.duties import Result
from eventlogging.ledger.sentence import grouped
from eventlogging.platform import Platform
from eventlogging.retention import aggregates
from eventlogging.retention.policy import read_policies


def compute_aggregates(platform: Platform, day: str) -> Result:
    """Compute the aggregates of purge/ for all days that are new or changed.

    A day that cannot be computed makes the run a warning; the others go on.
    """
    with platform.database.read() as connection:
        policies = read_policies(connection)
    done = aggregates.compute_due(platform, policies, clock.now_ms())
    text = f"computed {grouped(done.days)} days of aggregates, {grouped(done.cells)} cells"
    if not done.days:
        text = "no day of an aggregate was new or had changed"
    return Result("warning" if done.failed else "done", "\n".join([text, *done.failed]))
