"""Sign-in links: made for a person at the keyboard, each good for one use within an hour.

Only digests are kept, so that who reads the database cannot sign in with what stands there.
"""

from __future__ import annotations

import hashlib
import secrets

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.registry import audit
from eventlogging.store.database import Database
from eventlogging.store.fixed import sign_in_link

LIFE_MS = 3_600_000
_WHO = "sign-in link"


def create_link(database: Database, config: Config) -> str:
    """Make a link and return its whole URL, which nobody can read again; forgets expired ones.

    Raises StoreUnavailable.
    """
    secret = secrets.token_urlsafe(32)
    now = clock.now_ms()
    c = sign_in_link.c
    with database.write() as connection:
        connection.execute(sa.delete(sign_in_link).where(c.expires_at <= clock.iso(now)))
        connection.execute(
            sa.insert(sign_in_link).values(
                digest=_digest(secret),
                created_at=clock.iso(now),
                expires_at=clock.iso(now + LIFE_MS),
            )
        )
    return f"{config.url}/sign-in/{secret}"


def is_open(connection: sa.Connection, secret: str) -> bool:
    """Whether the link would still sign somebody in; looking does not use it up."""
    query = sa.select(sa.func.count()).select_from(sign_in_link).where(*_usable(secret))
    return bool(connection.execute(query).scalar())


def claim(database: Database, secret: str) -> bool:
    """Use the link up; return whether it was this call that did. Raises StoreUnavailable."""
    now = clock.iso(clock.now_ms())
    with database.write() as connection:
        # Of two claims at the same time, the database lets one change the row.
        used = connection.execute(
            sa.update(sign_in_link).where(*_usable(secret)).values(used_at=now)
        )
        if used.rowcount != 1:
            return False
        audit.record(connection, _WHO, "sign_in", "admin", {})
    return True


def _usable(secret: str) -> tuple[sa.ColumnElement[bool], ...]:
    c = sign_in_link.c
    now = clock.iso(clock.now_ms())
    return c.digest == _digest(secret), c.used_at.is_(None), c.expires_at > now


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
