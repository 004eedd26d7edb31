"""Start and end the servers that are measured, each pinned to one core."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.machine import cores
from benchmarks.other_sync import MILLISECONDS
from eventlogging import config as settings
from eventlogging.governance.read import read_governance
from eventlogging.log import segment
from eventlogging.platform import open_platform
from eventlogging.registry.apply import apply
from eventlogging.store.migrate import migrate
from tests.servers import ROOT, free_port, wait_until

_NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }}
}}
"""


@dataclass(frozen=True, slots=True)
class Served:
    """A running server; `log` is the folder of its log where it keeps one."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    output: Path
    log: Path | None = None

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def rss_mb(self) -> float:
        """Return the resident memory of the process, in MB."""
        return float(psutil.Process(self.process.pid).memory_info().rss / 2**20)

    def prune(self) -> None:
        """Delete the segments that the server is done with: nobody loads them here."""
        if self.log is None:
            return
        for data in self.log.glob("*/*.jsonl"):
            synced = data.with_suffix(".synced")
            if segment.read_synced(self.log, f"{data.parent.name}/{data.stem}")[1]:
                data.unlink()
                synced.unlink()


def eventlogging_web(
    folder: Path,
    governance: Path,
    name: str = "eventlogging",
    sync_ms: float | None = None,
    token: str = "",
) -> Served:
    """Start the real web process over a fresh SQLite; without loader.

    `sync_ms` makes every sync take so long; -1 leaves them out; None is the disk as it is. `token`
    is the operator's.
    """
    var = folder / name.replace(" ", "-")
    port = free_port()
    environment = {
        "EVENTLOGGING_VAR": str(var),
        "EVENTLOGGING_LISTEN": f"127.0.0.1:{port}",
        "EVENTLOGGING_GOVERNANCE": str(governance),
        "EVENTLOGGING_ADMIN_TOKEN": token,
        MILLISECONDS: str(sync_ms),
    }
    platform = open_platform(settings.load({**os.environ, **environment}))
    migrate(platform.database)
    apply(platform.database, read_governance(governance), "benchmarks")
    platform.database.close()
    words = ["eventlogging.cli.main", "web"] if sync_ms is None else ["benchmarks.other_sync"]
    command = [sys.executable, "-m", *words]
    return _start(name, command, port, var, "/v1/events", environment, log=var / "log")


def granian(folder: Path, interface: str) -> Served:
    """Start a no-op under granian: `interface` is asgi or rsgi."""
    name = f"granian {interface}"
    port = free_port()
    command = [
        sys.executable, "-m", "granian", "--interface", interface, "--workers", "1",
        "--port", str(port), "--backlog", "2048", "--log-level", "error",
        f"benchmarks.noop:{interface}",
    ]  # fmt: skip
    return _start(name, command, port, folder / name.replace(" ", "-"))


def uvicorn_noop(folder: Path) -> Served:
    """Start the same no-op under the server that EventLogging uses."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.noop"]
    environment = {"PORT": str(port)}
    return _start("uvicorn asgi", command, port, folder / "uvicorn", environment=environment)


def nginx(folder: Path) -> Served:
    """Start nginx that answers 204 to everything; it reads bodies and throws them away."""
    own = folder / "nginx"
    own.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (own / "nginx.conf").write_text(_NGINX.format(folder=own, port=port))
    command = ["nginx", "-c", str(own / "nginx.conf"), "-e", str(own / "error.log")]
    return _start("nginx 204", command, port, own)


def _start(
    name: str,
    command: Sequence[str],
    port: int,
    folder: Path,
    path: str = "/",
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Served:
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "output.txt"
    core, _ = cores()
    with output.open("ab") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL, stdout=file, stderr=file,
        )  # fmt: skip
    # Before it has threads or children: they inherit it.
    os.sched_setaffinity(process.pid, {core})
    served = Served(name, f"http://127.0.0.1:{port}{path}", process, output, log)
    try:
        wait_until(lambda: _listens(process.pid, port), 60, lambda: process.poll() is None)
    except (RuntimeError, TimeoutError) as error:
        process.kill()
        raise RuntimeError(f"{name}: {output.read_text(errors='replace')[-3000:]}") from error
    return served


def _listens(pid: int, port: int) -> bool:
    process = psutil.Process(pid)
    return any(
        connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        for one in (process, *process.children(recursive=True))
        for connection in one.net_connections("tcp")
    )
