"""Sessions: who is signed in in which browser, kept by the server so that each can be ended.

A browser holds a random secret; only its digest is stored.
"""

from __future__ import annotations

import hashlib
import secrets

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.store.fixed import person, person_session

LIFE_DAYS = 7


def start(connection: sa.Connection, email: str) -> str:
    """Begin a session and return its secret; forgets sessions that have run out."""
    now = clock.now_ms()
    c = person_session.c
    connection.execute(sa.delete(person_session).where(c.expires_at <= clock.iso(now)))
    secret = secrets.token_urlsafe(32)
    connection.execute(
        sa.insert(person_session).values(
            digest=_digest(secret),
            email=email,
            created_at=clock.iso(now),
            expires_at=clock.iso(now + LIFE_DAYS * clock.DAY_MS),
        )
    )
    return secret


def find(connection: sa.Connection, secret: str) -> str | None:
    """Return the e-mail address of whose session it is.

    None where it ended, or they may not come in any more.
    """
    query = (
        sa.select(person.c.email)
        .join(person_session, person_session.c.email == person.c.email)
        .where(
            person_session.c.digest == _digest(secret),
            person_session.c.expires_at > clock.iso(clock.now_ms()),
            person.c.state == "active",
        )
    )
    return connection.execute(query).scalar()


def end(connection: sa.Connection, secret: str) -> None:
    """End one session."""
    connection.execute(
        sa.delete(person_session).where(person_session.c.digest == _digest(secret))
    )  # fmt: skip


def end_all(connection: sa.Connection, email: str, *, but: str | None = None) -> int:
    """End a person's sessions, the one with the secret `but` aside; return how many ended."""
    query = sa.delete(person_session).where(person_session.c.email == email)
    if but is not None:
        query = query.where(person_session.c.digest != _digest(but))
    return int(connection.execute(query).rowcount)


def count(connection: sa.Connection, email: str) -> int:
    """Return in how many browsers a person is signed in."""
    query = (
        sa.select(sa.func.count())
        .select_from(person_session)
        .where(
            person_session.c.email == email,
            person_session.c.expires_at > clock.iso(clock.now_ms()),
        )
    )
    return int(connection.execute(query).scalar() or 0)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
