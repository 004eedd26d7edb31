"""Close the books: what clients say they sent, beside what arrived, by schema and day.

    attempted = sent + sampled out + suppressed + dropped + waiting      the clients' count
    sent      = valid + invalid + duplicate + sampled out + suppressed + pending + residual   ours

Between them stands what no client reported: events of other senders, and reports that are still
to come, for a client reports what was acknowledged with the next thing it sends, perhaps days
later. It is shown, never guessed. Only one difference has no such explanation: when more was
reported as sent than had arrived until then. That is `overdrawn`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging.clock import age, moved
from eventlogging.ledger import clients
from eventlogging.ledger.clients import Balance, balances
from eventlogging.ledger.reading import OUTCOMES, PENDING, SENT, LineOfTruth, total
from eventlogging.store.fixed import client_count, ledger

_LEAD_DAYS = 7  # read before the first day, for what was reported late
_FAR_DAYS = 60  # looked back where that is not enough
_FIGURES = (SENT, *OUTCOMES, PENDING)


@dataclass(frozen=True, slots=True)
class Closing:
    """Both sides of one schema and day; of several, where `schema` or `day` says so or is empty.

    `overdrawn` were reported as sent and cannot have arrived; `waiting` and `earlier` are the
    clients' difference by its sign: not settled yet, or settled and attempted before these days.
    """

    schema: str
    day: str
    said: Balance
    line: LineOfTruth
    waiting: int
    earlier: int
    overdrawn: int

    @property
    def arrived(self) -> int:
        """What came from all senders, retries of the same event apart."""
        return self.line.sent - self.line.duplicate

    @property
    def unreported(self) -> int:
        """What arrived and no client has reported; below 0: reported now, arrived before."""
        return self.arrived - self.said.sent + self.overdrawn

    def as_dict(self) -> dict[str, Any]:
        """Return all figures: the clients', then ours."""
        said, line = self.said, self.line
        return {
            "day": self.day,
            "schema": self.schema,
            **{kind: getattr(said, kind) for kind in clients.KINDS},
            "waiting": said.waiting,
            "arrived": self.arrived,
            "not_reported": self.unreported,
            "overdrawn": self.overdrawn,
            **{f"ledger_{kind}": getattr(line, kind) for kind in _FIGURES},
            "residual": line.residual,
        }


def read_closings(
    connection: sa.Connection, first: str, last: str, schema: str | None = None
) -> list[Closing]:
    """Return a closing for each schema and day of which either side knows anything.

    `first` and `last` are days, both included. They come by day, then by schema.
    """
    days = _days(moved(first, -_LEAD_DAYS), last)
    lines = _lines(connection, days[0], last, schema)
    said = _said(connection, days[0], last, schema)
    early = days.index(first)
    overdrawn: dict[tuple[str, str], int] = {}
    for name in {name for name, _ in said}:
        flows = [_flow(lines.get((name, day)), said.get((name, day))) for day in days]
        found = beyond(flows)
        if any(found[early:]):
            found = beyond(flows, _opening(connection, name, days[0]))
        overdrawn |= {(name, day): n for day, n in zip(days, found, strict=True) if n}
    keys = {(day, name) for name, day in (*lines, *said) if day >= first}
    return [
        _closing(
            name,
            day,
            said.get((name, day)) or Balance(name, day),
            lines.get((name, day)) or LineOfTruth(name),
            overdrawn.get((name, day), 0),
        )
        for day, name in sorted(keys)
    ]


def beyond(flows: Iterable[tuple[int, int]], opening: int = 0) -> list[int]:
    """Return, for each day's (arrived, reported), how much was reported beyond all that arrived.

    `opening` arrived before the first day and was not reported then.
    """
    found, open_ = [], max(0, opening)
    for arrived, reported in flows:
        open_ += arrived - reported
        found.append(max(0, -open_))
        open_ = max(0, open_)
    return found


def summed(closings: Iterable[Closing], schema: str = "all", day: str = "") -> Closing:
    """Return the sum. What one schema lacks is not hidden by what another has too many."""
    every = list(closings)
    waiting: dict[str, int] = defaultdict(int)
    for one in every:
        waiting[one.schema] += one.waiting - one.earlier
    return Closing(
        schema,
        day,
        clients.total((one.said for one in every), schema),
        total((one.line for one in every), schema),
        sum(max(0, number) for number in waiting.values()),
        sum(max(0, -number) for number in waiting.values()),
        sum(one.overdrawn for one in every),
    )


def by_schema(closings: Iterable[Closing]) -> list[Closing]:
    """Return the sum of each schema's days, by name."""
    found: dict[str, list[Closing]] = defaultdict(list)
    for one in closings:
        found[one.schema].append(one)
    return [summed(found[name], name) for name in sorted(found)]


def by_day(closings: Iterable[Closing]) -> list[Closing]:
    """Return the sum of each day, the newest first."""
    found: dict[str, list[Closing]] = defaultdict(list)
    for one in closings:
        found[one.day].append(one)
    return [summed(found[day], "all", day) for day in sorted(found, reverse=True)]


def ever_reported(connection: sa.Connection) -> bool:
    """Whether any client ever reported anything."""
    return connection.execute(sa.select(client_count.c.day).limit(1)).first() is not None


def _closing(name: str, day: str, said: Balance, line: LineOfTruth, overdrawn: int) -> Closing:
    waiting, earlier = max(0, said.waiting), max(0, -said.waiting)
    return Closing(name, day, said, line, waiting, earlier, overdrawn)


def _flow(line: LineOfTruth | None, said: Balance | None) -> tuple[int, int]:
    return (line.sent - line.duplicate if line else 0, said.sent if said else 0)


def _lines(
    connection: sa.Connection, first: str, last: str, schema: str | None
) -> dict[tuple[str, str], LineOfTruth]:
    c = ledger.c
    day = sa.func.substr(c.minute, 1, 10)
    query = (
        sa.select(c.schema, day, c.outcome, sa.func.sum(c["count"]))
        .where(c.minute >= first, c.minute < moved(last, 1), c.outcome.in_(_FIGURES))
        .group_by(c.schema, day, c.outcome)
    )
    if schema is not None:
        query = query.where(c.schema == schema)
    found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for name, when, outcome, count in connection.execute(query):
        found[name, when][outcome] = int(count)
    return {key: LineOfTruth(key[0], **figures) for key, figures in found.items()}


def _said(
    connection: sa.Connection, first: str, last: str, schema: str | None
) -> Mapping[tuple[str, str], Balance]:
    end = moved(last, 1)
    found = balances(connection, start=first, end=end, schema=schema, by_day=True)
    return {(one.schema, one.day): one for one in found}


def _opening(connection: sa.Connection, schema: str, day: str) -> int:
    """Return what had arrived of a schema before a day and was not reported by then."""
    start = moved(day, -_FAR_DAYS)
    c = ledger.c
    signed = sa.case((c.outcome == SENT, c["count"]), else_=-c["count"])
    arrived = connection.execute(
        sa.select(sa.func.sum(signed)).where(
            c.minute >= start, c.minute < day, c.schema == schema,
            c.outcome.in_((SENT, "duplicate")),
        )
    ).scalar()  # fmt: skip
    said = balances(connection, start=start, end=day, schema=schema)
    return int(arrived or 0) - sum(one.sent for one in said)


def _days(first: str, last: str) -> Sequence[str]:
    return [moved(first, ahead) for ahead in range(age(first, last) + 1)]


def overdrawn_schemas(closings: Collection[Closing]) -> dict[str, int]:
    """Return schema → how many were reported as sent and did not arrive, the most first."""
    found = {one.schema: one.overdrawn for one in by_schema(closings) if one.overdrawn}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
