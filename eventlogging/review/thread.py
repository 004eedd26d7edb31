"""The thread of a proposal: comments, and all that happened to it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging.review import acts, letters, record
from eventlogging.review.record import Outcome
from eventlogging.store.database import Database
from eventlogging.store.fixed import proposal_event

MOST_CHARS = 10_000


@dataclass(frozen=True)
class Entry:
    """One thing said or done. `revision` is that of the proposal at the time.

    `action` is edit, comment, propose, assign, remind, hand_over, return, approve, recheck,
    publish or withdraw. `who` did it; of assign and hand_over it is whose turn it became, and of
    remind who was reminded.
    """

    id: int
    at: str
    who: str
    action: str
    revision: int
    text: str


def entries(connection: sa.Connection, id: int) -> list[Entry]:
    """Return a proposal's thread, the oldest entry first."""
    c = proposal_event.c
    query = sa.select(c.id, c.at, c.who, c.action, c.revision, c.text)
    rows = connection.execute(query.where(c.proposal == id).order_by(c.id))
    return [Entry(*row) for row in rows]


def comment(database: Database, id: int, who: str, text: str, *, base_url: str) -> Outcome:
    """Add a comment and mail it to those concerned; done in any state."""
    who = record.named(who)
    with database.write() as connection:
        draft = record.locked(connection, id)
        problems = text_problems("a comment", text)
        if problems:
            return Outcome(draft, False, problems)
        letter = letters.commented(draft, who, text.strip(), base_url)
        acts.act(connection, draft, who, "comment", text.strip(), letter)
    return Outcome(draft, True)


def text_problems(what: str, text: str) -> tuple[str, ...]:
    """Return what is wrong with something a person says."""
    if not text.strip():
        return (f"{what} needs a text",)
    if len(text) > MOST_CHARS:
        return (f"{what} has at most {MOST_CHARS} characters; this one has {len(text)}",)
    return ()
