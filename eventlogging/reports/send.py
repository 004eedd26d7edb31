"""Say a report to those who want it or answer for it: one mail a person, queued with the report."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa

from eventlogging.config import Config
from eventlogging.mail.queue import Message, queue
from eventlogging.people import accounts, subscriptions
from eventlogging.people.permissions import may
from eventlogging.people.readers import keeps_out
from eventlogging.registry import owners as registered_owners
from eventlogging.registry.export import held_documents
from eventlogging.registry.model import Snapshot
from eventlogging.reports import render
from eventlogging.reports.causes import read_samples
from eventlogging.reports.model import Report
from eventlogging.reports.render import Reader, Rendered
from eventlogging.reports.stored import keep
from eventlogging.reports.weekly import Week
from eventlogging.store.database import Database

_DAILY, _WEEKLY = "daily", "weekly"
_READ = "read_refused"


@dataclass(frozen=True)
class Sender:
    """What sending needs: `key` signs the links that unsubscribe."""

    database: Database
    config: Config
    snapshot: Snapshot
    key: str


@dataclass(frozen=True)
class _Recipient:
    """Somebody with what they get: all (`names` is None) or the part about some schemas.

    `subscribed` to a topic, or told for another reason. What refused events hold they may see of
    their `owned` schemas, and of those that people with their `roles` may read.
    """

    email: str
    names: frozenset[str] | None
    subscribed: bool = False
    roles: frozenset[str] = frozenset()
    owned: frozenset[str] = frozenset()

    def may_read(self, snapshot: Snapshot, name: str) -> bool:
        if name in self.owned:
            return True
        schema = snapshot.schemas.get(name)
        kept_out = schema is not None and keeps_out(self.roles, _READ, schema.readers)
        return may(self.roles, _READ) and not kept_out


def send_daily(
    sender: Sender, report: Report, reviewers: Collection[str], *, final: bool = True
) -> int:
    """Queue the mails of a day; return how many are new.

    Subscribers and the recipients of alerts/default.toml get everything, owners the part of
    their schemas. What events held is shown to those who may read refused events (`reviewers`
    are the addresses on the roster), and to owners for their own schemas. `final`: the report is
    stored in the same transaction; else the day is not over, and its report is still to come.
    """
    with sender.database.read() as connection:
        recipients = [
            *_listeners(connection, report, reviewers),
            *_owners(connection, report),
        ]
    mark = report.day if final else f"{report.day}-so-far"
    mails: dict[str, Message] = {}
    pictures: dict[frozenset[str] | None, bytes] = {}
    # Before the transaction: pictures take a while, and nobody else can write meanwhile.
    for one in recipients:
        part = report if one.names is None else report.part_of(one.names)
        if one.email in mails or (one.names is not None and part.is_empty):
            continue
        if one.names not in pictures:
            pictures[one.names] = render.picture(part)
        readable = partial(one.may_read, sender.snapshot)
        samples = read_samples(sender.database, sender.snapshot, part, readable)
        rendered = render.daily(
            part, samples, _reader(sender, one), sender.config.url, pictures[one.names]
        )
        mails[one.email] = _message(
            sender, f"report:{mark}:{one.email}", one.email, rendered,
            _DAILY if one.subscribed else None,
        )  # fmt: skip
    with sender.database.write() as connection:
        if final:
            keep(connection, report)
        return sum(queue(connection, mail) for mail in mails.values())


def send_weekly(sender: Sender, week: Week) -> int:
    """Queue the digest of a week for its subscribers; return how many mails are new."""
    with sender.database.read() as connection:
        emails = _living(connection, subscriptions.subscribers(connection, _WEEKLY))
    picture = render.week_picture(week)
    mails = []
    for email in emails:
        link = _link(sender, email, _WEEKLY)
        reader = Reader("", "You get this because you subscribed to the weekly digest.", link)
        rendered = render.weekly(week, reader, sender.config.url, picture)
        mails.append(_message(sender, f"digest:{week.end}:{email}", email, rendered, _WEEKLY))
    with sender.database.write() as connection:
        return sum(queue(connection, mail) for mail in mails)


def _listeners(
    connection: sa.Connection, report: Report, reviewers: Collection[str]
) -> list[_Recipient]:
    """Return who gets everything: subscribers, and the recipients of alerts/default.toml."""
    subscribed = subscriptions.subscribers(connection, _DAILY)
    owners = report.owners
    return [
        _Recipient(
            email,
            None,
            subscribed=email in subscribed,
            roles=_roles(connection, email, reviewers),
            owned=owners.get(email, frozenset()),
        )
        for email in _living(connection, [*subscribed, *_listed(connection)])
    ]


def _owners(connection: sa.Connection, report: Report) -> list[_Recipient]:
    owners = report.owners
    return [
        _Recipient(email, owners[email], owned=owners[email])
        for email in _living(connection, sorted(owners))
    ]


def _listed(connection: sa.Connection) -> list[str]:
    rules = held_documents(connection).get(("alerts", "default.toml"))
    listed = rules.get("recipients") if isinstance(rules, dict) else None
    return [str(email).casefold() for email in listed] if isinstance(listed, list) else []


def _living(connection: sa.Connection, emails: list[str]) -> list[str]:
    """Return the addresses that mail reaches, as far as is known, each once."""
    return registered_owners.living(connection, dict.fromkeys(emails)) if emails else []


def _roles(connection: sa.Connection, email: str, reviewers: Collection[str]) -> frozenset[str]:
    person = accounts.find(connection, email)
    if person is None or person.state != "active":
        return frozenset()
    return frozenset({person.role} | ({"reviewer"} if email in reviewers else set()))


def _reader(sender: Sender, one: _Recipient) -> Reader:
    if one.names is not None:
        whose = next(iter(one.names)) if len(one.names) == 1 else "your schemas"
        return Reader(whose, "You get this because you own what it tells of.")
    if one.subscribed:
        why = "You get this because you subscribed to the daily report."
        return Reader("", why, _link(sender, one.email, _DAILY))
    return Reader("", "You get this because alerts/default.toml names you as a recipient.")


def _link(sender: Sender, email: str, topic: str) -> str:
    return subscriptions.unsubscribe_link(sender.config.url, sender.key, email, topic)


def _message(
    sender: Sender, key: str, email: str, rendered: Rendered, topic: str | None
) -> Message:
    headers = (
        subscriptions.headers(sender.config.url, sender.key, email, topic) if topic else {}
    )  # fmt: skip
    return Message(
        key=key[:191],
        recipient=email,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        images=rendered.images,
        headers=headers,
    )
