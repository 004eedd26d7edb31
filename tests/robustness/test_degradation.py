"""When the machine fails: a disk that hangs, a folder that vanishes, too many connections."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eventlogging.ledger.proof import prove
from tests.intake_server import good
from tests.robustness import crowded
from tests.robustness.web import MIB, WebServer
from tests.servers import wait_until

QUEUE = 2 * MIB
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    made = WebServer(tmp_path / "var", EVENTLOGGING_LOG_QUEUE_BYTES=str(QUEUE))
    yield made
    (made.var / "hang").unlink(missing_ok=True)
    made.stop()


class Sender(threading.Thread):
    """Sends batches until it may stop; what is not acknowledged is never sent again."""

    def __init__(self, server: WebServer) -> None:
        super().__init__(daemon=True)
        self._server = server
        self.enough = threading.Event()
        self.acknowledged: set[str] = set()
        self.refused: set[str] = set()
        self.slowest_refusal = 0.0
        self.odd: list[int] = []

    def run(self) -> None:
        while not self.enough.is_set():
            events = [good() for _ in range(200)]
            ids = {event["id"] for event in events}
            start = time.monotonic()
            answer = self._server.post(events)
            if answer.status == 201:
                self.acknowledged |= ids
            elif answer.status == 503 and int(answer.headers["retry-after"]) > 0:
                self.refused |= ids
                self.slowest_refusal = max(self.slowest_refusal, time.monotonic() - start)
                time.sleep(0.05)
            else:
                self.odd.append(answer.status)


def test_while_the_disk_hangs_memory_is_bounded_and_what_does_not_fit_is_refused(
    server: WebServer,
) -> None:
    server.command = ("-m", "tests.robustness.hanging")
    server.start()
    for _ in range(5):
        assert server.post([good() for _ in range(500)]).status == 201
    before = server.memory()
    flag = server.var / "hang"
    flag.touch()
    senders = [Sender(server) for _ in range(60)]
    for sender in senders:
        sender.start()
    wait_until(lambda: sum(len(sender.refused) for sender in senders) > 8000, 20)
    peak = server.memory()
    start = time.monotonic()
    assert server.request("GET", "/healthz").status == 200
    assert time.monotonic() - start < 2
    flag.unlink()
    for sender in senders:
        sender.enough.set()
    for sender in senders:
        sender.join(15)
        assert not sender.is_alive()
    assert [sender.odd for sender in senders] == [[]] * 60
    assert peak - before < 10 * QUEUE + 32 * MIB
    assert max(sender.slowest_refusal for sender in senders) < 5
    wait_until(lambda: server.request("GET", "/readyz").status == 200, 5)
    server.loader.drain()
    stored = [row["id"] for row in server.query("SELECT id FROM NavigationTiming_1")]
    acknowledged = set().union(*(sender.acknowledged for sender in senders))
    refused = set().union(*(sender.refused for sender in senders))
    assert acknowledged
    assert len(stored) == len(set(stored))
    assert acknowledged <= set(stored)
    assert not refused & set(stored)
    assert prove(server.database).discrepancies == ()


def test_while_the_disk_hangs_the_process_says_soon_that_it_is_not_ready(
    server: WebServer,
) -> None:
    server.command = ("-m", "tests.robustness.hanging")
    server.start()
    (server.var / "hang").touch()
    time.sleep(1.1)  # for as long the last answer is still good
    start = time.monotonic()
    assert server.request("GET", "/readyz").status == 503
    assert time.monotonic() - start < 5
    assert server.request("GET", "/healthz").status == 200
    (server.var / "hang").unlink()
    wait_until(lambda: server.request("GET", "/readyz").status == 200, 5)


def moved(log: Path) -> None:
    log.rename(log.with_name("elsewhere"))


def moved_and_made_anew(log: Path) -> None:
    moved(log)
    log.mkdir()


def deleted(log: Path) -> None:
    shutil.rmtree(log)


def unmounted(log: Path) -> None:
    """Unmount the folder, where it could be mounted; else what looks the same to the process."""
    if log.is_mount():
        subprocess.run(["umount", "--lazy", str(log)], check=True)
    else:
        moved_and_made_anew(log)


@pytest.mark.parametrize("vanish", [moved, moved_and_made_anew, deleted, unmounted])
def test_nothing_is_acknowledged_into_a_folder_that_is_not_there(
    server: WebServer, vanish: Callable[[Path], None]
) -> None:
    if vanish is unmounted:
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(server.log)]
        if shutil.which("mount"):
            subprocess.run(mount, check=False, capture_output=True)
    server.start()
    first = good()
    assert server.post(first).status == 201
    assert server.stored(first["id"])
    vanish(server.log)
    answers = []
    for _ in range(10):
        event = good()
        answers.append((event["id"], server.post(event).status))
    assert answers[0][1] == 503, "this one was written to where nobody will look"
    assert {status for _, status in answers} <= {201, 503}
    last = good()
    wait_until(lambda: server.request("GET", "/readyz").status == 200, 5)
    assert server.post(last).status == 201, "in a new folder, without a restart"
    for id, status in [*answers, (last["id"], 201)]:
        assert server.stored(id) == (status == 201)
    assert "the log cannot keep events" in server.output()
    assert "the log keeps events again" in server.output()
    assert "Traceback" not in server.output()
    assert prove(server.database).discrepancies == ()


def test_of_too_many_connections_those_go_that_idle_longest(server: WebServer) -> None:
    server.command = ("-m", "tests.robustness.crowded")
    server.start()
    most = crowded.CONNECTIONS
    idle = [server.wire() for _ in range(3 * most)]
    for _ in range(50):
        assert server.post(good()).status == 201, "a new one is always served"
    assert len(server.connections()) <= most + 1
    newest = idle[-1]
    newest.send(GET)
    reply = newest.reply()
    assert reply is not None
    assert reply.status == 200
    assert idle[0].is_closed(1)
    for wire in idle:
        wire.socket.close()


def test_where_all_connections_are_at_work_a_new_one_is_told_to_come_back(
    server: WebServer,
) -> None:
    server.command = ("-m", "tests.robustness.crowded")
    server.start()
    busy = [server.wire() for _ in range(crowded.CONNECTIONS)]
    for wire in busy:
        wire.send(b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
    wait_until(lambda: _is_refused(server), 5)
    for wire in busy:
        wire.socket.close()
    wait_until(lambda: server.post(good()).status == 201, 5)
    assert server.is_alive()


def _is_refused(server: WebServer) -> bool:
    with server.wire() as wire:
        wire.send(GET)
        reply = wire.reply()
        return reply is not None and reply.status == 503 and "retry-after" in reply.headers


def test_a_process_that_is_told_to_stop_does_so_while_clients_dawdle(server: WebServer) -> None:
    server.start()
    idle = [server.wire() for _ in range(20)]
    for wire in idle[:10]:
        wire.send(GET)
    for wire in idle[10:]:
        wire.send(GET[:-2])
    event = good()
    assert server.post(event).status == 201
    assert server._process is not None
    server._process.terminate()
    server._process.wait(14)
    assert server.stored(event["id"])
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.port), 1).close()
    for wire in idle:
        wire.socket.close()
