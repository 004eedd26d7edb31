"""CloudEvents 1.0 as the project's own SDK writes them: structured, batched, binary."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from eventlogging import clock
from tests.intake_server import EXAMPLE, Answer, IntakeServer

SCHEMA = "/NavigationTiming/1.0.0"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    made = IntakeServer(tmp_path_factory.mktemp("cloudevents"))
    made.start()
    yield made
    made.stop()


def event(data: Any = EXAMPLE, **attributes: Any) -> CloudEvent:
    stated = {
        "id": str(uuid.uuid4()), "source": "https://www.example.org/page", "specversion": "1.0",
        "type": "org.example.page.viewed", "dataschema": SCHEMA,
        "datacontenttype": "application/json", **attributes,
    }  # fmt: skip
    return CloudEvent({key: value for key, value in stated.items() if value is not None}, data)


def post(server: IntakeServer, message: HTTPMessage) -> Answer:
    return server.request("POST", "/v1/events", message.body, message.headers)


def stored(server: IntakeServer, id: str) -> dict[str, Any]:
    server.loader.drain()
    rows = server.query("SELECT * FROM NavigationTiming_1 WHERE id = :id", id=id)
    assert len(rows) == 1
    return dict(rows[0])


@pytest.mark.parametrize("form", [to_structured, to_binary])
def test_an_event_of_the_sdk_is_stored(server: IntakeServer, form: Any) -> None:
    now = datetime.fromtimestamp(clock.now_ms() // 1000 - 60, UTC)
    sent = event(time=now)
    answer = post(server, form(sent, JSONFormat()))
    assert answer.status == 201, answer.body
    row = stored(server, sent.get_id())
    assert row["dt"] == f"{now:%Y-%m-%d %H:%M:%S}.000"
    assert row["host"] == "www.example.org"
    assert row["event_loadEventEnd"] == EXAMPLE["loadEventEnd"]


def test_a_batch_is_judged_event_by_event(server: IntakeServer) -> None:
    good, bad = event(), event({**EXAMPLE, "loadEventEnd": "late"})
    texts = [to_structured(one, JSONFormat()).body for one in (good, bad)]
    body = b"[" + b",".join(texts) + b"]"
    headers = {"Content-Type": "application/cloudevents-batch+json; charset=utf-8"}
    answer = server.request("POST", "/v1/events", body, headers)
    assert answer.status == 207
    assert answer.codes == {1: "type_mismatch"}
    assert answer.refusals[0]["context"]["errors"][0]["pointer"] == "/loadEventEnd"
    assert stored(server, good.get_id())


def test_source_and_id_tell_events_apart(server: IntakeServer) -> None:
    """Two sources may use the same id; the same source that does so retries."""
    before = server.counted("valid"), server.counted("duplicate")
    for source in ("/a", "/b", "/a"):
        sent = event(id="7", source=source, time=datetime.now(UTC).replace(microsecond=0))
        assert post(server, to_structured(sent, JSONFormat())).status == 201
    assert server.counted("valid") == before[0] + 2
    assert server.counted("duplicate") + server.counted("invalid", "id_conflict") == before[1] + 1


def test_the_registrys_own_address_names_the_schema(server: IntakeServer) -> None:
    for name in (f"http://127.0.0.1/v1/schemas{SCHEMA}", "/NavigationTiming/latest"):
        assert post(server, to_binary(event(dataschema=name), JSONFormat())).status == 201
    sent = event(dataschema=None, type="NavigationTiming")
    assert post(server, to_binary(sent, JSONFormat())).status == 201


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"dataschema": "https://elsewhere.example/NavigationTiming/1.0.0"}, "unknown_schema"),
        ({"dataschema": "/NavigationTiming/9.9.9"}, "unknown_version"),
        ({"dataschema": "file:///etc/passwd"}, "unknown_schema"),
        ({"dataschema": None}, "unknown_schema"),
    ],
)
def test_what_names_no_schema_is_refused_and_fetches_nothing(
    server: IntakeServer, attributes: dict[str, Any], code: str
) -> None:
    answer = post(server, to_structured(event(**attributes), JSONFormat()))
    assert answer.status == 400
    assert answer.codes == {0: code}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"specversion": "0.3"}, "/specversion"),
        ({"specversion": 1}, "/specversion"),
        ({"source": ""}, "/source"),
        ({"id": 7}, "/id"),
        ({"data": [1]}, "/data"),
        ({"data": None, "data_base64": "e30="}, "/data_base64"),
        ({"time": "yesterday"}, "/time"),
    ],
)
def test_a_wrong_attribute_is_named(
    server: IntakeServer, change: dict[str, Any], pointer: str
) -> None:
    body = {**json.loads(to_structured(event(), JSONFormat()).body), **change}
    answer = server.post(body, content_type="application/cloudevents+json")
    assert answer.status == 400
    assert answer.codes == {0: "bad_capsule"}
    errors = answer.refusals[0]["context"]["errors"]
    assert pointer in [one["pointer"] for one in errors]


@pytest.mark.parametrize(
    "body", [b"{", b'{}, "schema": "NavigationTiming"', b"", b"[1, 2]", b'{"a": 1e999}', b"\xff"]
)
def test_a_body_says_nothing_about_its_envelope(server: IntakeServer, body: bytes) -> None:
    message = to_binary(event(), JSONFormat())
    answer = server.request("POST", "/v1/events", body, message.headers)
    assert answer.status == 400, answer.body
    assert server.is_alive()


@pytest.mark.parametrize("form", [to_structured, to_binary])
def test_who_says_no_is_suppressed(server: IntakeServer, form: Any) -> None:
    before = server.counted("suppressed")
    assert post(server, form(event(consent=False), JSONFormat())).status == 201
    assert server.counted("suppressed") == before + 1


@pytest.mark.parametrize("kind", ["cloudevents", "cloudevents-batch"])
def test_the_type_says_that_it_is_structured_whatever_headers_come_along(
    server: IntakeServer, kind: str
) -> None:
    sent = event()
    message = to_structured(sent, JSONFormat())
    body = message.body if kind == "cloudevents" else b"[" + message.body + b"]"
    headers = {**to_binary(sent, JSONFormat()).headers, "content-type": f"application/{kind}+json"}
    answer = server.request("POST", "/v1/events", body, headers)
    assert answer.status == 201, answer.body
    assert stored(server, sent.get_id())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"who": "anna-7351"', "application/json"),
        (b'{"who": "anna-7351", "n": 1e999}', "application/json"),
        (b'{"who": "anna-7351"}', "application/xml"),
        (b'{"who": "anna-7351"}' + b" " * 4_194_304, "application/json"),
    ],
)
def test_a_no_in_a_header_holds_whatever_the_body_is(
    server: IntakeServer, body: bytes, kind: str
) -> None:
    before = server.counted("suppressed"), server.counted("sent")
    headers = {**to_binary(event(consent=False), JSONFormat()).headers, "content-type": kind}
    assert server.request("POST", "/v1/events", body, headers).status == 201
    assert (server.counted("suppressed"), server.counted("sent")) == (before[0] + 1, before[1] + 1)
    assert b"anna-7351" not in b"".join(path.read_bytes() for path in server.log.rglob("*.jsonl"))


def test_the_senders_own_sampling_is_kept_with_the_event(server: IntakeServer) -> None:
    sent = event(sampledrate=20)
    assert post(server, to_binary(sent, JSONFormat())).status == 201
    assert stored(server, sent.get_id())["sample_rate"] == pytest.approx(0.05)


def test_private_fields_of_a_refused_event_are_sealed(server: IntakeServer) -> None:
    wrong = event({**EXAMPLE, "userId": 987_654_321, "loadEventEnd": "late"})
    assert post(server, to_structured(wrong, JSONFormat())).status == 400
    server.loader.drain()
    rows = server.query("SELECT raw, sealed FROM NavigationTiming_invalid WHERE id = :id",
                        id=wrong.get_id())  # fmt: skip
    assert len(rows) == 1
    assert rows[0]["sealed"] == 1
    assert "987654321" not in rows[0]["raw"]


def test_the_log_of_what_was_sent_adds_up(server: IntakeServer, tmp_path: Path) -> None:
    server.loader.drain()
    sums = {
        row["outcome"]: int(row["n"])
        for row in server.query("SELECT outcome, SUM(count) AS n FROM ledger GROUP BY outcome")
    }
    assert sums.pop("sent") == sum(sums.values())
