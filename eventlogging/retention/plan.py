"""What would go now, before anything goes: the plan that a pass carries out.

It is made from the policies, the clock, and what the tables, their books and this host's log
hold. Its checksum is the same for as long as the same would go.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.clock import moved
from eventlogging.platform import Platform
from eventlogging.retention import held_rows, log_days
from eventlogging.retention.held_rows import EventTable
from eventlogging.retention.policy import LAST_DAY, Policies, Policy, read_policies

TABLES = ("purge", "scrub", "invalid", "unsealed", "scrubbed")  # kinds of steps in the database
LOG = ("log", "blank")  # kinds of steps on this host's disk
UNSEALED = {"sealed": 0}


@dataclass(frozen=True, slots=True)
class Step:
    """What goes of one table, or of this host's files.

    `kind`: `purge` deletes valid events, `scrub` strips them first, `invalid` deletes refused
    ones, `unsealed` those of them that could not be sealed, `scrubbed` stripped ones; `log`
    deletes days of the log, `blank` lines of it; `backup` and `export` are files in our care.
    `rows` is None where nobody counts. `policy` is its version; `cut_off` the first day that
    stays (an extension may let earlier ones stay, and these are not in `days`).
    """

    kind: str
    schema: str
    table: str
    days: tuple[str, ...]
    rows: int | None
    policy: str
    cut_off: str

    def as_dict(self) -> dict[str, Any]:
        """Return all of it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in the order in which they are done. `checksum` names all that would go.

    `kinds`: the kinds of steps that were looked for, in order, whether any was due or not.
    """

    today: str
    steps: tuple[Step, ...]
    checksum: str
    kinds: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows go, of the steps whose rows are counted."""
        return sum(step.rows or 0 for step in self.steps)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it."""
        return {
            "today": self.today, "rows": self.rows, "checksum": self.checksum,
            "kinds": list(self.kinds), "steps": [step.as_dict() for step in self.steps],
        }  # fmt: skip


def make(
    platform: Platform,
    now_ms: int,
    *,
    schema: str | None = None,
    kinds: Collection[str] = (*TABLES, *LOG),
    more: Sequence[Step] = (),
) -> Plan:
    """Return what would go at a moment; of one schema, or of all with this host's log.

    `more` are steps that others found. Raises StoreUnavailable, OSError where the log cannot
    be read.
    """
    today = clock.day(now_ms)
    with platform.database.read() as connection:
        policies = read_policies(connection)
        tables = held_rows.event_tables(connection, schema)
    steps: list[Step] = []
    for table in tables:
        # A short look at each, so that no reader sees the database as it was long ago.
        with platform.database.read() as connection:
            found = _of_table(connection, table, policies.of(table.schema), today)
            steps += [step for step in found if step.kind in kinds]
    if schema is None:
        steps += [step for step in _of_log(platform, policies, today) if step.kind in kinds]
    asked = (kind for kind in kinds if schema is None or kind in TABLES)
    return _planned(today, [*steps, *more], tuple(sorted(asked)))


def _planned(today: str, steps: Sequence[Step], kinds: tuple[str, ...]) -> Plan:
    text = json.dumps([step.as_dict() for step in steps], sort_keys=True)
    return Plan(today, tuple(steps), hashlib.sha256(text.encode()).hexdigest()[:12], kinds)


def _of_table(
    connection: sa.Connection, table: EventTable, policy: Policy, today: str
) -> Iterator[Step]:
    if policy.held:
        return
    if table.what == "invalid":
        yield from _of_invalid(connection, table, policy, today)
        return
    if table.what == "scrubbed":
        cut_off = policy.scrubbed_first_kept(today)
        days = held_rows.due_days(connection, table, cut_off, lambda day: True)
        if cut_off == LAST_DAY and table.exists and not days:
            # Nobody asks for it any more, not even for an empty one.
            yield Step("scrubbed", table.schema, table.name, (), 0, policy.version, cut_off)
    else:
        cut_off = moved(today, -policy.keep_days)
        days = held_rows.due_days(connection, table, cut_off, lambda d: policy.is_due(d, today))
    if days:
        kind = {"scrubbed": "scrubbed"}.get(table.what) or ("scrub" if policy.scrub else "purge")
        rows = held_rows.rows_of(connection, table, days)
        yield Step(kind, table.schema, table.name, days, rows, policy.version, cut_off)


def _of_invalid(
    connection: sa.Connection, table: EventTable, policy: Policy, today: str
) -> Iterator[Step]:
    cut_off = policy.invalid_first_kept(today)
    days = held_rows.due_days(connection, table, cut_off, lambda day: True)
    if days:
        rows = held_rows.rows_of(connection, table, days)
        yield Step("invalid", table.schema, table.name, days, rows, policy.version, cut_off)
    sooner = policy.unsealed_first_kept(today)
    unsealed = held_rows.days_with(connection, table, (cut_off, sooner), UNSEALED)
    if unsealed:
        yield Step(
            "unsealed", table.schema, table.name, tuple(unsealed), sum(unsealed.values()),
            policy.version, sooner,
        )  # fmt: skip


def _of_log(platform: Platform, policies: Policies, today: str) -> Iterator[Step]:
    version = policies.default.version
    cut_off = log_days.first_kept(platform, policies, today)
    if days := tuple(log_days.due(platform, cut_off)):
        yield Step("log", "", "log", days, None, version, cut_off)
    blank = log_days.unsealed(platform, policies, today, cut_off)
    if blank:
        days = tuple(sorted({name[:10] for name in blank}))
        sooner = log_days.first_unblanked(policies, today)
        yield Step("blank", "", "log", days, sum(blank.values()), version, sooner)
