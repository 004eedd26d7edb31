"""Requests that are broken as HTTP: each gets its answer, or a closed connection, and no more."""

from __future__ import annotations

import json
import random
import time

import pytest

from tests.intake_server import good
from tests.robustness.web import WebServer

HOST = b"Host: a\r\n"
POST = b"POST /v1/events HTTP/1.1\r\n" + HOST
GET = b"GET /healthz HTTP/1.1\r\n" + HOST


def good_body() -> bytes:
    return json.dumps(good()).encode()


def posted(body: bytes, *headers: bytes) -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return POST + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


REFUSED = {
    "a method that is none": b"FETCH / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a method in lower case": b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nHost: a\r\n\r\n",
    "a version that is none": b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    "no version, a header": b"GET /healthz HTPP/1.1\r\nHost: a\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a proxy's preface": b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nGET / HTTP/1.1\r\n\r\n",
    "bytes that mean nothing": bytes(random.Random(1).randbytes(3000)),
    "a header without a colon": b"GET / HTTP/1.1\r\nHost a\r\n\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\n: a\r\n\r\n",
    "a blank before the colon": b"POST /v1/events HTTP/1.1\r\nContent-Length : 2\r\n\r\n{}",
    "NUL in a header's name": b"GET / HTTP/1.1\r\nHo\0st: a\r\n\r\n",
    "NUL in a header's value": b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
    "a control in a header's value": b"GET / HTTP/1.1\r\nOrigin: a\x01b\r\n\r\n",
    "a bare CR in a header": b"GET / HTTP/1.1\r\nOrigin: a\rX-Injected: 1\r\n\r\n",
    "a target with blanks": b"GET /v1/events and more HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target with a control": b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a length below zero": POST + b"Content-Length: -1\r\n\r\n",
    "a length in words": POST + b"Content-Length: two\r\n\r\n{}",
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "a length in hexadecimal": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "a length of superscripts": POST + "Content-Length: ²\r\n\r\n{}".encode("latin-1"),
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "two lengths in one": POST + b"Content-Length: 2, 3\r\n\r\n{}x",
    "a length of thousands of digits": POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "a length beyond 64 bits": POST + b"Content-Length: 18446744073709551616\r\n\r\n",
    "length and chunks": POST
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks and length": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks before another encoding": POST
    + b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "an encoding that is none": POST + b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a chunk of no size": POST + b"Transfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n",
    "a chunk of a size in words": POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n",
    "a chunk of a size below zero": POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n",
    "a chunk of a size beyond 64 bits": POST
    + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n{}\r\n",
    "a chunk that is longer than it says": POST
    + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    "a chunk that ends with LF alone": POST
    + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
    "CONNECT": b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("request_", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_http_is_refused_and_the_connection_closed(
    case: WebServer, request_: bytes
) -> None:
    start = time.monotonic()
    with case.wire() as wire:
        wire.send(request_)
        replies = wire.replies()
    assert [reply.status for reply in replies] in ([400], [431]), replies
    assert time.monotonic() - start < 3
    assert "x-injected" not in replies[0].headers


LARGE = {
    "one header of a megabyte": b"X-Large: " + b"a" * 1_000_000 + b"\r\n",
    "a name of a megabyte": b"a" * 1_000_000 + b": a\r\n",
    "ten thousand headers": b"".join(b"X-%d: a\r\n" % number for number in range(10_000)),
    "the same header two hundred times": b"X: a\r\n" * 201,
    "a hundred thousand cookies": b"Cookie: a=b\r\n" * 100_000,
    "one cookie of a megabyte": b"Cookie: " + b"a=b; " * 200_000 + b"\r\n",
    "a user agent of a megabyte": b"User-Agent: " + b"x" * 1_000_000 + b"\r\n",
    "an origin of a megabyte": b"Origin: https://" + b"x" * 1_000_000 + b"\r\n",
    "70 000 bytes of headers": b"".join(b"X-%d: %s\r\n" % (n, b"a" * 690) for n in range(100)),
}


@pytest.mark.parametrize("headers", LARGE.values(), ids=LARGE.keys())
def test_a_head_that_is_too_large_is_answered_431(case: WebServer, headers: bytes) -> None:
    with case.wire() as wire:
        wire.send(POST + headers + b"Content-Length: 2\r\n\r\n{}")
        assert [reply.status for reply in wire.replies()] == [431]


def test_a_head_that_never_ends_is_cut_off_early(case: WebServer) -> None:
    before = case.memory()
    with case.wire() as wire:
        wire.send(b"GET / HTTP/1.1\r\nX: ")
        sent = 0
        for _ in range(2000):
            try:
                wire.socket.sendall(b"a" * 65_536)
            except OSError:
                break
            sent += 65_536
    assert case.memory() - before < 16_000_000


@pytest.mark.parametrize("size", [100_000, 1_000_000])
def test_an_address_that_is_too_long_is_answered_431(case: WebServer, size: int) -> None:
    with case.wire() as wire:
        wire.send(b"GET /beacon/event?" + b"a" * size + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        assert [reply.status for reply in wire.replies()] == [431]


def test_headers_just_below_the_limit_are_taken(case: WebServer) -> None:
    with case.wire() as wire:
        many = b"".join(b"X-%d: %s\r\n" % (n, b"a" * 300) for n in range(190))
        wire.send(posted(good_body(), many.removesuffix(b"\r\n")))
        reply = wire.reply()
        assert reply is not None
        assert reply.status == 201


def test_a_trailer_that_never_ends_is_cut_off(case: WebServer) -> None:
    before = case.memory()
    with case.wire() as wire:
        wire.send(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
        for _ in range(1000):
            wire.send(b"X-More: a\r\n" * 6000)
        assert [reply.status for reply in wire.replies()] == [400]
    assert case.memory() - before < 16_000_000


TAKEN = {
    "folded header": (posted(b"[]", b"X-Folded: a\r\n b"), {400}),
    "folded origin": (posted(b"[]", b"Origin: a\r\n b"), {400}),
    "lines that end with LF alone": (b"GET /healthz HTTP/1.1\nHost: a\n\n", {200, 400}),
    "blank lines before": (b"\r\n\r\n" + GET + b"\r\n", {200}),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", {200, 400}),
    "two hosts": (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {200, 400}),
    "an absolute address": (b"GET http://a/healthz HTTP/1.1\r\nHost: a\r\n\r\n", {200}),
    "an asterisk": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", {400, 404, 405}),
    "a huge length": (posted(b"")[:-5] + b"99999999999\r\n\r\n", {413}),
    "a length beyond any memory": (posted(b"")[:-5] + b"9223372036854775807\r\n\r\n", {413}),
    "HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n\r\n", {200}),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", {400, 200}),
    "TRACE": (b"TRACE /v1/events HTTP/1.1\r\nHost: a\r\n\r\n", {405}),
    "a method of WebDAV": (b"PROPFIND /v1/events HTTP/1.1\r\nHost: a\r\n\r\n", {405}),
    "WebSocket": (
        b"GET /v1/events HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        {405},
    ),
    "an extension of a chunk": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n2;a=" + b"b" * 2000 + b"\r\n[]\r\n0\r\n\r\n",
        {400},
    ),
    "a trailer": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\nContent-Length: 5\r\n\r\n",
        {400},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "statuses"), TAKEN.values(), ids=TAKEN.keys())
def test_what_is_odd_and_still_http_gets_one_answer(
    case: WebServer, request_: bytes, statuses: set[int]
) -> None:
    start = time.monotonic()
    with case.wire() as wire:
        wire.send(request_)
        reply = wire.reply()
    assert reply is not None
    assert reply.status in statuses
    assert time.monotonic() - start < 1


def test_a_hundred_requests_at_once_are_answered_in_their_order(case: WebServer) -> None:
    events = [good() for _ in range(100)]
    with case.wire() as wire:
        wire.send(b"".join(posted(json.dumps(event).encode()) for event in events))
        replies = [wire.reply() for _ in events]
    ids = [json.loads(reply.body)["ids"] for reply in replies if reply]
    assert ids == [[event["id"]] for event in events]


def test_of_too_many_requests_at_once_the_first_are_answered(case: WebServer) -> None:
    before = case.memory()
    with case.wire() as wire:
        wire.send((GET + b"\r\n") * 20_000)
        replies = wire.replies()
    assert 100 <= len(replies) <= 300
    assert {reply.status for reply in replies} == {200}
    assert replies[-1].headers["connection"] == "close"
    assert case.memory() - before < 32_000_000


def test_the_answer_to_a_good_request_is_not_spoilt_by_what_follows(case: WebServer) -> None:
    for _ in range(20):
        with case.wire() as wire:
            wire.send(posted(good_body()) + b"this is not HTTP\r\n\r\n")
            assert [reply.status for reply in wire.replies()] == [201]


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"TLS/1.0, h2c"])
def test_a_request_that_offers_another_protocol_is_taken_as_it_is(
    case: WebServer, protocol: bytes
) -> None:
    offer = (b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAEAAEAAAAIAAAAB")
    events = [good() for _ in range(3)]
    sent = [posted(json.dumps(event).encode(), *offer, b"Upgrade: " + protocol) for event in events]
    with case.wire() as wire:
        wire.send(sent[0])
        replies = [wire.reply()]
        wire.send(sent[1][:-20])
        time.sleep(0.05)
        wire.send(sent[1][-20:] + sent[2])
        replies += [wire.reply(), wire.reply()]
    ids = [json.loads(reply.body)["ids"] for reply in replies if reply]
    assert ids == [[event["id"]] for event in events]


def test_a_client_that_has_closed_its_half_still_gets_its_answer(case: WebServer) -> None:
    with case.wire() as wire:
        wire.send(posted(good_body()))
        wire.half_close()
        reply = wire.reply()
    assert reply is None or reply.status == 201


@pytest.mark.parametrize("sent", [b"", b"POST", POST, posted(good_body())[:-10]])
def test_a_half_closed_connection_without_a_whole_request_is_closed(
    case: WebServer, sent: bytes
) -> None:
    with case.wire() as wire:
        wire.send(sent)
        wire.half_close()
        assert wire.is_closed(1)


def test_expect_100_continue_is_granted_and_a_body_too_large_is_not_even_asked_for(
    case: WebServer,
) -> None:
    body = good_body()
    with case.wire() as wire:
        head = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
        wire.send(head % len(body))
        assert wire.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.send(body)
        reply = wire.reply()
        assert reply is not None
        assert reply.status == 201
    with case.wire() as wire:
        wire.send(head % 99_999_999)
        assert wire.socket.recv(100).startswith(b"HTTP/1.1 413")
    with case.wire() as wire:
        wire.send(posted(body, b"Expect: the-unexpected"))
        reply = wire.reply()
        assert reply is not None
        assert reply.status in (201, 417)


CUTS = sorted(random.Random(7).sample(range(1, 900), 60))


@pytest.mark.parametrize("cut", CUTS)
def test_an_upload_that_breaks_off_anywhere_leaves_nothing_behind(
    case: WebServer, cut: int
) -> None:
    event = good()
    request_ = posted(json.dumps([event] * 2).encode(), b"X-Padding: " + b"a" * 100)
    wire = case.wire()
    wire.send(request_[: min(cut, len(request_) - 1)])
    if cut % 2:
        wire.reset()
    else:
        wire.socket.close()


def test_a_request_in_pieces_of_one_byte_is_a_request(case: WebServer) -> None:
    with case.wire() as wire:
        for byte in posted(good_body()):
            wire.send(bytes([byte]))
        reply = wire.reply()
        assert reply is not None
        assert reply.status == 201


@pytest.mark.parametrize("seed", range(40))
def test_a_request_with_flipped_bytes_is_answered_or_closed(case: WebServer, seed: int) -> None:
    chance = random.Random(seed)
    request_ = bytearray(posted(good_body(), b"Connection: close", b"Origin: https://a.example"))
    for _ in range(chance.randint(1, 8)):
        request_[chance.randrange(len(request_))] = chance.randrange(256)
    start = time.monotonic()
    with case.wire() as wire:
        wire.send(bytes(request_))
        wire.half_close()
        replies = wire.replies()
    assert time.monotonic() - start < 1
    assert all(reply.status < 500 for reply in replies), replies
