"""Hostile content in well-formed requests: names, texts, nesting, capsules that are forged."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import pytest

from tests.intake_server import EXAMPLE, Answer, good
from tests.robustness.web import MIB, WebServer

SQL = "'; DROP TABLE NavigationTiming_1; --"
NAMES = [
    "__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "__class__", "__init__",
    SQL, '" OR 1=1 --', "` ; DELETE FROM ledger; `", "%s%s%s%n", "{0.__class__}", "{{7*7}}",
    "${jndi:ldap://a/b}", "$(reboot)", "`reboot`", "| reboot", "../../etc/passwd",
    "..\\..\\boot.ini",
    "/etc/passwd", "file:///etc/passwd", "//a.example/x", "%00", "%2e%2e%2f", "NavigationTiming%00",
    "NavigationTiming/../Search", "navigationtiming", "NAVIGATIONTIMING", "NavigationTiming ",
    " NavigationTiming", "NavigationTiming\n", "NavigationTiming\r\nX-Injected: 1",
    "Navigation\tTiming",
    "NavigationTіming", "ＮavigationTiming", "NavigationTiming\u200b", "Navigation\u00adTiming",
    "\ufeffNavigationTiming", "\u202egnimiTnoitagivaN", "NavigationTiming\u0301", "e\u0301",
    "\u00e9",
    "ﬁ", "\u1e9b\u0323", "İ", "ß", "\U000e0041", "😀", "\uffff", "\U0010ffff", "\u2028", "\u0085",
    "\x7f", "\x1b[31mred", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "-",
    ".", "..",
    "0", "-1", "1e400", "NaN", "null", "true", "undefined", "None", "unknown",
    "(unknown)", "UNKNOWN",
    "sent", "valid", "invalid", "NavigationTiming_1", "NavigationTiming_invalid", "sqlite_master",
    "x" * 64, "x" * 65, "x" * 10_000, "x" * 200_000, "é" * 100_000, "a/" * 1000, "/" * 1000,
]  # fmt: skip


def refused(answer: Answer) -> str:
    """The code that the only event of a request is refused with."""
    assert answer.status in (400, 413), answer.status
    assert "x-injected" not in answer.headers
    return answer.codes[0]


def promptly(case: WebServer, body: Any, **headers: str) -> Answer:
    start = time.monotonic()
    answer = case.post(body, **headers)
    assert time.monotonic() - start < 1
    assert answer.status < 500
    return answer


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:40])
def test_a_schemas_name_may_be_anything(case: WebServer, name: str) -> None:
    assert refused(promptly(case, {"schema": name, "event": {}})) in (
        "unknown_schema",
        "event_too_large",
    )
    version = {"schema": "NavigationTiming", "version": name, "event": {}}
    assert refused(promptly(case, version)) in ("unknown_version", "event_too_large")
    for uri in (name, f"/{name}/1.0.0", f"/NavigationTiming/{name}"):
        code = refused(promptly(case, {"$schema": uri}))
        assert code in ("unknown_schema", "unknown_version", "event_too_large")
    answer = promptly(case, {"schema": "NavigationTiming", "event": {**EXAMPLE, name: name}})
    assert refused(answer) in ("undeclared_field", "event_too_large")
    event = good(host=name[:255], wiki=name[:64], client=name[:64], id=name[:255] + "#")
    assert promptly(case, event).status in (201, 400), "400 where the id is too long"


TEXTS = {
    "overlong slash": b"\xc0\xaf",
    "overlong NUL": b"\xc0\x80",
    "overlong of three": b"\xe0\x80\xaf",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "half of a pair": b"\xed\xa0\x80",
    "a pair in UTF-8": b"\xed\xa0\xbd\xed\xb8\x80",
    "a lone continuation": b"\x80",
    "cut off": b"\xe2\x82",
    "Latin-1": "é".encode("latin-1"),
    "FE FF": b"\xfe\xff",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_bytes_that_are_no_utf8_are_refused_wherever_they_stand(
    case: WebServer, text: bytes
) -> None:
    for body in (
        b'{"schema":"NavigationTiming","event":{"action":"' + text + b'"}}',
        b'{"schema":"NavigationTiming","event":{"' + text + b'":1}}',
        b'{"schema":"' + text + b'","event":{}}',
        text,
        text + json.dumps(good()).encode(),
    ):
        assert refused(promptly(case, body)) in ("bad_encoding", "malformed_json")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp037"])
def test_another_encoding_is_refused(case: WebServer, encoding: str) -> None:
    body = json.dumps({**good(), "wiki": "é"}, ensure_ascii=False).encode(encoding)
    assert refused(promptly(case, body)) in ("bad_encoding", "malformed_json")


def test_a_byte_order_mark_is_no_json(case: WebServer) -> None:
    assert refused(promptly(case, b"\xef\xbb\xbf" + json.dumps(good()).encode()))


SAID = [
    "e\u0301", "\u00e9", "\u212b", "\u1100\u1161", "\u202etxt.exe", "a\u200bb", "\ufeff", "\ufffe",
    "👩‍👩‍👧‍👦", "🇦🇶", "\u0300" * 200, "שלום", "مرحبا", "\u2066a\u2069", "\U000e0001",
    "\u2028\u2029",
    "\x01\x02", "\x7f", SQL, "</script>", "\\", '"', "%s", " a ", "A", "ß", "ı", "\ud83d\ude00",
]  # fmt: skip


@pytest.mark.parametrize("text", SAID, ids=lambda text: ascii(text)[:40])
def test_odd_texts_come_back_as_they_were_sent(case: WebServer, text: str) -> None:
    text = text.encode("utf-16", "surrogatepass").decode("utf-16")
    event = good(host=text, wiki=text[:64], client=text[:64])
    event["event"] = {**EXAMPLE, "namespaceId": 0}
    assert promptly(case, event).status == 201
    case.loader.drain()
    row = case.query("SELECT host, wiki FROM NavigationTiming_1 WHERE id = :id", id=event["id"])[0]
    assert (row["host"], row["wiki"]) == (text, text[:64])


VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 2**63 - 1, -(2**63), 1e308, "", "x", "x" * 300, "\n", [], [[]],
    ["NavigationTiming"], {}, {"": ""}, {"$ref": "#"}, {"__proto__": {"admin": True}},
    [None] * 1000,
    "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00+23:59", "10000-01-01T00:00:00Z",
    "1.0.0", "latest",
    "2026-11-22T04:05:06.7+99:99", "-1", "NaN", SQL, {"a": {"b": {"c": [1, {"d": 2}]}}},
]  # fmt: skip
FIELDS = [
    "schema", "version", "revision", "event", "id", "uuid", "dt", "timestamp", "host", "webHost",
    "wiki", "client", "sample_rate", "sample_unit_id", "consent", "$schema", "meta", "received",
    "outcome", "capsule", "recvFrom", "seqId", "clientIp", "userAgent", "topic", "ip", "kept",
    "sealed", "raw", "remember", "index", "commit", "",
]  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_a_forged_field_of_the_capsule_of_any_type_harms_nobody(
    case: WebServer, field: str
) -> None:
    bystander = good()
    events = [{**good(), field: value} for value in VALUES]
    answer = promptly(case, [*events, bystander])
    assert answer.status in (201, 207, 400)
    if answer.status == 207:
        assert len(VALUES) not in answer.codes, "the last one is good"
    assert case.stored(bystander["id"])


@pytest.mark.parametrize("field", ["id", "dt", "domain", "stream", "request_id", "uri", "consent"])
def test_a_forged_field_of_eventgates_meta_harms_nobody(case: WebServer, field: str) -> None:
    body = {"$schema": "/NavigationTiming/1.0.0", **EXAMPLE}
    events = [{**body, "meta": {"stream": "NavigationTiming", field: value}} for value in VALUES]
    events += [{**body, "meta": value} for value in VALUES]
    assert promptly(case, events).status in (201, 207, 400)


def nested(opening: str, closing: str, depth: int) -> bytes:
    return (opening * depth + closing * depth).encode()


@pytest.mark.parametrize("depth", [63, 65, 200, 500, 1000, 1023, 1030, 3000, 50_000])
@pytest.mark.parametrize("place", ["$schema", "schema", "version", "id", "dt", "meta", "host"])
def test_nesting_in_the_capsule_gets_its_answer(case: WebServer, place: str, depth: int) -> None:
    value = nested("[", "]", depth)
    for start in (b"", b"1,"):
        body = b'{"event":{},"%s":[%s%s]}' % (place.encode(), start, value)
        assert promptly(case, body).status == 400
    flawed = b'[{"event":{},"%s":%s,"a":1e400}]' % (place.encode(), value)
    assert promptly(case, flawed).status == 400


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_a_bomb_in_a_bomb_is_opened_once(case: WebServer, layers: int) -> None:
    bomb = b"[" * (64 * MIB)
    for _ in range(layers):
        bomb = gzip.compress(bomb, 6)
    before = case.memory()
    answer = promptly(case, bomb, content_encoding="gzip")
    assert answer.status in (400, 413)
    assert case.memory() - before < 24 * MIB


def with_payload(payload: str) -> str:
    return '{"schema":"NavigationTiming","event":' + payload + "}"


WIDE = {
    "keys": with_payload(json.dumps({f"k{n}": n for n in range(20_000)})),
    "one key often": with_payload("{" + ",".join(['"a":1'] * 40_000) + "}"),
    "colliding keys": with_payload(json.dumps({str(n * 2**61): n for n in range(9000)})),
    "numbers": with_payload('{"a":[' + ",".join(["1e308"] * 40_000) + "]}"),
    "long numbers": with_payload('{"a":[' + ",".join(["9" * 300] * 800) + "]}"),
    "exact fractions": with_payload('{"a":0.' + "3" * 200_000 + "}"),
    "escapes": with_payload('{"action":"' + "\\u0041" * 40_000 + '"}'),
    "blanks": " " * 3_000_000 + "{}" + "\n" * 1_000_000,
    "quotes": '"' * 250_000,
    "objects": with_payload('{"a":[' + ",".join(["{}"] * 80_000) + "]}"),
}


@pytest.mark.parametrize("body", WIDE.values(), ids=WIDE.keys())
def test_wide_bodies_are_answered_promptly(case: WebServer, body: str) -> None:
    assert promptly(case, body.encode()).status in (400, 413)


def wrong(**payload: Any) -> dict[str, Any]:
    return {"schema": "NavigationTiming", "event": payload}


BATCHES = {
    "nothing at all": [{}] * 2000,
    "of no known schema": [{"schema": f"No{n}", "event": {}} for n in range(2000)],
    "with everything wrong": [wrong(**{f"k{n}": [] for n in range(100)})] * 1000,
    "that are no events": [[]] * 2000,
    "with long wrong texts": [wrong(action="x" * 2000)] * 2000,
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES.keys())
def test_a_batch_of_wrong_events_holds_nobody_up(case: WebServer, batch: list[Any]) -> None:
    answer = promptly(case, batch)
    assert answer.status == 400
    assert len(answer.refusals) == len(batch)


def test_a_million_names_that_nobody_knows_take_no_memory(case: WebServer) -> None:
    for round_ in range(3):
        before = case.memory()
        for n in range(12):
            name = f"{round_}-{n}-" + "x" * 20_000
            batch = [
                {"schema": f"{name}{m}", "version": "y" * 300, "event": {}} for m in range(180)
            ]
            assert case.post(batch).status == 400
        grown = case.memory() - before
    assert grown < 24 * MIB, "what is remembered of wrong names is bounded in bytes"
