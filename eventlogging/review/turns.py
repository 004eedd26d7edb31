"""Give the turn to review a proposal to somebody, and tell them."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.people.model import Person
from eventlogging.registry import owners
from eventlogging.review import acts, letters, persons, record
from eventlogging.review.assign import Candidate, Choice, able, choose
from eventlogging.review.record import Draft
from eventlogging.review.requirements import judge
from eventlogging.review.roster import roster
from eventlogging.review.working_days import add_working_days
from eventlogging.store.fixed import proposal, proposal_event

REMIND_AFTER = 2  # working days
HAND_OVER_AFTER = 4
_TURNS = ("assign", "hand_over")
_MOST_CHANGES = 12  # in a mail
_WHY = {  # as the thread says it, and the mail to who was chosen
    "area": ("{schema} is in their area.", "{schema} is in your area."),
    "any": ("Nobody who looks after {schema} can take it now.",) * 2,
    "admin": ("No reviewer can take it now.",) * 2,
    "again": ("They looked at it before.", "You looked at it before."),
}


def give(connection: sa.Connection, draft: Draft, base_url: str) -> Draft:
    """Give a proposal that nobody has to a reviewer, within the caller's transaction.

    It goes back to who had it before, where they can take it. Where nobody can, the proposal
    waits, and the admins are told, once.
    """
    reviewers, admins = candidates(connection)
    excluded = record.participants(connection, draft)
    today = clock.day(clock.now_ms())
    choice = None
    for one in (*reviewers, *admins):
        if one.email == draft.reviewer and able(one, excluded, today):
            choice = Choice(one, "again")
            break
    choice = choice or choose(reviewers, admins, draft.schema, excluded, today)
    if choice is None:
        draft = record.change(
            connection, draft.id, reviewer=None, assigned_at=None, reminded_at=None
        )
        tell_admins(connection, draft, base_url)
        return draft
    return _assign(connection, draft, choice, "assign", base_url)


def hand_over(connection: sa.Connection, draft: Draft, why: str, base_url: str) -> Draft:
    """Give the turn to the next one, within the caller's transaction; `why` it goes on.

    Those who had it go last. Where nobody else can take it, whoever has it keeps it, unless they
    cannot, and the admins are told, once.
    """
    reviewers, admins = candidates(connection)
    before = draft.reviewer or ""
    participants = record.participants(connection, draft) | {before}
    today = clock.day(clock.now_ms())
    choice = choose(
        reviewers, admins, draft.schema, participants | _had(connection, draft), today
    ) or choose(reviewers, admins, draft.schema, participants, today)
    if choice is None:
        mine = [one for one in (*reviewers, *admins) if one.email == before]
        if not any(able(one, (), today) for one in mine):
            draft = record.change(
                connection, draft.id, reviewer=None, assigned_at=None, reminded_at=None
            )
        tell_admins(connection, draft, base_url)
        return draft
    changed = _assign(connection, draft, choice, "hand_over", base_url, why)
    if before and not owners.unreachable(connection, (before,)):
        letter = letters.handed_over(changed, why, base_url)
        acts.send(connection, f"handed-over:{draft.id}:{changed.assigned_at}", before, letter)
    return changed


def candidates(connection: sa.Connection) -> tuple[list[Candidate], list[Candidate]]:
    """Return the reviewers of the roster, and the admins who are not on it."""
    people = persons.all_persons(connection)
    loads, turns = _loads(connection), _last_turns(connection)

    def candidate(email: str, name: str, areas: tuple[str, ...]) -> Candidate:
        person: Person | None = people.get(email)
        return Candidate(
            email=email,
            name=name,
            areas=areas,
            load=loads.get(email, 0),
            last_turn=turns.get(email, ""),
            away_until=person.away_until if person else None,
            disabled=person is not None and person.state == "disabled",
        )

    reviewers = [candidate(one.email, one.name, one.areas) for one in roster(connection)]
    on_roster = {one.email for one in reviewers}
    others = [
        candidate(email, people[email].name, ())
        for email in persons.admins(connection)
        if email not in on_roster
    ]
    return reviewers, others


def deadline(assigned_at: str, days: int) -> str:
    """Return the ISO time at which so many working days have passed since a turn began."""
    moment = add_working_days(datetime.fromisoformat(assigned_at), days)
    return clock.iso(int(moment.timestamp() * 1000))


def turn_day(assigned_at: str, days: int) -> str:
    """Return the day of that deadline, such as 2026-11-22."""
    return deadline(assigned_at, days)[:10]


def tell_admins(connection: sa.Connection, draft: Draft, base_url: str) -> None:
    """Mail the admins, once for each revision, that nobody can review a proposal."""
    letter = letters.nobody(draft, base_url)
    for email in persons.admins(connection):
        acts.send(connection, f"review-nobody:{draft.id}:{draft.revision}", email, letter)


def _assign(
    connection: sa.Connection, draft: Draft, choice: Choice, action: str, base_url: str,
    why: str = "",
) -> Draft:  # fmt: skip
    now = clock.iso(clock.now_ms())
    email = choice.candidate.email
    changed = record.change(connection, draft.id, reviewer=email, assigned_at=now, reminded_at=None)
    theirs, yours = (text.format(schema=draft.schema) for text in _WHY[choice.why])
    reminder, end = turn_day(now, REMIND_AFTER), turn_day(now, HAND_OVER_AFTER)
    deadlines = f"You will be reminded on {reminder}; on {end} the turn passes to somebody else."
    letter = letters.asked(changed, f"{yours} {deadlines}", _changes(connection, changed), base_url)
    came = f"{why[:1].upper()}{why[1:]}. " if why else ""
    text = f"{came}The turn is with {choice.candidate.name} now. {theirs}"
    acts.act(
        connection, changed, email, action, text, letter, (email,),
        reviewer=email, before=draft.reviewer,
    )  # fmt: skip
    return changed


def _changes(connection: sa.Connection, draft: Draft) -> list[str]:
    """Return what a proposal changes, as a mail says it."""
    found = judge(connection, draft).assessment
    if found is None or found.standing is None:
        title = draft.body.get("title")
        return [f"a new schema{f': {title}' if isinstance(title, str) and title else ''}"]
    texts = [change.what for change in found.changes]
    more = len(texts) - _MOST_CHANGES
    return [*texts[:_MOST_CHANGES], f"and {more} more"] if more > 0 else texts


def _had(connection: sa.Connection, draft: Draft) -> set[str]:
    c = proposal_event.c
    query = sa.select(c.who).where(c.proposal == draft.id, c.action.in_(_TURNS))
    return set(connection.execute(query).scalars())


def _loads(connection: sa.Connection) -> dict[str, int]:
    c = proposal.c
    query = sa.select(c.reviewer, sa.func.count()).where(
        c.state == "proposed", c.reviewer.is_not(None)
    )
    return {row[0]: int(row[1]) for row in connection.execute(query.group_by(c.reviewer))}


def _last_turns(connection: sa.Connection) -> dict[str, str]:
    c = proposal_event.c
    query = sa.select(c.who, sa.func.max(c.at)).where(c.action.in_(_TURNS)).group_by(c.who)
    return {row[0]: row[1] for row in connection.execute(query)}
