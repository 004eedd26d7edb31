"""The age of rows: by the days that a table really has, one step along its key for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

import sqlalchemy as sa

from eventlogging.store.dialect import quoted
from eventlogging.store.fixed import client_report, forwarded, recent_id, test_event
from eventlogging.verify.catalogue import (
    STRIPPED,
    UNKNOWN_TABLE,
    Catalogue,
    partition_has_rows,
    partitions_of,
)
from eventlogging.verify.certificate import Finding
from eventlogging.verify.rules import Rule, Rules

_LEAST = "1000-01-01"  # that a DATETIME may be compared with
_MOST_DAYS = 1000  # of a table that are looked for; so many say enough
_SHOWN = 5
_TRIAL_DAYS, _ID_DAYS, _REPORT_DAYS = 2, 9, 32
_PURGE = "eventlogging purge --dry-run shows what the next pass deletes"


def old_rows(
    connection: sa.Connection, catalogue: Catalogue, rules: Rules, today: date, grace_days: int,
    looked: dict[str, int],
) -> Iterator[Finding]:  # fmt: skip
    """Yield the tables with rows of days that nothing explains any more."""
    for schema in rules.schemas:
        rule = schema.rule
        for table in sorted({*schema.tables.values()} & catalogue.tables):
            yield from _events(connection, table, rule, today, grace_days, looked)
            if (stripped := table + STRIPPED) in catalogue.tables:
                yield from _stripped(connection, stripped, rule, today, grace_days)
        if schema.invalid_table in catalogue.tables:
            yield from _refused(connection, schema.invalid_table, rule, today, grace_days)
    if UNKNOWN_TABLE in catalogue.tables:
        yield from _refused(connection, UNKNOWN_TABLE, rules.default, today, grace_days)


def _events(
    connection: sa.Connection, table: str, rule: Rule, today: date, grace_days: int,
    looked: dict[str, int],
) -> Iterator[Finding]:  # fmt: skip
    if rule.is_held:
        return
    # From this day on everything is explained; before it, what an extension names.
    first = today - timedelta(rule.keep_days + grace_days)
    days = [
        day
        for day in _days(connection, table, "dt", first)
        if not rule.explains(day, today, grace_days)
    ]
    if days:
        what = f"events of {_named(days)}; they are kept for {rule.keep_days} days"
        yield Finding("rows", table, what, _PURGE)
    for partition in partitions_of(connection, table):
        looked["partitions"] = looked.get("partitions", 0) + 1
        last = partition.bound - timedelta(1)
        # The oldest partition may reach back for ever: its newest day decides, and whatever
        # an extension explains within it was looked at by days.
        if last >= first or rule.longer or not partition_has_rows(connection, table, partition):
            continue
        what = f"the partition {partition.name}, which ends before {partition.bound}, is not empty"
        yield Finding("partition", table, what, _PURGE)


def _refused(
    connection: sa.Connection, table: str, rule: Rule, today: date, grace_days: int
) -> Iterator[Finding]:
    if rule.is_held:
        return
    first = today - timedelta(rule.invalid_days + grace_days)
    if oldest := _oldest(connection, table, "received", first):
        what = f"refused events received on {oldest}; they are kept for {rule.invalid_days} days"
        yield Finding("invalid", table, what, _PURGE)
    first = today - timedelta(rule.unsealed_days + grace_days)
    only = "AND (sealed IS NULL OR sealed = 0)"
    if oldest := _oldest(connection, table, "received", first, only):
        what = (
            f"refused events received on {oldest} whose private fields could not be hashed; they "
            f"are kept for {rule.unsealed_days} days"
        )
        yield Finding("unsealed", table, what, _PURGE)


def _stripped(
    connection: sa.Connection, table: str, rule: Rule, today: date, grace_days: int
) -> Iterator[Finding]:
    if rule.is_held or rule.stripping is None or rule.stripping.keep_days is None:
        return
    keep = rule.stripping.keep_days
    if oldest := _oldest(connection, table, "dt", today - timedelta(keep + grace_days)):
        what = f"stripped events of {oldest}; they are kept for {keep} days"
        yield Finding("rows", table, what, _PURGE)


def passing_rows(connection: sa.Connection, today: date) -> Iterator[Finding]:
    """Yield what test keys sent, and times of ids, that are there for longer than they should."""
    bounds: Mapping[str, tuple[sa.Column[str], int, str]] = {
        "test_event": (test_event.c.received, _TRIAL_DAYS, "events of test keys"),
        "recent_id": (recent_id.c.added, _ID_DAYS, "times of ids"),
        "client_report": (client_report.c.added, _REPORT_DAYS, "ids of clients' reports"),
        "forwarded": (forwarded.c.added, _REPORT_DAYS, "places of forwarded batches"),
    }
    for table, (column, days, words) in bounds.items():
        oldest = connection.execute(sa.select(sa.func.min(column))).scalar()
        if oldest and str(oldest)[:10] < (today - timedelta(days)).isoformat():
            what = f"{words} since {str(oldest)[:10]}; more than {days} days is too long"
            yield Finding("rows", table, what, "eventlogging job list shows which job failed")


def _days(connection: sa.Connection, table: str, column: str, before: date) -> Iterator[date]:
    """Yield the days before that one of which a table has rows."""
    at = _LEAST
    for _ in range(_MOST_DAYS):
        moment = _step(connection, table, column, at, before)
        if moment is None:
            return
        day = date.fromisoformat(moment[:10])
        yield day
        at = (day + timedelta(1)).isoformat()


def _oldest(
    connection: sa.Connection, table: str, column: str, before: date, only: str = ""
) -> str | None:
    moment = _step(connection, table, column, _LEAST, before, only)
    return moment[:10] if moment is not None else None


def _step(
    connection: sa.Connection, table: str, column: str, at: str, before: date, only: str = ""
) -> str | None:
    """Return the first moment of a table from `at` on and before a day, None: there is none."""
    query = sa.text(
        f"SELECT {quoted(column)} FROM {quoted(table)} "
        f"WHERE {quoted(column)} >= :at AND {quoted(column)} < :before {only} "
        f"ORDER BY {quoted(column)} LIMIT 1"
    )
    found = connection.execute(query, {"at": at, "before": before.isoformat()}).scalar()
    return None if found is None else str(found)


def has_rows_between(connection: sa.Connection, table: str, first: date, after: date) -> bool:
    """Whether a table has events of the days from `first` on and before `after`."""
    return _step(connection, table, "dt", first.isoformat(), after) is not None


def _named(days: list[date]) -> str:
    shown = ", ".join(day.isoformat() for day in days[:_SHOWN])
    more = len(days) - _SHOWN
    return f"{shown} and {more} more days" if more > 0 else shown
