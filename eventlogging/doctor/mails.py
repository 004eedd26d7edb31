"""Checks of the mail: does the server take ours, and does any wait or come back?"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.doctor.finding import Finding, error, ok, several, warning
from eventlogging.mail.send import Session
from eventlogging.store.database import Database
from eventlogging.store.fixed import mail

_HERE = ("localhost", "127.0.0.1", "::1")
_LATE_MS = 900_000  # a mail that is due for so long is not being looked after


def mail_server(config: Config) -> Iterator[Finding]:
    """The SMTP server answers and lets us in."""
    host, port = config.smtp_address
    if not host:
        yield ok("mail", f"no SMTP server is set: mails are files in {config.var / 'outbox'}")
        return
    with Session(config) as session:
        trouble = session.check()
    if trouble is not None:
        yield error(
            "mail",
            f"the mail server does not take our mail: {trouble}",
            "correct the settings that begin with smtp_; mails wait meanwhile, for up to 3 days",
        )
    elif config.smtp_security == "none" and config.smtp_user and host not in _HERE:
        yield warning(
            "mail",
            f"{host}:{port} lets us in, and the password goes there in clear text",
            "set EVENTLOGGING_SMTP_SECURITY to starttls or ssl",
        )
    else:
        yield ok("mail", f"{host}:{port} answers ({config.smtp_security})")


def waiting_mails(config: Config, database: Database) -> Iterator[Finding]:
    """No mail waits for longer than it has to, and none failed lately."""
    now = clock.now_ms()
    c = mail.c
    due = sa.and_(c.state.in_(("waiting", "sending")), c.due_at <= clock.iso(now - _LATE_MS))
    failed = sa.and_(c.state == "failed", c.created_at >= clock.iso(now - 7 * clock.DAY_MS))
    with database.read() as connection:
        late, lost = (
            int(connection.execute(sa.select(sa.func.count()).where(which)).scalar() or 0)
            for which in (due, failed)
        )
    if late:
        yield warning(
            "waiting mails",
            f"{several(late, 'mail')} should have gone out long ago",
            "the jobs process sends them: is it running? (eventlogging serve, eventlogging jobs)",
        )
    if lost:
        yield warning(
            "waiting mails",
            f"{several(lost, 'mail')} of the last 7 days could not be delivered",
            "the page /outbox says why, and sends them again",
        )
    if not late and not lost:
        yield ok("waiting mails", "no mail is late, and none of the last 7 days failed")
