"""Hold back what is more than a person gets an hour, and join it into one mail."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.errors import StoreUnavailable
from eventlogging.mail.letter import Letter
from eventlogging.mail.queue import Message, queue
from eventlogging.store.fixed import mail

HELD = "held back: this person got many mails within the hour"
JOINED = "joined into the mail: "
_HOUR_MS = 3_600_000
_SOON_MS = 10_000
_MOST_TEXT = 200_000  # characters of texts that are joined; beyond that, subjects alone
_RULE = "\n\n" + "-" * 60 + "\n\n"


def held_until(connection: sa.Connection, recipient: str, per_hour: int, now_ms: int) -> str | None:
    """Return the time at which a person may get another mail, None: now."""
    c = mail.c
    since = clock.iso(now_ms - _HOUR_MS)
    lately = sa.select(c.sent_at).where(c.recipient == recipient, c.sent_at > since)
    times = sorted(connection.execute(lately).scalars())
    going = sa.select(sa.func.count()).where(c.recipient == recipient, c.state == "sending")
    if len(times) + int(connection.execute(going).scalar() or 0) < per_hour:
        return None
    if len(times) < per_hour:
        return clock.iso(now_ms + _SOON_MS)  # some are on their way this moment
    # One more may go when the last `per_hour` that went are not all within the hour any more.
    return _an_hour_after(times[-per_hour])


def join_held(connection: sa.Connection, letter: Letter, never: str) -> bool:
    """Queue one mail instead of all that are held for a person; False where it is only this one.

    Raises StoreUnavailable where another process joins them at the same time.
    """
    c = mail.c
    held = sa.and_(c.recipient == letter.recipient, c.state == "waiting", c.trouble == HELD)
    query = sa.select(c.id, c.created_at, c.subject, c.text).where(held).order_by(c.id)
    rows = connection.execute(query).all()
    if len(rows) < 2:
        return False
    ids = [row.id for row in rows]
    joined = _joined(letter.recipient, rows)
    values = {"state": "sent", "due_at": never, "trouble": f"{JOINED}{joined.subject}"[:500]}
    taken = connection.execute(sa.update(mail).where(c.id.in_(ids), held).values(**values))
    if taken.rowcount != len(ids) or not queue(connection, joined):
        raise StoreUnavailable("held mails are being joined by another process")
    return True


def _joined(recipient: str, rows: Any) -> Message:
    subjects = [f"{row.created_at[:16].replace('T', ' ')} UTC  {row.subject}" for row in rows]
    texts = []
    room = _MOST_TEXT
    for line, row in zip(subjects, rows, strict=True):
        room -= len(row.text)
        if room >= 0:
            texts.append(f"{line}\n\n{row.text.strip()}")
    head = (
        f"So many mails came for you within an hour that {len(rows)} of them were held back. "
        "Here they are.\n\n" + "\n".join(subjects)
    )
    if len(texts) < len(rows):
        head += "\n\nThey are long: the texts of some are left out. Admins see them in the outbox."
    name = sha256(" ".join(str(row.id) for row in rows).encode()).hexdigest()[:32]
    return Message(
        key=f"joined:{name}",
        recipient=recipient,
        subject=f"{len(rows)} mails in one: {rows[0].subject}, …",
        text=_RULE.join([head, *texts]) + "\n",
    )


def _an_hour_after(iso: str) -> str:
    ms = round(datetime.fromisoformat(iso).timestamp() * 1000)
    return clock.iso(ms + _HOUR_MS)
