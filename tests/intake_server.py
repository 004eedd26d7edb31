"""The intake as a running server: the collector in a process of its own, the loader beside it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa
import uvicorn

from eventlogging import config as settings
from eventlogging.collector.app import Collector
from eventlogging.config import Config
from eventlogging.governance.read import read_governance
from eventlogging.loader.loader import Loader
from eventlogging.platform import open_platform
from eventlogging.registry.apply import apply
from eventlogging.store.migrate import migrate
from tests.servers import ROOT, free_port, wait_until

EXAMPLE: dict[str, Any] = json.loads(
    (ROOT / "schemas/NavigationTiming/examples/only-what-is-required.pass.json").read_text()
)


def good(**capsule: Any) -> dict[str, Any]:
    """An event that is valid, with an id of its own."""
    return {
        "schema": "NavigationTiming", "event": EXAMPLE, "id": str(uuid.uuid4()), **capsule
    }  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a server answered; the names of headers are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def refusals(self) -> list[dict[str, Any]]:
        """All refused events, by index."""
        found = self.json
        items = [*found["invalid"], *found["error"]]
        return sorted(items, key=lambda item: int(item["index"]))

    @property
    def codes(self) -> dict[int, str]:
        return {item["index"]: item["code"] for item in self.refusals}


class IntakeServer:
    """A collector on a port of its own over SQLite, with the starter schemas applied."""

    def __init__(self, var: Path, **environment: str) -> None:
        self.var = var
        self.port = free_port()
        self.log = var / "log"
        self.environment = {
            **os.environ,
            "EVENTLOGGING_VAR": str(var),
            "EVENTLOGGING_LISTEN": f"127.0.0.1:{self.port}",
            "EVENTLOGGING_ADMIN_TOKEN": "test-token",
            "EVENTLOGGING_GOVERNANCE": str(ROOT),
            **environment,
        }
        self.platform = open_platform(settings.load(self.environment))
        self.database = self.platform.database
        prepare(self.platform.config)
        self.loader = Loader(self.database, self.platform.registry, self.log)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.var / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.intake_server"],
                env=self.environment, cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output,
            )  # fmt: skip
        wait_until(self._is_ready, 30, self.is_alive)

    def _is_ready(self) -> bool:
        try:
            return self.request("GET", "/readyz").status == 200
        except OSError:
            return False

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
        self.database.close()

    def output(self) -> str:
        return (self.var / "output.txt").read_text(errors="replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def memory(self) -> int:
        """Bytes of memory that the server's process holds."""
        return int(psutil.Process(self.pid).memory_info().rss)

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request on a connection of its own and wait for its answer, ten seconds at most.

        An iterator of bytes as body is sent in chunks.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def post(self, body: Any, **headers: str) -> Answer:
        """Send events; keywords become headers, `content_type` for example."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", "/v1/events", data, named)

    def connect(self) -> socket.socket:
        """A bare connection, for what no decent client sends."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def query(self, query: str, **values: Any) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(sa.text(query), values).mappings())

    def stored(self, id: str) -> bool:
        """Whether the valid event of an id is in its table, once everything is loaded."""
        self.loader.drain()
        return len(self.query("SELECT id FROM NavigationTiming_1 WHERE id = :id", id=id)) == 1

    def counted(self, outcome: str, reason: str = "") -> int:
        """How many events the ledger knows to have ended so, once everything is loaded."""
        self.loader.drain()
        rows = self.query(
            "SELECT SUM(count) AS n FROM ledger WHERE outcome = :outcome AND reason = :reason",
            outcome=outcome, reason=reason,
        )  # fmt: skip
        return int(rows[0]["n"] or 0)


def prepare(config: Config) -> None:
    """Make the tables and apply the starter schemas."""
    platform = open_platform(config)
    migrate(platform.database)
    apply(platform.database, read_governance(config.governance), "tests")
    platform.database.close()


async def not_found(_scope: Any, _receive: Any, send: Any) -> None:
    """Stands where console and JSON API are: whatever is no route of the intake."""
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def uvicorn_config(config: Config) -> tuple[uvicorn.Config, Collector]:
    """The settings that `eventlogging web` runs with, for a collector alone."""
    host, port = config.address
    collector = Collector(open_platform(config), not_found)
    return (
        uvicorn.Config(
            collector, host=host, port=port, log_level="warning", access_log=False,
            server_header=False, date_header=False, timeout_graceful_shutdown=10, backlog=2048,
        ),
        collector,
    )  # fmt: skip


if __name__ == "__main__":
    uvicorn.Server(uvicorn_config(settings.load())[0]).run()
