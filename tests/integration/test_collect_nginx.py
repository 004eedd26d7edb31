"""A real nginx answers beacons as docs/edge-logs.md says, and `collect` reads its log."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge import AGENT, Edge, query
from tests.intake_server import good
from tests.servers import ROOT, free_port, wait_until

_PAGE = (ROOT / "docs/edge-logs.md").read_text("utf-8")
_CONFIG = """
{user} daemon off; worker_processes 2; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {http}
  server {{ listen 127.0.0.1:{port}; {server} }}
}}
"""


def block(start: str) -> str:
    """The indented block of the page's section on nginx that begins with some words."""
    found = re.search(rf"^(    {re.escape(start)}.*\n(?:    .*\n)*)", _PAGE, re.M)
    assert found is not None
    return found[1]


FORMAT = block("eventlogging collect --from /var/log/nginx/events.log --follow --format")
FORMAT = FORMAT.split("'")[1].replace("\\t", "\t")


class Nginx:
    def __init__(self, program: str, folder: Path, log: Path) -> None:
        self.port = free_port()
        folder.mkdir()
        folder.chmod(0o755)
        server = block("location = /beacon/event").replace("/var/log/nginx/events.log", str(log))
        config = folder / "nginx.conf"
        # Else root's nginx would work as somebody who may not enter the tests' folders.
        user = "user root;" if os.getuid() == 0 else ""
        config.write_text(
            _CONFIG.format(
                user=user,
                folder=folder,
                port=self.port,
                http=block("log_format eventlogging"),
                server=server,
            )
        )
        self._error = folder / "error.log"
        with (folder / "output.txt").open("wb") as output:
            self.process = subprocess.Popen(
                [program, "-c", str(config), "-p", str(folder)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        try:
            wait_until(self._answers, 20, lambda: self.process.poll() is None)
        except (RuntimeError, TimeoutError):
            self.process.kill()
            raise

    def _answers(self) -> bool:
        try:
            return self.get("/nothing") == 404
        except OSError:
            return False

    def get(self, path: str, **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request("GET", path, headers={"User-Agent": AGENT, **named})
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture
def program() -> str:
    """Where nginx is. Absent: skipped at home, a failure in CI."""
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("nginx is not installed; bin/test installs it")
        pytest.skip("nginx is not installed; bin/test installs it")
    return found


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    made = Edge(tmp_path)
    yield made
    made.platform.database.close()


@pytest.fixture
def nginx(program: str, edge: Edge, tmp_path: Path) -> Iterator[Nginx]:
    made = Nginx(program, tmp_path / "nginx", edge.log)
    yield made
    made.process.terminate()
    made.process.wait(20)


def test_what_nginx_answers_with_204_ends_in_the_tables(edge: Edge, nginx: Nginx) -> None:
    for number in range(20):
        assert nginx.get(f"/beacon/event{query(good(wiki=f'Zürich {number}'))}") == 204
    without_id = {name: value for name, value in good().items() if name != "id"}
    assert nginx.get(f"/beacon/event{query(without_id)}") == 204
    assert nginx.get(f"/beacon/event{query(without_id)}") == 204
    assert nginx.get(f"/beacon/event{query(good())}", DNT="1") == 204
    assert nginx.get(f"/beacon/event{query(good())}", Sec_GPC="1") == 204
    assert nginx.get(f"/beacon/event{query(good())}", Cookie="a=b; eventlogging_opt_out=1") == 204
    only = "a=b; eventlogging_opt_out_for=Other:NavigationTiming"
    assert nginx.get(f"/beacon/event{query(good())}", Cookie=only) == 204
    assert nginx.get('/beacon/event?{"schema":"NavigationTiming"};') == 204  # as curl would
    assert nginx.get("/beacon/event") == 204
    assert nginx.get(f"/beacon/event{query(good())}", User_Agent='tabs\tand "quotes" \\ é') == 204
    wait_until(lambda: edge.log.read_bytes().count(b"\n") == 29, 10)
    assert edge.collect(format=FORMAT).lines == 29
    assert edge.ledger() == {"sent": 29, "valid": 23, "invalid": 2, "suppressed": 4}
    rows = edge.rows()
    assert {row["wiki"] for row in rows} >= {f"Zürich {number}" for number in range(20)}
    assert [row["user_agent_browser"] for row in rows].count("Firefox") == 22
    assert b"127.0.0.1" not in edge.log.read_bytes()


def test_nginx_rotates_its_log_while_it_is_followed(
    edge: Edge, nginx: Nginx, tmp_path: Path
) -> None:
    with edge.following(format=FORMAT) as totals:
        for round_ in range(3):
            for _ in range(10):
                assert nginx.get(f"/beacon/event{query(good())}") == 204
            edge.log.rename(tmp_path / f"access.log.{round_}")
            for _ in range(5):  # into the renamed file
                assert nginx.get(f"/beacon/event{query(good())}") == 204
            nginx.process.send_signal(signal.SIGUSR1)
            wait_until(edge.log.exists, 10)
        assert nginx.get(f"/beacon/event{query(good())}") == 204
        wait_until(lambda: totals.lines >= 46, 20)
    assert edge.ledger() == {"sent": 46, "valid": 46}
