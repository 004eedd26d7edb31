"""The duty of each host's files: old days of the log go, unsealed lines in younger ones, backups.

A backup lies on the host that made it, so that no other host can delete it.
"""

from __future__ import annotations

import logging

from eventlogging import clock
from eventlogging.jobs.duties import Result
from eventlogging.jobs.not_yet import NotYet
from eventlogging.jobs.retention_duties import HOST, carry_out, old_backups, plan_of
from eventlogging.ledger.sentence import grouped
from eventlogging.platform import Platform
from eventlogging.retention import log_days, safety
from eventlogging.retention.policy import read_policies
from eventlogging.retention.unfinished import PassRunning

_logger = logging.getLogger(__name__)


def retire_log(platform: Platform, day: str) -> Result:
    """Delete old days of the log that are loaded, and backups that are too old.

    Refused events that could not be sealed are blanked before. A day with anything that is not
    in its table yet stays, which makes the run a warning, and so do backups while somebody works
    with them. Where the clock cannot be believed,
    nothing is deleted, and the run has failed.
    """
    now = clock.now_ms()
    if reason := safety.why_not(platform, now):
        _logger.error("retire-log: %s", reason)
        return Result("failed", reason)
    plan = plan_of(platform, now, kinds=HOST)
    try:
        outcome = carry_out(platform, plan, wait_seconds=10)
    except PassRunning as error:
        raise NotYet(str(error)) from error
    stay = [*outcome.deferred, *_needed(platform, plan.today)]
    for sentence in stay:
        _logger.warning("retire-log: %s", sentence)
    gone = [day for step in plan.steps if step.kind == "log" for day in step.days]
    text = f"deleted the log of {', '.join(gone)}" if gone else "no day of the log was due"
    blanked = sum(step.rows or 0 for step in plan.steps if step.kind == "blank")
    if blanked:
        text += f"; blanked lines of events that could not be sealed: {grouped(blanked)}"
    left = {day for step in old_backups(platform, plan.today) for day in step.days}
    old = [day for step in plan.steps if step.kind == "backup" for day in step.days]
    if deleted := [day for day in old if day not in left]:
        text += f"; deleted the backups of {', '.join(deleted)}"
    return Result("warning" if stay else "done", "\n".join([text, *stay]))


def _needed(platform: Platform, today: str) -> list[str]:
    """Return which days stay although they are old, in sentences."""
    with platform.database.read() as connection:
        policies = read_policies(connection)
    first = log_days.first_kept(platform, policies, today)
    return log_days.needed(platform, first)
