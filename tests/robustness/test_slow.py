"""Clients that take their time: each is let go in the end, and none holds up another."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.intake_server import good
from tests.robustness.conftest import BODY_SECONDS, HEADER_SECONDS
from tests.robustness.web import MIB, WebServer
from tests.robustness.wire import Reply, Wire
from tests.servers import wait_until

POST = b"POST /v1/events HTTP/1.1\r\nHost: a\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
SIGN_IN = (
    b"POST /sign-in HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
)
HEAD = 2 * HEADER_SECONDS + 1.0
BODY = BODY_SECONDS + 2.0 + HEADER_SECONDS + 1.0
UNREAD = 2 * BODY_SECONDS + HEADER_SECONDS + 1.0


@dataclass
class Ended:
    """How a slow client fared."""

    seconds: float
    replies: list[Reply] = field(default_factory=list)

    @property
    def statuses(self) -> list[int]:
        return [reply.status for reply in self.replies]


def drip(web: WebServer, start: bytes, piece: bytes) -> Ended:
    """Send a beginning, then a piece each tenth of a second, until the server has enough."""
    began = time.monotonic()
    with web.wire(0.1) as wire:
        wire.send(start)
        received = b""
        while time.monotonic() - began < 20:
            wire.send(piece)
            try:
                more = wire.socket.recv(65_536)
            except TimeoutError:
                continue
            except OSError:
                break
            if not more:
                break
            received += more
        took = time.monotonic() - began
    read = Wire.__new__(Wire)
    read._rest = received
    read._more = lambda: b""  # type: ignore[method-assign]
    return Ended(took, read.replies())


def wrong_batch(size: int) -> bytes:
    """A batch that is refused with an answer of about this size."""
    event = {"schema": "Nope", "event": {"a": "x" * 1000}}
    body = json.dumps([event] * (size // 1500)).encode()
    return POST + b"Content-Length: %d\r\n\r\n" % len(body) + body


def unread(web: WebServer, requests: bytes) -> Ended:
    """Send requests and never look at the answers."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", web.port))
        client.sendall(requests)
        port = client.getsockname()[1]
        time.sleep(0.5)
        began = time.monotonic()
        while time.monotonic() - began < 20 and port in web.connections():
            time.sleep(0.05)
        return Ended(time.monotonic() - began)


def slow_reader(web: WebServer) -> Ended:
    began = time.monotonic()
    with web.wire() as wire:
        wire.send(wrong_batch(MIB) + GET)
        more = wire._more

        def little() -> bytes:
            time.sleep(0.01)
            return more()

        wire._more = little  # type: ignore[method-assign]
        replies = [wire.reply(), wire.reply()]
    return Ended(time.monotonic() - began, [reply for reply in replies if reply])


def patient(web: WebServer) -> Ended:
    """A client that is slow within its limits: it is served."""
    event = json.dumps(good()).encode()
    pieces = [POST, b"Content-Length: %d\r\n\r\n" % len(event), event[:9], event[9:]]
    began = time.monotonic()
    with web.wire() as wire:
        for piece in pieces:
            wire.send(piece)
            time.sleep(0.25)
        reply = wire.reply()
    return Ended(time.monotonic() - began, [reply] if reply else [])


LONG = POST + b"Content-Length: 999\r\n\r\n"
ENDLESS = POST + b"Transfer-Encoding: chunked\r\n\r\n"
EARLY = POST + b"Content-Length: 99999999\r\n\r\n"
CASES: dict[str, tuple[Callable[[WebServer], Ended], float, list[int]]] = {
    "no request at all": (lambda web: drip(web, b"", b""), HEAD, []),
    "blank lines": (lambda web: drip(web, b"", b"\r\n"), HEAD, []),
    "a request line that drips": (lambda web: drip(web, b"", b"G"), HEAD, [400]),
    "an address that drips": (lambda web: drip(web, b"GET /", b"a"), HEAD, [408]),
    "headers that drip": (lambda web: drip(web, GET[:-2], b"X: a\r\n"), HEAD, [408]),
    "a header that drips": (lambda web: drip(web, GET[:-2] + b"X: ", b"a"), HEAD, [408]),
    "a head that stops": (lambda web: drip(web, GET[:-2], b""), HEAD, [408]),
    "nothing after an answer": (lambda web: drip(web, GET, b""), HEAD, [200]),
    "half a request after an answer": (lambda web: drip(web, GET + b"GET", b""), HEAD, [200, 408]),
    "a body that drips": (lambda web: drip(web, LONG, b" "), BODY, [408]),
    "a body that stops": (lambda web: drip(web, LONG + b"{", b""), BODY, [408]),
    "chunks without end": (lambda web: drip(web, ENDLESS, b"1\r\n \r\n"), BODY, [408]),
    "a chunk's size that drips": (lambda web: drip(web, ENDLESS, b"0"), BODY, [408]),
    "an extension that drips": (lambda web: drip(web, ENDLESS + b"1;", b"a"), BODY, [408]),
    "a trailer that drips": (lambda web: drip(web, ENDLESS + b"0\r\n", b"X: a\r\n"), BODY, [408]),
    "a body after its refusal": (lambda web: drip(web, EARLY, b" "), BODY, [413]),
    "a body that stops after its refusal": (lambda web: drip(web, EARLY + b"{", b""), BODY, [413]),
    "a body without a reader": (
        lambda web: drip(web, b"GET" + LONG[4:], b" "), BODY, [405]
    ),
    "an answer that is not read": (lambda web: unread(web, wrong_batch(3 * MIB)), UNREAD, []),
    "many answers that are not read": (lambda web: unread(web, wrong_batch(MIB) * 3), UNREAD, []),
    "an answer that is read slowly": (slow_reader, 5, [400, 200]),
    "slow, and within the limits": (patient, 3, [201]),
    **{
        f"{number}: a form that drips": (
            lambda web: drip(web, SIGN_IN + b"Content-Length: 99\r\n\r\n", b"a"), BODY, [408]
        ) for number in range(1, 21)
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def clients(web: WebServer) -> Iterator[dict[str, Future[Ended]]]:
    """All slow clients, at work at the same time."""
    with ThreadPoolExecutor(len(CASES)) as pool:
        yield {name: pool.submit(client, web) for name, (client, *_) in CASES.items()}


def test_while_all_of_them_are_at_work_others_are_served(
    case: WebServer, clients: dict[str, Future[Ended]]
) -> None:
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for path in ("/schemas", "/v1/schemas", "/healthz"):
            start = time.monotonic()
            assert case.request("GET", path).status == 200
            assert time.monotonic() - start < 1
        start = time.monotonic()
        assert case.post(good()).status == 201
        assert time.monotonic() - start < 1


@pytest.mark.parametrize("name", CASES)
def test_a_slow_client_is_let_go(
    case: WebServer, clients: dict[str, Future[Ended]], name: str
) -> None:
    _, most, statuses = CASES[name]
    ended = clients[name].result(30)
    assert ended.statuses == statuses
    assert ended.seconds < most


def test_idle_connections_do_not_pile_up(case: WebServer) -> None:
    idle = [case.wire() for _ in range(200)]
    for number, wire in enumerate(idle):
        if number % 2:
            wire.send(GET)
    wait_until(lambda: len(case.connections()) >= 200, 2)
    wait_until(lambda: len(case.connections()) <= 5, HEAD + 1)
    for wire in idle:
        wire.socket.close()
