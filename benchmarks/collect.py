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
from eventlogging import clock
from eventlogging.cli.processes import calm_garbage_collection
from eventlogging.collector.edge import state as states
from eventlogging.collector.edge.chunks import next_chunk
from eventlogging.collector.edge.collect import Collect
from eventlogging.collector.edge.formats import CLASSIC, Format
from eventlogging.collector.edge.judge import Judge
from eventlogging.collector.edge.source import open_source
from eventlogging.config import Config
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
    calls: dict[str, Callable[[], None]] = {
        "orjson.loads": lambda: _each(orjson.loads, bodies),
        "reading": lambda: _read(log, judge),
        "intake": lambda: _each(lambda body: intake.accept_body(body, context), bodies),
        "whole": lambda: _collect(folder, log, judge, registry, len(bodies)),
    }
    took: dict[str, list[float]] = {name: [] for name in calls}
    for round_ in range(options.rounds):
        options.say(f"collect: round {round_ + 1}, {len(bodies)} lines")
        for name, call in calls.items():
            began = time.process_time()
            call()
            took[name].append((time.process_time() - began) / len(bodies) * 1e6)
    database.close()
    size = log.stat().st_size / len(bodies)
    theirs = took["orjson.loads"]
    figures = [
        compare("collect", "read, split, decode the URL / orjson.loads", "µs/line",
                took["reading"], theirs, _AIM, at_most=True),
        compare("collect", "the whole command / orjson.loads", "µs/line",
                took["whole"], theirs, _AIM, at_most=True),
        compare("collect", "the whole command / intake of the same events", "µs/line",
                took["whole"], took["intake"]),
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


def _collect(folder: Path, log: Path, judge: Judge, registry: RegistryCache, lines: int) -> None:
    state = folder / "state.json"
    state.unlink(missing_ok=True)
    writer = LogWriter(folder / "log", segment_bytes=64 << 20, queue_bytes=64 << 20)
    with states.held(state):
        reading = Collect(log, state, judge, registry, writer, note=print, show=_nothing)
        totals = reading.run(threading.Event(), follow=False)
    writer.close()
    assert totals.outcomes["valid"] == lines, totals


def _nothing(_done: int, _of: int) -> None:
    """Nobody looks."""
