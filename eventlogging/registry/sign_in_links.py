"""Sign-in links, each good for one use: for the operator at the keyboard, or for one person.

Only digests are kept, so that who reads the database cannot sign in with what stands there.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.store.database import Database
from eventlogging.store.fixed import sign_in_link

_HOUR_MS = 3_600_000
LIFE_MS: Mapping[str, int] = {
    "admin": _HOUR_MS,
    "invite": 7 * clock.DAY_MS,
    "reset": clock.DAY_MS,
}
LIFE_WORDS: Mapping[str, str] = {"admin": "an hour", "invite": "seven days", "reset": "a day"}


@dataclass(frozen=True)
class Link:
    """A link that is still open. `email` says whom it is for; None: for whoever holds it."""

    purpose: str  # one of LIFE_MS
    email: str | None


def create_link(database: Database, config: Config) -> str:
    """Make the operator's link and return its whole URL, which nobody can read again.

    Raises StoreUnavailable.
    """
    with database.write() as connection:
        return make_link(connection, config, "admin", None)


def make_link(connection: sa.Connection, config: Config, purpose: str, email: str | None) -> str:
    """Make a link within the caller's transaction and return its whole URL.

    Forgets links that ran out; of links for one person only the newest opens anything.
    """
    secret = secrets.token_urlsafe(32)
    now = clock.now_ms()
    c = sign_in_link.c
    connection.execute(sa.delete(sign_in_link).where(c.expires_at <= clock.iso(now)))
    if email is not None:
        older = sa.delete(sign_in_link).where(c.email == email, c.used_at.is_(None))
        connection.execute(older)
    connection.execute(
        sa.insert(sign_in_link).values(
            digest=_digest(secret),
            created_at=clock.iso(now),
            expires_at=clock.iso(now + LIFE_MS[purpose]),
            purpose=purpose,
            email=email,
        )
    )
    return f"{config.url}/sign-in/{secret}"


def find(connection: sa.Connection, secret: str) -> Link | None:
    """Return the link while it is open; looking does not use it up."""
    c = sign_in_link.c
    row = connection.execute(sa.select(c.purpose, c.email).where(*_usable(secret))).first()
    return Link(row.purpose, row.email) if row else None


def claim(connection: sa.Connection, secret: str) -> bool:
    """Use the link up; return whether it was this call that did."""
    now = clock.iso(clock.now_ms())
    # Of two claims at the same time, the database lets one change the row.
    used = connection.execute(sa.update(sign_in_link).where(*_usable(secret)).values(used_at=now))
    return used.rowcount == 1


def _usable(secret: str) -> tuple[sa.ColumnElement[bool], ...]:
    c = sign_in_link.c
    now = clock.iso(clock.now_ms())
    return c.digest == _digest(secret), c.used_at.is_(None), c.expires_at > now


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
