"""Hand a request on only when all of its body is here: a slow client then holds no thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from eventlogging.collector.body import Receive

_App = Callable[[dict[str, Any], Receive, Any], Awaitable[None]]
_TOO_LARGE = b'{"error":[{"status":413,"code":"body_too_large","text":"the body is too large"}]}\n'


class WholeBodies:
    """In front of an application that reads bodies on threads. Beyond `max_bytes` it answers 413.

    How long a body may take is up to the connection, which ends with it.
    """

    def __init__(self, app: _App, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Any) -> None:
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._max_bytes:
                await _refuse(send)
                return
            more = message.get("more_body", False)
        whole: dict[str, Any] | None = {
            "type": "http.request",
            "body": b"".join(parts),
            "more_body": False,
        }

        async def given() -> dict[str, Any]:
            nonlocal whole
            message, whole = whole, None
            return message or await receive()

        await self._app(scope, given, send)


async def _refuse(send: Any) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(_TOO_LARGE)).encode()),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": _TOO_LARGE})
