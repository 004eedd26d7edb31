"""The intake over real HTTP: whatever comes gets its answer, is counted, and harms no other."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import uvicorn

from eventlogging.config import Config
from eventlogging.ledger.proof import prove
from tests.intake_server import EXAMPLE, IntakeServer, good, prepare, uvicorn_config
from tests.servers import free_port, wait_until

MIB = 1024 * 1024
SCHEMA = b'{"schema":"NavigationTiming","event":'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    started = IntakeServer(
        tmp_path_factory.mktemp("intake") / "var",
        EVENTLOGGING_BODY_SECONDS="1.5",
        EVENTLOGGING_SEGMENT_BYTES="1",  # each commit its own segment: the disk is asked anew
    )
    started.start()
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def unharmed(server: IntakeServer) -> Iterator[None]:
    """After each test: the same process lives, takes the next event, and the books hold."""
    said = len(server.output())
    yield
    assert server.is_alive()
    event = good()
    assert server.post(event).status == 201
    assert server.stored(event["id"])
    assert prove(server.database).discrepancies == ()
    assert "Traceback" not in server.output()[said:]


def wrong(**event: Any) -> dict[str, Any]:
    return {"schema": "NavigationTiming", "event": event}


def deep(depth: int) -> bytes:
    return SCHEMA + b'{"a":' + b"[" * depth + b"]" * depth + b"}}"


# What is answered


def test_201_when_all_are_stored(server: IntakeServer) -> None:
    events = [good(), good()]
    answer = server.post(events)
    assert answer.status == 201
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json == {
        "accepted": 2, "sampled_out": 0, "suppressed": 0, "ids": [event["id"] for event in events]
    }  # fmt: skip
    assert all(server.stored(event["id"]) for event in events)


def test_207_when_some_are_refused_with_the_reasons_of_each(server: IntakeServer) -> None:
    first, last = good(), good()
    answer = server.post([first, wrong(action=5, extra=1), {"schema": "Nope", "event": {}}, last])
    assert answer.status == 207
    assert set(answer.json) == {"invalid", "error"}
    (invalid,), (error,) = answer.json["invalid"], answer.json["error"]
    assert (invalid["index"], invalid["status"], invalid["code"]) == (1, 400, "missing_field")
    assert invalid["event"] == wrong(action=5, extra=1)
    assert {"pointer", "rule", "found", "expected"} == set(invalid["context"]["errors"][0])
    pointers = {problem["pointer"] for problem in invalid["context"]["errors"]}
    assert {"/action", "/isAnon", ""} <= pointers, "every problem is listed"
    assert "/action" in invalid["context"]["errorsText"]
    assert (error["index"], error["status"], error["code"]) == (2, 400, "unknown_schema")
    assert '"Nope"' in error["context"]["errorsText"]
    assert server.stored(first["id"])
    assert server.stored(last["id"])


def test_400_when_none_is_stored(server: IntakeServer) -> None:
    answer = server.post([wrong(), {"schema": "Nope", "event": {}}])
    assert answer.status == 400
    assert answer.codes == {0: "missing_field", 1: "unknown_schema"}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_405_for_other_methods(server: IntakeServer, method: str) -> None:
    answer = server.request(method, "/v1/events")
    assert answer.status == 405
    assert answer.headers["allow"] == "POST, OPTIONS"


def test_a_path_that_is_not_the_intakes_is_handed_on(server: IntakeServer) -> None:
    assert server.request("POST", "/v1/event", b"{}").status == 404


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json", "application/json; charset=utf-8", "APPLICATION/JSON",
        "text/plain", "text/plain;charset=UTF-8", "application/reports+json", "",
    ],
)  # fmt: skip
def test_the_types_that_browsers_send_are_taken(server: IntakeServer, content_type: str) -> None:
    event = good()
    assert server.post(event, content_type=content_type).status == 201
    assert server.stored(event["id"])


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "application/xml"}, {"content_type": "multipart/form-data; boundary=x"},
        {"content_encoding": "br"}, {"content_encoding": "gzip, gzip"},
    ],
)  # fmt: skip
def test_415_for_what_is_not_understood(server: IntakeServer, headers: dict[str, str]) -> None:
    before = server.counted("invalid", "unsupported_type")
    answer = server.post(good(), **headers)
    assert answer.status == 415
    assert answer.codes == {0: "unsupported_type"}
    assert server.counted("invalid", "unsupported_type") == before + 1


def test_a_sender_without_the_right_is_told_so(server: IntakeServer) -> None:
    event = {"schema": "ServerSideAccountCreation", "event": {}}
    item = server.post(event).refusals[0]
    assert (item["code"], item["status"]) == ("not_allowed", 403)
    answer = server.post(event, authorization="Bearer test-token")
    assert answer.codes == {0: "missing_field"}, "with the token it is judged"


def test_an_eventgate_body_and_an_odd_schema_address(server: IntakeServer) -> None:
    body = {"$schema": "/NavigationTiming/1.0.0", "meta": {"domain": "a.example"}, **EXAMPLE}
    assert server.post(body).status == 201
    for uri in ("file:///etc/passwd", "/../../package.json", "http://127.0.0.1:1/a/1.0.0", 5, None):
        assert server.post({"$schema": uri}).codes == {0: "unknown_schema"}


# Bodies that are not what they should be

BROKEN = [
    (b"", "malformed_json"),
    (b"{", "malformed_json"),
    (SCHEMA + b"{}} trailing", "malformed_json"),
    (b"NaN", "malformed_json"),
    (SCHEMA + b'{"a":NaN}}', "malformed_json"),
    (SCHEMA + b'{"a":Infinity}}', "malformed_json"),
    (SCHEMA + b'{"a":-Infinity,"b":1e400}}', "malformed_json"),
    (SCHEMA + b'{"a":1e400}}', "number_out_of_range"),
    (SCHEMA + b'{"a":-1e400}}', "number_out_of_range"),
    (SCHEMA + b'{"a":9223372036854775808}}', "number_out_of_range"),
    (SCHEMA + b'{"a":18446744073709551616}}', "number_out_of_range"),
    (SCHEMA + b'{"a":-9223372036854775809}}', "number_out_of_range"),
    (SCHEMA + b'{"a":' + b"9" * 4300 + b"}}", "number_out_of_range"),
    (SCHEMA + b'{"a":' + b"9" * 200_000 + b"}}", "number_out_of_range"),
    (SCHEMA + b'{"a":1,"a":2}}', "duplicate_key"),
    (SCHEMA + b'{"a":1,"\\u0061":1}}', "duplicate_key"),
    (b'{"schema":"NavigationTiming","schema":"NavigationTiming","event":{}}', "duplicate_key"),
    (SCHEMA + b'{"a":"\xff"}}', "bad_encoding"),
    (SCHEMA + b'{"a":"\xed\xa0\x80"}}', "bad_encoding"),
    (SCHEMA + b'{"a":"\\ud800"}}', "bad_encoding"),
    (SCHEMA + b'{"a":["\\udc00 x"]}}', "bad_encoding"),
    (SCHEMA + b'{"\\ud800":1}}', "bad_encoding"),
    (SCHEMA + b'{"a":"\\u0000"}}', "nul_character"),
    (SCHEMA + b'{"\\u0000":1}}', "nul_character"),
    (b'{"schema":"Navigation\\u0000Timing","event":{}}', "nul_character"),
    (SCHEMA + b'{"a":"\0"}}', "malformed_json"),
    (b"[]", "empty_batch"),
    (b"null", "not_an_event"),
    (b'"text"', "not_an_event"),
    (b"[[]]", "not_an_event"),
    (b"[" + b"1," * 2000 + b"1]", "batch_too_large"),
    (json.dumps(wrong(action="x" * 300_000)).encode(), "event_too_large"),
    ("schema=NavigationTiming&é".encode("utf-16"), "bad_encoding"),
]


@pytest.mark.parametrize(("body", "code"), BROKEN)
def test_a_broken_body_is_refused_with_its_own_code_and_kept(
    server: IntakeServer, body: bytes, code: str
) -> None:
    before = server.counted("invalid", code)
    start = time.monotonic()
    answer = server.post(body)
    assert time.monotonic() - start < 2
    assert answer.status == (413 if code.endswith("too_large") else 400)
    assert answer.codes == {0: code}
    assert answer.refusals[0]["context"]["errorsText"]
    assert server.counted("invalid", code) == before + 1
    tables = ("unknown_invalid", "NavigationTiming_invalid")
    kept = [
        row
        for table in tables
        for row in server.query(f"SELECT code FROM {table} WHERE code = :code", code=code)
    ]
    assert kept, "what was refused can be looked at"


@pytest.mark.parametrize(
    "depth", [60, 100, 253, 254, 255, 256, 300, 900, 1022, 1023, 1024, 1025, 5000, 100_000]
)
def test_a_deep_array_gets_its_answer(server: IntakeServer, depth: int) -> None:
    answer = server.post(deep(depth))
    assert answer.status == 400
    assert answer.codes[0] == ("missing_field" if depth < 63 else "too_deep")


@pytest.mark.parametrize(
    "piece", [b"[", b'{"a":', b"[{}", b'{"a":[', b'"', b"\\", b"9", b"-", b"["]
)
def test_four_megabytes_of_one_thing_get_their_answer(server: IntakeServer, piece: bytes) -> None:
    start = time.monotonic()
    assert server.post((piece * (4 * MIB // len(piece)))[: 4 * MIB]).status == 400
    assert time.monotonic() - start < 3


def test_a_private_field_that_nests_too_deeply_gets_its_answer(server: IntakeServer) -> None:
    body = SCHEMA + b'{"userId":' + b"[" * 400 + b"]" * 400 + b"}}"
    assert server.post(body).codes == {0: "too_deep"}


BAD_EVENTS = [
    (b"5", "not_an_event"),
    (b"[]", "not_an_event"),
    (SCHEMA + b'{"a":1e400}}', "number_out_of_range"),
    (SCHEMA + b'{"a":18446744073709551616}}', "number_out_of_range"),
    (SCHEMA + b'{"a":' + b"9" * 4300 + b"}}", "number_out_of_range"),
    (SCHEMA + b'{"a":1,"a":2}}', "duplicate_key"),
    (SCHEMA + b'{"a":"\\ud800"}}', "bad_encoding"),
    (SCHEMA + b'{"\\ud800":"a"}}', "bad_encoding"),
    (SCHEMA + b'{"a":"\\u0000"}}', "nul_character"),
    (deep(300), "too_deep"),
    (deep(800), "too_deep"),
    (json.dumps(wrong(action="x" * 300_000)).encode(), "event_too_large"),
    (b'{"schema":"Nope","event":{}}', "unknown_schema"),
    (b'{"schema":"NavigationTiming","version":"9.9.9","event":{}}', "unknown_version"),
    (b'{"event":{}}', "missing_schema"),
    (b'{"schema":["NavigationTiming"],"event":{}}', "bad_capsule"),
    (SCHEMA + b'"text"}', "bad_capsule"),
    (SCHEMA + b'{"action":5}}', "missing_field"),
]


@pytest.mark.parametrize(("bad", "code"), BAD_EVENTS)
def test_one_bad_event_never_costs_its_batch(server: IntakeServer, bad: bytes, code: str) -> None:
    events = [good(), good()]
    first, last = (json.dumps(event).encode() for event in events)
    answer = server.post(b"[" + first + b"," + bad + b", " + last + b"]")
    assert answer.status == 207
    assert answer.codes == {1: code}
    assert all(server.stored(event["id"]) for event in events)


# Size, compression, time


def test_413_for_a_body_that_says_it_is_too_large(server: IntakeServer) -> None:
    before = server.counted("invalid", "body_too_large")
    assert server.post(b" " * (5 * MIB)).codes == {0: "body_too_large"}
    assert server.counted("invalid", "body_too_large") == before + 1


def test_413_for_a_body_that_turns_out_too_large(server: IntakeServer) -> None:
    chunks = (b" " * 65_536 for _ in range(80))
    answer = server.request("POST", "/v1/events", chunks)
    assert (answer.status, answer.codes) == (413, {0: "body_too_large"})


def test_a_gzip_body_is_unpacked(server: IntakeServer) -> None:
    event = good()
    assert (
        server.post(gzip.compress(json.dumps(event).encode()), content_encoding="gzip").status
        == 201
    )
    assert server.stored(event["id"])


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (gzip.compress(json.dumps(good()).encode())[:-9], "cut off"),
        (gzip.compress(json.dumps(good()).encode())[:20], "cut off"),
        (b"", "cut off"),
        (json.dumps(good()).encode(), "not gzip"),
        (zlib.compress(json.dumps(good()).encode()), "not gzip"),
        (gzip.compress(json.dumps(good()).encode()) + b"more", "follows"),
        (gzip.compress(json.dumps(good()).encode()) * 2, "follows"),
    ],
    ids=["no end", "half", "nothing", "plain", "zlib", "more", "two"],
)
def test_a_broken_gzip_body_is_malformed(server: IntakeServer, body: bytes, found: str) -> None:
    answer = server.post(body, content_encoding="gzip")
    assert (answer.status, answer.codes) == (400, {0: "malformed_json"})
    assert found in answer.refusals[0]["event"]


def test_a_gzip_body_with_a_wrong_checksum_is_malformed(server: IntakeServer) -> None:
    body = bytearray(gzip.compress(json.dumps(good()).encode()))
    body[-8] ^= 1
    assert server.post(bytes(body), content_encoding="gzip").codes == {0: "malformed_json"}


def test_bombs_take_neither_memory_nor_time(server: IntakeServer) -> None:
    pack = zlib.compressobj(wbits=31)
    bomb = b"".join(pack.compress(b"[" * MIB) for _ in range(200)) + pack.flush()
    before = server.memory()
    with _peak_of(server) as peak:
        answers = _at_once(8, lambda: server.post(bomb, content_encoding="gzip"))
    assert [answer.codes for answer in answers] == [{0: "body_too_large"}] * 8
    assert peak[0] - before < 120 * MIB, "eight bodies of 4 MiB each, and not eight of 200"


@pytest.mark.parametrize(
    "start",
    [gzip.compress(b"{}"), zlib.compressobj(wbits=31).compress(b"")],
    ids=["that is complete", "that never ends"],
)
def test_an_endless_upload_behind_a_little_gzip_is_ended(
    server: IntakeServer, start: bytes
) -> None:
    flood = (b"\0\0\0\xff\xff" * 13_107)[:65_535]  # deflate blocks that hold nothing
    before = server.memory()
    with _peak_of(server) as peak, server.connect() as client:
        client.sendall(
            b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + _chunk(start)
        )
        try:
            for _ in range(1000):
                client.sendall(_chunk(flood))
            client.sendall(b"0\r\n\r\n")
        except OSError:
            pass  # it has answered and hung up
        status = client.recv(100).split()[1:2]
    assert status in ([b"400"], [b"413"])
    assert peak[0] - before < 40 * MIB


def test_408_for_a_body_that_does_not_come(server: IntakeServer) -> None:
    with server.connect() as client:
        client.sendall(b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
        start = time.monotonic()
        answer = client.recv(2000)
        assert time.monotonic() - start < 5
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in answer.lower()


def test_a_body_that_drips_is_ended_too(server: IntakeServer) -> None:
    with server.connect() as client:
        client.sendall(b"POST /beacon/event HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
        client.settimeout(0.2)
        start = time.monotonic()
        answer = b""
        while not answer and time.monotonic() - start < 5:
            try:
                client.sendall(b" ")
                answer = client.recv(2000)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_forty_slow_bodies_delay_nobody(server: IntakeServer) -> None:
    slow = [server.connect() for _ in range(40)]
    for client in slow:
        client.sendall(b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
    start = time.monotonic()
    assert server.post(good()).status == 201
    assert time.monotonic() - start < 1
    for client in slow:
        client.close()


@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_leaves_in_the_middle_does_no_harm(server: IntakeServer, reset: bool) -> None:
    before = server.counted("sent")
    for sent in (b"", b"{", b"[{}," * 1000):
        client = server.connect()
        client.sendall(
            b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n" + sent
        )
        time.sleep(0.05)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    time.sleep(0.1)
    assert server.counted("sent") == before, "what never arrived was never sent"


def test_a_request_that_is_no_http_is_answered(server: IntakeServer) -> None:
    with server.connect() as client:
        client.sendall(b"\x16\x03\x01\x02\x00 hello\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")


# People who said no


@pytest.mark.parametrize(
    "headers",
    [
        {"DNT": "1"}, {"Sec-GPC": "1"}, {"Cookie": "eventlogging_opt_out=1"},
        {"Cookie": 'a=b; c="d\\"; eventlogging_opt_out=1; \xe9=2'},
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/events", "/beacon/event"])
def test_a_person_who_said_no_is_counted_and_nothing_is_written(
    server: IntakeServer, headers: dict[str, str], path: str
) -> None:
    before = server.counted("suppressed")
    body = json.dumps([good(host="secret.example"), wrong(action="secret")])
    answer = server.request("POST", path, body, headers)
    assert answer.status in (201, 204)
    assert b"secret" not in answer.body
    assert server.counted("suppressed") == before + 2
    assert not any(b"secret" in file.read_bytes() for file in server.log.glob("*/*.jsonl"))


def test_a_cookie_of_another_name_or_no_opt_out_suppresses_nothing(server: IntakeServer) -> None:
    for cookie in ("other=1", "eventlogging_opt_out=0", "not_eventlogging_opt_out_at_all=1"):
        event = good()
        assert server.post(event, cookie=cookie, dnt="0", sec_gpc="0").status == 201
        assert server.stored(event["id"])


# Browsers on other sites


def test_a_page_of_another_site_may_ask_and_send(server: IntakeServer) -> None:
    origin = {"Origin": "https://a.example"}
    for path in ("/v1/events", "/beacon/event"):
        ask = {"Access-Control-Request-Method": "POST", **origin}
        answer = server.request("OPTIONS", path, headers=ask)
        assert answer.status == 204
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert "content-type" in answer.headers["access-control-allow-headers"]
    for event, status in ((good(), 201), (wrong(), 400)):
        answer = server.request("POST", "/v1/events", json.dumps(event), origin)
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert "retry-after" in answer.headers["access-control-expose-headers"]
        assert answer.headers["vary"] == "origin"
    assert "access-control-allow-origin" not in server.post(good()).headers


# The beacon


def test_a_beacon_is_answered_204_once_it_is_kept(server: IntakeServer) -> None:
    event = good(webHost="a.example", wiki="enwiki")
    answer = server.request("GET", f"/beacon/event?{quote(json.dumps(event))};")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["x-event-valid"] == "true"
    assert "x-validation-error" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert server.stored(event["id"])
    row = server.query("SELECT host, wiki FROM NavigationTiming_1 WHERE id = :id", id=event["id"])
    assert dict(row[0]) == {"host": "a.example", "wiki": "enwiki"}
    event = good()
    assert server.request("POST", "/beacon/event", json.dumps(event)).status == 204
    assert server.stored(event["id"])


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"schema": "NavigationTiming", "event": {"a\r\nX-Injected: 1\r\n\r\né😀": 1}}),
        json.dumps({"schema": "No\r\nX-Injected: 1\r\n\r\né😀\x7f\x1b[31m", "event": {}}),
        '{"schema": "é',
        "",
    ],
)
def test_a_beacon_that_is_refused_says_why_and_breaks_no_header(
    server: IntakeServer, method: str, body: str
) -> None:
    if method == "GET":
        answer = server.request("GET", f"/beacon/event?{quote(body)}%3B".replace("%3B", ";"))
    else:
        answer = server.request("POST", "/beacon/event", body.encode())
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["x-event-valid"] == "false"
    assert answer.headers["x-validation-error"].isascii()
    assert answer.headers["x-validation-error"].isprintable()
    assert "x-injected" not in answer.headers


def test_a_beacon_with_bare_bytes_in_its_address_gets_an_answer(server: IntakeServer) -> None:
    with server.connect() as client:
        query = '{"schema":"NavigationTiming","event":{"action":"é"}};'.encode()
        client.sendall(b"GET /beacon/event?" + query + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(2000).split()[1] in (b"204", b"400")


# A log that keeps nothing


def test_while_the_log_cannot_be_written_every_route_says_503(server: IntakeServer) -> None:
    away = server.log.with_name("log.away")
    server.log.rename(away)
    server.log.write_text("not a folder")
    try:
        beacon = f"/beacon/event?{quote(json.dumps(good()))};"
        refused = good()
        asked: list[tuple[str, str, Any]] = [
            ("POST", "/v1/events", json.dumps(refused)),
            ("POST", "/v1/events", json.dumps([good(), wrong()])),
            ("POST", "/v1/events", b"{"),
            ("POST", "/beacon/event", json.dumps(good())),
            ("GET", beacon, None),
        ]
        for method, path, body in asked:
            answer = server.request(method, path, body)
            assert answer.status == 503, path
            assert int(answer.headers["retry-after"]) > 0
            assert answer.json["error"][0]["code"] == "unavailable"
        wait_until(lambda: server.request("GET", "/readyz").status == 503, 5)
        assert "retry-after" in server.request("GET", "/readyz").headers
        assert server.request("GET", "/healthz").status == 200, "a restart would mend nothing"
    finally:
        server.log.unlink()
        away.rename(server.log)
    wait_until(lambda: server.request("GET", "/readyz").status == 200, 5)
    assert not server.stored(refused["id"])
    assert server.post(refused).status == 201, "sent again, it is kept"
    assert server.stored(refused["id"])


def test_a_full_queue_is_answered_503_at_once_and_those_in_it_are_kept(tmp_path: Path) -> None:
    port = free_port()
    config = Config(
        var=tmp_path / "var", governance=Path.cwd(), listen=f"127.0.0.1:{port}", log_queue_bytes=100
    )
    prepare(config)
    settings, collector = uvicorn_config(config)
    running = uvicorn.Server(settings)
    thread = threading.Thread(target=running.run)
    thread.start()
    wait_until(lambda: running.started, 10)
    disk = threading.Event()

    def wait_for_disk(_: int) -> None:
        disk.wait(10)

    collector._disk._writer._sync = wait_for_disk
    held = IntakeServer.__new__(IntakeServer)  # only its requests are wanted
    held.port = port
    try:
        waiting = [threading.Thread(target=held.post, args=(good(),)) for _ in range(2)]
        for sender in waiting:
            sender.start()
            time.sleep(0.2)
        start = time.monotonic()
        answer = held.post(good())
        assert time.monotonic() - start < 1
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
    finally:
        disk.set()
        for sender in waiting:
            sender.join(10)
        running.should_exit = True
        thread.join(10)
    assert collector._disk._writer.trouble is None


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _at_once(count: int, send: Callable[[], Any]) -> list[Any]:
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(send())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


class _peak_of:
    """Watches how much memory a server comes to hold while a block runs."""

    def __init__(self, server: IntakeServer) -> None:
        self._server = server
        self._peak = [server.memory()]
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._enough.wait(0.005):
            self._peak[0] = max(self._peak[0], self._server.memory())

    def __enter__(self) -> list[int]:
        self._thread.start()
        return self._peak

    def __exit__(self, *_: Any) -> None:
        self._enough.set()
        self._thread.join()
