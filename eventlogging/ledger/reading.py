"""Read the ledger: one line of truth per schema, its reasons, its course over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging.event import Outcome
from eventlogging.store.fixed import ledger

# step → how many characters of a minute's text (`2026-11-22 03:04`) name it
STEPS: Mapping[str, int] = {"minute": 16, "hour": 13, "day": 10}
OUTCOMES = tuple(str(outcome) for outcome in Outcome)
SENT, PENDING = "sent", "pending"


@dataclass(frozen=True, slots=True)
class LineOfTruth:
    """What was sent of one schema (`(unknown)`: of none), and what became of it.

    `pending` waits for its table; `kept` is how many rows were stored for it.
    """

    schema: str
    sent: int = 0
    valid: int = 0
    invalid: int = 0
    duplicate: int = 0
    sampled_out: int = 0
    suppressed: int = 0
    pending: int = 0
    kept: int = 0

    @property
    def explained(self) -> int:
        """How many ended as one of the five outcomes."""
        return self.valid + self.invalid + self.duplicate + self.sampled_out + self.suppressed

    @property
    def residual(self) -> int:
        """What was sent and is neither explained nor pending; anything but 0 is a fault."""
        return self.sent - self.explained - self.pending

    def as_dict(self) -> dict[str, Any]:
        """Return all figures, the residual among them."""
        return asdict(self) | {"residual": self.residual}


@dataclass(frozen=True, slots=True)
class Step:
    """A sum of the ledger over one step of time, such as `2026-11-22 03` for an hour.

    `outcome` is an Outcome, `sent` or `pending`; `reason` is an invalid event's code.
    """

    time: str
    schema: str
    version: str
    outcome: str
    reason: str
    count: int


def lines_of_truth(
    connection: sa.Connection,
    *,
    start: str | None = None,
    end: str | None = None,
    schema: str | None = None,
) -> list[LineOfTruth]:
    """Return a line per schema that something was sent of, by name.

    `start` (included) and `end` (excluded) are minutes of receipt as the ledger writes them,
    or shorter texts such as a day; None leaves that side open.
    """
    c = ledger.c
    sums = sa.func.sum(c["count"]), sa.func.sum(c.kept)
    query = sa.select(c.schema, c.outcome, *sums).group_by(c.schema, c.outcome)
    figures: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for name, outcome, count, kept in connection.execute(_within(query, start, end, schema)):
        figures[name][outcome] += int(count)
        figures[name]["kept"] += int(kept)
    return [_line(name, figures[name]) for name in sorted(figures)]


def total(lines: Iterable[LineOfTruth], name: str = "all") -> LineOfTruth:
    """Return the sum of lines, under a name of its own."""
    sums: dict[str, int] = defaultdict(int)
    for line in lines:
        for figure in (SENT, *OUTCOMES, PENDING, "kept"):
            sums[figure] += getattr(line, figure)
    return _line(name, sums)


def by_reason(
    connection: sa.Connection,
    *,
    start: str | None = None,
    end: str | None = None,
    schema: str | None = None,
) -> dict[str, dict[str, int]]:
    """Return schema → code → how many events were refused for it, the most frequent first."""
    c = ledger.c
    number = sa.func.sum(c["count"])
    query = (
        sa.select(c.schema, c.reason, number)
        .where(c.outcome == str(Outcome.INVALID))
        .group_by(c.schema, c.reason)
        .order_by(c.schema, number.desc(), c.reason)
    )
    found: dict[str, dict[str, int]] = {}
    for name, reason, count in connection.execute(_within(query, start, end, schema)):
        found.setdefault(name, {})[reason] = int(count)
    return found


def series(
    connection: sa.Connection,
    step: str,
    *,
    start: str | None = None,
    end: str | None = None,
    schema: str | None = None,
) -> list[Step]:
    """Return the ledger summed by `minute`, `hour` or `day`, in order of time.

    Raises ValueError for another step. Steps in which nothing was sent have no rows.
    """
    if step not in STEPS:
        raise ValueError(f"a step is one of {', '.join(STEPS)}, not {step!r}")
    c = ledger.c
    keys: list[sa.ColumnElement[Any]] = [
        sa.func.substr(c.minute, 1, STEPS[step]),
        *(c.schema, c.version, c.outcome, c.reason),
    ]
    query = sa.select(*keys, sa.func.sum(c["count"])).group_by(*keys).order_by(*keys)
    return [
        Step(time, name, version, outcome, reason, int(count))
        for time, name, version, outcome, reason, count in connection.execute(
            _within(query, start, end, schema)
        )
    ]


def _within(
    query: sa.Select[Any], start: str | None, end: str | None, schema: str | None
) -> sa.Select[Any]:
    if start is not None:
        query = query.where(ledger.c.minute >= start)
    if end is not None:
        query = query.where(ledger.c.minute < end)
    if schema is not None:
        query = query.where(ledger.c.schema == schema)
    return query


def _line(name: str, figures: Mapping[str, int]) -> LineOfTruth:
    known = (SENT, *OUTCOMES, PENDING, "kept")
    return LineOfTruth(name, **{figure: figures.get(figure, 0) for figure in known})
