"""Collect: what a line of an edge log costs, against `orjson.loads` of its event alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import orjson

from benchmarks.events import ROOT, events
from benchmarks.figures import Figure, compare, spread
from benchmarks.section import Options, Section
from benchmarks.servers import eventlogging_web
from eventlogging import clock
from eventlogging.cli.processes import calm_garbage_collection
from eventlogging.collector.edge import state as states
from eventlogging.collector.edge.chunks import next_chunk
from eventlogging.collector.edge.collect import Collect, Sink
from eventlogging.collector.edge.formats import CLASSIC, Format
from eventlogging.collector.edge.judge import Judge
from eventlogging.collector.edge.keep import Keep
from eventlogging.collector.edge.ship import Ship
from eventlogging.collector.edge.source import open_source
from eventlogging.config import Config
from eventlogging.event import Outcome
from eventlogging.forwarder.storage import Storage
from eventlogging.governance.read import read_governance
from eventlogging.intake.accept import Intake
from eventlogging.intake.context import Context
from eventlogging.intake.seal import PrivacyKey
from eventlogging.log.writer import LogWriter
from eventlogging.registry.apply import apply
from eventlogging.registry.snapshot import RegistryCache
from eventlogging.store.database import Database
from eventlogging.store.migrate import migrate

_UNRESERVED = "!'()*-._~"  # what encodeURIComponent leaves, beside letters and digits
_AGENT = quote("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
_AIM = 2.0
_TOKEN = "benchmarks"


def measure(options: Options, folder: Path) -> Section:
    """Return µs of CPU time a line, of parts and of the whole, and their ratios to parsing."""
    database = Database(f"sqlite:///{folder / 'collect.db'}")
    migrate(database)
    apply(database, read_governance(ROOT), "benchmarks")
    registry = RegistryCache(database)
    registry.refresh()
    now = clock.now_ms()
    bodies = [orjson.dumps(event) for event in events(options.events, now=now)]
    log = folder / "access.log"
    _write(log, bodies, now)
    intake = Intake(Config(), PrivacyKey("benchmarks"))
    intake.use(registry.snapshot)
    context = Context(received=now)
    judge = Judge(Format(CLASSIC), Config(), PrivacyKey("benchmarks"))
    calm_garbage_collection()  # as the command does
    server = eventlogging_web(folder, ROOT, token=_TOKEN)

    def ship(*, pack: bool) -> None:
        storage = Storage([server.url.removesuffix("/v1/events")], _TOKEN)
        _run(folder, log, Ship(CLASSIC, storage, pack=pack), len(bodies))
        server.prune()

    calls: dict[str, Callable[[], None]] = {
        "orjson.loads": lambda: _each(orjson.loads, bodies),
        "shipped": lambda: ship(pack=False),
        "packed": lambda: ship(pack=True),
        "reading": lambda: _read(log, judge),
        "intake": lambda: _each(lambda body: intake.accept_body(body, context), bodies),
        "kept": lambda: _keep(folder, log, judge, registry, len(bodies)),
    }
    took: dict[str, list[float]] = {name: [] for name in calls}
    try:
        for round_ in range(options.rounds):
            options.say(f"collect: round {round_ + 1}, {len(bodies)} lines")
            for name, call in calls.items():
                began = time.process_time()
                call()
                took[name].append((time.process_time() - began) / len(bodies) * 1e6)
    finally:
        server.stop()
        database.close()
    size = log.stat().st_size / len(bodies)
    theirs = took["orjson.loads"]
    figures = [
        compare("collect", "collect --to / orjson.loads", "µs/line",
                took["shipped"], theirs, _AIM, at_most=True),
        compare("collect", "collect --to --gzip / orjson.loads", "µs/line",
                took["packed"], theirs),
        compare("collect", "collect with a data folder / orjson.loads", "µs/line",
                took["kept"], theirs),
        compare("collect", "collect with a data folder / intake of the same events", "µs/line",
                took["kept"], took["intake"]),
        compare("collect", "of it: read, split, decode the URL / orjson.loads", "µs/line",
                took["reading"], theirs),
        Figure("collect", "bytes a line", "bytes", spread([size])),
    ]  # fmt: skip
    return Section(figures, {"us": took})


def _write(path: Path, bodies: list[bytes], now: int) -> None:
    with path.open("w", encoding="ascii") as file:
        for number, body in enumerate(bodies):
            at = clock.iso(now - len(bodies) + number)[:19]
            query = quote(body.decode(), safe=_UNRESERVED)
            file.write(f"?{query}; edge1.example.org {number} {at} - {_AGENT}\n")


def _each(call: Callable[[bytes], object], bodies: list[bytes]) -> None:
    for body in bodies:
        call(body)


def _read(log: Path, judge: Judge) -> None:
    """All that is done with a line but to judge and to keep it."""
    source, at = open_source(log), 0
    while (chunk := next_chunk(source, at, to_the_end=False)).data:
        judge.read(chunk.data)
        at = chunk.border
    source.close()


def _keep(folder: Path, log: Path, judge: Judge, registry: RegistryCache, lines: int) -> None:
    writer = LogWriter(folder / "log", segment_bytes=64 << 20, queue_bytes=64 << 20)
    _run(folder, log, Keep(judge, registry, writer), lines)
    writer.close()


def _run(folder: Path, log: Path, sink: Sink, lines: int) -> None:
    state = folder / "state.json"
    state.unlink(missing_ok=True)
    with states.held(state):
        reading = Collect(log, state, sink, note=print, show=_nothing)
        totals = reading.run(threading.Event(), follow=False)
    assert totals.outcomes[Outcome.VALID] == lines, totals


def _nothing(_done: int, _of: int) -> None:
    """Nobody looks."""
