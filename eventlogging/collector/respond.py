"""Send an answer, with what all answers of the intake carry and what browsers of other sites need.

Any page may send; nothing here is decided by a cookie except a person's no.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from eventlogging.collector import answers
from eventlogging.collector.answers import Answer
from eventlogging.collector.routes import allowed

Send = Callable[[dict[str, Any]], Awaitable[None]]
_MAY_SEND = (
    b"accept, authorization, content-encoding, content-type, x-request-id, x-requested-with, "
    b"ce-specversion, ce-id, ce-source, ce-type, ce-dataschema, ce-time, ce-subject, ce-consent, "
    b"ce-sampledrate"
)
_MAY_READ = b"retry-after, x-event-valid, x-validation-error"


async def respond(send: Send, answer: Answer, headers: Mapping[str, str], method: str) -> None:
    """Send an answer to a request of this method with these headers."""
    lines = [
        (b"content-length", str(len(answer.body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *answer.headers,
    ]
    if answer.status == 204:
        del lines[0]
    else:
        lines.append((b"content-type", answer.content_type))
    if origin := headers.get("origin"):
        lines += [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", _MAY_READ),
            (b"vary", b"origin"),
        ]
    await send({"type": "http.response.start", "status": answer.status, "headers": lines})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})


def preflight(path: str) -> Answer:
    """Return what an address takes, as browsers ask before they send."""
    allow = allowed(path).encode()
    return Answer(
        204,
        headers=(
            (b"allow", allow),
            (b"access-control-allow-methods", allow),
            (b"access-control-allow-headers", _MAY_SEND),
            (b"access-control-max-age", b"86400"),
        ),
    )


def not_allowed(path: str) -> Answer:
    """Return 405 for any other method."""
    allow = allowed(path)
    text = f"this address takes {allow}"
    return answers.plain_error(405, "method_not_allowed", text, (b"allow", allow.encode()))
