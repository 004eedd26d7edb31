"""Hand mails to the SMTP server, or to the outbox where none is set, and say what came of it."""

from __future__ import annotations

import contextlib
import re
import smtplib
import ssl
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any, Literal

import yagmail  # type: ignore[import-untyped]

from eventlogging.config import Config
from eventlogging.mail import outbox
from eventlogging.mail.letter import Letter, message_bytes

_SECONDS = 30.0  # for each step of a conversation
_ADDRESS = re.compile(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+")
# Refusals of an address that are about policy, such as a relay that is closed to us: RFC 3463.
_POLICY = re.compile(r"\b5\.7\.\d+\b")
_NO_SUCH_BOX = re.compile(r"\b5\.(?:1|2\.1\b)")


@dataclass(frozen=True)
class Sending:
    """What came of sending a mail.

    `later`: trying again may help. `bounced`: the address takes no mail. `of_server`: the
    trouble is the server's or the settings', and other mails would fare no better.
    """

    outcome: Literal["sent", "later", "refused"]
    text: str = ""
    bounced: bool = False
    of_server: bool = False


class Session:
    """One conversation with the SMTP server, begun when first needed. Not for several threads.

    `owed`: mails that went out, and that the database could not be told of yet.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._client: yagmail.SMTP | None = None
        self.owed: list[tuple[Letter, Sending]] = []

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, letter: Letter) -> Sending:
        """Send one mail now. Raises nothing that a server, an address or a disk can cause."""
        recipient = _wire_address(letter.recipient)
        if recipient is None:
            text = f"{letter.recipient[:191]!r} is no e-mail address"
            return Sending("refused", text, bounced=True)
        try:
            message = message_bytes(letter, self._config.mail_from)
        except (ValueError, LookupError) as error:
            return Sending("refused", f"this cannot be written as a mail: {error}")
        if not self._config.smtp_host:
            return self._to_outbox(letter, message)
        try:
            smtp = self._connected()
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            return Sending("later", self._trouble(error), of_server=True)
        return self._hand_over(smtp, recipient, message)

    def check(self) -> str | None:
        """Return why the server takes no mail from us, None: it does. It must be set."""
        try:
            self._connected().noop()
        except (OSError, smtplib.SMTPException) as error:
            return self._trouble(error)
        finally:
            self.close()
        return None

    def close(self) -> None:
        """End the conversation; the next mail begins another."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                client.close()
            with contextlib.suppress(OSError, smtplib.SMTPException, AttributeError):
                client.smtp.close()

    def _connected(self) -> smtplib.SMTP:
        if self._client is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                if self._client.smtp.noop()[0] == 250:
                    return self._client.smtp
            self.close()  # servers end conversations as they like
        client = _client(self._config)
        self._client = client
        client.login()
        return client.smtp

    def _hand_over(self, smtp: smtplib.SMTP, recipient: str, message: bytes) -> Sending:
        sender = parseaddr(self._config.mail_from)[1]
        options = () if recipient.isascii() else ("SMTPUTF8", "BODY=8BITMIME")
        try:
            # Not by yagmail's send(): that sends up to three times where a connection breaks.
            refused = smtp.sendmail(sender, [recipient], message, options)
        except smtplib.SMTPRecipientsRefused as error:
            return _of_recipient(*error.recipients[recipient])
        except smtplib.SMTPSenderRefused as error:
            text = f"the mail server refuses the sender {sender}: {_said(error)}"
            return Sending("later", text, of_server=True)
        except smtplib.SMTPNotSupportedError as error:
            return Sending("refused", f"the mail server knows no such addresses: {error}")
        except smtplib.SMTPDataError as error:
            if error.smtp_code < 500:
                return Sending("later", _said(error), of_server=error.smtp_code == 421)
            return Sending("refused", _said(error), bool(_NO_SUCH_BOX.search(_said(error))))
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            return Sending("later", self._trouble(error), of_server=True)
        return _of_recipient(*refused[recipient]) if refused else Sending("sent")

    def _to_outbox(self, letter: Letter, message: bytes) -> Sending:
        try:
            path = outbox.put(self._config.var / "outbox", letter, message)
        except OSError as error:
            return Sending("later", f"the outbox takes no files: {error}", of_server=True)
        return Sending("sent", str(path))

    def _trouble(self, error: Exception) -> str:
        host, port = self._config.smtp_address
        return f"{host}:{port}: {_reason(error)}"[:500]


def _client(config: Config) -> yagmail.SMTP:
    """Return yagmail's client for the settings; it does not connect yet.

    By itself it would verify no certificate, take Gmail for the home of a bare user name, and
    look passwords up in the desktop's keyring.
    """
    host, port = config.smtp_address
    user = config.smtp_user
    how: dict[str, Any] = {"smtp_ssl": False, "smtp_starttls": False}
    if config.smtp_security == "ssl":
        how |= {"smtp_ssl": True, "context": ssl.create_default_context()}
    elif config.smtp_security == "starttls":
        how["smtp_starttls"] = {"context": ssl.create_default_context()}
    return yagmail.SMTP(
        {user: user} if user else "",
        config.smtp_password,
        host=host,
        port=port,
        timeout=_SECONDS,
        smtp_skip_login=not user,
        soft_email_validation=False,
        **how,
    )


def _of_recipient(code: int, said: bytes) -> Sending:
    text = f"{code} {said.decode('utf-8', 'replace')}"
    if code < 500:
        return Sending("later", text, of_server=code == 421)
    return Sending("refused", text, bounced=not _POLICY.search(text))


def _said(error: smtplib.SMTPResponseException) -> str:
    said = error.smtp_error
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return f"{error.smtp_code} {text}"


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"the sign-in is refused: {_said(error)}"
    if isinstance(error, smtplib.SMTPResponseException):
        return _said(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate cannot be verified: {error.verify_message}"
    return str(error) or type(error).__name__


def _wire_address(recipient: str) -> str | None:
    """Return an address as SMTP names it, a domain beyond ASCII in its ASCII form."""
    if not _ADDRESS.fullmatch(recipient) or not recipient.isprintable():
        return None
    name, _, domain = recipient.rpartition("@")
    try:
        return f"{name}@{domain.encode('idna').decode()}"
    except UnicodeError:
        return None
