"""A bare connection: bytes as they are, and the answers that come back, read strictly."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

_STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) [^\r\n]*")


@dataclass(frozen=True)
class Reply:
    """One answer; the names of headers are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """A connection to a server. Whatever cannot be read as HTTP answers fails the test."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self._timeout = timeout
        self._rest = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: Any) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes; a server that has hung up meanwhile is no fault."""
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            self.socket.sendall(data)

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Leave without a farewell."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def reply(self, *, to_head: bool = False) -> Reply | None:
        """Return the next answer, or None where the server closed instead."""
        while True:
            head = self._until(b"\r\n\r\n")
            if head is None:
                return None
            first, *lines = head.split(b"\r\n")
            status = _STATUS.fullmatch(first)
            assert status, f"not an HTTP answer: {first!r}"
            if status[1] != b"100":
                break
        headers = {}
        for line in lines:
            name, colon, value = line.partition(b":")
            assert colon, f"a header that was broken: {line!r}"
            headers[name.decode().lower()] = value.strip().decode("latin-1")
        bodyless = to_head or status[1] in (b"204", b"304")
        return Reply(int(status[1]), headers, b"" if bodyless else self._body(headers))

    def replies(self) -> list[Reply]:
        """Return all answers until the server closes."""
        found: list[Reply] = []
        while (reply := self.reply()) is not None:
            found.append(reply)
        return found

    def is_closed(self, seconds: float) -> bool:
        """Whether the server closes the connection within this time."""
        deadline = time.monotonic() + seconds
        self.socket.settimeout(seconds)
        try:
            while time.monotonic() < deadline:
                if not self.socket.recv(65_536):
                    return True
        except TimeoutError:
            return False
        except OSError:
            return True
        finally:
            self.socket.settimeout(self._timeout)
        return False

    def _body(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        assert headers.get("transfer-encoding") == "chunked"
        parts = []
        while size := int(self._until(b"\r\n") or b"0", 16):
            parts.append(self._exactly(size))
            self._exactly(2)
        self._exactly(2)
        return b"".join(parts)

    def _until(self, end: bytes) -> bytes | None:
        while end not in self._rest:
            more = self._more()
            if not more:
                assert not self._rest, f"an answer that was cut off: {self._rest[:200]!r}"
                return None
            self._rest += more
        found, _, self._rest = self._rest.partition(end)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._rest) < size:
            more = self._more()
            assert more, "an answer that was cut off"
            self._rest += more
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def _more(self) -> bytes:
        try:
            return self.socket.recv(65_536)
        except ConnectionResetError:
            return b""
