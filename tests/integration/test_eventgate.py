"""EventGate's clients need no change: their bodies, its answers, and where ours are better."""

from __future__ import annotations

import json
import threading
import time
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import uvicorn

from eventlogging.config import Config
from eventlogging.ledger.proof import prove
from eventlogging.registry.change import change_settings
from eventlogging.registry.proposal import proposal_of
from eventlogging.registry.publish import try_publish
from tests.intake_server import IntakeServer, good, prepare, uvicorn_config
from tests.servers import free_port, wait_until

NAME = "analytics/page/view"
URI = f"/{NAME}/1.0.0"
TABLE = "analytics_page_view_1"
PAGE: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "required": ["$schema", "meta", "page"],
    "properties": {
        "$schema": {"type": "string"},
        "meta": {
            "type": "object",
            "required": ["id", "dt", "request_id", "stream"],
            "properties": {
                "id": {"type": "string", "format": "uuid", "maxLength": 36},
                "dt": {"type": "string", "format": "date-time"},
                "request_id": {"type": "string", "maxLength": 255},
                "stream": {"type": "string", "maxLength": 100},
                "domain": {"type": "string", "maxLength": 100},
            },
        },
        "page": {"type": "string", "maxLength": 100},
        "count": {"type": "integer", "default": 1},
        "box": {
            "type": "object",
            "default": {},
            "properties": {"unit": {"type": "string", "maxLength": 10, "default": "px"}},
        },
    },
    "additionalProperties": False,
}


def publish(server: IntakeServer, name: str, **settings: Any) -> None:
    proposal, problems = proposal_of(
        name, {"schema": PAGE, "title": "Views", "owners": ["a@example.org"], **settings}
    )
    assert proposal is not None, problems
    assert not try_publish(server.database, proposal, "tests").assessment.problems


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    started = IntakeServer(
        tmp_path_factory.mktemp("eventgate") / "var",
        EVENTLOGGING_SEGMENT_BYTES="1",  # each commit its own segment: the disk is asked anew
    )
    publish(started, NAME, version="1.0.0")
    started.start()
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def in_order(server: IntakeServer) -> Iterator[None]:
    """After each test the books hold, and nothing went wrong unseen."""
    said = len(server.output())
    yield
    assert server.is_alive()
    server.loader.drain()
    assert prove(server.database).discrepancies == ()
    assert "Traceback" not in server.output()[said:]


def view(uri: str = URI, **meta: Any) -> dict[str, Any]:
    return {"$schema": uri, "meta": {"stream": "page.view", **meta}, "page": "Main"}


def new_id() -> str:
    return str(uuid.uuid4())


def lines(server: IntakeServer) -> list[dict[str, Any]]:
    texts = b"".join(file.read_bytes() for file in sorted(server.log.glob("*/*.jsonl")))
    return [json.loads(line) for line in texts.splitlines()]


def line(server: IntakeServer, id: str) -> dict[str, Any]:
    (found,) = [line for line in lines(server) if line.get("id") == id]
    return found


def kept(server: IntakeServer, id: str) -> dict[str, Any]:
    """The event as the log keeps it."""
    event: dict[str, Any] = line(server, id)["event"]
    return event


# Which schema


@pytest.mark.parametrize(
    "uri",
    [URI, URI[1:], f"{URI}.json", f"{URI}.yaml", f"{URI}#", f"/{NAME}/latest"],
)
def test_a_schema_is_found_by_its_address(server: IntakeServer, uri: str) -> None:
    id = new_id()
    assert server.post(view(uri, id=id)).status == 201
    assert kept(server, id)["$schema"] == uri


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        (f"/../{NAME}/1.0.0", "unknown_schema"),
        (f"/analytics/../{NAME}/1.0.0", "unknown_schema"),
        ("file:///etc/passwd", "unknown_schema"),
        (f"http://127.0.0.1:1{URI}", "unknown_schema"),
        (f"https://schemas.example{URI}", "unknown_schema"),
        (f"/{NAME}", "unknown_schema"),
        (f"/{NAME}/1.0", "unknown_schema"),
        (f"/{NAME}/9.9.9", "unknown_version"),
        (f"{URI}.js", "unknown_schema"),
        (f"{URI}?x=1", "unknown_schema"),
        (None, "unknown_schema"),
    ],
)
def test_any_other_address_is_unknown_and_kept(server: IntakeServer, uri: Any, code: str) -> None:
    before = server.counted("invalid", code)
    answer = server.post({**view(), "$schema": uri})
    assert (answer.status, answer.codes) == (400, {0: code})
    assert server.counted("invalid", code) == before + 1


# What is filled in


def test_defaults_are_stored_in_eventgate_bodies(server: IntakeServer) -> None:
    first, second = new_id(), new_id()
    boxed = {**view(id=second), "count": 7, "box": {}}
    assert server.post([view(id=first), boxed]).status == 201
    assert kept(server, first)["count"] == 1
    assert kept(server, first)["box"] == {"unit": "px"}
    assert (kept(server, second)["count"], kept(server, second)["box"]) == (7, {"unit": "px"})
    server.loader.drain()
    row = server.query(f"SELECT event_count, event_box_unit FROM {TABLE} WHERE id = :id", id=first)
    assert dict(row[0]) == {"event_count": 1, "event_box_unit": "px"}


def test_a_capsule_is_stored_as_it_was_sent(server: IntakeServer) -> None:
    id = new_id()
    event = view(id=id, dt="2026-11-22T00:00:00Z", request_id="r")
    assert server.post({"schema": NAME, "event": event, "id": id}).status == 201
    assert kept(server, id) == event


def test_a_schema_may_want_its_defaults_in_capsules_and_beacons_too(server: IntakeServer) -> None:
    name = "analytics/page/always"
    publish(server, name, fill_defaults="always")
    first, second, third = new_id(), new_id(), new_id()
    made = {"dt": "2026-11-22T00:00:00Z", "request_id": "r"}
    event = view(f"/{name}/1.0.0", id=first, **made)
    assert server.post({"schema": name, "event": event, "id": first}).status == 201
    query = quote(json.dumps({"schema": name, "event": event, "id": second}))
    assert server.request("GET", f"/beacon/event?{query};").status == 204
    assert server.post(view(f"/{name}/1.0.0", id=third)).status == 201
    filled = {**event, "count": 1, "box": {"unit": "px"}}
    assert kept(server, first) == kept(server, second) == filled
    assert kept(server, third)["count"] == 1
    server.loader.drain()
    rows = server.query("SELECT event_count AS n, event_box_unit AS u FROM analytics_page_always_1")
    assert [dict(row) for row in rows] == [{"n": 1, "u": "px"}] * 3


def test_a_schema_may_want_no_defaults_in_eventgate_bodies(server: IntakeServer) -> None:
    name = "analytics/page/never"
    publish(server, name, fill_defaults="never")
    id = new_id()
    assert server.post({**view(f"/{name}/1.0.0", id=id), "box": {}}).status == 201
    event = kept(server, id)
    assert "count" not in event
    assert event["box"] == {}
    assert event["meta"]["dt"].endswith("Z"), "what is made in meta is no default"


def test_a_change_of_which_events_get_defaults_is_seen_while_serving(server: IntakeServer) -> None:
    name = "analytics/page/changed"
    publish(server, name)

    def count() -> Any:
        id = new_id()
        assert server.post(view(f"/{name}/1.0.0", id=id)).status == 201
        return kept(server, id).get("count")

    assert count() == 1
    change_settings(server.database, name, "tests", fill_defaults="never")
    wait_until(lambda: count() is None, 15)


def test_a_refusal_shows_what_was_sent(server: IntakeServer) -> None:
    event = {**view(), "page": 5}
    answer = server.post(event)
    assert answer.codes == {0: "type_mismatch"}
    assert answer.refusals[0]["event"] == event


def test_meta_is_filled_before_it_is_judged(server: IntakeServer) -> None:
    answer = server.post([view(), view(), view(request_id="own")], x_request_id="req-1")
    assert answer.status == 201
    events = [kept(server, id) for id in answer.json["ids"]]
    assert [event["meta"]["id"] for event in events] == answer.json["ids"]
    assert [event["meta"]["request_id"] for event in events] == ["req-1", "req-1", "own"]
    assert all(event["meta"]["dt"].endswith("Z") for event in events)


@pytest.mark.parametrize("header", ["", "x" * 256, "\xe9"])
def test_a_request_without_a_decent_id_gets_one(server: IntakeServer, header: str) -> None:
    ids = server.post([view(), view()], x_request_id=header).json["ids"]
    made = {kept(server, id)["meta"]["request_id"] for id in ids}
    assert len(made) == 1
    assert uuid.UUID(made.pop())
    other = server.post(view(), x_request_id=header).json["ids"][0]
    assert kept(server, other)["meta"]["request_id"] not in made


def test_what_was_made_is_marked_where_a_retry_would_differ(server: IntakeServer) -> None:
    id = new_id()
    assert server.post(view(id=id)).status == 201
    assert line(server, id)["made"] == ["/meta/dt", "/meta/request_id"]
    (other,) = server.post(view()).json["ids"]
    assert "made" not in line(server, other)


def test_a_retry_is_a_duplicate_although_meta_was_made_anew(server: IntakeServer) -> None:
    id = new_id()
    before = server.counted("duplicate"), server.counted("invalid", "id_conflict")
    for request in ("first", "second"):
        assert server.post(view(id=id), x_request_id=request).status == 201
        server.loader.drain()
        time.sleep(0.01)
    assert server.counted("duplicate") == before[0] + 1
    other = {**view(id=id), "page": "Another"}
    assert server.post(other).status == 201
    assert server.counted("invalid", "id_conflict") == before[1] + 1


def test_a_meta_that_is_no_object_is_refused(server: IntakeServer) -> None:
    assert server.post({**view(), "meta": 5}).codes == {0: "type_mismatch"}


# The ladder of answers


def test_the_ladder(server: IntakeServer) -> None:
    bad, unknown = {**view(), "page": 5}, view("/no/such/1.0.0")
    assert server.post([view(), view()]).status == 201
    mixed = server.post([view(), bad, unknown])
    assert mixed.status == 207
    assert [item["index"] for item in mixed.json["invalid"]] == [1]
    assert [item["index"] for item in mixed.json["error"]] == [2]
    assert server.post([bad, bad]).status == 400
    assert server.post([bad, unknown]).status == 400, "a client's mistake is never 5xx"
    assert server.post([]).status == 400


@pytest.mark.parametrize("encoding", ["deflate", "gzip", "x-gzip"])
def test_compressed_bodies_are_taken(server: IntakeServer, encoding: str) -> None:
    pack = zlib.compressobj(wbits=15 if encoding == "deflate" else 31)
    body = pack.compress(json.dumps(view()).encode()) + pack.flush()
    assert server.post(body, content_encoding=encoding).status == 201
    broken = server.post(body[:-3], content_encoding=encoding)
    assert broken.codes == {0: "malformed_json"}
    assert "cut off" in broken.refusals[0]["event"]


# Hasty


def hasty(server: IntakeServer, body: Any, query: str = "hasty=true") -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body)
    return server.request("POST", f"/v1/events?{query}", data)


def in_log(server: IntakeServer, id: str) -> bool:
    return any(line.get("id") == id for line in lines(server))


@pytest.mark.parametrize("query", ["hasty=true", "hasty=1", "a=b&hasty=yes", "hasty=True"])
def test_a_hasty_event_is_answered_202_and_stored(server: IntakeServer, query: str) -> None:
    id = new_id()
    answer = hasty(server, view(id=id), query)
    assert answer.status == 202
    wait_until(lambda: in_log(server, id), 15)


@pytest.mark.parametrize("query", ["hasty=false", "hasty=0", "hasty=", "hasty", "hast=true"])
def test_who_is_not_hasty_waits(server: IntakeServer, query: str) -> None:
    assert hasty(server, view(), query).status == 201


def test_what_is_wrong_with_hasty_events_is_counted_later(server: IntakeServer) -> None:
    before = server.counted("invalid", "malformed_json"), server.counted("invalid", "type_mismatch")
    assert hasty(server, b"{").status == 202
    assert hasty(server, [{**view(), "page": 5}, view()]).status == 202
    wait_until(lambda: server.counted("invalid", "type_mismatch") == before[1] + 1, 15)
    assert server.counted("invalid", "malformed_json") == before[0] + 1


def test_a_hasty_body_that_cannot_be_read_is_answered_at_once(server: IntakeServer) -> None:
    answer = hasty(server, b"[" + b" " * 5_000_000 + b"]")
    assert (answer.status, answer.codes) == (413, {0: "body_too_large"})


def test_a_hasty_person_who_said_no_is_counted_and_no_more(server: IntakeServer) -> None:
    before = server.counted("suppressed")
    body = json.dumps(view())
    assert server.request("POST", "/v1/events?hasty=true", body, {"DNT": "1"}).status == 202
    wait_until(lambda: server.counted("suppressed") == before + 1, 15)


def test_hasty_events_wait_for_a_log_that_is_away(server: IntakeServer) -> None:
    """Each is stored once it is back, although the log refused it some times before."""
    away = server.log.with_name("log.away")
    server.log.rename(away)
    server.log.write_text("not a folder")
    id = new_id()
    try:
        assert server.post(view()).status == 503
        assert hasty(server, view(id=id)).status == 202
        time.sleep(1)
    finally:
        server.log.unlink()
        away.rename(server.log)
    wait_until(lambda: in_log(server, id), 15)
    wait_until(lambda: server.request("GET", "/readyz").status == 200, 15)


def test_a_stop_waits_for_hasty_events(tmp_path: Path) -> None:
    stopped = IntakeServer(tmp_path / "var")
    stopped.start()
    try:
        for _ in range(20):
            assert hasty(stopped, [good() for _ in range(20)]).status == 202
    finally:
        stopped.stop()
    assert sum(line.get("outcome") == "valid" for line in lines(stopped)) == 400


def test_a_full_queue_of_hasty_events_says_when_to_come_again(tmp_path: Path) -> None:
    port = free_port()
    config = Config(
        var=tmp_path / "var", governance=Path.cwd(), listen=f"127.0.0.1:{port}",
        log_queue_bytes=20_000,
    )  # fmt: skip
    prepare(config)
    settings, collector = uvicorn_config(config)
    running = uvicorn.Server(settings)
    thread = threading.Thread(target=running.run)
    thread.start()
    wait_until(lambda: running.started, 10)
    disk = threading.Event()
    collector._disk._writer._sync = lambda _: disk.wait(10) and None
    full = IntakeServer.__new__(IntakeServer)  # only its requests are wanted
    full.port = port
    taken = 0
    try:
        while (answer := hasty(full, good())).status == 202 and taken < 100:
            taken += 1
        assert answer.status == 503
        assert 5 < taken < 20
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json["error"][0]["code"] == "unavailable"
    finally:
        disk.set()
        running.should_exit = True
        thread.join(20)
    valid = b"".join(file.read_bytes() for file in (config.var / "log").glob("*/*.jsonl"))
    assert valid.count(b'"outcome":"valid"') == taken, "those that were taken are kept"


# Browsers, probes


def test_a_page_may_ask_before_it_sends(server: IntakeServer) -> None:
    ask = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    for path in ("/v1/events", "/v1/events?hasty=true", "/v1/_test/events"):
        answer = server.request("OPTIONS", path, headers=ask)
        assert answer.status == 204
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        assert answer.headers["access-control-allow-credentials"] == "true"
        allowed = answer.headers["access-control-allow-headers"].split(", ")
        assert {"accept", "x-requested-with", "content-type", "x-request-id"} <= set(allowed)


def test_test_events_go_through_all_of_intake_and_into_no_book(server: IntakeServer) -> None:
    sent = server.counted("sent")
    time.sleep(1.1)  # a probe is written at most once a second
    probes = sum(line.get("outcome") == "probe" for line in lines(server))
    assert server.request("GET", "/v1/_test/events").status == 200
    assert sum(line.get("outcome") == "probe" for line in lines(server)) == probes + 1
    assert server.counted("sent") == sent
    assert server.request("POST", "/v1/_test/events", b"{}").status == 405


def test_test_events_fail_while_nothing_can_be_kept(server: IntakeServer) -> None:
    away = server.log.with_name("log.away")
    server.log.rename(away)
    server.log.write_text("not a folder")
    try:
        server.post(view())
        wait_until(lambda: server.request("GET", "/v1/_test/events").status == 503, 15)
    finally:
        server.log.unlink()
        away.rename(server.log)
    wait_until(lambda: server.request("GET", "/v1/_test/events").status == 200, 15)
