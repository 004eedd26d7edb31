"""The web process as it is run, collector and console; its cases counted, its memory watched."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from typing import Any

import psutil

from tests.intake_server import IntakeServer, good
from tests.robustness.wire import Wire
from tests.servers import ROOT, wait_until

MIB = 1024 * 1024


class WebServer(IntakeServer):
    """`eventlogging web` on a port of its own. Keeps the books of what was tried on it."""

    command: tuple[str, ...] = ("-m", "eventlogging.cli.main", "web")

    def start(self) -> None:
        with (self.var / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *self.command],
                env=self.environment, cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output,
            )  # fmt: skip
        wait_until(self._is_ready, 30, self.is_alive)

    def wire(self, timeout: float = 5.0) -> Wire:
        """A bare connection whose answers can be read."""
        return Wire("127.0.0.1", self.port, timeout)

    def connections(self) -> list[int]:
        """The ports of the clients that the process holds a connection to."""
        held = psutil.Process(self.pid).net_connections("tcp")
        return [connection.raddr.port for connection in held if connection.raddr]


class Books:
    """Counts cases and checks, after each, that the server is the same and takes the next event."""

    def __init__(self, server: WebServer) -> None:
        self.server = server
        self.pid = server.pid
        self.cases: Counter[str] = Counter()
        self.sent: list[str] = []
        self.before = 0
        self.peak = 0
        self.slowest = 0.0
        self.jumps: list[tuple[str, int]] = []

    def settle(self) -> None:
        """Warm the server up, so that what it loads once is not taken for a leak."""
        for _ in range(50):
            self.next_event()
        for path in ("/", "/schemas", "/v1/schemas", "/schemas/NavigationTiming", "/nowhere"):
            self.server.request("GET", path)
        # What the largest refusal needs remains with the process; it must not grow from there.
        wrong = {"schema": "NavigationTiming", "event": {"action": "x" * 1900}}
        for _ in range(3):
            assert self.server.post([wrong] * 2000).status == 400
        self.before = self.peak = self.server.memory()

    def next_event(self) -> None:
        """Send a good event; it is to be taken within a second."""
        event: dict[str, Any] = good()
        start = time.monotonic()
        answer = self.server.post(event)
        took = time.monotonic() - start
        assert answer.status == 201, answer
        assert took < 1
        self.slowest = max(self.slowest, took)
        self.sent.append(event["id"])

    def check(self, kind: str, name: str) -> None:
        """After a case: the same process, and the next good event is taken."""
        self.cases[kind] += 1
        assert self.server.is_alive()
        assert self.server.pid == self.pid
        self.next_event()
        now = self.server.memory()
        if now - self.peak > 4 * MIB:
            self.jumps.append((name, (now - self.peak) // MIB))
        self.peak = max(self.peak, now)

    def told(self) -> str:
        """What the process made of all of it, in words."""
        return (
            f"{len(self.sent)} good events between them, the slowest answered after "
            f"{self.slowest * 1000:.0f} ms; memory {self.before / MIB:.0f} MiB before, "
            f"{self.peak / MIB:.0f} MiB at most after a case"
        )
