"""Sums of the ledger for a span of time: by schema, outcome and reason, and what is unexplained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.ledger import clients
from eventlogging.ledger.reading import LineOfTruth, lines_of_truth, total
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
    explained by an outcome nor pending. `clients` is what clients counted of themselves, and
    `clients_by_day` the same by day where that is the step.
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
    for name, outcome, reason, *when, count, kept in connection.execute(query):
        row = {"schema": name, "outcome": outcome, "reason": reason, "count": int(count)}
        rows.append(row | {"kept": int(kept)} | ({"time": when[0]} if when else {}))
    first, last = clock.minute(span.start), clock.minute(span.end)
    lines = lines_of_truth(connection, start=first, end=last, schema=schema)
    found = {
        "start": clock.iso(span.start),
        "end": clock.iso(span.end),
        "step": step,
        "rows": rows,
        "schemas": {line.schema: _figures(line) for line in lines},
        "total": _figures(total(lines)),
        "clients": _clients(connection, first, last, schema),
    }
    if step == "day":
        days = clients.balances(connection, start=first, end=last, schema=schema, by_day=True)
        found["clients_by_day"] = [one.as_dict() for one in days]
    return found


def _clients(
    connection: sa.Connection, start: str, end: str, schema: str | None
) -> dict[str, dict[str, int]]:
    """What clients counted of themselves, of the days that the span touches."""
    found = clients.balances(connection, start=start, end=end, schema=schema)
    figures = {one.schema: one.as_dict() for one in found}
    return {
        name: {kind: value for kind, value in of.items() if kind not in ("schema", "day")}
        for name, of in figures.items()
    }


def _figures(line: LineOfTruth) -> dict[str, int]:
    figures = line.as_dict()
    return {name: figures[name] for name in figures if name not in ("schema", "kept")}
