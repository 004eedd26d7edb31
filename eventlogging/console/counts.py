"""Sums of the ledger for a span of time: by schema, outcome and reason, and what is unexplained."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.event import Outcome
from eventlogging.store.fixed import ledger

# step → (characters of a minute's text that name it, most days that one answer may span)
STEPS = {"minute": (16, 2), "hour": (13, 100), "day": (10, 4000)}


@dataclass(frozen=True)
class Span:
    """A span of receipt times, [start, end) in milliseconds, cut to whole minutes."""

    start: int
    end: int

    @property
    def days(self) -> float:
        """How long it is."""
        return (self.end - self.start) / clock.DAY_MS


def sums(
    connection: sa.Connection, span: Span, schema: str | None, step: str | None
) -> dict[str, Any]:
    """Return the ledger's sums as the API answers them.

    `rows` are counts by schema, outcome and reason, and by `time` where a step is given;
    `schemas` and `total` have a count per outcome and `residual`: what was sent and is neither
    explained by an outcome nor pending.
    """
    c = ledger.c
    keys: list[sa.ColumnElement[Any]] = [c.schema, c.outcome, c.reason]
    if step is not None:
        keys.append(sa.func.substr(c.minute, 1, STEPS[step][0]))
    query = (
        sa.select(*keys, sa.func.sum(c.count), sa.func.sum(c.kept))
        .where(c.minute >= clock.minute(span.start), c.minute < clock.minute(span.end))
        .group_by(*keys)
        .order_by(*reversed(keys) if step else keys)
    )
    if schema is not None:
        query = query.where(c.schema == schema)
    rows = []
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for name, outcome, reason, *when, count, kept in connection.execute(query):
        row = {"schema": name, "outcome": outcome, "reason": reason, "count": int(count)}
        rows.append(row | {"kept": int(kept)} | ({"time": when[0]} if when else {}))
        counts[name][outcome] += int(count)
        counts[""][outcome] += int(count)
    total = counts.pop("", {})
    return {
        "start": clock.iso(span.start),
        "end": clock.iso(span.end),
        "step": step,
        "rows": rows,
        "schemas": {name: balance(counts[name]) for name in sorted(counts)},
        "total": balance(total),
    }


def balance(counts: dict[str, int]) -> dict[str, int]:
    """Return sent, each outcome and pending (0 where there is none), with the residual."""
    outcomes = {str(outcome): counts.get(outcome, 0) for outcome in Outcome}
    sent, pending = counts.get("sent", 0), counts.get("pending", 0)
    residual = sent - sum(outcomes.values()) - pending
    return {"sent": sent, **outcomes, "pending": pending, "residual": residual}
