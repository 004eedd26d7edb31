"""The duty of retention: what is due goes each night, if the clock can be believed.

The tables are everybody's; the log and the backups lie on a host's own disk, and go by its own job.
It brings together what a pass needs and what does not know of each other: aggregates, stripping,
backups. Commands make and carry out plans by the same functions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.backup import ages
from eventlogging.clock import moved
from eventlogging.errors import TableTrouble
from eventlogging.jobs.duties import Result
from eventlogging.jobs.not_yet import NotYet
from eventlogging.platform import Platform
from eventlogging.retention import aggregates, epochs, passes, safety, scrub
from eventlogging.retention.held_rows import event_tables
from eventlogging.retention.passes import Outcome, Progress
from eventlogging.retention.plan import LOG, TABLES, Plan, Step, make
from eventlogging.retention.policy import read_policies
from eventlogging.retention.throttle import Throttle
from eventlogging.retention.unfinished import PassRunning

HOST = (*LOG, "backup")  # kinds of steps on this host's disk
EVERYTHING = (*TABLES, *HOST)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LookedAfter:
    """What became of stripped tables: months whose keys are destroyed, and what waits, in words."""

    destroyed: tuple[str, ...] = ()
    deferred: tuple[str, ...] = ()


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
        outcome = carry_out(platform, plan_of(platform, now, kinds=TABLES), wait_seconds=10)
    except PassRunning as error:
        raise NotYet(str(error)) from error
    after = look_after_stripped(platform, clock.day(now))
    text = outcome.sentence
    if after.destroyed:
        text += f"; destroyed the keys of {', '.join(after.destroyed)}"
    deferred = [*outcome.deferred, *after.deferred]
    return Result("warning" if deferred else "done", "\n".join([text, *deferred]))


def plan_of(
    platform: Platform,
    now_ms: int,
    *,
    schema: str | None = None,
    kinds: Collection[str] = EVERYTHING,
) -> Plan:
    """Return what would go now, backups of this host included. Raises StoreUnavailable, OSError."""
    today = clock.day(now_ms)
    more = old_backups(platform, today) if schema is None and "backup" in kinds else []
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
            if backup.day in step.days and not ages.delete(backup):
                raise TableTrouble(step.table, "another backup, check or drill is at work")
        return 0

    rest = pause or Throttle(platform)
    strip = partial(scrub.strip_day, between=lambda rows: rest())
    return passes.run(
        platform, plan, settle=aggregates.settle, strip=strip, more={"backup": delete_backups},
        progress=progress, pause=rest, wait_seconds=wait_seconds,
    )  # fmt: skip


def look_after_stripped(platform: Platform, today: str) -> LookedAfter:
    """Make stripped tables as narrow as the policies are, and destroy the keys of past months.

    Tables of held schemas stay as they are; one that cannot be narrowed hinders no other. Raises
    StoreUnavailable.
    """
    database = platform.database
    with database.read() as connection:
        policies = read_policies(connection)
        tables = event_tables(connection)
    stripped = {one.name for one in tables if one.what == "scrubbed" and one.exists}
    schemas = platform.registry.snapshot.schemas
    deferred = []
    for table in tables:
        policy = policies.of(table.schema)
        schema = schemas.get(table.schema)
        name = scrub.stripped_name(table.name)
        wanted = table.what == "valid" and name in stripped
        if wanted and schema is not None and policy.scrub is not None and not policy.held:
            try:
                gone = scrub.narrow(database, schema, table.name, policy)
            except TableTrouble as error:
                deferred.append(f"{name} is not narrowed yet: {error.reason}")
            except scrub.ScrubRefused as error:
                deferred.append(f"{name} is not narrowed yet: {error}")
            except sa.exc.DBAPIError as error:
                deferred.append(f"{name} is not narrowed yet: {error.orig}")
            else:
                if gone:
                    _logger.info("%s no longer has %s", table.name, ", ".join(gone))
    for sentence in deferred:
        _logger.warning("retention: %s", sentence)
    return LookedAfter(tuple(epochs.destroy_past(database, policies, today)), tuple(deferred))


def old_backups(platform: Platform, today: str) -> list[Step]:
    """Return the step that deletes the backups of this host that are too old; none: no step."""
    keep = _backup_days(platform)
    days = tuple(one.day for one in ages.expired(platform.config.var, today, keep))
    if not days:
        return []
    return [Step("backup", "", "backups", days, None, "", moved(today, -keep))]


def _backup_days(platform: Platform) -> int:
    with platform.database.read() as connection:
        policies = read_policies(connection)
    return ages.keep_of(platform.config.backup_keep_days, policies.shortest)
