"""An edge and its access log, a platform that collects it, and what its books say afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from eventlogging import clock
from eventlogging import config as settings
from eventlogging.collector.edge.collect import Collect, Totals
from eventlogging.collector.edge.formats import CLASSIC, Format
from eventlogging.collector.edge.judge import Judge
from eventlogging.collector.edge.keep import Keep
from eventlogging.ledger.proof import prove
from eventlogging.loader.loader import Loader
from eventlogging.log.writer import LogWriter
from eventlogging.platform import open_platform
from tests.intake_server import good, prepare
from tests.servers import ROOT

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def query(event: Any) -> str:
    """What a browser's `encodeURIComponent(JSON.stringify(event))` gives, as a beacon's query."""
    return f"?{quote(json.dumps(event, ensure_ascii=False), safe=chr(39) + '!()*-._~')};"


def line(event: Any = None, number: int = 1, at: int | None = None) -> str:
    """A line of the classic format; without an event, of one that is valid and has an id."""
    time = clock.iso(clock.now_ms() if at is None else at)[:19]
    text = event if isinstance(event, str) else query(good() if event is None else event)
    return f"{text} edge1.example.org {number} {time} 10.9.8.7 {AGENT}\n"


class Edge:
    """A platform of its own over SQLite, in this process."""

    def __init__(self, folder: Path) -> None:
        self.var = folder / "var"
        self.log = folder / "access.log"
        self.state = folder / "state.json"
        self.notes: list[str] = []
        self.environment = {
            **os.environ,
            "EVENTLOGGING_VAR": str(self.var),
            "EVENTLOGGING_GOVERNANCE": str(ROOT),
            "PYTHONPATH": str(ROOT),
        }
        self.platform = open_platform(settings.load(self.environment))
        prepare(self.platform.config)
        self.loader = Loader(
            self.platform.database, self.platform.registry, self.platform.log_folder
        )

    def write(self, *lines: str | bytes, path: Path | None = None) -> None:
        with (path or self.log).open("ab") as file:
            file.writelines(one.encode() if isinstance(one, str) else one for one in lines)

    def collect(self, path: Path | None = None, format: str = CLASSIC) -> Totals:
        """Read what there is."""
        with self.reading(path, format) as reading:
            return reading.run(threading.Event(), follow=False)

    @contextmanager
    def following(self, format: str = CLASSIC) -> Iterator[Totals]:
        """Follow the log in a thread until the end of the block, its clock a quick one."""
        stopped = threading.Event()
        trouble: list[BaseException] = []
        with self.reading(None, format, quiet_seconds=0.4, linger_seconds=0.1) as reading:

            def run() -> None:
                try:
                    reading.run(stopped, follow=True)
                except BaseException as error:
                    trouble.append(error)

            thread = threading.Thread(target=run)
            thread.start()
            try:
                yield reading.totals
            finally:
                stopped.set()
                thread.join(20)
        assert not trouble

    @contextmanager
    def reading(self, path: Path | None, format: str, **seconds: float) -> Iterator[Collect]:
        platform = self.platform
        writer = LogWriter(
            platform.log_folder, segment_bytes=64_000_000, queue_bytes=64_000_000
        )  # fmt: skip
        judge = Judge(Format(format), platform.config, platform.privacy_key)
        try:
            yield Collect(
                path or self.log, self.state, Keep(judge, platform.registry, writer),
                note=self.notes.append, show=_nothing, **seconds,
            )  # fmt: skip
        finally:
            writer.close()

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(*words), env=self.environment, capture_output=True, text=True,
            check=False, timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def words(self, *words: str) -> list[str]:
        return [
            sys.executable, "-m", "eventlogging.cli.main",
            "collect", "--from", str(self.log), "--state", str(self.state), *words,
        ]  # fmt: skip

    def ledger(self) -> dict[str, int]:
        """Outcome → events, once everything is loaded; the books must hold."""
        self.loader.drain()
        proof = prove(self.platform.database)
        assert proof.holds, proof
        found: Counter[str] = Counter()
        for row in self.query("SELECT outcome, SUM(count) AS n FROM ledger GROUP BY outcome"):
            if row["n"]:
                found[row["outcome"]] = int(row["n"])
        return dict(found)

    def query(self, text: str) -> list[Any]:
        with self.platform.database.read() as connection:
            return list(connection.execute(sa.text(text)).mappings())

    def rows(self) -> list[Any]:
        self.loader.drain()
        return self.query("SELECT * FROM NavigationTiming_1 ORDER BY id")

    def kept_bytes(self) -> bytes:
        """All that the data folder holds, log and database."""
        self.loader.drain()
        return b"".join(one.read_bytes() for one in self.var.rglob("*") if one.is_file())


def _nothing(_done: int, _of: int) -> None:
    """Nobody looks."""
