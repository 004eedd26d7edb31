"""API tokens: made, revoked and checked; only their digests are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.errors import RegistryError
from eventlogging.registry import audit, counter
from eventlogging.registry.model import Snapshot
from eventlogging.store.database import Database
from eventlogging.store.fixed import audit as audited
from eventlogging.store.fixed import token

SCOPES: Mapping[str, str] = {
    "admin": "everything, publishing included",
    "propose": "propose schemas",
    "produce": "send events of schemas whose producers are 'token'",
    "read": "read events",
    "forward": "hand over the log of a forwarder or an edge, read the registry as collectors do",
    "test": "send events that are judged and shown live, and never stored with the others",
}
TEST = "test"  # a key for trying things out; it opens nothing else, and no other scope opens it
TEST_DAYS = 30  # that a test key lives where nobody says otherwise
_PREFIX = "evl_"  # so that a token that leaked into a file can be searched for
# So that intake knows a test key also when it is over, and takes nothing of it as production.
TEST_PREFIX = "evl_test_"
_MOST_DAYS = 36_500


@dataclass(frozen=True)
class Token:
    """What is known of a token; its secret is not."""

    name: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    digest: str

    def is_live(self, at: str) -> bool:
        """Whether it opens anything at this ISO time."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > at)

    @property
    def expanded(self) -> frozenset[str]:
        """The scopes it gives; admin gives them all, but for that of test keys."""
        return frozenset(SCOPES) - {TEST} if "admin" in self.scopes else frozenset(self.scopes)


def create(database: Database, name: str, scopes: Iterable[str], days: int | None, who: str) -> str:
    """Make a token and return its secret, which nobody can read again.

    `days` None: for ever, a test key for `TEST_DAYS`. Raises RegistryError when the name is in use
    or a scope is unknown.
    """
    wanted = tuple(scope for scope in SCOPES if scope in set(scopes))
    _check(name, set(scopes), days)
    prefix = _PREFIX
    if TEST in wanted:
        prefix, days = TEST_PREFIX, days or TEST_DAYS
    secret = prefix + secrets.token_urlsafe(32)
    now = clock.now_ms()
    expires = None if days is None else clock.iso(now + days * clock.DAY_MS)
    with database.write() as connection:
        counter.lock(connection)
        if any(known.name == name and known.is_live(clock.iso(now)) for known in rows(connection)):
            raise RegistryError(f"a token named {name!r} exists; revoke it or choose another name")
        connection.execute(
            sa.insert(token).values(
                digest=digest(secret),
                name=name,
                scopes=" ".join(wanted),
                created_at=clock.iso(now),
                expires_at=expires,
            )
        )
        detail = {"scopes": list(wanted), "expires_at": expires}
        audit.record(connection, who, "token.create", name, detail)
        counter.move(connection)
    return secret


def _check(name: str, scopes: set[str], days: int | None) -> None:
    if not name.strip() or len(name) > 191 or not name.isprintable():
        raise RegistryError("a token needs a name of at most 191 characters, such as 'ci'")
    if not scopes or scopes - set(SCOPES):
        wrong = ", ".join(sorted(scopes - set(SCOPES))) or "none"
        raise RegistryError(f"a token's scopes are among {', '.join(SCOPES)}; given: {wrong}")
    if TEST in scopes and len(scopes) > 1:
        raise RegistryError("a test key has the scope test alone: nothing it sends is kept")
    if days is not None and not 0 < days <= _MOST_DAYS:
        raise RegistryError(f"a token lives between 1 and {_MOST_DAYS} days, not {days}")


def revoke(database: Database, name: str, who: str) -> None:
    """End the token of this name at once. Raises RegistryError where none is live."""
    now = clock.iso(clock.now_ms())
    with database.write() as connection:
        counter.lock(connection)
        live = [known for known in rows(connection) if known.name == name and known.is_live(now)]
        if not live:
            raise RegistryError(f"no live token is named {name!r}; see: eventlogging token list")
        connection.execute(
            sa.update(token)
            .where(token.c.digest.in_([known.digest for known in live]))
            .values(revoked_at=now)
        )
        audit.record(connection, who, "token.revoke", name, {})
        counter.move(connection)


def rows(connection: sa.Connection) -> list[Token]:
    """Return all tokens ever made, oldest first."""
    return _rows(connection, sa.select(token).order_by(token.c.created_at, token.c.name))


def made_by(connection: sa.Connection, who: str) -> list[Token]:
    """Return the tokens that somebody made, oldest first; the audit says who made which."""
    made = sa.select(audited.c.subject).where(
        audited.c.action == "token.create", audited.c.who == who
    )
    names = set(connection.execute(made).scalars())
    return [one for one in rows(connection) if one.name in names]


def _rows(connection: sa.Connection, query: sa.Select[Any]) -> list[Token]:
    return [
        Token(
            row.name, tuple(row.scopes.split()), row.created_at, row.expires_at, row.revoked_at,
            row.digest,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def find(connection: sa.Connection, secret: str) -> Token | None:
    """Return the live token that this secret opens."""
    now = clock.iso(clock.now_ms())
    known = _rows(connection, sa.select(token).where(token.c.digest == digest(secret)))
    return next((one for one in known if one.is_live(now)), None)


def check(source: Snapshot | sa.Connection, secret: str) -> frozenset[str]:
    """Return the scopes that a secret gives; none for an unknown, expired or revoked one."""
    if isinstance(source, Snapshot):
        return source.tokens.get(digest(secret), frozenset())
    known = find(source, secret)
    return known.expanded if known else frozenset()


def is_admin_token(admin_token: str, secret: str) -> bool:
    """Whether a secret is the bootstrap token of the settings; compared in constant time."""
    return bool(admin_token) and hmac.compare_digest(admin_token.encode(), secret.encode())


def digest(secret: str) -> str:
    """Return what is stored of a secret: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
