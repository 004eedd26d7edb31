"""Read a request's body within its limits of size and time, compression undone."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from eventlogging.collector.deadlines import Deadlines

Receive = Callable[[], Awaitable[dict[str, Any]]]
_PACKED = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # how zlib is told to unpack each


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A body that was not read to its end. `code` empty: the client left, or was too slow."""

    status: int
    code: str = ""
    start: bytes = b""


async def read_body(
    receive: Receive, *, encoding: str, length: str, max_bytes: int, deadlines: Deadlines
) -> bytes | Unreadable:
    """Return the whole body, decompressed, or why it cannot be had.

    `encoding` and `length` are the request's Content-Encoding and Content-Length.
    """
    if encoding not in _PACKED and encoding not in ("", "identity"):
        return Unreadable(415, "unsupported_type")
    if length.isdigit() and int(length) > max_bytes:
        return Unreadable(413, "body_too_large")
    task = deadlines.begin()
    try:
        return await _read(receive, _PACKED.get(encoding), max_bytes)
    except asyncio.CancelledError:
        if not deadlines.is_over(task):
            raise
        task.uncancel()
        return Unreadable(408)
    finally:
        deadlines.end(task)


async def _read(receive: Receive, wbits: int | None, max_bytes: int) -> bytes | Unreadable:
    inflate = zlib.decompressobj(wbits=wbits) if wbits else None
    packed = b"gzip" if wbits == _PACKED["gzip"] else b"deflate"
    parts: list[bytes] = []
    arrived = size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return Unreadable(400)
        part = message.get("body", b"")
        arrived += len(part)
        if inflate:
            try:
                # One byte more than allowed is enough to know; a bomb unpacks no further.
                part = inflate.decompress(part, max_bytes + 1 - size)
            except zlib.error:
                return Unreadable(400, "malformed_json", b"(the body is not %b)" % packed)
            if inflate.unused_data:
                return Unreadable(
                    400, "malformed_json", b"(something follows the %b body)" % packed
                )
        size += len(part)
        if max(arrived, size) > max_bytes:
            start = b"".join(parts)[:8192] or part[:8192]
            return Unreadable(413, "body_too_large", start)
        parts.append(part)
        if not message.get("more_body"):
            break
    if inflate and not inflate.eof:
        return Unreadable(400, "malformed_json", b"(the %b body is cut off)" % packed)
    return parts[0] if len(parts) == 1 else b"".join(parts)
