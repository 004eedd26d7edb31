"""A real SMTP server for tests, on a port of its own, and certificates for it."""

from __future__ import annotations

import ssl
import subprocess
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from eventlogging.config import Config
from eventlogging.mail.queue import Message, queue
from eventlogging.store.database import Database
from eventlogging.store.fixed import mail
from tests.servers import free_port

USER, PASSWORD = "apikey", "s3cret"


@dataclass
class Received:
    """A mail as it arrived."""

    sender: str
    recipients: list[str]
    data: bytes
    was_secure: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        found = message_from_bytes(self.data, policy=default)
        assert isinstance(found, EmailMessage)
        return found

    def part(self, kind: str) -> str:
        body = self.message.get_body((kind,))
        assert body is not None
        return str(body.get_content()).replace("\r\n", "\n")


class Mailbox:
    """What the server took; `refuse` maps an address to the answer it gets instead."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.refuse: dict[str, str] = {}
        self.refuse_sender = ""
        self.refuse_content = ""
        self.on_data: Callable[[], None] = lambda: None
        self._lock = threading.Lock()

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refuse_sender:
            return self.refuse_sender
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refuse_content:
            return self.refuse_content
        data: Any = session.auth_data
        transport: Any = server.transport
        secure = transport.get_extra_info("sslcontext") is not None
        user = data.login.decode() if isinstance(data, LoginPassword) else None
        with self._lock:
            content = bytes(envelope.content or b"")
            recipients = list(envelope.rcpt_tos)
            self.received.append(
                Received(str(envelope.mail_from), recipients, content, secure, user)
            )
        self.on_data()
        return "250 OK"

    @property
    def subjects(self) -> list[str]:
        return [str(one.message["Subject"]) for one in self.received]


def _may(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    known = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
    return AuthResult(success=known, handled=False, auth_data=data if known else None)


class MailServer:
    """aiosmtpd in this process; `security` as the settings name it."""

    def __init__(
        self, *, security: str = "none", auth: bool = False, certificate: Path | None = None
    ) -> None:
        self.mailbox = Mailbox()
        self.port = free_port()
        self.security = security
        self.auth = auth
        how: dict[str, Any] = {}
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, certificate.with_suffix(".key"))
            if security == "ssl":
                how["ssl_context"] = context
            else:
                how |= {"tls_context": context, "require_starttls": True}
        if auth:
            how |= {"authenticator": _may, "auth_required": True}
            how["auth_require_tls"] = security == "starttls"
        self._how = how
        self._controller: Controller | None = None

    def start(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of sign-in without TLS
            self._controller = Controller(
                self.mailbox, hostname="127.0.0.1", port=self.port, **self._how
            )
            self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def settings(self) -> dict[str, Any]:
        return {
            "smtp_host": "127.0.0.1",
            "smtp_port": self.port,
            "smtp_security": self.security,
            "mail_from": "Events <events@example.org>",
            **({"smtp_user": USER, "smtp_password": PASSWORD} if self.auth else {}),
        }


def make_certificate(folder: Path, name: str) -> Path:
    """A certificate of 127.0.0.1, signed by itself; its key lies beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2",
            "-keyout", path.with_suffix(".key"), "-out", path, "-subj", f"/CN={name}",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        ],
        check=True, stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
    return path


def post(database: Database, recipient: str = "ann@example.org", **more: Any) -> None:
    """Queue a mail, as a duty does."""
    text = more.setdefault("text", "A text.")
    values = {"key": f"{recipient}:{text}:{more.get('subject')}", "subject": "A subject", **more}
    with database.write() as connection:
        assert queue(connection, Message(recipient=recipient, **values))


def rows(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(sa.select(mail).order_by(mail.c.id)))


def states(database: Database) -> list[str]:
    return [row.state for row in rows(database)]


def config_of(database: Database, server: MailServer | None, var: Path, **more: Any) -> Config:
    found = server.settings() if server is not None else {}
    return Config(var=var, database_url=database.url, **{**found, **more})
