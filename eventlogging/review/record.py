"""A proposal as it is kept, from its first draft to its end: read, locked, changed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.store.fixed import proposal, proposal_event, proposal_revision

STATES = ("draft", "proposed", "returned", "approved", "published", "withdrawn")
OPEN = ("draft", "proposed", "returned", "approved")
DECIDED = ("published", "withdrawn")  # nothing of it changes any more


@dataclass(frozen=True)
class Draft:
    """A proposal in any state.

    `body` is what `registry.proposal.Proposal.as_dict` gives; `answers` maps the key of a
    question of `request.md` to its answer; `revision` counts the edits, so that of two people
    who edit at once the second is told; people are case-folded e-mail addresses; times are ISO.
    """

    id: int
    schema: str
    version: str  # computed; "" where it cannot be yet
    body: dict[str, Any]
    state: str  # one of STATES
    proposed_by: str
    proposed_at: str  # of a draft: when it was begun
    revision: int
    updated_at: str
    updated_by: str
    answers: dict[str, str]
    reviewer: str | None  # whose turn it is
    assigned_at: str | None
    reminded_at: str | None

    @property
    def label(self) -> str:
        """What people call it: `NavigationTiming 1.2.0`, or the name alone."""
        return f"{self.schema} {self.version}".strip()


@dataclass(frozen=True)
class Outcome:
    """What became of an act: not done, and why, where `problems` says so."""

    draft: Draft
    done: bool
    problems: tuple[str, ...] = ()


def find(connection: sa.Connection, id: int) -> Draft | None:
    """Return one proposal, None where there is none of that number."""
    row = connection.execute(sa.select(proposal).where(proposal.c.id == id)).first()
    return None if row is None else _draft(row)


def find_all(
    connection: sa.Connection, *, states: Collection[str] = (), schema: str | None = None,
    who: str | None = None, reviewer: str | None = None, limit: int = 100,
) -> list[Draft]:  # fmt: skip
    """Return proposals, those of the latest change first; what is not stated does not matter.

    `who` is who began it, `reviewer` whose turn it is.
    """
    c = proposal.c
    query = sa.select(proposal).order_by(c.updated_at.desc(), c.id.desc()).limit(limit)
    if states:
        query = query.where(c.state.in_(states))
    for column, value in ((c.schema, schema), (c.proposed_by, who), (c.reviewer, reviewer)):
        if value is not None:
            query = query.where(column == value)
    return [_draft(row) for row in connection.execute(query)]


def locked(connection: sa.Connection, id: int) -> Draft:
    """Return a proposal and make all who would change it wait for this transaction's end.

    Raises LookupError where there is none. What it says is the newest state only where nothing
    was read before it in the transaction, locks aside.
    """
    query = sa.select(proposal).where(proposal.c.id == id).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        raise LookupError(f"no proposal has the number {id}")
    return _draft(row)


def change(connection: sa.Connection, id: int, **values: Any) -> Draft:
    """Write columns of a locked proposal and return it as it then is."""
    connection.execute(sa.update(proposal).where(proposal.c.id == id).values(**values))
    found = find(connection, id)
    assert found is not None
    return found


def add_revision(
    connection: sa.Connection, id: int, revision: int, who: str, body: Mapping[str, Any]
) -> None:
    """Keep the body of one edit for ever."""
    connection.execute(
        sa.insert(proposal_revision).values(
            proposal=id,
            revision=revision,
            at=clock.iso(clock.now_ms()),
            who=who,
            body=as_text(body),
        )
    )


def body_of(connection: sa.Connection, id: int, revision: int) -> dict[str, Any] | None:
    """Return the body that a proposal had at a revision, None where it never had that."""
    c = proposal_revision.c
    query = sa.select(c.body).where(c.proposal == id, c.revision == revision)
    text = connection.execute(query).scalar()
    return None if text is None else json.loads(text)


def participants(connection: sa.Connection, draft: Draft) -> frozenset[str]:
    """Return who proposed or edited it: those who cannot decide on it."""
    revisions, events = proposal_revision.c, proposal_event.c
    edited = sa.select(revisions.who).where(revisions.proposal == draft.id)
    proposed = sa.select(events.who).where(events.proposal == draft.id, events.action == "propose")
    people = {*connection.execute(edited).scalars(), *connection.execute(proposed).scalars()}
    people |= {draft.proposed_by, draft.updated_by}
    return frozenset(person.casefold() for person in people if person)


def as_text(value: Any) -> str:
    """Return JSON that keeps any text, also one that UTF-8 cannot hold."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def named(who: str) -> str:
    """Return somebody's name as all tables have it."""
    return who.casefold()[:191]


def _draft(row: sa.Row[Any]) -> Draft:
    return Draft(
        id=row.id,
        schema=row.schema,
        version=row.version,
        body=json.loads(row.body),
        state=row.state,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        revision=row.revision,
        updated_at=row.updated_at or row.proposed_at,
        updated_by=row.updated_by or row.proposed_by,
        answers=json.loads(row.answers) if row.answers else {},
        reviewer=row.reviewer,
        assigned_at=row.assigned_at,
        reminded_at=row.reminded_at,
    )
