"""Whom to tell of an alert, and the mails: queued in the transaction that decides on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.alerts import links, words
from eventlogging.alerts.briefing import Briefing
from eventlogging.alerts.episode import Episode
from eventlogging.alerts.episodes import open_minutes
from eventlogging.alerts.letters import Writer, Written
from eventlogging.alerts.rules import Documents, recipients_of
from eventlogging.config import Config
from eventlogging.governance.model import DEFAULT_READERS
from eventlogging.mail.queue import Message
from eventlogging.people import subscriptions
from eventlogging.people.readers import keeps_out
from eventlogging.registry import owners
from eventlogging.store.fixed import person

_ROLES = ("admin", "analyst")  # of accounts that may see what events hold


@dataclass(frozen=True)
class Recipient:
    """Somebody who is told, and why; `topic` where it is a subscription, which can be ended.

    `sees_values`: they may see what events hold.
    """

    email: str
    why: str
    topic: str = ""
    sees_values: bool = False


@dataclass(frozen=True)
class Post:
    """What mails are written with."""

    config: Config
    key: str  # signs links
    writer: Writer


def recipients(
    connection: sa.Connection, documents: Documents, schema: str, owned_by: Sequence[str],
    also: Iterable[str] = (), readers: str = DEFAULT_READERS,
) -> list[Recipient]:  # fmt: skip
    """Return who is told of an alert, each once: owners, the rule files' recipients, subscribers.

    `also` are owners of the schemas that caused it, `readers` who may read the events that are
    shown. Where nobody of them can be reached, admins are told.
    """
    found: dict[str, Recipient] = {}
    insiders = _insiders(connection, readers)

    def add(emails: Iterable[str], why: str, topic: str = "", sees: bool = False) -> None:
        for email in emails:
            folded = email.casefold()
            found.setdefault(folded, Recipient(folded, why, topic, sees or folded in insiders))

    add(owned_by, f"you own {schema}", sees=True)
    add(also, "you own a schema named above")
    add(recipients_of(documents, schema), "the rules in alerts/ name you as a recipient")
    if schema:
        topic = subscriptions.schema_topic(schema)
        add(subscriptions.subscribers(connection, topic), f"you subscribed to {schema}", topic)
    add(subscriptions.subscribers(connection, "alerts"), "you subscribed to all alerts", "alerts")
    living = owners.living(connection, found)
    return [found[email] for email in living] or admins(connection)


def admins(connection: sa.Connection) -> list[Recipient]:
    """Return the admins, who are told where nobody else is."""
    c = person.c
    query = sa.select(c.email).where(c.role == "admin", c.state == "active").order_by(c.email)
    return [
        Recipient(email, "you are an admin", sees_values=True)
        for email in connection.execute(query).scalars()
    ]


def opening_mails(
    post: Post, told: Sequence[tuple[Briefing, Sequence[Recipient]]]
) -> list[Message]:
    """Return a mail for each person, with all that opened for them at this evaluation."""
    by_email: dict[str, list[tuple[Briefing, Recipient]]] = {}
    for briefing, people in told:
        for one in people:
            by_email.setdefault(one.email, []).append((briefing, one))
    return [_opening(post, email, items) for email, items in by_email.items()]


def closing_mails(post: Post, closed: Sequence[tuple[Episode, str]], now_ms: int) -> list[Message]:
    """Return the closing notices: a mail for each person who was told of the openings.

    `closed` are episodes, each with what is so again.
    """
    by_email: dict[str, list[tuple[Episode, str]]] = {}
    for episode, over in closed:
        for email in episode.told:
            by_email.setdefault(email, []).append((episode, over))
    return [_closing(post, email, items, now_ms) for email, items in by_email.items()]


def still_mails(
    post: Post, briefing: Briefing, people: Sequence[Recipient], reason: str, now_ms: int
) -> list[Message]:
    """Return mails about an alert that goes on: a snooze has ended, or nobody acted."""
    episode = briefing.episode
    found = []
    for one in people:
        values = {
            **briefing.values(sees_values=one.sees_values),
            "reason": reason,
            "actions": _actions(post, episode, one.email),
            **_why(post, one),
        }
        values["fact"] = f"Still: {episode.fact}"
        values["lines"] = [reason, *values["lines"]]
        written = post.writer.write("still", values)
        when = clock.minute(now_ms)
        found.append(_message(post, f"still:{when}", [episode], one, written, briefing.images))
    return found


def _opening(post: Post, email: str, items: Sequence[tuple[Briefing, Recipient]]) -> Message:
    first, one = items[0]
    if len(items) == 1:
        values = {
            **first.values(sees_values=one.sees_values),
            "actions": _actions(post, first.episode, email),
            **_why(post, one),
        }
        written = post.writer.write(first.episode.rule, values)
        return _message(post, "open", [first.episode], one, written, first.images)
    alerts = []
    images: dict[str, bytes] = {}
    for number, (briefing, who) in enumerate(items):
        values = briefing.values(sees_values=who.sees_values, number=number)
        actions = _actions(post, briefing.episode, email)[:2]
        alerts.append({**values, "actions": actions})
        images |= briefing.numbered_images(number)
    facts = [briefing.episode.fact for briefing, _ in items]
    values = {
        "fact": f"{len(items)} alerts: {facts[0]}; {facts[1]}{' …' if len(facts) > 2 else ''}",
        "lines": facts,
        "alerts": alerts,
        "actions": [{"label": "See all alerts", "url": f"{post.config.url}/alerts"}],
        **_why(post, one),
    }
    written = post.writer.write("several", values, shared="several")
    return _message(post, "open", [item[0].episode for item in items], one, written, images)


def _closing(post: Post, email: str, closed: Sequence[tuple[Episode, str]], now_ms: int) -> Message:
    items = [
        {
            "over": over,
            "fact": episode.fact,
            "opened": f"{episode.opened_at[:16].replace('T', ' ')} UTC",
            "lasted": words.span(open_minutes(episode, now_ms)),
            "acknowledged_by": episode.acknowledged_by,
        }
        for episode, over in closed
    ]
    first = items[0]
    others = len(items) - 1
    more = f", and {others} more {'alert is' if others == 1 else 'alerts are'} over"
    values = {
        "fact": f"Over: {first['over']}{more if others else ''}",
        "lines": [f"{one['over']}. It began at {one['opened']} and lasted {one['lasted']}. "
                  f"The alert was: {one['fact']}." for one in items],
        "alerts": items,
        "actions": [{"label": "See all alerts", "url": f"{post.config.url}/alerts"}],
        "why": "You get this because you were told that it began.",
        "unsubscribe": None,
    }  # fmt: skip
    written = post.writer.write("closed", values, shared="closed")
    episodes = [episode for episode, _ in closed]
    return _message(post, "closed", episodes, Recipient(email, ""), written, {})


def _message(
    post: Post, kind: str, episodes: Sequence[Episode], one: Recipient, written: Written,
    images: Mapping[str, bytes],
) -> Message:  # fmt: skip
    name = sha256("\n".join(episode.name for episode in episodes).encode()).hexdigest()[:24]
    headers = {"Auto-Submitted": "auto-generated"}
    if one.topic:
        headers |= subscriptions.headers(post.config.url, post.key, one.email, one.topic)
    return Message(
        key=f"alert-{kind}:{name}:{one.email}"[:191],
        recipient=one.email,
        subject=written.subject,
        text=written.text,
        html=written.html,
        images=images,
        headers=headers,
    )


def _actions(post: Post, episode: Episode, email: str) -> list[dict[str, str]]:
    url, key = post.config.url, post.key
    see = f"{url}/schemas/{episode.schema}" if episode.schema else f"{url}/alerts"
    return [
        {"label": "I look into it", "url": links.link(url, key, "acknowledge", episode, email)},
        {"label": "Snooze it", "url": links.link(url, key, "snooze", episode, email)},
        {"label": f"See {episode.schema or 'all alerts'}", "url": see},
    ]  # fmt: skip


def _why(post: Post, one: Recipient) -> dict[str, str | None]:
    link = None
    if one.topic:
        link = subscriptions.unsubscribe_link(post.config.url, post.key, one.email, one.topic)
    return {"why": f"You get this because {one.why}.", "unsubscribe": link}


def _insiders(connection: sa.Connection, readers: str) -> set[str]:
    """Return the people who may see what events hold, whoever owns their schema."""
    c = person.c
    roles = [one for one in _ROLES if not keeps_out(frozenset({one}), "read_refused", readers)]
    query = sa.select(c.email).where(c.role.in_(roles), c.state == "active")
    return set(connection.execute(query).scalars())


def emails(people: Iterable[Recipient]) -> list[str]:
    """Return the addresses alone, as an episode remembers them."""
    return [one.email for one in people]


def others(connection: sa.Connection, episode: Episode, owned_by: Sequence[str]) -> list[Recipient]:
    """Return who is told when nobody acts: the schema's owners; admins where there is but one."""
    found: dict[str, Any] = {
        owner.casefold(): Recipient(owner.casefold(), f"you own {episode.schema}", "", True)
        for owner in owners.living(connection, owned_by)
    }
    if len(found) < 2:
        for one in admins(connection):
            found.setdefault(one.email, one)
    return list(found.values())
