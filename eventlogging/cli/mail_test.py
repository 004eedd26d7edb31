"""The command `mail test`: send a mail now, and say what came of it."""

from __future__ import annotations

import secrets

import click

from eventlogging import clock, config
from eventlogging.cli.governance import reported
from eventlogging.cli.paint import harmless
from eventlogging.config import Config
from eventlogging.errors import EventLoggingError
from eventlogging.mail.letter import Letter
from eventlogging.mail.send import Session

_HINTS = {
    "later": "mend that, then try again; mails that wait are tried again by themselves",
    "refused": "the server is reached, and takes no such mail",
}


@click.group("mail", short_help="Try how mails are sent.")
def mail() -> None:
    """Try how mails are sent; the page /outbox shows those that wait."""


@mail.command("test", epilog="Example:  eventlogging mail test ann@example.org")
@click.argument("address")
def test(address: str) -> None:
    """Send a test mail to ADDRESS now, by the settings in force, and say what happened.

    Exit code 0: the server took it, or it is a file in the outbox. 1: it did not.
    """
    with reported():
        settings = config.load()
        with Session(settings) as session:
            sending = session.send(_letter(address, settings))
        if sending.outcome != "sent":
            hint = _HINTS[sending.outcome]
            hint = _HINTS[sending.outcome]
            raise EventLoggingError(f"not sent: {harmless(sending.text)}\n{hint}")
    if settings.smtp_host:
        host, port = settings.smtp_address
        click.echo(harmless(f"{host}:{port} took the mail to {address}."))
        click.echo(f"Look whether it arrives from {settings.mail_from}, and not among the spam.")
    else:
        click.echo(harmless(f"No SMTP server is set, so the mail is a file: {sending.text}"))
        click.echo("To send mails, set EVENTLOGGING_SMTP_HOST; see docs/operators.md")


def _letter(address: str, settings: Config) -> Letter:
    now = clock.iso(clock.now_ms())
    return Letter(
        id=0,
        key="test",
        message_id=f"<{secrets.token_hex(16)}@eventlogging>",
        recipient=address,
        subject="EventLogging can send mail",
        text=(
            "This mail was asked for by: eventlogging mail test\n\n"
            f"It left {settings.url} at {now[:16].replace('T', ' ')} UTC. There is nothing to do.\n"
        ),
        created_at=now,
    )
