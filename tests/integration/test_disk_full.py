"""The log's disk fills and is freed under load: acknowledged is stored, once; refused is not."""

from __future__ import annotations

import random
import resource
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from eventlogging.ledger.proof import prove
from eventlogging.log import segment
from tests.intake_server import IntakeServer, good
from tests.servers import wait_until


class Disk(Protocol):
    """A disk that can be filled and freed."""

    def fill(self) -> None: ...

    def free(self) -> None: ...


class SmallDisk:
    """A file system of one megabyte at the log's folder; what fills it is a file of no use."""

    def __init__(self, folder: Path) -> None:
        self._useless = folder / "useless"

    def fill(self) -> None:
        with self._useless.open("ab", buffering=0) as file:
            for size in (65_536, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    continue

    def free(self) -> None:
        self._useless.unlink()


class FullForThisProcess:
    """No file of the server may grow: as a full disk, where no file system may be mounted."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def fill(self) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def free(self) -> None:
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, unlimited)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IntakeServer]:
    made = IntakeServer(tmp_path / "var", EVENTLOGGING_SEGMENT_BYTES="60000")
    yield made
    made.stop()


@pytest.fixture(params=["small", "limited"])
def disk(request: pytest.FixtureRequest, server: IntakeServer) -> Iterator[Disk]:
    """The disk of a server that has started on it."""
    mounted = request.param == "small" and _mount(server.log)
    server.start()
    yield SmallDisk(server.log) if mounted else FullForThisProcess(server.pid)
    server.stop()
    if mounted:
        subprocess.run(["umount", "--lazy", str(server.log)], check=True)


def _mount(folder: Path) -> bool:
    """Mount a file system of one megabyte, where that is permitted; else the limit has to do."""
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


class Sender(threading.Thread):
    """Sends batches of its own and never again what was refused."""

    def __init__(self, server: IntakeServer, most: int) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._most = most
        self.enough = threading.Event()
        self.acknowledged: set[str] = set()
        self.refused: set[str] = set()
        self.odd: list[Any] = []

    def run(self) -> None:
        while not self.enough.wait(0.02):
            events = [good() for _ in range(random.randint(1, self._most))]
            ids = {event["id"] for event in events}
            answer = self._server.post(events)
            if answer.status == 201:
                self.acknowledged |= ids
            elif answer.status == 503 and int(answer.headers["retry-after"]) > 0:
                self.refused |= ids
            else:
                self.odd.append(answer)


def test_what_was_acknowledged_is_stored_once_and_what_was_refused_is_not(
    server: IntakeServer, disk: Disk
) -> None:
    senders = [Sender(server, most) for most in (1, 5, 40)]
    stop = threading.Event()
    loading = threading.Thread(target=server.loader.run, args=(stop.is_set,))
    for thread in (*senders, loading):
        thread.start()
    for _ in range(4):
        time.sleep(0.3)
        disk.fill()
        wait_until(lambda: server.post(good()).status == 503, 5)
        time.sleep(0.3)
        disk.free()
        _make_room(server)
        wait_until(lambda: server.request("GET", "/readyz").status == 200, 5)
    for sender in senders:
        sender.enough.set()
        sender.join(10)
    stop.set()
    loading.join(10)
    server.loader.drain()
    assert [sender.odd for sender in senders] == [[], [], []]
    acknowledged = set().union(*(sender.acknowledged for sender in senders))
    refused = set().union(*(sender.refused for sender in senders))
    assert len(acknowledged) > 50
    assert len(refused) > 20
    stored = [row["id"] for row in server.query("SELECT id FROM NavigationTiming_1")]
    assert len(stored) == len(set(stored))
    assert acknowledged <= set(stored)
    assert not refused & set(stored), "nothing of a refused request was kept"
    assert prove(server.database).discrepancies == ()
    assert "Traceback" not in server.output()


def test_a_disk_that_stays_full_is_not_littered_and_recovers_by_itself(
    server: IntakeServer, disk: Disk
) -> None:
    first = good()
    assert server.post(first).status == 201
    disk.fill()
    wait_until(lambda: server.post([good() for _ in range(200)]).status == 503, 5)
    before = len(_files(server))
    for _ in range(50):
        assert server.post(good()).status == 503
    wait_until(lambda: server.request("GET", "/readyz").status == 503, 5)
    assert len(_files(server)) <= before, "each try leaves nothing behind"
    disk.free()
    event = good()
    assert server.post(event).status == 201, "at once, and without a restart"
    assert server.stored(first["id"])
    assert server.stored(event["id"])
    assert prove(server.database).discrepancies == ()


def _files(server: IntakeServer) -> list[Path]:
    return [path for path in server.log.rglob("*") if path.is_file() and path.name != "useless"]


def _make_room(server: IntakeServer) -> None:
    """Delete segments that are loaded, as an operator would, for a megabyte is soon full."""
    done = server.query("SELECT segment FROM checkpoint WHERE finished = 1")
    for row in done:
        segment.data_path(server.log, row["segment"]).unlink(missing_ok=True)
        segment.synced_path(server.log, row["segment"]).unlink(missing_ok=True)
