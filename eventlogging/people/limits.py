"""Limit attempts to sign in: each failure beyond a few makes the account wait longer.

An attempt is counted before the password is looked at, so that many at the same time gain
nothing. What was typed and is no account's e-mail is kept as a number only.
"""

from __future__ import annotations

import hashlib
import math
from datetime import datetime

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.store.fixed import person, sign_in_failure

FREE = 5  # attempts before anybody waits
LONGEST_SECONDS = 600
_FORGET_MS = clock.DAY_MS


def attempt(connection: sa.Connection, email: str) -> int:
    """Count an attempt to sign in as `email`; return the seconds it has to wait, 0: go on.

    An attempt that has to wait is not counted. Wants a transaction that writes.
    """
    now = clock.now_ms()
    c = sign_in_failure.c
    key = _key(connection, email)
    row = connection.execute(sa.select(c.failures, c.last_at).where(c.email == key)).first()
    if row is None:
        first = sa.insert(sign_in_failure).values(email=key, failures=1, last_at=clock.iso(now))
        try:
            connection.execute(first)
        except sa.exc.IntegrityError:
            return 1  # somebody else tries at this very moment
        return 0
    failures = 0 if row.last_at <= clock.iso(now - _FORGET_MS) else row.failures
    since = now / 1000 - datetime.fromisoformat(row.last_at).timestamp()
    left = min(wait_seconds(failures) - since, LONGEST_SECONDS)
    if left > 0:
        return math.ceil(left)
    # Of several at the same time, the database lets one change the row as it was read.
    counted = connection.execute(
        sa.update(sign_in_failure)
        .where(c.email == key, c.failures == row.failures, c.last_at == row.last_at)
        .values(failures=failures + 1, last_at=clock.iso(now))
    )
    return 0 if counted.rowcount == 1 else 1


def succeeded(connection: sa.Connection, email: str) -> None:
    """Forget the failures of an account that somebody signed in to, and those of days ago."""
    c = sign_in_failure.c
    old = clock.iso(clock.now_ms() - _FORGET_MS)
    connection.execute(
        sa.delete(sign_in_failure).where(
            (c.email == _key(connection, email)) | (c.last_at <= old)
        )
    )  # fmt: skip


def wait_seconds(failures: int) -> int:
    """Return how long after its last failure an account waits: 2, 4, 8 … seconds."""
    if failures < FREE:
        return 0
    return int(min(LONGEST_SECONDS, 2 ** (min(failures, 60) - FREE + 1)))


def _key(connection: sa.Connection, email: str) -> str:
    known = sa.select(person.c.email).where(person.c.email == email)
    if connection.execute(known).first() is not None:
        return email
    # Few enough numbers that a flood of made-up names fills no disk.
    return f"#{hashlib.sha256(email.encode()).hexdigest()[:5]}"
