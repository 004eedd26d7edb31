"""Come in with e-mail and password: checked against the account, within the limits."""

from __future__ import annotations

from dataclasses import dataclass

from eventlogging.people import accounts, limits
from eventlogging.people.model import Person
from eventlogging.people.passwords import Passwords
from eventlogging.registry import audit
from eventlogging.store.database import Database


@dataclass(frozen=True)
class Attempt:
    """What came of an attempt to sign in; `wait` is in seconds, 0: the two did not fit."""

    person: Person | None
    wait: int = 0


def by_password(
    database: Database, passwords: Passwords, email: str, password: str, *, again: bool = False
) -> Attempt:
    """Return who this is. Accounts that are not there are answered like wrong passwords.

    `again`: they are signed in already, and only show once more who they are. Raises
    StoreUnavailable.
    """
    email = accounts.folded(email)[:191]
    with database.write() as connection:
        wait = limits.attempt(connection, email)
        stored = None if wait else accounts.password_hash(connection, email)
    if wait:
        return Attempt(None, wait)
    # Outside of any transaction: it takes a while, on purpose.
    if not passwords.fits(stored, password):
        return Attempt(None)
    anew = passwords.hash(password) if stored and passwords.is_outdated(stored) else None
    with database.write() as connection:
        if accounts.password_hash(connection, email) != stored:
            return Attempt(None)  # changed or disabled in the meantime
        limits.succeeded(connection, email)
        if anew:
            accounts.refresh_hash(connection, email, anew)
        if not again:
            audit.record(connection, email, "sign_in", email, {"by": "password"})
        return Attempt(accounts.find(connection, email))
