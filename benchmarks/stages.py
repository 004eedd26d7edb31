"""Stages: where the microseconds of the intake go, each of its steps alone, without a server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from benchmarks.events import ROOT, events
from benchmarks.figures import Figure, spread
from benchmarks.section import Options, Section
from eventlogging import clock
from eventlogging.collector import answers
from eventlogging.collector.request import context_of, headers_of
from eventlogging.config import Config
from eventlogging.governance.read import read_governance
from eventlogging.intake import decode
from eventlogging.intake.accept import Intake
from eventlogging.intake.context import Context
from eventlogging.intake.envelope import open_envelope
from eventlogging.intake.gate import Gate
from eventlogging.intake.seal import PrivacyKey, compile_seal
from eventlogging.log import segment
from eventlogging.registry.apply import apply
from eventlogging.registry.snapshot import read_snapshot
from eventlogging.store.database import Database
from eventlogging.store.migrate import migrate

_NAME = "NavigationTiming"
_HEADERS = (
    (b"host", b"127.0.0.1:8080"),
    (b"content-type", b"application/json"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    (b"content-length", b"690"),
)


def measure(options: Options, folder: Path) -> Section:
    """Return microseconds an event of each step, for single events and for arrays of 100."""
    options.say("stages: the steps of the intake")
    database = Database(f"sqlite:///{folder / 'stages.db'}")
    migrate(database)
    governance = read_governance(ROOT)
    apply(database, governance, "benchmarks")
    snapshot = read_snapshot(database)
    database.close()
    intake = Intake(Config(), PrivacyKey("benchmarks"))
    intake.use(snapshot)
    now = clock.now_ms()
    made = events(1000, now=now)
    context = Context(received=now)
    schema = governance.schemas[_NAME]
    gate = Gate(schema.versions[schema.latest])
    seal = compile_seal({"/pageId": "hmac", "/revId": "hmac"}, PrivacyKey("benchmarks"))
    assert seal is not None
    singles = [orjson.dumps(event) for event in made]
    arrays = [orjson.dumps(made[start : start + 100]) for start in range(0, 1000, 100)]
    payloads = [event["event"] for event in made]
    accepted = [intake.accept_body(body, context) for body in singles]
    lines = b"".join(one.verdicts[0].line for one in accepted[:32])
    steps: list[tuple[str, Callable[[Any], Any], list[Any], int]] = [
        ("headers and context", lambda _: context_of(headers_of(_HEADERS), now, snapshot, ""),
         singles, 1),
        ("decode, single", lambda body: decode.decode(body, max_batch=2000), singles, 1),
        ("decode, arrays of 100", lambda body: decode.decode(body, max_batch=2000), arrays, 100),
        ("open the envelope", open_envelope, made, 1),
        ("gate", gate.is_valid, payloads, 1),
        ("seal two private fields", seal, payloads, 1),
        ("the log line's JSON", orjson.dumps, [orjson.loads(o.verdicts[0].line) for o in accepted],
         1),
        ("all of the intake, single", lambda body: intake.accept_body(body, context), singles, 1),
        ("all of the intake, arrays of 100", lambda body: intake.accept_body(body, context),
         arrays, 100),
        ("the answer, single", answers.of_events, accepted, 1),
        ("commit line for 32 events", lambda text: segment.commit_line(text, 32, {}), [lines], 32),
        ("join and write 32 lines, no sync", _writer(folder / "lines"), [lines], 32),
    ]  # fmt: skip
    figures = []
    for name, call, arguments, size in steps:
        took = [_us(call, arguments) / size for _ in range(options.rounds)]
        figures.append(Figure("stages", name, "µs/event", spread(took)))
    return Section(figures, {})


def _writer(path: Path) -> Callable[[bytes], int]:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o640)

    def write(lines: bytes) -> int:
        return os.pwrite(descriptor, b"".join(lines.splitlines(keepends=True)), 0)

    return write


def _us(call: Callable[[Any], Any], arguments: list[Any]) -> float:
    """Return the microseconds of one call, on average over about 0.2 s."""
    calls = 0
    begin = now = time.perf_counter()
    while now - begin < 0.2:
        for argument in arguments:
            call(argument)
        calls += len(arguments)
        now = time.perf_counter()
    return (now - begin) / calls * 1e6
