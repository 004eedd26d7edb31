"""The duty of retention: what is due goes each night, if the clock can be believed.

It brings together what a pass needs and what does not know of each other: aggregates, stripping,
backups. Commands make and carry out plans by the same functions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from functools import partial

from eventlogging import clock
from eventlogging.backup import ages
from eventlogging.jobs.duties import Result
from eventlogging.jobs.not_yet import NotYet
from eventlogging.platform import Platform
from eventlogging.retention import aggregates, epochs, passes, safety, scrub
from eventlogging.retention.held_rows import event_tables
from eventlogging.retention.passes import Outcome, Progress
from eventlogging.retention.plan import LOG, TABLES, Plan, Step, make
from eventlogging.retention.policy import moved, read_policies
from eventlogging.retention.throttle import Throttle
from eventlogging.retention.unfinished import PassRunning

NIGHTLY = (*TABLES, "backup")  # the log is for each host's own job
EVERYTHING = (*NIGHTLY, *LOG)
_logger = logging.getLogger(__name__)


def forget_events(platform: Platform, day: str) -> Result:
    """Delete or strip the events that are older than purge/ says.

    What somebody holds waits for the next run, which makes this one a warning. Where the clock
    cannot be believed, nothing is deleted, and the run has failed.
    """
    now = clock.now_ms()
    if reason := safety.why_not(platform, now):
        _logger.error("retention: %s", reason)
        return Result("failed", reason)
    try:
        outcome = carry_out(platform, plan_of(platform, now, kinds=NIGHTLY), wait_seconds=10)
    except PassRunning as error:
        raise NotYet(str(error)) from error
    destroyed = look_after_stripped(platform, clock.day(now))
    text = outcome.sentence
    if destroyed:
        text += f"; destroyed the keys of {', '.join(destroyed)}"
    return Result("warning" if outcome.deferred else "done", "\n".join([text, *outcome.deferred]))


def plan_of(
    platform: Platform,
    now_ms: int,
    *,
    schema: str | None = None,
    kinds: Collection[str] = EVERYTHING,
) -> Plan:
    """Return what would go now, backups of this host included. Raises StoreUnavailable, OSError."""
    today = clock.day(now_ms)
    more = _old_backups(platform, today) if schema is None and "backup" in kinds else []
    return make(platform, now_ms, schema=schema, kinds=kinds, more=more)


def carry_out(
    platform: Platform,
    plan: Plan,
    *,
    progress: Progress = lambda rows: None,
    pause: Callable[[], None] | None = None,
    wait_seconds: float = 600,
) -> Outcome:
    """Do what a plan says, with aggregates and stripped rows made before anything goes."""

    def delete_backups(step: Step) -> int:
        for backup in ages.expired(platform.config.var, plan.today, _backup_days(platform)):
            if backup.day in step.days:
                ages.delete(backup)
        return 0

    rest = pause or Throttle(platform)
    strip = partial(scrub.strip_day, between=lambda rows: rest())
    return passes.run(
        platform, plan, settle=aggregates.settle, strip=strip, more={"backup": delete_backups},
        progress=progress, pause=rest, wait_seconds=wait_seconds,
    )  # fmt: skip


def look_after_stripped(platform: Platform, today: str) -> list[str]:
    """Make stripped tables as narrow as the policies are, destroy past keys; return their months.

    Tables of held schemas stay as they are.
    """
    database = platform.database
    with database.read() as connection:
        policies = read_policies(connection)
        tables = event_tables(connection)
    stripped = {one.name for one in tables if one.what == "scrubbed" and one.exists}
    schemas = platform.registry.snapshot.schemas
    for table in tables:
        policy = policies.of(table.schema)
        schema = schemas.get(table.schema)
        wanted = table.what == "valid" and scrub.stripped_name(table.name) in stripped
        if wanted and schema is not None and policy.scrub is not None and not policy.held:
            gone = scrub.narrow(database, schema, table.name, policy)
            if gone:
                _logger.info("%s no longer has %s", table.name, ", ".join(gone))
    return epochs.destroy_past(database, policies, today)


def _backup_days(platform: Platform) -> int:
    with platform.database.read() as connection:
        policies = read_policies(connection)
    return ages.keep_of(platform.config.backup_keep_days, policies.shortest)


def _old_backups(platform: Platform, today: str) -> list[Step]:
    keep = _backup_days(platform)
    days = tuple(one.day for one in ages.expired(platform.config.var, today, keep))
    if not days:
        return []
    return [Step("backup", "", "backups", days, None, "", moved(today, -keep))]
