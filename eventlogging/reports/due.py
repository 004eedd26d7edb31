"""What is due: reviews that wait, events that come to the end of their time, tokens that expire."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from eventlogging.ledger.sentence import grouped
from eventlogging.registry.model import Snapshot
from eventlogging.reports.days import moved, next_day
from eventlogging.reports.model import Due
from eventlogging.reports.words import plain
from eventlogging.store.fixed import proposal, table_day, token

_AHEAD_DAYS = 7
_MOST = 50  # of each kind


def read_due(connection: sa.Connection, snapshot: Snapshot, day: str) -> tuple[Due, ...]:
    """Return what is due in the week after a day, reviews first."""
    return (
        *_reviews(connection),
        *_retention(connection, snapshot, day),
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


def _retention(connection: sa.Connection, snapshot: Snapshot, day: str) -> Iterator[Due]:
    """Yield the schemas of which events come to the end of their keeping within the week."""
    tables = {
        version.table: schema
        for schema in snapshot.schemas.values()
        for version in schema.versions.values()
    }
    c = table_day.c
    rows: dict[str, int] = {}
    newest = moved(day, _AHEAD_DAYS - min((s.keep_days for s in tables.values()), default=0))
    query = sa.select(c.table_name, c.day, c.rows_in - c.rows_out).where(c.day <= newest)
    for table, held, number in connection.execute(query):
        schema = tables.get(table)
        if schema is not None and number > 0:
            last = moved(day, _AHEAD_DAYS - schema.keep_days)
            if held <= last:
                rows[schema.name] = rows.get(schema.name, 0) + int(number)
    for name in sorted(rows)[:_MOST]:
        keep = snapshot.schemas[name].keep_days
        until = moved(day, _AHEAD_DAYS)
        text = (
            f"{name}: {grouped(rows[name])} stored events are {keep} days old by {until}, as long "
            "as its rule keeps them"
        )
        yield Due("retention", name, text)


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
