"""Several web processes on one log folder, one of them killed again and again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlogging.ledger.proof import prove
from tests.intake_server import good
from tests.robustness.web import WebServer
from tests.servers import ROOT, free_port, wait_until

KILLS = 5


class Worker(WebServer):
    """One more web process on the data folder of another."""

    def __init__(self, first: WebServer) -> None:
        self.var = first.var
        self.port = free_port()
        self.environment = {**first.environment, "EVENTLOGGING_LISTEN": f"127.0.0.1:{self.port}"}
        self._process = None

    def kill(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)


@pytest.fixture
def first(tmp_path: Path) -> Iterator[WebServer]:
    made = WebServer(tmp_path / "var", EVENTLOGGING_SEGMENT_BYTES="300000")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def workers(first: WebServer) -> Iterator[list[WebServer]]:
    """Three web processes; the last is the one to be killed."""
    all_of_them = [first]
    for _ in range(2):
        worker = Worker(first)
        worker.start()
        all_of_them.append(worker)
    yield all_of_them
    for worker in all_of_them[1:]:
        worker.stop()


@pytest.fixture
def loader(first: WebServer) -> Iterator[subprocess.Popen[bytes]]:
    """The one loader, in a process of its own."""
    with (first.var / "loader.txt").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "eventlogging.cli.main", "loader"],
            env=first.environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    yield process
    process.terminate()
    process.wait(20)


class Sender(threading.Thread):
    """Sends batches to one of the processes; to another, with the same ids, where that fails."""

    def __init__(self, workers: list[WebServer], favourite: int) -> None:
        super().__init__(daemon=True)
        self._workers = workers
        self._favourite = favourite
        self.enough = threading.Event()
        self.acknowledged: set[str] = set()
        self.failures = 0

    def run(self) -> None:
        while not self.enough.wait(0.005):
            events = [good() for _ in range(random.randint(1, 20))]
            worker = self._workers[self._favourite]
            while not self._is_taken(worker, events):
                self.failures += 1
                worker = random.choice(self._workers)
            self.acknowledged |= {event["id"] for event in events}

    def _is_taken(self, worker: WebServer, events: list[object]) -> bool:
        try:
            return worker.post(events).status == 201
        except OSError:
            time.sleep(0.02)
            return False


def test_three_processes_share_a_log_while_one_of_them_is_killed_again_and_again(
    first: WebServer, workers: list[WebServer], loader: subprocess.Popen[bytes]
) -> None:
    assert len({worker.port for worker in workers}) == 3
    senders = [Sender(workers, number % 3) for number in range(6)]
    for sender in senders:
        sender.start()
    victim = workers[2]
    assert isinstance(victim, Worker)
    for _ in range(KILLS):
        time.sleep(random.uniform(0.05, 0.5))
        victim.kill()
        time.sleep(random.uniform(0, 0.2))
        victim.start()
    for sender in senders:
        sender.enough.set()
    for sender in senders:
        sender.join(20)
        assert not sender.is_alive()
    acknowledged = set().union(*(sender.acknowledged for sender in senders))
    assert len(acknowledged) > 500
    assert sum(sender.failures for sender in senders) >= KILLS

    def stored() -> list[str]:
        return [row["id"] for row in first.query("SELECT id FROM NavigationTiming_1")]

    wait_until(lambda: acknowledged <= set(stored()), 30)
    assert len(stored()) == len(set(stored()))
    assert loader.poll() is None
    wait_until(lambda: prove(first.database).discrepancies == (), 20)
    assert all(worker.is_alive() for worker in workers)
    assert "Traceback" not in first.output()
