"""Real servers for tests: a private MariaDB, and EventLogging itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent


_WORKERS, _EACH = 3, 3800  # that run at once, and how many ports each has for itself


def _ports() -> range:
    """The ports of this run of tests: below the range that outgoing connections use.

    Of workers side by side each has its own, for what one finds free another might take.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    first = 20000 + int(worker) % _WORKERS * _EACH
    return range(first + os.getpid() % (_EACH // 2), first + _EACH)


def free_port() -> int:
    """A port that nobody listens at."""
    for port in _ports():
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


def free_port_after(port: int) -> int:
    """A free port above another, below the range that outgoing connections use."""
    for candidate in range(port + 1, _ports().stop):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return candidate
    raise RuntimeError("no free port")


def wait_until(
    condition: Callable[[], bool], seconds: float = 30, alive: Callable[[], bool] | None = None
) -> None:
    """Wait for a condition, with a deadline, and no longer than what it waits for lives."""
    deadline = time.monotonic() + seconds
    while not condition():
        if alive is not None and not alive():
            raise RuntimeError("the process ended while it was waited for")
        if time.monotonic() > deadline:
            raise TimeoutError("the condition did not come true in time")
        time.sleep(0.05)


class MariaDB:
    """A private server in a folder of its own; root without a password on 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._data = folder / "data"
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [
                "mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={self._data}",
                "--auth-root-authentication-method=normal", "--skip-test-db",
                "--innodb-log-file-size=8M",
            ],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    @staticmethod
    def is_installed() -> bool:
        return shutil.which("mariadbd") is not None

    def start(self) -> None:
        for _ in range(3):
            self._process = subprocess.Popen(
                [
                    "mariadbd", "--no-defaults", "--user=root", f"--datadir={self._data}",
                    f"--socket={self.folder}/s.sock", f"--port={self.port}",
                    "--bind-address=127.0.0.1", f"--pid-file={self.folder}/pid",
                    "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=64M",
                    "--character-set-server=utf8mb4", "--skip-name-resolve",
                    f"--log-error={self.folder}/err.log",
                    # A server that starts deletes what it takes for its own in there.
                    f"--tmpdir={self.folder}/tmp",
                ],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            try:
                wait_until(self._answers, 30, self.is_alive)
                return
            except RuntimeError:
                self.port = free_port()
        raise RuntimeError((self.folder / "err.log").read_text()[-2000:])

    def _answers(self) -> bool:
        return (
            subprocess.run(
                [
                    "mariadb-admin", "--no-defaults", "-uroot",
                    f"--socket={self.folder}/s.sock", "ping",
                ],
                stdin=subprocess.DEVNULL, capture_output=True, check=False,
            ).returncode
            == 0
        )  # fmt: skip

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)

    def new_database(self, name: str) -> str:
        subprocess.run(
            [
                "mariadb", "--no-defaults", "-uroot", f"--socket={self.folder}/s.sock", "-e",
                f"CREATE DATABASE {name}",
            ],
            check=True, stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip
        return f"mysql+pymysql://root@127.0.0.1:{self.port}/{name}"


class Carbon:
    """A private carbon-cache that keeps a point each minute."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("conf", "log", "whisper"):
            (folder / name).mkdir(parents=True)

    @staticmethod
    def is_installed() -> bool:
        return shutil.which("carbon-cache") is not None

    def start(self) -> None:
        for _ in range(3):
            self._launch()
            try:
                wait_until(self._answers, 30, self.is_alive)
                return
            except RuntimeError:  # somebody else was faster with one of the ports
                self.port = free_port()
        raise RuntimeError((self.folder / "output.txt").read_text()[-2000:])

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _launch(self) -> None:
        pickles = free_port_after(self.port)
        queries = free_port_after(pickles)
        (self.folder / "conf/carbon.conf").write_text(
            f"[cache]\nSTORAGE_DIR={self.folder}\nLOCAL_DATA_DIR={self.folder}/whisper\n"
            f"CONF_DIR={self.folder}/conf\nLOG_DIR={self.folder}/log\nPID_DIR={self.folder}\nUSER=\n"
            "MAX_UPDATES_PER_SECOND=inf\nMAX_CREATES_PER_MINUTE=inf\nENABLE_TAGS=False\n"
            f"LINE_RECEIVER_INTERFACE=127.0.0.1\nLINE_RECEIVER_PORT={self.port}\n"
            f"PICKLE_RECEIVER_INTERFACE=127.0.0.1\nPICKLE_RECEIVER_PORT={pickles}\n"
            f"CACHE_QUERY_INTERFACE=127.0.0.1\nCACHE_QUERY_PORT={queries}\n"
            "WHISPER_FALLOCATE_CREATE=False\n"
        )
        (self.folder / "conf/storage-schemas.conf").write_text(
            "[all]\npattern=.*\nretentions=60s:2d\n"
        )
        with (self.folder / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(
                [
                    "carbon-cache", f"--config={self.folder}/conf/carbon.conf",
                    f"--pidfile={self.folder}/carbon.pid", f"--logdir={self.folder}/log",
                    "--nodaemon", "start",
                ],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def points(self, path: str, since: int, until: int) -> dict[int, float]:
        """Return second → value of a metric, those that are there."""
        file = self.folder / "whisper" / f"{path.replace('.', '/')}.wsp"
        if not file.exists():
            return {}
        shown = subprocess.run(
            ["whisper-fetch", "--json", f"--from={since}", f"--until={until}", str(file)],
            check=True, capture_output=True, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        found = json.loads(shown.stdout)
        times = range(found["start"], found["end"], found["step"])
        return {t: v for t, v in zip(times, found["values"], strict=True) if v is not None}


class Server:
    """EventLogging as a user starts it: `eventlogging serve`, with a data folder of its own."""

    def __init__(
        self, var: Path, environment: dict[str, str] | None = None, role: str = "serve"
    ) -> None:
        self.var = var
        self._role = role
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = "test-token"
        self.environment = {
            **os.environ,
            "EVENTLOGGING_VAR": str(var),
            "EVENTLOGGING_LISTEN": f"127.0.0.1:{self.port}",
            "EVENTLOGGING_ADMIN_TOKEN": self.token,
            "EVENTLOGGING_GOVERNANCE": str(ROOT),
            **(environment or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        # Beside the data folder, in which nothing may lie that nobody explains.
        self._output = var.with_name(f"{var.name}.txt")
        var.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "eventlogging.cli.main", self._role],
                env=self.environment, cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        try:
            wait_until(self.is_ready, 60, self.is_alive)
        except (RuntimeError, TimeoutError) as error:
            raise RuntimeError(self.output()[-4000:]) from error

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def output(self) -> str:
        return self._output.read_text(errors="replace")

    def kill(self) -> None:
        """kill -9 of the supervisor and of every child at once."""
        assert self._process is not None
        for child in self.children():
            os.kill(child, signal.SIGKILL)
        self._process.kill()
        self._process.wait(10)

    def children(self) -> list[int]:
        assert self._process is not None
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        return [int(number) for task in tasks for number in task.read_text().split()]

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(30)

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `eventlogging …` with this server's settings."""
        return subprocess.run(
            [sys.executable, "-m", "eventlogging.cli.main", *words],
            env=self.environment, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, check=check, timeout=240,
        )  # fmt: skip
