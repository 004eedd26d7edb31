"""Hostile headers in well-formed requests, and addresses made to break what reads them."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import pytest

from eventlogging.intake.useragent import coarse
from tests.intake_server import good
from tests.robustness.web import MIB, WebServer

AGENTS = {
    "blanks": "Mozilla/5.0 " + " " * 50_000,
    "digits": "Mozilla/" + "9" * 50_000,
    "dots": "Version/" + "1." * 20_000,
    "semicolons": "Mozilla/5.0 (" + ";" * 50_000,
    "brackets": "(" * 50_000,
    "closed brackets": "Mozilla/5.0 " + "()" * 20_000,
    "an endless Android": "Mozilla/5.0 (Linux; Android " + "1." * 400 + "; " + "a " * 20_000,
    "an endless device": "Mozilla/5.0 (Linux; Android 10; " + "SM-" * 15_000 + ") AppleWebKit",
    "many products": "a/1 " * 12_000,
    "bots": "bot " * 12_000,
    "almost bots": "bo" * 25_000,
    "crawlers": "crawle" * 8000,
    "Opera": "Opera/9.80 (" + "Opera Mini/" * 4000,
    "slashes": "/" * 50_000,
    "the end missing": "Mozilla/5.0 (Windows NT 10.0; Win64; x64" * 1000,
    "markup": "<script>alert(1)</script>",
    "a lookup": "${jndi:ldap://a/b}",
    "formats": "%s%n%x" * 1000,
    "Latin-1": "é" * 1000,
    "SQL": "'; DROP TABLE NavigationTiming_1; --",
    "tabs": "a\tb\t" * 1000,
}  # fmt: skip


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS.keys())
def test_a_user_agent_takes_less_than_a_tenth_of_a_second(case: WebServer, agent: str) -> None:
    coarse("curl/8.0")
    start = time.process_time()
    coarse(agent)
    assert time.process_time() - start < 0.1
    event = good()
    assert case.post(event, user_agent=agent[:60_000]).status == 201
    assert case.stored(event["id"])


def test_user_agents_that_all_differ_take_no_memory(case: WebServer) -> None:
    for round_ in range(2):
        before = case.memory()
        for n in range(400):
            agent = f"Mozilla/{round_}.{n} " + "x" * 60_000
            assert case.post(good(), user_agent=agent).status == 201
        grown = case.memory() - before
    assert grown < 8 * MIB, "what is remembered of user agents is bounded in bytes"


ORIGINS = [
    "null", "", "*", "https://", "://", "a", "https://a.example:99999", "https://a.example/path",
    "https://user:secret@a.example", "https://[::1]:80", "https://" + "a." * 5000,
    "javascript:alert(1)", "file://", "https://a.example https://b.example",
    "https://a.example, https://b.example", "https://\xe9.example", "https://a.example\tX",
    "https://%0d%0aX-Injected: 1", "data:text/html,x", "<script>", "'; DROP TABLE x; --",
    "https://a.example\x85X",
]  # fmt: skip


@pytest.mark.parametrize("origin", ORIGINS, ids=lambda text: ascii(text)[:40])
def test_an_origin_may_be_anything(case: WebServer, origin: str) -> None:
    with case.wire() as wire:
        for method, body in ((b"POST", json.dumps(good()).encode()), (b"OPTIONS", b"")):
            wire.send(
                method + b" /v1/events HTTP/1.1\r\nHost: a\r\nOrigin: " + origin.encode("latin-1")
                + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )  # fmt: skip
            reply = wire.reply()
            assert reply is not None
            assert reply.status in (201, 204)
            assert reply.headers.get("access-control-allow-origin", "") == origin.strip()
            assert "x-injected" not in reply.headers


HEADERS = {
    "a cookie of many": ("Cookie", "a=b; " * 12_000),
    "a cookie without names": ("Cookie", "=" * 10_000),
    "a cookie of quotes": ("Cookie", '"' * 10_001),
    "a cookie of separators": ("Cookie", ";" * 60_000),
    "a session that is none": ("Cookie", "session=.eJw" + "A" * 4000),
    "a session in bytes": ("Cookie", "session=\xff\xfe"),
    "a bearer of bytes": ("Authorization", "Bearer \xff\xfe"),
    "a bearer of nothing": ("Authorization", "Bearer "),
    "a bearer of much": ("Authorization", "Bearer " + "x" * 60_000),
    "basic": ("Authorization", "Basic Og=="),
    "a type of much": ("Content-Type", "application/json;" + "a=b;" * 10_000),
    "a type of quotes": ("Content-Type", 'application/json; charset="'),
    "a charset that is none": ("Content-Type", "application/json; charset=latin-1"),
    "an empty encoding": ("Content-Encoding", ""),
    "a range": ("Range", "bytes=0-99999999999999999999"),
    "a condition": ("If-None-Match", "*"),
    "a date that is none": ("If-Modified-Since", "yesterday"),
    "an address that was forwarded": ("X-Forwarded-For", "127.0.0.1, ::1, '; --"),
    "a host that was forwarded": ("X-Forwarded-Host", "evil.example"),
    "a method override": ("X-HTTP-Method-Override", "DELETE"),
    "a host of markup": ("Host", "<script>"),
    "a host with a path": ("Host", "a.example/../b"),
    "a host of much": ("Host", "a" * 60_000),
    "no opt-out of its own": ("DNT", "1, 0"),
    "languages": ("Accept-Language", "a;q=" + "9" * 20_000 + ",b" * 10_000),
    "kinds": ("Accept", "*/*;q=nan," * 6000),
}  # fmt: skip
PATHS = ["/", "/schemas", "/schemas/NavigationTiming", "/v1/schemas", "/v1/ledger"]


@pytest.mark.parametrize(("name", "value"), HEADERS.values(), ids=HEADERS.keys())
def test_a_header_may_be_anything(case: WebServer, name: str, value: str) -> None:
    line = f"{name}: {value}\r\n".encode("latin-1")
    body = json.dumps(good()).encode()
    with case.wire() as wire:
        wire.send(
            b"POST /v1/events HTTP/1.1\r\n"
            + line
            + b"Content-Length: %d\r\n\r\n" % len(body)
            + body
        )
        reply = wire.reply()
        assert reply is not None
        assert reply.status in (201, 400, 415)
    for path in PATHS:
        with case.wire() as wire:
            wire.send(f"GET {path} HTTP/1.1\r\n".encode() + line + b"\r\n")
            reply = wire.reply()
            assert reply is not None
            assert reply.status < 500, (path, reply)


QUERIES = {
    "line ends": b"%0d%0aX-Injected:%201%0d%0a%0d%0a",
    "line ends in a name": quote('{"schema":"A\\r\\nX-Injected: 1","event":{}}').encode(),
    "an escape cut off": b"%7B%",
    "an escape that is none": b"%ZZ%7B%7D",
    "NUL": b"%00",
    "bytes": b"%ff%fe%c0%af",
    "escapes of escapes": b"%2525252525",
    "pluses": b"{+}",
    "semicolons": b";;;;;;",
    "an ampersand": b"%7B%7D&a=b",
    "a fragment": b"%7B%7D#fragment",
    "question marks": b"????",
    "braces in the open": b'{"schema":"NavigationTiming"}',
    "50 000 characters": b"%41" * 16_000,
    "a deep array": quote("[" * 9000 + "]" * 9000).encode(),
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_a_beacons_address_may_be_anything(case: WebServer, query: bytes) -> None:
    with case.wire() as wire:
        wire.send(b"GET /beacon/event?" + query + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        reply = wire.reply()
        assert reply is not None
        assert reply.status == 204
        assert reply.headers["x-event-valid"] == "false"
        assert reply.headers["x-validation-error"].isprintable()
        assert "x-injected" not in reply.headers


ADDRESSES = [
    "/%00", "/%ff%fe", "/..%2f..%2fetc%2fpasswd", "/../../etc/passwd", "//", "//evil.example/",
    "/\\evil.example", "/schemas/%00", "/schemas/..%2f..%2f", "/schemas/'%3B%20DROP%20TABLE",
    "/schemas/%F0%9F%98%80", "/schemas/__proto__", "/schemas/" + "a" * 5000,
    "/schemas/" + "a%2F" * 500, "/schemas/NavigationTiming/1.0.0/%00", "/v1/schemas/%00",
    "/v1/schemas/NavigationTiming/%ff", "/v1/schemas/" + "%2e%2e%2f" * 50, "/static/../app.py",
    "/static/..%2fapp.py", "/static/%2e%2e/%2e%2e/app.py", "/static/%00", "/static/" + "a" * 5000,
    "/static//etc/passwd", "/?page=-1", "/?page=99999999999999999999", "/?page=%00", "/?q=%ff",
    "/?a[]=1&a[]=2&__proto__[x]=1", "/schemas/NavigationTiming?days=-1",
    "/schemas/NavigationTiming?days=1e9", "/schemas/NavigationTiming?from=%00",
    "/v1/ledger?from=yesterday", "/v1/ledger?from=0000-00-00",
    "/v1/ledger?from=9999-99-99&to=%00", "/v1/ledger?schema=%00", "/v1/ledger?" + "a=b&" * 10_000,
    "/sign-in?next=//evil.example", "/sign-in?next=%0d%0aX-Injected:1", "/sign-in/%00",
    "/v1/events/", "/v1//events", "/V1/EVENTS", "/v1/events%00", "/v1/events;a=b", "/healthz/..",
    "/%2e", "/v1/schemas/NavigationTiming/rows?limit=-1",
    "/v1/schemas/NavigationTiming/rows?limit=1e99", "/%E2%80%AE", "/é", "/?x=é", "/schemas?q=é",
    "/%80", "/a%0d%0aX-Injected:%201", "/" + "a/" * 8000,
]  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda text: ascii(text)[:50])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_address_may_be_anything(case: WebServer, method: str, address: str) -> None:
    body = b"{}" if method == "POST" else b""
    start = time.monotonic()
    with case.wire() as wire:
        wire.send(
            f"{method} {address} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer test-token\r\n".encode()
            + b"Content-Length: %d\r\n\r\n" % len(body) + body
        )  # fmt: skip
        reply = wire.reply()
        assert reply is not None
    assert reply.status < 500, reply
    assert "x-injected" not in reply.headers
    assert not reply.headers.get("location", "").startswith(("//", "https://evil", "http://evil"))
    assert time.monotonic() - start < 1
