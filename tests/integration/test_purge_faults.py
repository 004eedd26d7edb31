"""The purge when things go wrong: killed, hindered, done twice, at a wrong time, under load."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.jobs import log_duties, retention_duties
from eventlogging.platform import Platform, open_platform
from eventlogging.retention import aggregates, passes, purge, safety, scrub, unfinished
from eventlogging.retention.plan import TABLES
from eventlogging.store.dialect import quoted
from eventlogging.store.fixed import job_run, table_day
from tests.console import House
from tests.purge_child import POINTS
from tests.purging import Past, ago, today
from tests.servers import ROOT


@pytest.fixture
def past(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Past]:
    yield from made(database_url, tmp_path, monkeypatch)


@pytest.fixture
def on_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Past]:
    yield from made(f"sqlite:///{tmp_path / 'events.db'}", tmp_path, monkeypatch)


@pytest.fixture
def on_mariadb(mariadb_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Past]:
    yield from made(mariadb_url, tmp_path, monkeypatch)


def made(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Past]:
    house = House(url, folder / "var")
    past = Past(house, monkeypatch)
    past.go(-120)
    house.publish("Click")
    house.publish("Other")
    yield past
    past.go(0)
    house.close()


def fill(past: Past, day: str, rows: int, table: str = "Click_1") -> None:
    """Put many rows of a day into a table and its book, as loading them would."""
    with past.platform.database.write() as connection:
        moments = [f"{day} {n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}" for n in range(rows)]
        connection.execute(
            sa.text(
                f"INSERT INTO {quoted(table)} (dt, id, received, version, sample_rate, "
                "event_target) VALUES (:dt, :id, :dt, '1.0.0', 1, 'x')"
            ),
            [{"dt": f"{moment}.000", "id": str(uuid.uuid4())} for moment in moments],
        )
        past.platform.database.dialect.add_counts(
            connection, "table_day", ("table_name", "day"), ("rows_in", "rows_out"),
            [(table, day, rows, 0)],
        )  # fmt: skip


def assert_gone(past: Past, rows: int, *, table: str = "Click_1", day: str) -> None:
    """All rows of a day are gone, its book says so, and the receipts tell of each row."""
    assert day not in past.days_of(table)
    assert past.book(table, day) == (rows, rows)
    told = [
        receipt.body["rows_before"] - receipt.body["rows_after"]
        for receipt in past.receipts("purge")
        if receipt.body["table"] == table
    ]
    assert sum(told) == rows, told


# killed


@pytest.mark.parametrize("point", POINTS)
def test_what_was_killed_on_the_way_is_finished_by_the_next_pass(past: Past, point: str) -> None:
    past.go(0)
    day, held = ago(93), ago(95)
    if point == "in a transaction":
        # With a day that stays in the same part of the table: rows are deleted and none dropped.
        past.clicks(-88, 1, dt=f"{held}T00:00:00Z")
        past.clicks(-88, 35, dt=f"{day}T00:00:00Z")
        past.extend(held, held, 120)
    else:
        past.clicks(-93, 35)
    past.clicks(0, 2)
    child = subprocess.run(
        [sys.executable, "-m", "tests.purge_child", str(past.house.config.var),
         past.platform.database.url, point, str(clock.offset_ms)],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert child.returncode == -signal.SIGKILL, child.stderr[-2000:]
    outcome = past.run(past.plan(kinds=TABLES))
    assert outcome.deferred == ()
    assert_gone(past, 35, day=day)
    assert past.days_of("Click_1")[ago(0)] == 2
    assert past.plan(kinds=TABLES).steps == ()


# at once


@pytest.mark.parametrize("machines", [1, 2])
def test_two_passes_at_once_do_no_harm(past: Past, tmp_path: Path, machines: int) -> None:
    past.clicks(-95, 30)
    past.clicks(-94, 20, schema="Other")
    past.clicks(0, 2)
    plan = past.plan(kinds=TABLES)
    url = past.platform.database.url
    others = [Config(var=tmp_path / f"var{n % machines}", database_url=url) for n in range(2)]
    platforms = [open_platform(one) for one in others]
    troubles: list[object] = []
    ready = threading.Barrier(2)

    def go(platform: Platform) -> None:
        try:
            ready.wait(10)
            troubles.extend(retention_duties.carry_out(platform, plan).deferred)
        except Exception as error:
            troubles.append(error)

    threads = [threading.Thread(target=go, args=(one,)) for one in platforms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for platform in platforms:
        platform.database.close()
    assert not troubles
    assert past.days_of("Click_1") == {ago(0): 2}
    assert past.days_of("Other_1") == {}
    past.assert_books_hold()


def test_a_pass_does_not_wait_for_another_for_ever(on_sqlite: Past) -> None:
    folder = on_sqlite.house.config.var / "receipts"
    with unfinished.alone(folder, 0), pytest.raises(unfinished.PassRunning):
        on_sqlite.run(wait_seconds=0.2)


# hindered


def test_a_table_that_somebody_holds_waits_while_the_others_go(
    on_mariadb: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = on_mariadb
    monkeypatch.setattr(purge, "_TRIES", 1)
    past.clicks(-95)
    past.clicks(-95, schema="Other")
    past.go(0)
    with past.platform.database.read() as reader:
        reader.execute(sa.text("SELECT COUNT(*) FROM Click_1")).scalar()
        begun = time.monotonic()
        outcome = past.run()
        assert time.monotonic() - begun < 15
    assert len(outcome.deferred) == 1
    assert "Click_1 waits for the next pass" in outcome.deferred[0]
    assert past.days_of("Click_1") == {ago(95): 3}
    assert past.days_of("Other_1") == {}
    assert past.run().deferred == ()
    past.assert_books_hold()


def run_with(past: Past, settle: Any) -> passes.Outcome:
    plan = past.plan(kinds=TABLES)
    return passes.run(past.platform, plan, settle=settle, strip=scrub.strip_day)


def test_rows_that_come_while_aggregates_are_made_are_looked_at_too(past: Past) -> None:
    past.clicks(-95)
    past.go(0)
    past.rule("Click", keep_days=90, aggregate=[{"name": "clicks", "per": "day"}])
    seen = []

    def settle(database: Any, schema: Any, policy: Any, day: str) -> int:
        with database.read() as connection:
            seen.append(connection.execute(sa.text("SELECT COUNT(*) FROM Click_1")).scalar())
        if len(seen) == 1:
            past.clicks(-95, 2)
            past.go(0)
        return 0

    assert run_with(past, settle).deferred == ()
    assert seen == [3, 5]
    assert_gone(past, 5, day=ago(95))


def test_a_hold_that_comes_while_a_pass_goes_on_keeps_what_is_left(past: Past) -> None:
    past.clicks(-95)
    past.clicks(-94, 4)
    past.go(0)
    held: list[int] = []

    def hold(rows: int) -> None:
        if rows and not held:
            past.hold("Click")
            held.append(rows)

    outcome = past.run(past.plan(kinds=TABLES), progress=hold)
    assert outcome.rows == 3
    assert outcome.deferred == (
        "Click_1 waits for the next pass: its policy is another one by now",
    )
    assert past.days_of("Click_1") == {ago(94): 4}
    past.assert_books_hold()
    past.lift("Click")
    assert past.run(past.plan(kinds=TABLES)).rows == 4


def test_a_hold_that_comes_while_aggregates_are_made_is_seen_before_anything_goes(
    past: Past,
) -> None:
    past.clicks(-95)
    past.go(0)
    past.rule("Click", keep_days=90, aggregate=[{"name": "clicks", "per": "day"}])

    def settle(*_: Any) -> int:
        past.hold("Click")
        return 0

    assert "another one by now" in run_with(past, settle).deferred[0]
    assert past.days_of("Click_1") == {ago(95): 3}


def test_nothing_goes_of_what_cannot_be_kept(past: Past) -> None:
    past.clicks(-95)
    past.clicks(-95, schema="Other")
    past.go(0)
    past.rule("Click", keep_days=90, aggregate=[{"name": "clicks", "per": "day"}])

    def settle(*_: Any) -> int:
        raise ValueError("no such sketch")

    outcome = run_with(past, settle)
    assert "cannot be made: ValueError: no such sketch" in outcome.deferred[0]
    assert past.days_of("Click_1") == {ago(95): 3}
    assert past.days_of("Other_1") == {}
    assert run_with(past, aggregates.settle).deferred == ()
    assert past.days_of("Click_1") == {}


# at a wrong time


def test_a_clock_that_jumps_a_year_deletes_nothing(past: Past) -> None:
    past.clicks(-1)
    past.go(0)
    assert retention_duties.forget_events(past.platform, ago(1)).outcome == "done"
    past.go(365)
    past.clicks(365, 1)  # life goes on, at that time
    result = retention_duties.forget_events(past.platform, ago(1))
    assert result.outcome == "failed"
    assert "364 days in between show no life" in result.detail
    assert log_duties.retire_log(past.platform, ago(1)).outcome == "failed"
    assert past.days_of("Click_1") == {ago(366): 3, ago(0): 1}
    assert past.receipts("purge", "log") == []
    past.go(-30)
    assert retention_duties.forget_events(past.platform, ago(1)).outcome == "failed"


def test_after_an_outage_of_the_jobs_alone_what_was_missed_is_made_good(on_sqlite: Past) -> None:
    past = on_sqlite
    past.clicks(-91)
    past.go(-6)
    assert retention_duties.forget_events(past.platform, ago(1)).outcome == "done"
    assert past.days_of("Click_1") == {ago(85): 3}
    for days in (-5, -4, -1):
        past.clicks(days, 1)
    past.go(0)
    result = retention_duties.forget_events(past.platform, ago(1))
    assert result.outcome == "done", result.detail
    assert ago(91) not in past.days_of("Click_1")


def test_after_an_outage_of_everything_somebody_has_to_look(on_sqlite: Past) -> None:
    past = on_sqlite
    past.clicks(-91)
    past.go(-10)
    retention_duties.forget_events(past.platform, ago(1))
    past.go(0)
    result = retention_duties.forget_events(past.platform, ago(1))
    assert result.outcome == "failed"
    assert result.detail.endswith("If it is right: eventlogging purge --dry-run")
    assert past.run().rows == 3
    assert retention_duties.forget_events(past.platform, ago(1)).outcome == "done"


def test_runs_of_jobs_are_life_by_when_they_began_and_not_by_what_they_were_for(
    on_sqlite: Past,
) -> None:
    past = on_sqlite
    past.go(-5)
    retention_duties.forget_events(past.platform, ago(1))
    past.go(0)
    rows = [
        {"job": "reviews", "slot": ago(n + 1), "started_at": clock.iso(clock.now_ms()),
         "lease_until": "", "detail": ""}
        for n in range(5)
    ]  # fmt: skip
    with past.platform.database.write() as connection:
        connection.execute(sa.insert(job_run), rows)
    assert safety.why_not(past.platform, clock.now_ms()) is not None
    with past.platform.database.write() as connection:
        for row in rows:
            connection.execute(
                sa.update(job_run)
                .where(job_run.c.slot == row["slot"])
                .values(started_at=f"{row['slot']}T02:00:00.000Z")
            )
    assert safety.why_not(past.platform, clock.now_ms()) is None


# under load


def test_loading_goes_on_while_much_is_deleted(on_sqlite: Past) -> None:
    past = on_sqlite
    past.clicks(-95, 1)
    past.go(0)
    fill(past, ago(95), 60_000)
    slowest, loaded, done = 0.0, 0, threading.Event()

    def work() -> None:
        try:
            past.run(past.plan(kinds=TABLES))
        finally:
            done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.is_set():
        begun = time.monotonic()
        past.house.send({"schema": "Click", "event": {"target": "now"}})
        slowest = max(slowest, time.monotonic() - begun)
        loaded += 1
        time.sleep(0.02)
    thread.join(60)
    assert past.days_of("Click_1") == {today(): loaded}
    assert loaded > 5
    assert slowest < 2, f"an event waited for {slowest:.1f} s"
    c = table_day.c
    with past.platform.database.read() as connection:
        query = sa.select(c.rows_in - c.rows_out).where(c.day == ago(95))
        assert connection.execute(query).scalar() == 0


def test_the_file_beside_the_database_holds_nothing_of_what_went(on_sqlite: Past) -> None:
    past = on_sqlite
    past.go(-95)
    past.house.send({"schema": "Click", "event": {"target": "swordfish-in-the-water"}})
    past.go(0)
    past.run()
    folder = Path(past.platform.database.url.removeprefix("sqlite:///")).parent
    found = [p.name for p in folder.glob("events.db*") if b"swordfish-in" in p.read_bytes()]
    assert found == []
