"""Purge: a day of 2 million rows on MariaDB goes while loading goes on, against DELETE … LIMIT.

Both days lie in one table of NavigationTiming, with a part for each day of the last three months
as a table that was loaded daily has. Ours is what the nightly job does: plan, drop, book, receipt;
without aggregates and stripping, which read the rows before. The other deletes 5 000 rows a
transaction by key.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import orjson
import sqlalchemy as sa

from benchmarks.events import events
from benchmarks.figures import Figure, compare, number, percentile, spread, table
from benchmarks.loading import TABLE, mariadb
from benchmarks.ready_log import fresh_database, write_log
from benchmarks.section import Options, Section
from eventlogging import clock
from eventlogging.cli.processes import take_turns_quickly
from eventlogging.config import Config
from eventlogging.intake.accept import Intake
from eventlogging.intake.context import Context
from eventlogging.intake.seal import PrivacyKey
from eventlogging.jobs import retention_duties
from eventlogging.ledger.lag import read_lag
from eventlogging.loader.loader import Loader
from eventlogging.log.writer import LogWriter
from eventlogging.platform import Platform
from eventlogging.registry.snapshot import RegistryCache, read_snapshot
from eventlogging.retention.policy import moved
from eventlogging.store.database import Database
from eventlogging.store.fixed import governance

_ROWS, _FEWER_ROWS = 2_000_000, 200_000
_ROUNDS = 3  # at most: filling takes longer than measuring
_SEED = 20_000  # rows that are loaded; the others are copies of them
_CHUNK = 5000
_PER_TURN, _TURN_SECONDS = 50, 0.1  # events that come in meanwhile: 500 a second
_KEEP_DAYS = 90


@dataclass
class Run:
    """One way, in each round: seconds, and the lags of the loader meanwhile, in seconds."""

    seconds: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)


def measure(options: Options, folder: Path) -> Section:
    """Return how much less time ours takes, and the greatest lag of the loader."""
    take_turns_quickly()
    rows = _ROWS if options.events >= 60_000 else _FEWER_ROWS
    ours, theirs = Run(), Run()
    with mariadb(folder / "m") as server:
        for round_ in range(min(options.rounds, _ROUNDS)):
            options.say(f"purge: filling two days of {rows} rows, round {round_ + 1}")
            database = fresh_database(server.new_database(f"purge_{round_}"))
            platform = _platform(folder / f"var-{round_}", database)
            due, kept = _fill(platform, rows)
            options.say("purge: ours, then in chunks")
            _timed(platform, ours, partial(_ours, platform, rows))
            _timed(platform, theirs, partial(_chunks, database, kept))
            assert not _count(database, due) and not _count(database, kept), "rows are left"
            with database.ddl() as connection:
                connection.exec_driver_sql(f"DROP DATABASE purge_{round_}")
            database.close()
    figures = [
        compare(
            "purge", "a day, ours / DELETE … LIMIT 5000", "s", ours.seconds, theirs.seconds, 0.05,
            at_most=True,
        ),
        Figure(
            "purge", "greatest lag of the loader", "s", spread([max(ours.lags)]), target=5,
            at_most=True,
        ),
    ]  # fmt: skip
    head = [["way", "seconds", "rows/s", "lag p50, s", "p99", "most"]]
    lines = [
        [name, str(spread(run.seconds)), number(rows / spread(run.seconds).median),
         *(number(percentile(run.lags, percent)) for percent in (50, 99, 100))]
        for name, run in (("ours", ours), ("DELETE … LIMIT 5000", theirs))
    ]  # fmt: skip
    raw = {"rows": rows, "ours": vars(ours), "chunks": vars(theirs)}
    return Section(figures, raw, table([*head, *lines]))


def _platform(var: Path, database: Database) -> Platform:
    with database.write() as connection:
        # The starter rule of NavigationTiming strips and counts; here rows only go.
        connection.execute(sa.delete(governance).where(governance.c.folder == "purge"))
    (var / "log").mkdir(parents=True)
    config = Config(var=var, database_url=database.url)
    return Platform(config, database, RegistryCache(database), PrivacyKey("benchmarks"), "session")


def _fill(platform: Platform, rows: int) -> tuple[str, str]:
    """Make two days of so many rows each; return the one that is due, and the one after it."""
    database = platform.database
    today = clock.day(clock.now_ms())
    with _days_back(_KEEP_DAYS + 2):
        seed = platform.config.var / "seed"
        write_log(seed, _SEED, database)
        _loader(platform, seed).drain()
    for back in range(_KEEP_DAYS + 1, -2, -1):  # a part for each day, as loading daily makes them
        with database.ddl() as connection:
            for statement in database.dialect.days_ddl(connection, TABLE, [moved(today, -back)]):
                connection.exec_driver_sql(statement)
    due, kept = moved(today, -_KEEP_DAYS - 1), moved(today, -_KEEP_DAYS)
    with database.read() as connection:
        names = [row[0] for row in connection.execute(sa.text(f"SHOW COLUMNS FROM {TABLE}"))]
    others = ", ".join(f"`{name}`" for name in names if name not in ("dt", "id"))
    step = 86_000 * 1_000_000 // (rows // _SEED)  # microseconds from one copy to the next
    for day in (due, kept):
        for copy in range(rows // _SEED):
            with database.write() as connection:
                connection.execute(
                    sa.text(
                        f"INSERT INTO {TABLE} (dt, id, {others}) SELECT "
                        "TIMESTAMPADD(MICROSECOND, :shift + MICROSECOND(dt), :day), UUID(), "
                        f"{others} FROM {TABLE} WHERE dt < :due"
                    ),
                    {"shift": copy * step, "day": f"{day} 00:00:00", "due": due},
                )
        with database.write() as connection:
            database.dialect.add_counts(
                connection, "table_day", ("table_name", "day"), ("rows_in", "rows_out"),
                [(TABLE, day, rows, 0)],
            )  # fmt: skip
    return due, kept


def _ours(platform: Platform, rows: int) -> None:
    plan = retention_duties.plan_of(platform, clock.now_ms(), kinds=("purge",))
    outcome = retention_duties.carry_out(platform, plan)
    assert not outcome.deferred, outcome.deferred
    assert outcome.rows == rows + _SEED, f"{outcome.rows} rows went"


def _chunks(database: Database, day: str) -> None:
    query = sa.text(
        f"DELETE FROM {TABLE} WHERE dt >= :day AND dt < :next ORDER BY dt, id LIMIT {_CHUNK}"
    )
    while True:
        with database.write() as connection:
            gone = connection.execute(query, {"day": day, "next": moved(day, 1)}).rowcount
        if not gone:
            return


def _count(database: Database, day: str) -> int:
    query = sa.text(f"SELECT COUNT(*) FROM {TABLE} WHERE dt >= :day AND dt < :next")
    with database.read() as connection:
        return int(connection.execute(query, {"day": day, "next": moved(day, 1)}).scalar_one())


def _timed(platform: Platform, run: Run, work: Callable[[], None]) -> None:
    """Do the work while events come in and are loaded, and look at the lag all the time."""
    over = threading.Event()
    loader = _loader(platform, platform.log_folder)
    threads = [
        threading.Thread(target=_send, args=(platform, over)),
        threading.Thread(target=loader.run, args=(over.is_set,)),
        threading.Thread(target=_watch, args=(platform, run, over)),
    ]
    for thread in threads:
        thread.start()
    try:
        time.sleep(2)
        begun = time.perf_counter()
        work()
        run.seconds.append(time.perf_counter() - begun)
        time.sleep(2)  # what has piled up meanwhile shows now
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _loader(platform: Platform, log: Path) -> Loader:
    registry = RegistryCache(platform.database)
    registry.refresh()
    return Loader(platform.database, registry, log)


def _send(platform: Platform, over: threading.Event) -> None:
    intake = Intake(Config(), PrivacyKey("benchmarks"))
    intake.use(read_snapshot(platform.database))
    writer = LogWriter(platform.log_folder, segment_bytes=2**26, queue_bytes=2**30)
    while not over.wait(_TURN_SECONDS):
        now = clock.now_ms()
        body = orjson.dumps(events(_PER_TURN, now=now))
        accepted = intake.accept_body(body, Context(received=now))
        lines = [verdict.line for verdict in accepted.verdicts]
        writer.append(lines, accepted.sent, lambda _: None)
    writer.close()


def _watch(platform: Platform, run: Run, over: threading.Event) -> None:
    while not over.wait(_TURN_SECONDS):
        with platform.database.read() as connection:
            lag = read_lag(connection, platform.log_folder)
        run.lags.append(lag.age_seconds or 0.0)


@contextmanager
def _days_back(days: int) -> Iterator[None]:
    before, clock.offset_ms = clock.offset_ms, -days * clock.DAY_MS
    try:
        yield
    finally:
        clock.offset_ms = before
