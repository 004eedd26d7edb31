"""Invite people: a one-time link, mailed to them, that the admin sees once as well."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from eventlogging.config import Config
from eventlogging.mail.queue import Message, queue
from eventlogging.people import accounts
from eventlogging.people.model import Person
from eventlogging.registry import audit, sign_in_links
from eventlogging.registry.sign_in_links import LIFE_WORDS


def send(
    connection: sa.Connection, config: Config, email: str, by: Person
) -> tuple[str | None, str]:
    """Make a link for the account of `email` and queue the mail with it.

    Returns why not, or None, and the link's URL. Links made before open nothing any more. Who
    never came in is invited; anybody else may set a new password.
    """
    them = accounts.find(connection, email)
    if them is None:
        return f"There is no account of {email[:80]}.", ""
    if them.state == "disabled":
        return f"The account of {them.email} is disabled; enable it first.", ""
    if them.email == accounts.OPERATOR:
        return "The operator signs in by the link that bin/run prints when it starts.", ""
    purpose = "invite" if them.state == "invited" else "reset"
    link = sign_in_links.make_link(connection, config, purpose, them.email)
    digest = hashlib.sha256(link.encode()).hexdigest()[:16]
    queue(connection, _message(f"{purpose}:{digest}", them, link, purpose, by))
    audit.record(connection, by.email, f"person.{purpose}", them.email, {})
    return None, link


def _message(key: str, them: Person, link: str, purpose: str, by: Person) -> Message:
    life, greeting = LIFE_WORDS[purpose], f"Dear {them.name},\n\n"
    if purpose == "invite":
        subject = "You are invited to EventLogging"
        what = (
            f"{by.name} invites you to EventLogging, where people describe, send and read events. "
            f"You will be {_article(them.role)} {them.role}. Choose your password here:"
        )
    else:
        subject = "EventLogging: choose a new password"
        what = f"{by.name} sends you a link with which you choose a new password for EventLogging:"
    text = (
        f"{greeting}{what}\n\n{link}\n\n"
        f"The link works once, within {life}. If you did not expect this, do nothing.\n"
    )
    return Message(key=key, recipient=them.email, subject=subject, text=text)


def _article(role: str) -> str:
    return "an" if role[0] in "aeiou" else "a"
