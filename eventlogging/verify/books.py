"""What outlives events: cells of aggregates that stand for too few, keys of months long past."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from eventlogging.store.fixed import aggregate_cell, aggregate_day, epoch_key
from eventlogging.verify.ages import has_rows_between
from eventlogging.verify.catalogue import Catalogue
from eventlogging.verify.certificate import Finding
from eventlogging.verify.rules import Rule, Rules

_KEY_GRACE_DAYS = 3


def small_cells(
    connection: sa.Connection, rules: Rules, looked: dict[str, int]
) -> Iterator[Finding]:
    """Yield the aggregates with cells for good that stand for fewer than they must.

    A count of all that is too small, of which nothing else is said, is fine.
    """
    d, c = aggregate_day.c, aggregate_cell.c
    newest = sa.select(d.schema, d.aggregate, sa.func.max(d.day)).group_by(d.schema, d.aggregate)
    of_newest = sa.tuple_(d.schema, d.aggregate, d.day).in_(newest)
    # Days by an earlier definition had another least; what is shown of them keeps to today's.
    pairs = connection.execute(
        sa.select(d.schema, d.aggregate, d.definition).where(of_newest)
    ).all()
    looked["cells"] = int(
        connection.execute(sa.select(sa.func.count()).select_from(aggregate_cell)).scalar() or 0
    )
    for schema, aggregate, definition in pairs:
        rule = rules.of(schema)
        least = rule.min_cells.get(aggregate, rule.min_cell)
        join = sa.and_(c.schema == d.schema, c.aggregate == d.aggregate, c.day == d.day)
        query = (
            sa.select(c.day, c.by, c.events, c.measures)
            .select_from(aggregate_cell.join(aggregate_day, join))
            .where(
                d.final.is_(True),
                d.definition == definition,
                c.events < least,
                c.schema == schema,
                c.aggregate == aggregate,
            )
            .order_by(c.day)
        )
        for row in connection.execute(query):
            if _says_something(row.by) or _says_something(row.measures):
                what = (
                    f"a cell of {row.day} stands for {row.events} events for good; {least} are "
                    "the fewest"
                )
                mend = f"eventlogging job run aggregates --for {row.day}"
                yield Finding("aggregate", f"{schema} {aggregate}", what, mend)
                break


def _says_something(text: str) -> bool:
    """Whether a JSON text holds anything but names without values."""
    try:
        return _is_told(orjson.loads(text)) if text else False
    except orjson.JSONDecodeError:
        return True


def _is_told(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_is_told, value.values()))
    return value not in (None, "", [], False) and not isinstance(value, int)


def standing_keys(
    connection: sa.Connection, catalogue: Catalogue, rules: Rules, today: date,
    looked: dict[str, int],
) -> Iterator[Finding]:  # fmt: skip
    """Yield the keys of months that could still link what was stripped long ago.

    A key may stand while a day of its month is still to be stripped.
    """
    c = epoch_key.c
    rows = connection.execute(sa.select(c.epoch, c.secret).order_by(c.epoch)).all()
    looked["keys"] = len(rows)
    stripping = [one for one in rules.schemas if one.rule.stripping is not None]
    longest = max((_longest(one.rule, today) for one in stripping), default=0)
    for epoch, secret in rows:
        first = date.fromisoformat(f"{epoch}-01")
        after = (first + timedelta(32)).replace(day=1)
        if secret is None or (today - after).days <= longest + _KEY_GRACE_DAYS:
            continue
        tables = {table for one in stripping for table in one.tables.values()}
        if any(has_rows_between(connection, t, first, after) for t in tables & catalogue.tables):
            continue  # raw is left: of a held schema, or told as too old where it is
        what = f"the key of {epoch} is not destroyed, and no event of that month is to be stripped"
        yield Finding("key", "epoch_key", what, "eventlogging job run retention")


def _longest(rule: Rule, today: date) -> int:
    standing = [one.keep_days for one in rule.longer if one.until >= today]
    return max([rule.keep_days, *standing])
