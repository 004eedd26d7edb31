"""Calls of chat tools: queued with the decision, signed, sent, and tried again with back-off."""

from __future__ import annotations

import hmac
import json
import logging
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.alerts.call import CallFailed, post
from eventlogging.alerts.episode import Episode
from eventlogging.config import Config
from eventlogging.store.database import Database
from eventlogging.store.fixed import webhook_call

SIGNATURE = "X-EventLogging-Signature"
MOST_ATTEMPTS = 12  # with the waits between them, that is about a day
LEASE_SECONDS = 120  # longer than a call takes
_NEVER = "9999-12-31T00:00:00.000Z"
_KEEP_DAYS = 30
_LONGEST_WAIT_MINUTES = 360
_SECONDS = 45.0  # of one round; what is left waits for the next
_MOST = 200
_TROUBLE = 500
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """What a round of calls came to."""

    sent: int = 0
    later: int = 0
    failed: int = 0


def queue(
    connection: sa.Connection, url: str, episode: Episode, what: str, text: str, our_url: str
) -> None:
    """Queue a call within the caller's transaction; `what` is `opened` or `closed`.

    Chat tools read `text`; programs read the rest.
    """
    body = {
        "text": f"{text} {our_url}/alerts",
        "event": f"alert.{what}",
        "rule": episode.rule,
        "schema": episode.schema or None,
        "subject": episode.subject,
        "opened_at": episode.opened_at,
        "value": episode.value,
        "url": f"{our_url}/alerts",
    }
    now = clock.iso(clock.now_ms())
    key = sha256(f"{what}\n{episode.name}\n{url}".encode()).hexdigest()
    known = sa.select(webhook_call.c.id).where(webhook_call.c.key == key)
    if connection.execute(known).first() is not None:
        return
    connection.execute(
        sa.insert(webhook_call).values(
            key=key, url=url, body=json.dumps(body, ensure_ascii=False), created_at=now,
            due_at=now, attempts=0, state="waiting", trouble="",
        )
    )  # fmt: skip


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what proves that a call is ours: HMAC-SHA-256 over `<timestamp>.<body>`, in hex."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, sha256).hexdigest()


def deliver_due(database: Database, config: Config) -> Round:
    """Make the calls that are due, for less than a minute. Raises StoreUnavailable.

    A call that is made carries a lease: where the process ends before it is noted, the call is
    made once more, with the same id in its headers.
    """
    until = time.monotonic() + _SECONDS
    sent = later = failed = 0
    for id in _due(database):
        if time.monotonic() > until:
            break
        row = _claim(database, id)
        if row is None:
            continue
        outcome = _call(database, config, row)
        sent += outcome == "sent"
        later += outcome == "waiting"
        failed += outcome == "failed"
    with database.write() as connection:
        before = clock.iso(clock.now_ms() - _KEEP_DAYS * clock.DAY_MS)
        c = webhook_call.c
        connection.execute(sa.delete(webhook_call).where(c.due_at == _NEVER, c.created_at < before))
    return Round(sent, later, failed)


def _due(database: Database) -> list[int]:
    c = webhook_call.c
    query = (
        sa.select(c.id)
        .where(c.due_at <= clock.iso(clock.now_ms()), c.state.in_(("waiting", "sending")))
        .order_by(c.due_at, c.id)
        .limit(_MOST)
    )
    with database.read() as connection:
        return list(connection.execute(query).scalars())


def _claim(database: Database, id: int) -> Any:
    """Take one call to be made by us; None where somebody else has it."""
    now = clock.now_ms()
    c = webhook_call.c
    with database.write() as connection:
        row = connection.execute(sa.select(webhook_call).where(c.id == id)).first()
        if row is None or row.due_at > clock.iso(now):
            return None
        taken = connection.execute(
            sa.update(webhook_call)
            .where(c.id == id, c.due_at == row.due_at, c.attempts == row.attempts)
            .values(
                state="sending", attempts=row.attempts + 1,
                due_at=clock.iso(now + LEASE_SECONDS * 1000),
            )
        )  # fmt: skip
    return row if taken.rowcount == 1 else None


def _call(database: Database, config: Config, row: Any) -> str:
    """Make one call and note what came of it; return its new state."""
    body = row.body.encode()
    attempt = row.attempts + 1
    headers = {"Content-Type": "application/json", "X-EventLogging-Id": row.key}
    if config.webhook_secret:
        stamp = str(clock.now_ms() // 1000)
        made = signature(config.webhook_secret, stamp, body)
        headers[SIGNATURE] = f"t={stamp},sha256={made}"
    now = clock.now_ms()
    try:
        post(row.url, body, headers, allow_private=config.webhook_private)
        values = {"state": "sent", "due_at": _NEVER, "trouble": ""}
    except CallFailed as error:
        again = error.may_be_repeated and attempt < MOST_ATTEMPTS
        wait = min(2 ** (attempt - 1), _LONGEST_WAIT_MINUTES) * 60_000
        values = {
            "state": "waiting" if again else "failed",
            "due_at": clock.iso(now + wait) if again else _NEVER,
            "trouble": str(error)[:_TROUBLE],
        }
        _logger.warning("the webhook at %s: %s", row.url.partition("?")[0], error)
    with database.write() as connection:
        c = webhook_call.c
        connection.execute(
            sa.update(webhook_call)
            .where(c.id == row.id, c.attempts == attempt, c.state == "sending")
            .values(**values)
        )
    return values["state"]
