"""Webhooks: signed, made again until they arrive, and never into our own network unasked."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.alerts import call, webhooks
from eventlogging.alerts.call import CallFailed, post
from eventlogging.alerts.episode import Episode
from eventlogging.config import Config
from eventlogging.store.database import Database
from eventlogging.store.fixed import webhook_call
from eventlogging.store.migrate import migrate

EPISODE = Episode(1, "throughput", "Click", "2026-11-22T07:00:00.000Z", 250.0)


class Tool:
    """A chat tool on a port of this machine; `answers` are the statuses of the next calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        tool = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                tool.calls.append((dict(self.headers), body))
                self.send_response(tool.answers.pop(0) if tool.answers else 200)
                self.send_header("Location", tool.url)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?room=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def tool() -> Iterator[Tool]:
    made = Tool()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    migrate(made)
    yield made
    made.close()


def config(tmp_path: Path, **more: Any) -> Config:
    return Config(var=tmp_path, **{"webhook_private": True, **more})


def queue(database: Database, url: str, what: str = "opened") -> None:
    with database.write() as connection:
        webhooks.queue(connection, url, EPISODE, what, "Click: 250 events/s", "https://e.example")


def rows(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(sa.select(webhook_call).order_by(webhook_call.c.id)))


def later(monkeypatch: pytest.MonkeyPatch, minutes: float) -> None:
    monkeypatch.setattr(clock, "offset_ms", round(clock.offset_ms + minutes * 60_000))


def test_a_call_says_what_happened_and_is_signed(
    database: Database, tool: Tool, tmp_path: Path
) -> None:
    queue(database, tool.url)
    queue(database, tool.url)
    done = webhooks.deliver_due(database, config(tmp_path, webhook_secret="s3cret"))
    assert (done.sent, len(tool.calls)) == (1, 1), "the same is queued once"
    headers, body = tool.calls[0]
    said = json.loads(body)
    assert said["text"] == "Click: 250 events/s https://e.example/alerts"
    assert (said["event"], said["schema"], said["value"]) == ("alert.opened", "Click", 250.0)
    assert headers["Content-Type"] == "application/json"
    stamp, signed = headers[webhooks.SIGNATURE].removeprefix("t=").split(",sha256=")
    wanted = hmac.new(b"s3cret", stamp.encode() + b"." + body, "sha256").hexdigest()
    assert hmac.compare_digest(signed, wanted)
    assert webhooks.deliver_due(database, config(tmp_path)).sent == 0


def test_without_a_secret_there_is_no_signature(
    database: Database, tool: Tool, tmp_path: Path
) -> None:
    queue(database, tool.url)
    webhooks.deliver_due(database, config(tmp_path))
    assert webhooks.SIGNATURE not in tool.calls[0][0]


def test_a_call_that_fails_is_made_again_with_the_same_id(
    database: Database, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool.answers = [500, 503]
    queue(database, tool.url)
    assert webhooks.deliver_due(database, config(tmp_path)).later == 1
    assert webhooks.deliver_due(database, config(tmp_path)).later == 0, "not before its time"
    later(monkeypatch, 1.1)
    assert webhooks.deliver_due(database, config(tmp_path)).later == 1
    later(monkeypatch, 1.1)
    assert webhooks.deliver_due(database, config(tmp_path)) == webhooks.Round()
    later(monkeypatch, 1)
    assert webhooks.deliver_due(database, config(tmp_path)).sent == 1
    assert len({headers["X-EventLogging-Id"] for headers, _ in tool.calls}) == 1
    assert len(tool.calls) == 3


@pytest.mark.parametrize("status", [302, 404, 410])
def test_an_answer_that_will_not_change_ends_it(
    database: Database, tool: Tool, tmp_path: Path, status: int
) -> None:
    tool.answers = [status]
    queue(database, tool.url)
    assert webhooks.deliver_due(database, config(tmp_path)).failed == 1
    assert len(tool.calls) == 1, "redirects are not followed"
    assert rows(database)[0].trouble == f"answered {status}"


def test_after_a_day_it_is_given_up(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(database, "http://127.0.0.1:9/")
    for _ in range(webhooks.MOST_ATTEMPTS):
        webhooks.deliver_due(database, config(tmp_path))
        later(monkeypatch, 361)
    (row,) = rows(database)
    assert (row.state, row.attempts) == ("failed", webhooks.MOST_ATTEMPTS)
    assert "Connection refused" in row.trouble


def test_a_call_whose_process_died_is_made_once_more(
    database: Database, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(database, tool.url)

    class Died(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(webhooks, "post", die)
        with pytest.raises(Died):
            webhooks.deliver_due(database, config(tmp_path))
    assert webhooks.deliver_due(database, config(tmp_path)).sent == 0, "its lease holds"
    later(monkeypatch, 3)
    assert webhooks.deliver_due(database, config(tmp_path)).sent == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://localhost/", "https://10.0.0.1/", "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data/", "https://[::1]/", "https://[fe80::1]/",
        "https://[::ffff:127.0.0.1]/", "https://0.0.0.0/", "https://0x7f000001/",
        "https://2130706433/", "https://[64:ff9b::7f00:1]/", "https://100.64.0.1/",
        "http://93.184.216.34/", "ftp://example.org/", "file:///etc/passwd", "https://",
        "https://[::1", "https://example.org:99999/",
    ],
)  # fmt: skip
def test_private_addresses_are_not_called(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: Any) -> None:
        raise AssertionError("it connected")

    monkeypatch.setattr(call.socket, "create_connection", connect)
    with pytest.raises(CallFailed) as raised:
        post(url, b"{}", {}, allow_private=False)
    assert not raised.value.may_be_repeated


def test_a_name_that_changes_its_address_gains_nothing(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection goes to the address that was checked; the name is not looked up again."""
    looked_up: list[str] = []

    def look_up(host: str, port: int, **_: Any) -> Any:
        looked_up.append(host)
        return [(0, 0, 0, "", ("93.184.216.34" if len(looked_up) == 1 else "127.0.0.1", port))]

    connected: list[Any] = []

    def connect(address: Any, timeout: float) -> None:
        connected.append(address)
        raise OSError("no network here")

    monkeypatch.setattr(call.socket, "getaddrinfo", look_up)
    monkeypatch.setattr(call.socket, "create_connection", connect)
    with pytest.raises(CallFailed):
        post("https://chat.example.org/", b"{}", {}, allow_private=False)
    assert (looked_up, connected) == (["chat.example.org"], [("93.184.216.34", 443)])


def test_one_private_address_among_public_ones_is_enough_to_refuse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [(0, 0, 0, "", (address, 443)) for address in ("93.184.216.34", "10.0.0.7")]
    monkeypatch.setattr(call.socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(CallFailed, match=r"10\.0\.0\.7, which is not public"):
        post("https://chat.example.org/", b"{}", {}, allow_private=False)
