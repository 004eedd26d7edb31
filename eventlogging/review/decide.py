"""Decide on a proposal: return it with a reason, approve it, publish it."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.registry import counter
from eventlogging.registry import publish as registry_publish
from eventlogging.review import acts, letters, persons, record, roster
from eventlogging.review.drafts import overtaken
from eventlogging.review.record import Draft, Outcome, named
from eventlogging.review.requirements import Judged, judge
from eventlogging.review.thread import text_problems
from eventlogging.store.database import Database
from eventlogging.store.fixed import audit

_LOOKED_AT = ("propose", "approve", "recheck")  # what is published was held against it then


def may_decide(connection: sa.Connection, draft: Draft, who: str, is_admin: bool) -> str | None:
    """Return None where somebody may decide on a proposal, else why not."""
    who = named(who)
    if who in record.participants(connection, draft):
        return "You proposed or edited this yourself; somebody else decides on it."
    if not is_admin and not roster.is_reviewer(connection, who):
        return "Only reviewers and admins decide, and you are not on the roster of reviewers."
    return None


def give_back(
    database: Database, id: int, revision: int, who: str, reason: str, *, base_url: str
) -> Outcome:
    """Return a proposal to its proposer, with the reason. Raises LookupError for an unknown id."""
    who = named(who)
    with database.write() as connection:
        draft = record.locked(connection, id)
        refused = _refused(connection, draft, revision, who, reason, ("proposed", "approved"))
        if refused:
            return Outcome(draft, False, refused)
        # Who returned it gets it again: they know what they asked for.
        draft = record.change(connection, id, state="returned", reviewer=who)
        letter = letters.returned(draft, who, reason, base_url)
        acts.act(connection, draft, who, "return", reason.strip(), letter, reason=reason.strip())
        return Outcome(draft, True)


def approve(
    database: Database, id: int, revision: int, who: str, reason: str, *, base_url: str,
    publish: bool = True,
) -> Outcome:  # fmt: skip
    """Approve a proposal with a reason, and publish it at once unless told otherwise.

    It is held again against what is published now, in the transaction that publishes it. Where
    the schema changed since it was sent to review, nothing is published: the proposal is judged
    anew and waits for another look. Raises LookupError for an unknown id.
    """
    who, reason = named(who), reason.strip()
    with database.write() as connection:
        counter.lock(connection)
        draft = record.locked(connection, id)
        refused = _refused(connection, draft, revision, who, reason, ("proposed",))
        if refused:
            return Outcome(draft, False, refused)
        judged = judge(connection, draft)
        outcome = _recheck(connection, draft, judged, who, base_url)
        if outcome is not None:
            return outcome
        before = draft
        draft = record.change(connection, id, state="approved", reviewer=who)
        letter = None if publish else letters.approved(draft, who, reason, base_url)
        acts.act(connection, draft, who, "approve", reason, letter, reason=reason)
        if not publish:
            return Outcome(draft, True)
        outcome = _publish(connection, draft, judged, who, reason, base_url)
        if not outcome.done:
            connection.rollback()
            return replace(outcome, draft=before)
        return outcome


def publish(database: Database, id: int, revision: int, who: str, *, base_url: str) -> Outcome:
    """Publish an approved proposal, held once more against what is published now.

    Its proposer, an owner, a reviewer or an admin may. Raises LookupError for an unknown id.
    """
    who = named(who)
    with database.write() as connection:
        counter.lock(connection)
        draft = record.locked(connection, id)
        refused = _changed(connection, draft, revision, ("approved",))
        if not refused and not _may_publish(connection, draft, who):
            refused = ("Only its proposer, an owner, a reviewer or an admin publishes it.",)
        if refused:
            return Outcome(draft, False, refused)
        judged = judge(connection, draft)
        outcome = _recheck(connection, draft, judged, who, base_url)
        if outcome is not None:
            return outcome
        return _publish(connection, draft, judged, who, "", base_url)


def _refused(
    connection: sa.Connection, draft: Draft, revision: int, who: str, reason: str,
    states: Collection[str],
) -> tuple[str, ...]:  # fmt: skip
    changed = _changed(connection, draft, revision, states)
    if changed:
        return changed
    is_admin = who in persons.admins(connection)
    barred = may_decide(connection, draft, who, is_admin)
    if barred:
        return (barred,)
    return text_problems("a decision", reason)


def _changed(
    connection: sa.Connection, draft: Draft, revision: int, states: Collection[str]
) -> tuple[str, ...]:
    if draft.state not in states:
        return (f"it is {draft.state}, so there is nothing to decide",)
    if draft.revision != revision:
        first, *changes = overtaken(connection, draft, revision)
        return ("your decision is about a former revision, and was not kept", first, *changes)
    return ()


def _may_publish(connection: sa.Connection, draft: Draft, who: str) -> bool:
    people = record.participants(connection, draft) | set(acts.owners_of(connection, draft))
    return who in people or who in persons.admins(connection) or roster.is_reviewer(connection, who)


def _recheck(
    connection: sa.Connection, draft: Draft, judged: Judged, who: str, base_url: str
) -> Outcome | None:
    """Say why a proposal cannot be published as it was read; None where it can."""
    since = _published_since(connection, draft)
    if not since:
        return Outcome(draft, False, judged.problems) if judged.problems else None
    found = judged.assessment
    why = f"{', '.join(since)} of {draft.schema} was published after this was sent to review."
    if found is not None and found.version and not judged.problems:
        changes = "".join(f"\n- {change.what}" for change in found.changes)
        why += f" Against it, this is {found.version} ({found.level.name.lower()}):{changes}"
    elif judged.problems:
        why += "".join(f"\n- {problem}" for problem in judged.problems)
    # The next decision is about what is said now; an approval was about something else.
    again = {"state": "proposed", "assigned_at": clock.iso(clock.now_ms()), "reminded_at": None}
    again = again if draft.state == "approved" else {}
    draft = record.change(connection, draft.id, version=judged.version or draft.version, **again)
    acts.act(
        connection, draft, acts.SYSTEM, "recheck", why, letters.rechecked(draft, why, base_url),
        acts.concerned(connection, draft) - {who}, published_since=since,
    )  # fmt: skip
    return Outcome(draft, False, (why, "Look again, then decide."))


def _published_since(connection: sa.Connection, draft: Draft) -> list[str]:
    """Return the versions of the schema published since the proposal was last held against them.

    The audit's numbers tell: they grow in the order of transactions under the counter's lock,
    also where the clocks of two machines differ.
    """
    c = audit.c
    query = (
        sa.select(c.action, c.detail)
        .where(c.subject == draft.schema, c.action.in_((*_LOOKED_AT, "publish")))
        .order_by(c.id.desc())
    )
    since: list[str] = []
    for action, text in connection.execute(query):
        detail = json.loads(text)
        if action != "publish":
            if detail.get("proposal") == draft.id:
                return since[::-1]
        else:
            since.append(str(detail.get("version")))
    return since[::-1]


def _publish(
    connection: sa.Connection, draft: Draft, judged: Judged, who: str, reason: str, base_url: str
) -> Outcome:
    """Publish within the transaction; where it is not done, this wrote nothing."""
    assert judged.proposal is not None
    published = registry_publish.publish_in(connection, judged.proposal, who, living_owner=True)
    found = published.assessment
    if not published.created or published.version is None:
        problems = (*found.problems, *found.conflicts) or ("it is published already",)
        return Outcome(draft, False, problems)
    counter.move(connection)
    draft = record.change(connection, draft.id, state="published", version=str(published.version))
    changes = [change.what for change in found.changes]
    letter = letters.published(draft, who, reason, changes, base_url)
    acts.act(connection, draft, who, "publish", f"Published {draft.label}.", letter)
    return Outcome(draft, True)
