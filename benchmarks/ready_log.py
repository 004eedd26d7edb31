"""A log that is ready to be loaded, made by the intake itself."""

from __future__ import annotations

import threading
from pathlib import Path

import orjson

from benchmarks.events import ROOT, events
from eventlogging import clock
from eventlogging.config import Config
from eventlogging.governance.read import read_governance
from eventlogging.intake.accept import Intake
from eventlogging.intake.context import Context
from eventlogging.intake.seal import PrivacyKey
from eventlogging.log.writer import LogWriter
from eventlogging.registry.apply import apply
from eventlogging.registry.snapshot import read_snapshot
from eventlogging.store.database import Database
from eventlogging.store.migrate import migrate

_BATCH = 100  # events in one commit of the log, as arrays of 100 come
_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def fresh_database(url: str, *, load_data: bool = False) -> Database:
    """Return a database with all fixed tables and the starter schemas, no event tables yet."""
    database = Database(url, load_data=load_data)
    migrate(database)
    apply(database, read_governance(ROOT), "benchmarks")
    return database


def write_log(folder: Path, count: int, database: Database) -> None:
    """Write a log of `count` valid NavigationTiming events, judged by the database's registry."""
    intake = Intake(Config(), PrivacyKey("benchmarks"))
    intake.use(read_snapshot(database))
    now = clock.now_ms()
    context = Context(received=now, user_agent=_AGENT)
    writer = LogWriter(folder, segment_bytes=2**26, queue_bytes=2**40)
    made = events(count, now=now)
    done = threading.Semaphore(0)
    for start in range(0, count, _BATCH):
        accepted = intake.accept_body(orjson.dumps(made[start : start + _BATCH]), context)
        assert not any(verdict.code for verdict in accepted.verdicts)
        lines = [verdict.line for verdict in accepted.verdicts]
        writer.append(lines, accepted.sent, lambda _: done.release())
        done.acquire()  # one commit each, as from requests that come one after another
    writer.close()
