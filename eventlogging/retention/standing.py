"""How things stand: what of each schema is stored, since when, and when it goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from eventlogging.clock import moved
from eventlogging.retention.policy import Policies, Policy
from eventlogging.store.fixed import schema_table, table_day


@dataclass(frozen=True)
class Standing:
    """One schema's valid events: `days` maps a day to the rows that are still stored of it.

    `began`: days older than the rule keeps them have gone before.
    """

    schema: str
    policy: Policy
    days: Mapping[str, int] = field(default_factory=dict)
    began: bool = False

    @property
    def oldest(self) -> str | None:
        """The first day of which anything is stored."""
        return min(self.days, default=None)

    @property
    def rows(self) -> int:
        """All that is stored."""
        return sum(self.days.values())

    def next(self, today: str) -> Going | None:
        """Return what goes first; all that is due already goes at once.

        None where nothing is stored, or all of it is held.
        """
        every = self.goings
        due = [one for one in every if one.on <= today] or every[:1]
        return _together(due) if due else None

    @property
    def goings(self) -> list[Going]:
        """What goes when, the first first; nothing where it is held."""
        if self.policy.held:
            return []
        found: defaultdict[str, list[str]] = defaultdict(list)
        for day in sorted(self.days):
            found[goes_on(self.policy, day)].append(day)
        return [
            Going(self.schema, on, tuple(days), sum(self.days[day] for day in days))
            for on, days in sorted(found.items())
        ]


@dataclass(frozen=True)
class Going:
    """What goes on one day: the days of the events, and how many rows they are.

    `on` may have passed: then they go at the next pass.
    """

    schema: str
    on: str
    days: tuple[str, ...]
    rows: int


def goes_on(policy: Policy, day: str) -> str:
    """Return the day on which valid events of a day go, extensions and their ends included.

    A hold is not looked at: it has no end that is known.
    """
    last = [moved(day, policy.keep_days)]
    for one in policy.extensions:
        if one.first_day <= day <= one.last_day:
            last.append(min(one.until, moved(day, one.keep_days)))
    return moved(max(last), 1)


def read_standing(
    connection: sa.Connection, policies: Policies, today: str
) -> dict[str, Standing]:  # fmt: skip
    """Return schema → how it stands, of every registered schema. Raises StoreUnavailable."""
    t, d = schema_table.c, table_day.c
    query = (
        sa.select(t.schema, d.day, sa.func.sum(d.rows_in), sa.func.sum(d.rows_out))
        .join_from(schema_table, table_day, t.table_name == d.table_name)
        .group_by(t.schema, d.day)
    )
    rows: defaultdict[str, dict[str, int]] = defaultdict(dict)
    began = set()
    for schema, day, came, went in connection.execute(query):
        if came > went:
            rows[schema][day] = int(came - went)
        elif came and moved(day, policies.of(schema).keep_days) < today:
            began.add(schema)
    return {
        name: Standing(name, policy, dict(sorted(rows[name].items())), name in began)
        for name, policy in sorted(policies.own.items())
    }


def standing_of(connection: sa.Connection, policy: Policy, today: str) -> Standing:
    """Return how the schema of a policy stands; of others nothing is read.

    Raises StoreUnavailable.
    """
    t, d = schema_table.c, table_day.c
    query = (
        sa.select(d.day, sa.func.sum(d.rows_in), sa.func.sum(d.rows_out))
        .join_from(schema_table, table_day, t.table_name == d.table_name)
        .where(t.schema == policy.schema)
        .group_by(d.day)
        .order_by(d.day)
    )
    days: dict[str, int] = {}
    began = False
    for day, came, went in connection.execute(query):
        if came > went:
            days[day] = int(came - went)
        elif came and moved(day, policy.keep_days) < today:
            began = True
    return Standing(policy.schema, policy, days, began)


def going_until(standing: Mapping[str, Standing], last: str) -> list[Going]:
    """Return, for each schema of which anything goes up to a day, all that goes by then.

    Its `on` is the day of the first of it.
    """
    found = []
    for one in standing.values():
        due = [going for going in one.goings if going.on <= last]
        if due:
            found.append(_together(due))
    return found


def _together(goings: list[Going]) -> Going:
    days = tuple(sorted(day for one in goings for day in one.days))
    return Going(goings[0].schema, goings[0].on, days, sum(one.rows for one in goings))
