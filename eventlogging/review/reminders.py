"""Look after proposals that wait: remind after two working days, hand over after four.

Each proposal is looked at in a transaction of its own, and what was done is written down in it:
looking again does nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.review import acts, letters, record, turns
from eventlogging.review.assign import able
from eventlogging.review.drafts import receive, unreceived
from eventlogging.review.record import Draft
from eventlogging.store.database import Database
from eventlogging.store.fixed import proposal


@dataclass(frozen=True)
class Looked:
    """How many proposals were assigned, reminded of, handed over, and have nobody."""

    assigned: int = 0
    reminded: int = 0
    handed_over: int = 0
    nobody: int = 0


def look(database: Database, *, base_url: str, reviewer: str | None = None) -> Looked:
    """Do what is due for all proposals that wait, or for those of one reviewer."""
    with database.read() as connection:
        missed = unreceived(connection)
        c = proposal.c
        query = sa.select(c.id).where(c.state == "proposed").order_by(c.id)
        if reviewer is not None:
            query = query.where(c.reviewer == reviewer.casefold())
        waiting = list(connection.execute(query).scalars())
    done = [_receive(database, number, base_url) for number in missed]
    done += [_look_at(database, number, base_url) for number in waiting if number not in missed]
    return Looked(*(done.count(what) for what in ("assigned", "reminded", "handed over", "nobody")))


def hand_over_all(database: Database, reviewer: str, *, base_url: str) -> int:
    """Give on the turns of somebody who went away, was disabled, or left the roster.

    Call it once that is written. Returns how many turns went on; those who can still take
    theirs keep them.
    """
    return look(database, base_url=base_url, reviewer=reviewer).handed_over


def _receive(database: Database, number: int, base_url: str) -> str:
    done = receive(database, number, base_url=base_url)
    return "assigned" if done.draft.reviewer else "nobody"


def _look_at(database: Database, number: int, base_url: str) -> str:
    with database.write() as connection:
        draft = record.locked(connection, number)
        if draft.state != "proposed":
            return ""
        if draft.reviewer is None or draft.assigned_at is None:
            return "assigned" if turns.give(connection, draft, base_url).reviewer else "nobody"
        why = _unable(connection, draft)
        now = clock.iso(clock.now_ms())
        if why is None and turns.deadline(draft.assigned_at, turns.HAND_OVER_AFTER) <= now:
            why = f"it waited for {turns.HAND_OVER_AFTER} working days"
        if why is not None:
            after = turns.hand_over(connection, draft, why, base_url)
            if after.reviewer is None:
                return "nobody"
            return "handed over" if after.reviewer != draft.reviewer else ""
        if draft.reminded_at or turns.deadline(draft.assigned_at, turns.REMIND_AFTER) > now:
            return ""
        draft = record.change(connection, number, reminded_at=now)
        end = turns.turn_day(draft.assigned_at or now, turns.HAND_OVER_AFTER)
        letter = letters.reminded(draft, end, base_url)
        text = f"Reminded {draft.reviewer} after {turns.REMIND_AFTER} working days."
        reviewer = draft.reviewer or ""
        acts.act(connection, draft, reviewer, "remind", text, letter, (reviewer,))
        return "reminded"


def _unable(connection: sa.Connection, draft: Draft) -> str | None:
    """Return why somebody cannot have the turn any more, None where they can."""
    reviewers, admins = turns.candidates(connection)
    mine = next((one for one in (*reviewers, *admins) if one.email == draft.reviewer), None)
    if mine is None:
        return f"{draft.reviewer} reviews no more"
    if mine.disabled:
        return f"the account of {mine.email} is disabled"
    if not able(mine, (), clock.day(clock.now_ms())):
        return f"{mine.name} is away until {mine.away_until}"
    if mine.email in record.participants(connection, draft):
        return f"{mine.name} edited it"
    return None
