"""Queue a mail in the transaction that decides on it, so that both happen or neither does."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.store.fixed import mail


@dataclass(frozen=True)
class Message:
    """One mail to one recipient. `key` names what is said: the same key is never queued twice.

    `text` is the whole mail as plain text; `html`, where given, says the same. `images` maps
    content ids, which the HTML shows as `cid:…`, to PNG files.
    """

    key: str  # at most 191 characters, such as "review-request:17:3:ann@example.org"
    recipient: str
    subject: str
    text: str
    html: str = ""
    images: Mapping[str, bytes] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def queue(connection: sa.Connection, message: Message, *, due_at: str | None = None) -> bool:
    """Queue a mail within the caller's transaction; return False where its key was there already.

    `due_at` is an ISO time before which it waits; None: at once.
    """
    known = sa.select(mail.c.id).where(mail.c.key == message.key)
    if connection.execute(known).first() is not None:
        return False
    now = clock.iso(clock.now_ms())
    # The same key gives the same Message-ID: should a mail go out twice, readers show it once.
    name = sha256(message.key.encode()).hexdigest()[:32]
    connection.execute(
        sa.insert(mail).values(
            key=message.key,
            message_id=f"<{name}@eventlogging>",
            recipient=message.recipient,
            subject=" ".join(message.subject.split())[:500],
            text=message.text,
            html=message.html,
            images=json.dumps({k: b64encode(v).decode() for k, v in message.images.items()}),
            headers=json.dumps(dict(message.headers)),
            created_at=now,
            due_at=due_at or now,
            attempts=0,
            state="waiting",
            trouble="",
        )
    )
    return True
