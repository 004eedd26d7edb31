"""What waits for one person: open alerts, reviews whose turn it is, owners out of reach."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging.alerts import episodes
from eventlogging.console.alert_pages import is_snoozed
from eventlogging.people.model import Person
from eventlogging.review import drafts, ownership

_MOST = 10


@dataclass(frozen=True)
class Concern:
    """One thing that needs attention: what it is, what to do, and where to look."""

    kind: str
    fact: str
    advice: str
    schema: str | None = None
    link: str | None = None
    link_text: str = ""


def for_person(connection: sa.Connection, person: Person | None) -> list[Concern]:
    """Return what waits for somebody; nothing waits for strangers."""
    if person is None:
        return []
    return [*_alerts(connection), *_reviews(connection, person), *_owners(connection)]


def _alerts(connection: sa.Connection) -> list[Concern]:
    """Return the open alerts of which people are to be told: those snoozed are not."""
    told = [episode for episode in episodes.opened(connection) if not is_snoozed(episode)]
    return [
        Concern(
            "invalid" if episode.rule == "invalid" else "pending",
            f"{episode.fact}.",
            f"{episode.acknowledged_by} looks into it." if episode.acknowledged_by else "",
            link="/alerts",
            link_text="See the alert",
        )
        for episode in told[:_MOST]
    ]


def _reviews(connection: sa.Connection, person: Person) -> list[Concern]:
    waiting = drafts.find_all(
        connection, states=("proposed",), reviewer=person.email, limit=_MOST
    )  # fmt: skip
    return [
        Concern(
            "pending",
            f"{draft.schema} {draft.version} waits for your review.",
            f"Sent by {draft.proposed_by}.",
            link=f"/reviews/{draft.id}",
            link_text="Review it",
        )
        for draft in waiting
    ]


def _owners(connection: sa.Connection) -> list[Concern]:
    return [
        Concern(
            "pending",
            f"Its owner {trouble.email} cannot be reached: {trouble.why}.",
            "Name another owner before nobody is left who may publish.",
            trouble.schema,
        )
        for trouble in ownership.troubles(connection)[:_MOST]
    ]
