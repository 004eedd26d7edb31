"""The least that a server in Python can do: read the body, answer 201. For ASGI and for RSGI."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import uvicorn

_START = {
    "type": "http.response.start",
    "status": 201,
    "headers": [(b"content-length", b"2"), (b"content-type", b"application/json")],
}
_BODY = {"type": "http.response.body", "body": b"{}"}
_HEADERS = [("content-type", "application/json")]


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Read the whole body and answer."""
    if scope["type"] != "http":
        return
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    b"".join(parts)
    await send(_START)
    await send(_BODY)


async def rsgi(_scope: Any, protocol: Any) -> None:
    """Read the whole body and answer."""
    await protocol()
    protocol.response_bytes(201, _HEADERS, b"{}")


def main() -> None:
    """Serve the ASGI one by uvicorn, with the settings that EventLogging's own server has."""
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.run(
            asgi, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning",
            access_log=False, server_header=False, date_header=False, backlog=2048, lifespan="off",
        )  # fmt: skip


if __name__ == "__main__":
    main()
