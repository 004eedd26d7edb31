"""Reports as they went out: written once for each day, read by pages and digests."""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging.reports.model import Report, from_dict
from eventlogging.store.fixed import validity_report


@dataclass(frozen=True)
class Kept:
    """A day that a report is stored of."""

    day: str
    made_at: str
    complete: bool


def keep(connection: sa.Connection, report: Report) -> None:
    """Store a report, in the place of one of the same day."""
    c = validity_report.c
    connection.execute(sa.delete(validity_report).where(c.day == report.day))
    connection.execute(
        sa.insert(validity_report).values(
            day=report.day,
            made_at=report.made_at,
            complete=report.complete,
            body=json.dumps(report.as_dict(), ensure_ascii=False),
        )
    )


def read(connection: sa.Connection, day: str) -> Report | None:
    """Return the stored report of a day."""
    query = sa.select(validity_report.c.body).where(validity_report.c.day == day)
    body = connection.execute(query).scalar()
    return from_dict(json.loads(body)) if body is not None else None


def kept_days(connection: sa.Connection, most: int) -> list[Kept]:
    """Return the days that have a report, the newest first."""
    c = validity_report.c
    query = sa.select(c.day, c.made_at, c.complete).order_by(c.day.desc()).limit(most)
    return [Kept(row.day, row.made_at, bool(row.complete)) for row in connection.execute(query)]


def incomplete_days(connection: sa.Connection, since: str) -> list[str]:
    """Return the days from `since` on whose report went out before all of them was loaded."""
    c = validity_report.c
    query = sa.select(c.day).where(c.complete.is_(False), c.day >= since).order_by(c.day)
    return list(connection.execute(query).scalars())
