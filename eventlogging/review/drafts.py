"""The life of a proposal in its proposer's hands: begun, saved, sent to review, withdrawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.errors import SchemaRefused
from eventlogging.registry import counter
from eventlogging.review import acts, letters, record, turns
from eventlogging.review.differences import differences
from eventlogging.review.record import DECIDED, Draft, Outcome, find, find_all, named
from eventlogging.review.requirements import judge, request_problems
from eventlogging.schema.names import name_problems
from eventlogging.store.database import Database
from eventlogging.store.fixed import proposal, proposal_revision

__all__ = [
    "Draft", "Outcome", "Saved", "begin", "find", "find_all", "overtaken", "receive", "save",
    "send_to_review", "withdraw",
]  # fmt: skip


@dataclass(frozen=True)
class Saved:
    """What became of a wish to save.

    Not saved: `overtaken` says in words what the other person changed since (or that nothing can
    be changed any more), `draft` is what is kept now, and what was to be saved is the caller's.
    """

    draft: Draft
    saved: bool
    overtaken: tuple[str, ...] = ()


def begin(database: Database, schema: str, body: Mapping[str, Any], who: str) -> Draft:
    """Begin a draft with a body as `Proposal.as_dict` gives it.

    Raises SchemaRefused where the name cannot be a schema's.
    """
    if problems := list(name_problems(schema)):
        raise SchemaRefused(problems)
    who, now = named(who), _now()
    with database.write() as connection:
        result = connection.execute(
            sa.insert(proposal).values(
                schema=schema,
                version="",
                body=record.as_text(body),
                state="draft",
                proposed_at=now,
                proposed_by=who,
                revision=1,
                updated_at=now,
                updated_by=who,
                answers="{}",
            )
        )
        number = int((result.inserted_primary_key or (0,))[0])
        record.add_revision(connection, number, 1, who, body)
        draft = record.locked(connection, number)
        draft = record.change(connection, number, version=judge(connection, draft).version)
        acts.act(connection, draft, who, "edit", "Began the draft.")
    return draft


def save(
    database: Database, id: int, revision: int, body: Mapping[str, Any],
    answers: Mapping[str, str], who: str, *, base_url: str,
) -> Saved:  # fmt: skip
    """Keep a new body and answers, where the proposal still is as it was at `revision`.

    Saving in review is allowed: a decision on the former revision is then refused. An approved
    proposal needs a review again, and its reviewer is told. Raises LookupError for an unknown id.
    """
    who = named(who)
    said = {str(key): str(value) for key, value in answers.items()}
    with database.write() as connection:
        draft = record.locked(connection, id)
        changes = differences(draft.body, body)
        if not changes and said == draft.answers:
            return Saved(draft, True)
        if draft.state in DECIDED:
            return Saved(draft, False, (f"it was {draft.state}, and nothing of it changes now",))
        if draft.revision != revision:
            return Saved(draft, False, overtaken(connection, draft, revision))
        again = draft.state == "approved"
        changed = replace(draft, body=dict(body), revision=draft.revision + 1)
        record.add_revision(connection, id, changed.revision, who, body)
        renewed = {"state": "proposed", "assigned_at": _now(), "reminded_at": None} if again else {}
        draft = record.change(
            connection,
            id,
            body=record.as_text(body),
            answers=record.as_text(said),
            version=judge(connection, changed).version,
            revision=changed.revision,
            updated_at=_now(),
            updated_by=who,
            **renewed,
        )
        changes = changes or ["the answers changed"]
        letter = letters.edited(draft, who, changes, base_url) if again else None
        acts.act(connection, draft, who, "edit", _sentences(changes), letter)
        if draft.state == "proposed" and draft.reviewer == who:
            draft = turns.hand_over(connection, draft, f"{who} edited it", base_url)
        return Saved(draft, True)


def send_to_review(
    database: Database, id: int, revision: int, who: str, *, base_url: str
) -> Outcome:
    """Ask for a review: what a reviewer needs is there, the version computed, somebody's turn.

    Raises LookupError for an unknown id.
    """
    who = named(who)
    with database.write() as connection:
        counter.lock(connection)  # what is published stays as it is judged here
        draft = record.locked(connection, id)
        if draft.state not in ("draft", "returned"):
            return Outcome(draft, False, (f"it is {draft.state} already",))
        if draft.revision != revision:
            return Outcome(draft, False, overtaken(connection, draft, revision))
        judged = judge(connection, draft)
        problems = [*judged.problems, *request_problems(connection, draft, judged)]
        if problems:
            return Outcome(draft, False, tuple(problems))
        draft = record.change(
            connection, id, state="proposed", proposed_at=_now(), version=judged.version
        )
        acts.act(connection, draft, who, "propose", f"Sent {draft.label} to review.")
        return Outcome(turns.give(connection, draft, base_url), True)


def receive(database: Database, id: int, *, base_url: str) -> Outcome:
    """Let what came over the API take its place in the same life; done before: nothing happens.

    Raises LookupError for an unknown id.
    """
    with database.write() as connection:
        counter.lock(connection)
        draft = record.locked(connection, id)
        kept = sa.select(proposal_revision.c.revision).where(proposal_revision.c.proposal == id)
        if draft.state != "proposed" or connection.execute(kept).first() is not None:
            return Outcome(draft, False, ("it was received before",))
        who = draft.proposed_by
        record.add_revision(connection, id, draft.revision, named(who), draft.body)
        draft = record.change(
            connection, id, updated_at=draft.proposed_at, updated_by=named(who), answers="{}"
        )
        acts.act(connection, draft, who, "propose", f"Sent {draft.label} to review over the API.")
        return Outcome(turns.give(connection, draft, base_url), True)


def unreceived(connection: sa.Connection) -> list[int]:
    """Return the numbers of proposals that came over the API and that nobody received yet."""
    kept = sa.select(proposal_revision.c.proposal)
    query = sa.select(proposal.c.id).where(
        proposal.c.state == "proposed", proposal.c.id.not_in(kept)
    )
    return list(connection.execute(query.order_by(proposal.c.id)).scalars())


def withdraw(database: Database, id: int, revision: int, who: str, *, base_url: str) -> Outcome:
    """Take a proposal back for good. Raises LookupError for an unknown id."""
    who = named(who)
    with database.write() as connection:
        draft = record.locked(connection, id)
        if draft.state in DECIDED:
            return Outcome(draft, False, (f"it is {draft.state} already",))
        if draft.revision != revision:
            return Outcome(draft, False, overtaken(connection, draft, revision))
        was = draft.state
        draft = record.change(connection, id, state="withdrawn")
        letter = None if was == "draft" else letters.withdrawn(draft, who, base_url)
        acts.act(connection, draft, who, "withdraw", f"Withdrew {draft.label}.", letter)
        return Outcome(draft, True)


def overtaken(connection: sa.Connection, draft: Draft, revision: int) -> tuple[str, ...]:
    """Say in words who changed a proposal since a revision, and what."""
    who, when = draft.updated_by, letters.moment(draft.updated_at)
    known = record.body_of(connection, draft.id, revision)
    if known is None:
        return (f"{who} saved revision {draft.revision} at {when}; look at it first",)
    changes = differences(known, draft.body) or ["only the answers to the questions changed"]
    return (f"{who} saved it at {when}, after you opened it:", *changes)


def _sentences(changes: list[str]) -> str:
    return "\n".join(f"{change[:1].upper()}{change[1:]}." for change in changes)


def _now() -> str:
    return clock.iso(clock.now_ms())
