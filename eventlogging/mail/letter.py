"""One queued mail as a value, and the message that goes over the wire."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from typing import Any

from eventlogging import clock

_HEADER_NAME = re.compile(r"[!-9;-~]+")
_HEADER_VALUE = re.compile(r"[ -~]*")
_LONGEST_HEADER = 990  # characters; a line of a mail holds 998
# Headers that say what a mail is: from whom, to whom, of which form. Ours alone to set.
_OURS = frozenset({"from", "to", "cc", "bcc", "sender", "subject", "date", "message-id"})


@dataclass(frozen=True)
class Letter:
    """A mail as its row in the table has it; times are ISO texts."""

    id: int
    key: str
    message_id: str
    recipient: str
    subject: str
    text: str
    created_at: str
    html: str = ""
    images: Mapping[str, bytes] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    due_at: str = ""
    attempts: int = 0
    state: str = "waiting"  # waiting | sending | sent | failed
    sent_at: str | None = None
    trouble: str = ""


def of_row(row: Mapping[Any, Any]) -> Letter:
    """Return the mail that a whole row of the table holds."""
    images = {name: b64decode(png) for name, png in json.loads(row["images"]).items()}
    values = {str(name): value for name, value in row.items()}
    return Letter(**{**values, "images": images, "headers": json.loads(row["headers"])})


def message_bytes(letter: Letter, sender: str) -> bytes:
    """Return the whole message, with CRLF line ends; `sender` is an address, or Name <address>.

    Raises ValueError where a header would not be one line of what a header may hold.
    """
    policy = SMTP if letter.recipient.isascii() else SMTPUTF8
    message = EmailMessage(policy)
    name, address = parseaddr(sender)
    message["From"] = f"{_quoted(name)} <{address}>" if name else address
    message["To"] = letter.recipient
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = letter.message_id
    # Quoted-printable: readable in the file, whole over a relay of any age, no line too long.
    message.set_content(letter.text, cte="quoted-printable")
    if letter.html:
        message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
        html = message.get_payload()[1]  # type: ignore[index]
        for id, png in letter.images.items():
            html.add_related(  # type: ignore[union-attr]
                png, "image", "png", cid=f"<{_one_line(id)}>", disposition="inline",
                filename=f"{_one_line(id)}.png",
            )  # fmt: skip
    # These go in as they are: folding would cut the links that List-Unsubscribe holds.
    return b"".join(_header_line(name, value) for name, value in _more(letter)) + bytes(message)


def _more(letter: Letter) -> list[tuple[str, str]]:
    given = {name.lower() for name in letter.headers}
    more = [] if "auto-submitted" in given else [("Auto-Submitted", "auto-generated")]
    return more + list(letter.headers.items())


def _header_line(name: str, value: str) -> bytes:
    line = f"{name}: {value}"
    taken = name.lower() in _OURS or name.lower().startswith(("content-", "mime-"))
    fine = _HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)
    if taken or not fine or len(line) > _LONGEST_HEADER:
        raise ValueError(f"the header {name[:80]!r} cannot be set to {value[:80]!r}")
    return line.encode("ascii") + b"\r\n"


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _one_line(id: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._@-]{1,100}", id):
        raise ValueError(f"{id[:80]!r} is no content id")
    return id
