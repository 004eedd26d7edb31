"""Connections that end: limits on what a client may take its time for and send ahead.

uvicorn bounds neither time nor size of a request's head, waits for ever for a
client that does not read, and takes any number of requests in advance.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 65_536
MOST_HEADERS = 200
MOST_AHEAD = 200  # requests on one connection that wait for the answer to an earlier one
MOST_CONNECTIONS = 10_000
_OTHER_FILES = 256  # descriptors that are not for connections: segments, database, console
_GRACE_SECONDS = 2.0  # a body that is late is answered by the application, if it can
_LINGER_SECONDS = 2.0
_FRAMING = 8  # bytes around one byte of body: "1\r\nx\r\n" and some
_TEXTS = {
    400: b"Bad Request: this is not HTTP, or too many requests at once",
    408: b"Request Timeout: the request did not arrive in time",
    431: b"Request Header Fields Too Large: at most 65536 bytes in 200 lines",
    503: b"Service Unavailable: too many connections; nothing was kept, send it again",
}


def room_for_connections() -> int:
    """Return how many connections this process can hold, after asking for all the files it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(16, min(MOST_CONNECTIONS, hard - _OTHER_FILES))


class Connections:
    """Makes the protocol of each connection. Beyond `most`, the one that idles longest goes.

    `header_seconds` is for the head of a request, and for a connection on which
    none begins; `body_seconds` for its body, and for a client to take its answer.
    """

    def __init__(self, *, header_seconds: float, body_seconds: float, most: int) -> None:
        self.header_seconds = header_seconds
        self.body_seconds = body_seconds
        self.most = most
        # In the order in which they began to wait for a request.
        self.waiting: dict[Connection, None] = {}

    def __call__(self, **given: Any) -> Connection:
        return Connection(self, **given)

    def make_room(self, newest: Connection) -> None:
        """Close what waits longest; where nothing but the newest waits, refuse that."""
        oldest = next(iter(self.waiting))
        del self.waiting[oldest]
        if oldest is newest:
            newest.refuse(503, b"retry-after: 5\r\n")
        else:
            oldest.transport.close()


class Connection(HttpToolsProtocol):
    """One connection to a client, looked at from time to time by a timer of its own."""

    def __init__(self, shared: Connections, **given: Any) -> None:
        super().__init__(**given)
        self._shared = shared
        self._timer: asyncio.TimerHandle | None = None
        self._since = self.loop.time()  # when the present phase of the connection began
        self._unread_since = 0.0
        self._is_ending = False
        self._is_deaf = False  # what comes is thrown away
        self._is_lingering = False
        self._begun = False  # a request has begun and is not complete
        self._in_head = False
        self._arrived = 0  # bytes that are now being parsed
        self._head = 0
        self._framing = 0  # bytes since the head that were not body
        self._refusal = 400

    # What the transport says

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(self._shared.header_seconds, self._look)
        self._shared.waiting[self] = None
        if len(self.connections) > self._shared.most:
            self._shared.make_room(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._shared.waiting.pop(self, None)
        if self._timer:
            self._timer.cancel()
        # Also after a reset, or the timer holds what the connection held for seconds more.
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_deaf or self.transport.is_closing():
            return
        self._arrived = len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._without_upgrade(data[upgrade.args[0] :])
            return
        except HttpParserError:
            self.send_400_response("")
            return
        if not self._begun:
            return
        if self._in_head:
            self._head += len(data)
            if self._head > MOST_HEAD_BYTES:
                self.refuse(431)
        else:
            self._framing += len(data)
            if self._framing > MOST_HEAD_BYTES:
                self.refuse(400)

    def _without_upgrade(self, rest: bytes) -> None:
        """Read a request that offers another protocol once more, without the offer.

        None is spoken here, and Java's client makes the offer with every first
        request; the parser would take no body after it.
        """
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/1.1\r\n"]
        for name, value in self.headers:
            if name != b"upgrade":
                head += [name, b": ", value, b"\r\n"]
        self.parser = HttpRequestParser(self)
        self.data_received(b"".join([*head, b"\r\n", rest]))

    def pause_writing(self) -> None:
        self._unread_since = self.loop.time()
        super().pause_writing()

    # What the parser says

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun = self._in_head = True
        self._since = self.loop.time()
        self._head = -self._arrived  # what came together with an earlier request does not count

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # what follows a body in chunks is read by nobody
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        # Raising is how a parser's callback refuses; send_400_response answers.
        if len(self.headers) > MOST_HEADERS or self._head_size() > MOST_HEAD_BYTES:
            self._refusal = 431
            raise ValueError("the head is too large")
        if len(self.pipeline) >= MOST_AHEAD:
            raise ValueError("too many requests at once")
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise ValueError("no proxy")
            return
        super().on_headers_complete()
        self._shared.waiting.pop(self, None)
        self._in_head = False
        self._since = self.loop.time()
        self._framing = -self._arrived

    def _head_size(self) -> int:
        if self._arrived <= MOST_HEAD_BYTES >= self._head + self._arrived:
            return 0  # the usual case, which needs no sum
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        self._framing -= _FRAMING * len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._in_head:  # an offer of another protocol; see _without_upgrade
            return
        super().on_message_complete()
        self._begun = False
        self._rest()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._rest()

    def _rest(self) -> None:
        self._since = self.loop.time()
        if not self._begun and not self._is_busy():
            self._shared.waiting[self] = None

    def _is_busy(self) -> bool:
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)

    # Ends

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed, after the answers to all that came whole before it."""
        if self._is_busy() and (self._in_head or not self._begun):
            self._is_deaf = True
            self.cycle.keep_alive = False
        else:
            self.refuse(self._refusal)

    def refuse(self, status: int, header: bytes = b"") -> None:
        """Answer without the application, and take nothing more."""
        text = _TEXTS[status]
        reason, _, _ = text.partition(b":")
        self.transport.write(
            b"HTTP/1.1 %d %s\r\n%scontent-type: text/plain\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%s\n" % (status, reason, header, len(text) + 1, text)
        )
        if self.pipeline or not self.transport.can_write_eof():
            self.transport.close()
            return
        # Closing now would reset the connection where the client still sends, and the answer with
        # it. So what comes is thrown away for a moment.
        self._is_deaf = self._is_lingering = True
        self.transport.write_eof()
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self._timer:
            self._timer.cancel()
        self._timer = self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

    def _look(self) -> None:
        delay = self._shared.header_seconds
        if self.transport.is_closing():
            if self._is_ending:  # it was closed, and its client does not take what is left
                self.transport.abort()
                return
            self._is_ending = True
        else:
            left = self._left()
            if left <= 0:
                self._end()
                if self._is_lingering:
                    return
            else:
                delay = min(left, delay)
        self._timer = self.loop.call_later(delay, self._look)

    def _left(self) -> float:
        """Seconds until the client's time is over."""
        now = self.loop.time()
        if self.flow.write_paused:
            return self._unread_since + self._shared.body_seconds - now
        if self._begun and not self._in_head:
            if self.flow.read_paused:  # then it is we who do not read
                self._since = now
            return self._since + self._shared.body_seconds + _GRACE_SECONDS - now
        if self._is_busy():
            return self._shared.header_seconds
        return self._since + self._shared.header_seconds - now

    def _end(self) -> None:
        if self.flow.write_paused:
            self.transport.abort()
        elif self._begun and (self._in_head or not (self.pipeline or self.cycle.response_started)):
            self.refuse(408)
        else:
            self.transport.close()
