"""Read the table of mails: what waits, what failed, what went out, and one mail whole."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging.mail.letter import Letter, of_row
from eventlogging.store.fixed import mail

_SHOWN = ("id", "recipient", "subject", "created_at", "due_at", "attempts", "state", "sent_at")


@dataclass(frozen=True)
class Entry:
    """A mail without its content; times are ISO texts."""

    id: int
    recipient: str
    subject: str
    created_at: str
    due_at: str
    attempts: int
    state: str
    sent_at: str | None
    trouble: str


def entries(
    connection: sa.Connection, states: Collection[str], *, to: str = "", limit: int = 100
) -> list[Entry]:
    """Return the newest mails in these states, the newest first; `to` is a whole address."""
    query = sa.select(*(mail.c[name] for name in (*_SHOWN, "trouble"))).where(
        mail.c.state.in_(list(states))
    )
    if to:
        query = query.where(mail.c.recipient == to)
    rows = connection.execute(query.order_by(mail.c.id.desc()).limit(limit))
    return [Entry(*row) for row in rows]


def counts(connection: sa.Connection, since: str) -> dict[str, int]:
    """Return state → how many mails: of those that wait all, of the others those since then."""
    c = mail.c
    lately = sa.or_(c.state.in_(("waiting", "sending")), c.created_at >= since)
    query = sa.select(c.state, sa.func.count()).where(lately).group_by(c.state)
    return {state: int(number) for state, number in connection.execute(query)}


def find(connection: sa.Connection, id: int) -> Letter | None:
    """Return one mail, None where there is none of that number."""
    row = connection.execute(sa.select(mail).where(mail.c.id == id)).mappings().first()
    return of_row(row) if row is not None else None
