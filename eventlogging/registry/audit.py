"""The audit: who changed what in the registry, and when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.store.fixed import audit

_MOST_CHARS = 191


@dataclass(frozen=True)
class Entry:
    """One thing done: `at` is ISO time, `detail` what a reviewer needs to know of it."""

    id: int
    at: str
    who: str
    action: str
    subject: str
    detail: Mapping[str, Any]


def record(
    connection: sa.Connection, who: str, action: str, subject: str, detail: Mapping[str, Any]
) -> None:
    """Write one entry within the caller's transaction. `detail` must be JSON."""
    connection.execute(
        sa.insert(audit).values(
            at=clock.iso(clock.now_ms()),
            who=who[:_MOST_CHARS],
            action=action,
            subject=subject[:_MOST_CHARS],
            detail=json.dumps(detail, ensure_ascii=False),
        )
    )


def entries(
    connection: sa.Connection, *, subject: str | None = None, who: str | None = None,
    before: int | None = None, limit: int = 100,
) -> list[Entry]:  # fmt: skip
    """Return the newest entries first; `before` is the id that the last page ended with."""
    query = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
    if subject is not None:
        query = query.where(audit.c.subject == subject)
    if who is not None:
        query = query.where(audit.c.who == who)
    if before is not None:
        query = query.where(audit.c.id < before)
    return [
        Entry(row.id, row.at, row.who, row.action, row.subject, json.loads(row.detail))
        for row in connection.execute(query)
    ]
