"""End to end: a steady stream through `eventlogging serve`; how long until a row is visible."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from benchmarks.events import events
from benchmarks.figures import Figure, percentile, spread
from benchmarks.loading import TABLE, mariadb
from benchmarks.section import Options, Section
from eventlogging import clock
from eventlogging.store.database import Database
from tests.servers import Server, wait_until

RATE = 1000  # events a second
_CONNECTIONS = 16
_POLL_SECONDS = 0.02


def measure(options: Options, folder: Path) -> Section:
    """Return the lag from accepted to visible, on SQLite and on MariaDB."""
    figures: list[Figure] = []
    raw: dict[str, Any] = {}
    _one("SQLite", "", options, folder, figures, raw)
    with mariadb(folder / "e") as server:
        _one("MariaDB", server.new_database("lag"), options, folder, figures, raw)
    return Section(figures, raw)


def _one(
    name: str,
    url: str,
    options: Options,
    folder: Path,
    figures: list[Figure],
    raw: dict[str, Any],
) -> None:
    options.say(f"end to end: {name}, {RATE} events/s for {options.lag_seconds} s")
    server = Server(folder / f"serve-{name}", {"EVENTLOGGING_DATABASE_URL": url})
    server.start()
    database = Database(url or f"sqlite:///{server.var / 'eventlogging.db'}")
    watch = _Watch(database)
    try:
        asyncio.run(_send(server.port, RATE, watch.accepted))  # makes the table, warms all up
        wait_until(lambda: watch.look() == RATE, 30)
        watch.forget()
        thread = threading.Thread(target=watch.run, daemon=True)
        thread.start()
        count = RATE * options.lag_seconds
        took = asyncio.run(_send(server.port, count, watch.accepted))
        wait_until(lambda: len(watch.lags) == count, 60)
        watch.stopped.set()
        thread.join()
    finally:
        database.close()
        server.stop()
    lags = list(watch.lags.values())
    for percent, target in ((50, None), (99, None), (100, 2000.0)):
        value = spread([percentile(lags, percent) * 1000])
        text = f"{name}: lag, {'most' if percent == 100 else f'p{percent}'}"
        figures.append(Figure("end-to-end", text, "ms", value, target=target, at_most=True))
    sent = spread([count / took])
    figures.append(Figure("end-to-end", f"{name}: events sent", "ev/s", sent))
    percents = {p: round(percentile(lags, p) * 1000, 1) for p in range(1, 101)}
    raw[name] = {"lag_ms_by_percent": percents, "events_per_second": count / took}


class _Watch:
    """Asks the table for new rows again and again, and notes when each was first there."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._accepted: dict[str, tuple[float, str]] = {}  # id → when answered, dt
        self.lags: dict[str, float] = {}
        self.stopped = threading.Event()

    def accepted(self, id: str, dt: str) -> None:
        """Note that the server has acknowledged an event just now."""
        self._accepted[id] = (time.perf_counter(), dt)

    def forget(self) -> None:
        self._accepted, self.lags = {}, {}

    def run(self) -> None:
        while not self.stopped.wait(_POLL_SECONDS):
            self.look()

    def look(self) -> int:
        """Ask once; return how many events were seen so far."""
        waiting = {id: since for id, since in list(self._accepted.items()) if id not in self.lags}
        if not waiting:
            return len(self.lags)
        oldest = min(dt for _, dt in waiting.values())
        try:
            with self._database.read() as connection:
                query = sa.text(f"SELECT id FROM {TABLE} WHERE dt >= :dt")
                rows = [row[0] for row in connection.execute(query, {"dt": oldest})]
        except sa.exc.DBAPIError:
            return 0  # the loader has not made the table yet
        now = time.perf_counter()
        self.lags.update({id: now - waiting[id][0] for id in rows if id in waiting})
        return len(self.lags)


async def _send(port: int, count: int, accepted: Callable[[str, str], None]) -> float:
    """Send single events at a steady pace over open connections; return the seconds it took."""
    made = events(count, now=clock.now_ms())
    begin = time.perf_counter() + 0.1

    async def connection(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for index in range(first, count, _CONNECTIONS):
            await asyncio.sleep(begin + index / RATE - time.perf_counter())
            event = made[index]
            body = orjson.dumps({**event, "dt": clock.iso(clock.now_ms())})
            sent = orjson.loads(body)["dt"].rstrip("Z").replace("T", " ")
            writer.write(
                b"POST /v1/events HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
            if b" 201 " not in head[:13]:
                raise RuntimeError(f"an event was refused: {head[:100]!r}")
            accepted(event["id"], sent)
        writer.close()

    await asyncio.gather(*(connection(first) for first in range(_CONNECTIONS)))
    return time.perf_counter() - begin
