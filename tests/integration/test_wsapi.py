"""The KPI back end: documents of a dialog, coarse before they are written, stored once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from eventlogging import clock
from tests.intake_server import Answer, IntakeServer

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    made = IntakeServer(tmp_path_factory.mktemp("wsapi"))
    made.start()
    yield made
    made.stop()


class Dialog:
    """A browser that has asked for its token."""

    def __init__(self, server: IntakeServer) -> None:
        self.server = server
        answer = server.request("GET", "/wsapi/session_context")
        assert answer.status == 200
        self.token = answer.json["csrf_token"]
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        assert "SameSite=Lax" in answer.headers["set-cookie"]

    def send(self, body: Any, **headers: str) -> Answer:
        named = {"Cookie": self.cookie, "X-CSRF-Token": self.token, "User-Agent": BROWSER}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.server.request("POST", "/wsapi/interaction_data", data, named)


@pytest.fixture
def dialog(server: IntakeServer) -> Dialog:
    return Dialog(server)


def document(**more: Any) -> dict[str, Any]:
    stream = [["picker", 732], ["picker::change", 1700.5], ["picker::signin", 2300]]
    return {
        "timestamp": clock.now_ms(), "event_stream": stream, "sample_rate": 0.5, "language": "de",
        **more,
    }  # fmt: skip


def rows(server: IntakeServer, language: str) -> list[Any]:
    server.loader.drain()
    return server.query(
        "SELECT * FROM DialogInteraction_1 WHERE event_language = :language", language=language
    )


def test_a_document_is_stored_coarse(server: IntakeServer, dialog: Dialog) -> None:
    assert dialog.send(document(language="x1")).json == {"success": True}
    (row,) = rows(server, "x1")
    assert json.loads(row["event_event_stream"]) == document()["event_stream"]
    assert row["event_timestamp"] % 600_000 == 0
    for time in (row["dt"], row["received"]):
        assert time[15:] == "0:00.000", "minutes are tens"
    assert row["event_user_agent_browser"] == "Firefox"
    assert row["sample_rate"] == 0.5


def test_no_exact_time_and_no_header_is_in_the_log(server: IntakeServer, dialog: Dialog) -> None:
    sent = document(timestamp=clock.now_ms() // 600_000 * 600_000 + 123_457, user_agent=BROWSER)
    assert dialog.send(sent).status == 200
    log = b"".join(path.read_bytes() for path in server.log.rglob("*.jsonl"))
    assert str(sent["timestamp"]).encode() not in log
    assert b"rv:140" not in log


def test_a_document_sent_again_is_a_duplicate(server: IntakeServer, dialog: Dialog) -> None:
    before = server.counted("duplicate")
    sent = document(language="x2")
    for _ in range(3):
        assert dialog.send(sent).status == 200
    assert len(rows(server, "x2")) == 1
    assert server.counted("duplicate") == before + 2


def test_many_documents_come_in_one_body(server: IntakeServer, dialog: Dialog) -> None:
    body = {"csrf": dialog.token, "data": [document(language="x3", number_emails=n) for n in "12"]}
    assert dialog.send(body, x_csrf_token="").status == 400, "numbers are no texts"
    body["data"] = [document(language="x3", number_emails=n) for n in (1, 2)]
    assert dialog.send(body, x_csrf_token="").status == 200
    assert len(rows(server, "x3")) == 2


def test_one_wrong_document_costs_no_other(server: IntakeServer, dialog: Dialog) -> None:
    wrong = document(language="x4", email_type="carrier pigeon")
    body = {"csrf": dialog.token, "data": [document(language="x4"), wrong]}
    answer = dialog.send(body)
    assert answer.status == 400
    assert answer.codes == {1: "value_not_allowed"}
    assert len(rows(server, "x4")) == 1


@pytest.mark.parametrize("how", ["none", "wrong", "another's"])
def test_without_its_token_nothing_is_taken(server: IntakeServer, how: str) -> None:
    before = server.counted("sent")
    dialog, other = Dialog(server), Dialog(server)
    token = {"none": "", "wrong": "x" * 48, "another's": other.token}[how]
    if how == "another's":
        assert other.token != dialog.token
    answer = dialog.send(document(), x_csrf_token=token)
    assert answer.status == 403
    assert b"/wsapi/session_context" in answer.body
    assert server.counted("sent") == before


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 403), (b"[]", 403), (b'{"data": []}', 400), (b"7", 400),
     (b'{"timestamp": 1e400}', 400), (b"[[[[", 400)],
)  # fmt: skip
def test_what_is_no_document_is_refused(
    server: IntakeServer, dialog: Dialog, body: bytes, status: int
) -> None:
    answer = dialog.send(body, **({"x_csrf_token": ""} if status == 403 else {}))
    assert answer.status == status, answer.body
    assert server.is_alive()


def test_a_key_given_twice_is_refused(server: IntakeServer, dialog: Dialog) -> None:
    body = json.dumps(document(language="x6"))[:-1] + ', "language": "en"}'
    answer = dialog.send(body.encode())
    assert (answer.status, answer.codes) == (400, {0: "duplicate_key"})


def test_documents_are_as_large_as_each_is(server: IntakeServer, dialog: Dialog) -> None:
    stream = [["picker::" + "x" * 240, 732]] * 400
    data = [document(language="x7", event_stream=stream, number_emails=n) for n in range(4)]
    assert len(json.dumps(data)) > 262_144
    assert dialog.send({"csrf": dialog.token, "data": data}).status == 200
    assert len(rows(server, "x7")) == 4


@pytest.mark.parametrize("stamp", [1e300, -1e300, 2.0**63, None, "now"])
def test_a_wrong_timestamp_is_a_refusal_and_no_fault(
    server: IntakeServer, dialog: Dialog, stamp: Any
) -> None:
    before = server.counted("sent")
    answer = dialog.send(document(timestamp=stamp))
    assert answer.status == 400, answer.body
    assert answer.codes[0] in ("out_of_bounds", "type_mismatch")
    assert server.counted("sent") == before + 1


def test_of_a_body_that_cannot_be_read_nothing_exact_is_kept(
    server: IntakeServer, dialog: Dialog
) -> None:
    exact = clock.now_ms() // 600_000 * 600_000 + 234_561
    text = json.dumps(document(timestamp=exact, user_agent=BROWSER, csrf=dialog.token)).encode()
    for body in (
        text[:-1],
        b"[" + text + b", {}" * 2000 + b"]",
        b'{"csrf": "", "data": [' + text + b", {}" * 2000 + b"]}",
        text[:-1] + b', "n": 1e400}',
        json.dumps([[json.loads(text)], text.decode()]).encode(),
        text + b" " * 4_194_304,
    ):
        assert dialog.send(body).status in (400, 413), body[:40]
    log = b"".join(path.read_bytes() for path in server.log.rglob("*.jsonl"))
    for secret in (str(exact), "rv:140", dialog.token):
        assert secret.encode() not in log


def test_who_says_no_is_suppressed(server: IntakeServer, dialog: Dialog) -> None:
    before = server.counted("suppressed")
    assert dialog.send(document(language="x5"), Sec_GPC="1").status == 200
    assert rows(server, "x5") == []
    assert server.counted("suppressed") == before + 1


def test_the_books_add_up(server: IntakeServer) -> None:
    server.loader.drain()
    sums = {
        row["outcome"]: int(row["n"])
        for row in server.query("SELECT outcome, SUM(count) AS n FROM ledger GROUP BY outcome")
    }
    assert sums.pop("sent") == sum(sums.values())
