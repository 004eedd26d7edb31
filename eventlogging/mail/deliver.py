"""Deliver the mails that are due: claim one, send it, note what came of it.

A mail that is being sent carries a lease. Where the process ends between the server's answer
and the note of it, the lease runs out and the mail goes out once more, with the same
Message-ID; when that happens to the same mail twice it stays, for a person to look at. Nothing
is held open in the database while a mail is on its way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.errors import StoreError
from eventlogging.mail.hold import HELD, held_until, join_held
from eventlogging.mail.letter import Letter, of_row
from eventlogging.mail.send import Sending, Session
from eventlogging.store.database import Database
from eventlogging.store.fixed import mail

NEVER = "9999-12-31T00:00:00.000Z"  # when a mail that is done with is due
LEASE_SECONDS = 900  # longer than a conversation with a slow server takes
MOST_ATTEMPTS = 20  # with the waits between them, that is not quite three days
INTERRUPTED = "interrupted while it was sent; perhaps it arrived"
_LONGEST_WAIT_MINUTES = 360
_TROUBLE = 500  # characters
_MOST = 100  # mails in one round
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivered:
    """What a round came to; `bounced` are addresses that take no mail."""

    sent: int = 0
    later: int = 0
    failed: int = 0
    bounced: tuple[str, ...] = ()

    def __add__(self, other: Delivered) -> Delivered:
        return Delivered(
            self.sent + other.sent,
            self.later + other.later,
            self.failed + other.failed,
            self.bounced + other.bounced,
        )


def deliver_due(
    database: Database,
    config: Config,
    session: Session,
    stopped: Callable[[], bool] = lambda: False,
) -> Delivered:
    """Send mails that are due, until there are none or `stopped` says so; end the conversation.

    Any number of processes may do so at the same time; together they may exceed a person's
    hourly cap by one mail each. Raises StoreUnavailable; what was sent by then is noted by the
    next call with this session.
    """
    done = Delivered()
    try:
        for letter, sending in list(session.owed):
            done += _settle(database, letter, sending)
            session.owed.remove((letter, sending))
        for id in _due(database):
            if stopped():
                break
            letter_or_none = _claim(database, config, id)
            if letter_or_none is None:
                continue
            sending = session.send(letter_or_none)
            try:
                done += _settle(database, letter_or_none, sending)
            except StoreError:
                session.owed.append((letter_or_none, sending))
                raise
            if sending.of_server:
                break  # the others would fare no better now
    finally:
        session.close()
    return done


def retry(connection: sa.Connection, id: int) -> bool:
    """Make a mail that failed or waits due now, with all its attempts before it again."""
    now = clock.iso(clock.now_ms())
    result = connection.execute(
        sa.update(mail)
        .where(mail.c.id == id, mail.c.state.in_(("failed", "waiting")))
        .values(state="waiting", due_at=now, attempts=0, trouble="")
    )
    return bool(result.rowcount == 1)


def _due(database: Database) -> list[int]:
    now = clock.iso(clock.now_ms())
    query = (
        sa.select(mail.c.id)
        .where(mail.c.due_at <= now, mail.c.state.in_(("waiting", "sending")))
        .order_by(mail.c.due_at, mail.c.id)
        .limit(_MOST)
    )
    with database.read() as connection:
        return list(connection.execute(query).scalars())


def _claim(database: Database, config: Config, id: int) -> Letter | None:
    """Take one mail to be sent by us; None where it is to wait, or somebody else has it."""
    now = clock.now_ms()
    with database.write() as connection:
        row = connection.execute(sa.select(mail).where(mail.c.id == id)).mappings().first()
        if row is None or row["state"] not in ("waiting", "sending"):
            return None
        if row["due_at"] > clock.iso(now):
            return None
        letter = of_row(row)
        if letter.state == "waiting":
            until = held_until(connection, letter.recipient, config.mail_per_hour, now)
            if until is not None:
                _change(connection, letter, due_at=until, trouble=HELD)
                return None
            if letter.trouble == HELD and join_held(connection, letter, NEVER):
                return None  # it goes out as a part of another, which is due now
        elif letter.trouble.startswith(INTERRUPTED):
            text = f"{INTERRUPTED}; twice, so it is not sent by itself any more"
            _change(connection, letter, state="failed", due_at=NEVER, trouble=text)
            _logger.error("a mail to %s: %s", letter.recipient, text)
            return None
        trouble = letter.trouble
        if letter.state == "sending":
            trouble = INTERRUPTED
        values = {"attempts": letter.attempts + 1, "trouble": trouble}
        lease = clock.iso(now + LEASE_SECONDS * 1000)
        if not _change(connection, letter, state="sending", due_at=lease, **values):
            return None
    return Letter(**{**vars(letter), "state": "sending", "due_at": lease, **values})


def _change(connection: sa.Connection, letter: Letter, **values: object) -> bool:
    """Change a mail that is still as we read it; False where somebody was faster."""
    same = [mail.c[name] == getattr(letter, name) for name in ("id", "state", "due_at", "attempts")]
    result = connection.execute(sa.update(mail).where(*same).values(**values))
    return bool(result.rowcount == 1)


def _settle(database: Database, letter: Letter, sending: Sending) -> Delivered:
    """Note what came of a mail that we had claimed."""
    now = clock.now_ms()
    bounced: tuple[str, ...] = ()
    if sending.outcome == "sent":
        values = {"state": "sent", "sent_at": clock.iso(now), "due_at": NEVER, "trouble": ""}
        done = Delivered(sent=1)
    elif sending.outcome == "later" and letter.attempts < MOST_ATTEMPTS:
        due = clock.iso(now + _wait_minutes(letter.attempts) * 60_000)
        values = {"state": "waiting", "due_at": due, "trouble": _trouble(letter, sending.text)}
        done = Delivered(later=1)
    else:
        values = {"state": "failed", "due_at": NEVER, "trouble": _trouble(letter, sending.text)}
        bounced = (letter.recipient,) if sending.bounced else ()
        done = Delivered(failed=1, bounced=bounced)
    with database.write() as connection:
        _change(connection, letter, **values)
    if sending.outcome != "sent":
        how = "will be tried again" if done.later else "cannot be delivered"
        _logger.warning("a mail to %s %s: %s", letter.recipient, how, sending.text)
    return done


def _wait_minutes(attempts: int) -> int:
    """1, 2, 4 … minutes, at last 6 hours."""
    return int(min(2 ** (attempts - 1), _LONGEST_WAIT_MINUTES))


def _trouble(letter: Letter, text: str) -> str:
    """The trouble of now, behind the mark that the mail may have arrived already."""
    marked = letter.trouble.startswith(INTERRUPTED)
    return (f"{INTERRUPTED}; {text}" if marked else text)[:_TROUBLE]
