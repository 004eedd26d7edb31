"""What is due: reviews that wait, events that come to the end of their time, tokens that expire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging.clock import moved
from eventlogging.ledger.sentence import grouped
from eventlogging.reports.days import next_day
from eventlogging.reports.model import Due
from eventlogging.reports.words import plain
from eventlogging.store.fixed import proposal, token

_AHEAD_DAYS = 7
_MOST = 50  # of each kind


@dataclass(frozen=True)
class Going:
    """Stored events of a schema that go by their rule, the first of them on the day `on`."""

    schema: str
    rows: int
    on: str


def read_due(connection: sa.Connection, going: Iterable[Going], day: str) -> tuple[Due, ...]:
    """Return what is due in the week after a day, reviews first; of `going`, what goes by then."""
    return (
        *_reviews(connection),
        *_retention(going, day),
        *_tokens(connection, day),
    )


def _reviews(connection: sa.Connection) -> Iterator[Due]:
    c = proposal.c
    query = (
        sa.select(c.schema, c.version, c.reviewer, c.assigned_at, c.proposed_at)
        .where(c.state == "proposed")
        .order_by(c.proposed_at, c.id)
        .limit(_MOST)
    )
    for row in connection.execute(query):
        name = f"{plain(row.schema)} {plain(row.version)}".strip()
        since = (row.assigned_at or row.proposed_at)[:10]
        turn = f"it is the turn of {plain(row.reviewer)}" if row.reviewer else "nobody's turn"
        yield Due("review", row.schema, f"{name} waits for its review since {since}; {turn}")


def _retention(going: Iterable[Going], day: str) -> Iterator[Due]:
    """Yield the schemas of which events come to the end of their keeping within the week."""
    due = sorted((one for one in going if one.on <= week_after(day)), key=lambda one: one.schema)
    for one in due[:_MOST]:
        first = f"the first on {one.on}" if one.on > next_day(day) else "at the next pass"
        text = f"{one.schema}: {grouped(one.rows)} stored events go by their rule, {first}"
        yield Due("retention", one.schema, text)


def week_after(day: str) -> str:
    """Return the last day of the week that a day's report looks ahead."""
    return moved(day, _AHEAD_DAYS)


def _tokens(connection: sa.Connection, day: str) -> Iterator[Due]:
    c = token.c
    query = (
        sa.select(c.name, c.expires_at)
        .where(c.revoked_at.is_(None), c.expires_at >= next_day(day))
        .where(c.expires_at < moved(day, _AHEAD_DAYS + 2))
        .order_by(c.expires_at, c.name)
        .limit(_MOST)
    )
    for row in connection.execute(query):
        yield Due("token", "", f"the token {plain(row.name)} expires on {row.expires_at[:10]}")
