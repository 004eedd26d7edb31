"""The jobs: each run once across machines, what was missed made good, and what they do."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from eventlogging import clock
from eventlogging.cli.job import job as job_command
from eventlogging.errors import StoreUnavailable
from eventlogging.jobs import claims, runner
from eventlogging.jobs.duties import Result, forget_ids, prove_ledger
from eventlogging.jobs.log_duties import retire_log
from eventlogging.jobs.runner import run, run_due
from eventlogging.jobs.table import JOBS, Daily, Job
from eventlogging.ledger.lag import read_lag
from eventlogging.log import reader
from eventlogging.platform import Platform
from eventlogging.store.fixed import (
    checkpoint,
    client_report,
    forwarded,
    governance,
    job_run,
    recent_id,
)
from tests.books import click, open_bench, platform_of, settings
from tests.loading import Bench
from tests.schemas import registered
from tests.servers import wait_until

DAY = 86_400


@pytest.fixture
def bench(database_url: str, tmp_path: Path) -> Iterator[Bench]:
    made = open_bench(database_url, tmp_path)
    yield made
    made.close()


@pytest.fixture
def platform(bench: Bench) -> Platform:
    return platform_of(bench)


@pytest.fixture
def move(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move the clock to so many seconds from the real time."""
    return lambda seconds: monkeypatch.setattr(clock, "offset_ms", int(seconds * 1000))


class Spy:
    """A duty that remembers the days it was done for."""

    def __init__(self, *faults: Exception) -> None:
        self.days: list[str] = []
        self.faults = list(faults)

    def __call__(self, platform: Platform, day: str) -> Result:
        self.days.append(day)
        if self.faults:
            raise self.faults.pop(0)
        return Result("done", "as told")


def daily(duty: Spy, catch_up: int = 1) -> Job:
    return Job("spy", Daily(0, 0, catch_up), duty)


def ago(days: int) -> str:
    return (date.fromisoformat(clock.day(clock.now_ms())) - timedelta(days=days)).isoformat()


def runs(platform: Platform) -> list[claims.Run]:
    with platform.database.read() as connection:
        rows = connection.execute(sa.select(job_run).order_by(job_run.c.slot)).mappings()
        return [claims.Run(**row) for row in rows]


# when


def test_a_daily_job_is_due_for_the_day_that_ended() -> None:
    half_past = Daily(0, 30)
    midnight = 1_795_305_600_000
    assert clock.iso(midnight) == "2026-11-22T00:00:00.000Z"
    assert half_past.due(midnight + 30 * 60_000) == ["2026-11-21"]
    assert half_past.due(midnight + 29 * 60_000) == ["2026-11-20"]
    assert Daily(0, 30, catch_up=3).due(midnight + 43_200_000) == [
        *("2026-11-19", "2026-11-20", "2026-11-21"),
    ]


def test_every_job_says_what_it_is_for() -> None:
    assert {job.name for job in JOBS} >= {"ledger-proof", "retire-log", "forget-ids"}
    assert all(job.purpose for job in JOBS)
    assert str(JOBS[0].trigger) == "daily at 00:30 UTC"


# once


def test_a_run_is_claimed_once(platform: Platform) -> None:
    database = platform.database
    mine = claims.claim(database, "spy", "2026-11-21")
    assert mine is not None
    assert claims.claim(database, "spy", "2026-11-21") is None
    assert claims.claim(database, "spy", "2026-11-22") is not None
    assert claims.finish(database, mine, "done", "well")
    assert claims.claim(database, "spy", "2026-11-21") is None


def test_of_many_who_ask_at_once_one_gets_the_run(platform: Platform) -> None:
    won: list[claims.Claim | None] = []
    ready = threading.Barrier(6)

    def ask() -> None:
        ready.wait(10)
        won.append(claims.claim(platform.database, "spy", "2026-11-21"))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(won) == 6
    assert len([claim for claim in won if claim is not None]) == 1


def test_an_abandoned_run_is_taken_over_once(
    platform: Platform, move: Callable[[float], None]
) -> None:
    first = claims.claim(platform.database, "spy", "2026-11-21")
    assert first is not None
    move(claims.LEASE_SECONDS - 5)
    assert claims.claim(platform.database, "spy", "2026-11-21") is None
    move(claims.LEASE_SECONDS + 5)
    second = claims.claim(platform.database, "spy", "2026-11-21")
    assert second is not None
    assert claims.claim(platform.database, "spy", "2026-11-21") is None
    assert not claims.finish(platform.database, first, "done", "too late")
    assert claims.finish(platform.database, second, "done", "in time")
    assert runs(platform)[0].detail == "in time"


def test_a_run_that_takes_long_keeps_its_lease(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "LEASE_SECONDS", 1)
    claim = claims.claim(platform.database, "spy", "2026-11-21")
    assert claim is not None
    before = runs(platform)[0].lease_until
    with claims.kept(platform.database, claim):
        wait_until(lambda: runs(platform)[0].lease_until > before, 10)
    assert runs(platform)[0].finished_at is None


def test_by_hand_a_finished_run_is_done_again_and_a_live_one_is_not(platform: Platform) -> None:
    claim = claims.claim(platform.database, "spy", "2026-11-21")
    assert claim is not None
    assert claims.claim(platform.database, "spy", "2026-11-21", again=True) is None
    claims.finish(platform.database, claim, "failed", "oh")
    assert claims.claim(platform.database, "spy", "2026-11-21", again=True) is not None
    assert (runs(platform)[0].outcome, runs(platform)[0].detail) == (None, "")


# due


def test_what_is_due_is_done_once_a_day(platform: Platform, move: Callable[[float], None]) -> None:
    spy = Spy()
    assert run_due(platform, [daily(spy)]) == 1
    assert run_due(platform, [daily(spy)]) == 0
    assert spy.days == [ago(1)]
    assert (runs(platform)[0].outcome, runs(platform)[0].detail) == ("done", "as told")
    move(DAY)
    assert run_due(platform, [daily(spy)]) == 1
    assert spy.days == [ago(2), ago(1)]


def test_missed_days_are_made_good_as_far_back_as_the_job_says(
    platform: Platform, move: Callable[[float], None]
) -> None:
    spy = Spy()
    run_due(platform, [daily(spy, catch_up=3)])
    assert spy.days == [ago(3), ago(2), ago(1)]
    move(2 * DAY)
    run_due(platform, [daily(spy, catch_up=3)])
    assert spy.days[3:] == [ago(2), ago(1)]
    move(30 * DAY)
    run_due(platform, [daily(spy)])
    assert spy.days[5:] == [ago(1)]


def test_a_duty_that_raises_has_failed_and_the_others_go_on(platform: Platform) -> None:
    broken, well = Spy(ValueError("no such thing")), Spy()
    jobs = [Job("broken", Daily(0, 0), broken), Job("well", Daily(0, 0), well)]
    assert run_due(platform, jobs) == 2
    last = claims.last_runs(platform.database)
    assert (last["broken"].outcome, last["broken"].detail) == (
        "failed",
        "ValueError: no such thing",
    )
    assert last["well"].outcome == "done"
    assert run_due(platform, jobs) == 0


def test_of_a_job_that_each_host_has_the_worst_is_its_last_run(platform: Platform) -> None:
    database = platform.database
    for slot, outcome in (
        ("2026-11-20@a", "failed"), ("2026-11-21@a", "failed"), ("2026-11-21@b", "done"),
        ("2026-11-21@c", "warning"),
    ):  # fmt: skip
        claimed = claims.claim(database, "on-each", slot)
        assert claimed is not None
        claims.finish(database, claimed, outcome, "")
    last = claims.last_runs(database)["on-each"]
    assert (last.slot, last.outcome) == ("2026-11-21@a", "failed")


def test_a_run_that_lost_the_database_is_done_when_its_lease_is_over(
    platform: Platform, move: Callable[[float], None]
) -> None:
    spy = Spy(StoreUnavailable("gone"))
    assert run_due(platform, [daily(spy)]) == 0
    assert runs(platform)[0].finished_at is None
    move(claims.LEASE_SECONDS + 5)
    assert run_due(platform, [daily(spy)]) == 1
    assert len(spy.days) == 2


def test_two_schedulers_do_each_run_once_and_go_on_with_the_days(
    platform: Platform, move: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LOOK_SECONDS", 0.2)
    spy, stopped = Spy(), threading.Event()
    threads = [
        threading.Thread(target=run, args=(platform, stopped, [daily(spy)])) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(spy.days) == 1, 20)
        move(DAY)
        wait_until(lambda: len(spy.days) >= 2, 20)
    finally:
        stopped.set()
        for thread in threads:
            thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert spy.days == [ago(2), ago(1)]


# duties


def test_the_proof_of_a_good_ledger_is_done(bench: Bench, platform: Platform) -> None:
    bench.send(click(), click(2))
    bench.loader.drain()
    result = prove_ledger(platform, ago(1))
    assert result.outcome == "done"
    assert "2 rows" in result.detail


def test_a_discrepancy_is_logged_as_a_warning(
    bench: Bench, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    bench.send(click())
    bench.loader.drain()
    with bench.database.write() as connection:
        connection.execute(sa.text("DELETE FROM Click_1"))
    result = prove_ledger(platform, ago(1))
    assert result.outcome == "warning"
    assert "Click_1 of" in result.detail
    assert [(r.levelname, "Click_1 of" in r.message) for r in caplog.records] == [("WARNING", True)]


def loaded_days(bench: Bench, move: Callable[[float], None], *days: int) -> None:
    """Send and load an event on each day, counted from today."""
    for back in days:
        move(-back * DAY)
        bench.send(click())
        bench.writer.close()
        bench.writer = bench.new_writer()
        bench.loader.drain()
        bench.loader.step()  # marks the closed segment as finished
    move(0)


def log_days(bench: Bench) -> list[str]:
    return sorted({name[:10] for name in reader.segments(bench.folder)})


def checkpoint_days(bench: Bench) -> list[str]:
    with bench.database.read() as connection:
        names = connection.execute(sa.select(checkpoint.c.segment)).scalars()
        return sorted({name[:10] for name in names})


def test_days_of_the_log_that_are_loaded_and_old_are_deleted(
    bench: Bench, platform: Platform, move: Callable[[float], None]
) -> None:
    loaded_days(bench, move, 20, 15, 14, 1, 0)
    old = [ago(20), ago(15)]
    result = retire_log(platform, ago(1))
    assert result == Result("done", f"deleted the log of {old[0]}, {old[1]}")
    assert log_days(bench) == checkpoint_days(bench) == [ago(14), ago(1), ago(0)]
    # A new loader reads what is left, and nothing twice.
    assert bench.new_loader().drain() == 0
    assert retire_log(platform, ago(1)).detail == "no day of the log was due"


def test_a_day_that_is_not_loaded_to_its_end_stays(
    bench: Bench, platform: Platform, move: Callable[[float], None]
) -> None:
    loaded_days(bench, move, 20)
    move(-16 * DAY)
    bench.send(click())
    move(0)
    result = retire_log(platform, ago(1))
    assert result.outcome == "warning"
    assert f"the log of {ago(16)} stays: 1 of its segments are not loaded" in result.detail
    assert log_days(bench) == [ago(16)]


def test_a_day_with_parked_events_stays(
    bench: Bench, platform: Platform, move: Callable[[float], None]
) -> None:
    move(-16 * DAY)
    bench.send(click(schema="Other"))
    bench.registry.know(registered())
    loaded_days(bench, move, 16)
    result = retire_log(platform, ago(1))
    assert result.outcome == "warning"
    assert "1 of its events wait for their tables" in result.detail
    with bench.database.read() as connection:
        assert read_lag(connection, bench.folder).parked_lines == 1
    assert log_days(bench) == [ago(16)]


def test_the_log_is_kept_no_longer_than_the_shortest_rule(
    bench: Bench, platform: Platform, move: Callable[[float], None]
) -> None:
    loaded_days(bench, move, 6, 5)
    assert retire_log(platform, ago(1)).detail == "no day of the log was due"
    rule = {"folder": "purge", "name": "Click.toml", "updated_at": "", "document": "{}"}
    with bench.database.write() as connection:
        connection.execute(
            sa.insert(governance), [{**rule, "document": json.dumps({"keep_days": 5})}]
        )
    assert retire_log(platform, ago(1)).detail == f"deleted the log of {ago(6)}"


def test_another_hosts_checkpoints_stay_when_our_log_goes(
    bench: Bench, platform: Platform, move: Callable[[float], None]
) -> None:
    loaded_days(bench, move, 20, 1)
    theirs = {"position": 5, "finished": True, "updated_at": ""}
    with bench.database.write() as connection:
        connection.execute(
            sa.insert(checkpoint), [{**theirs, "segment": f"{ago(20)}/000000000-another"}]
        )
    retire_log(platform, ago(1))
    assert checkpoint_days(bench) == [ago(20), ago(1)], "their loader would begin anew"


def test_each_host_retires_its_own_log(platform: Platform) -> None:
    retire = next(job for job in JOBS if job.name == "retire-log")
    assert retire.slot("2026-11-22").startswith("2026-11-22@")
    everywhere = [job for job in JOBS if not job.on_each_host]
    assert all(job.slot("2026-11-22") == "2026-11-22" for job in everywhere)


def test_ids_are_forgotten_after_seven_days(
    bench: Bench, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlogging.jobs.duties._CHUNK", 10)
    rows = [
        {"table_name": "Click_1", "id": f"{days}-{number}", "dt": "", "added": ago(days)}
        for days in (0, 7, 8, 30)
        for number in range(10)
    ]
    with bench.database.write() as connection:
        connection.execute(sa.insert(recent_id), rows)
    assert forget_ids(platform, ago(1)).detail == f"forgot 20 ids added before {ago(7)}"
    with bench.database.read() as connection:
        left = connection.execute(sa.select(recent_id.c.added)).scalars().all()
    assert (len(left), set(left)) == (20, {ago(0), ago(7)})


def test_reports_and_forwarded_batches_are_forgotten_after_thirty_days(
    bench: Bench, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlogging.jobs.duties._CHUNK", 10)
    days = [(age, number) for age in (0, 30, 31, 90) for number in range(10)]
    reports = [{"id": f"{age}-{number}", "added": ago(age)} for age, number in days]
    batches = [
        {"origin": f"web-{age}", "start": number, "segment": "s", "offset": 0, "added": ago(age)}
        for age, number in days
    ]
    with bench.database.write() as connection:
        connection.execute(sa.insert(client_report), reports)
        connection.execute(sa.insert(forwarded), batches)
    assert forget_ids(platform, ago(1)).detail == (
        f"forgot 0 ids added before {ago(7)}, 20 reports of clients added before {ago(30)}, "
        f"20 batches of forwarders added before {ago(30)}"
    )
    with bench.database.read() as connection:
        for table in (client_report, forwarded):
            left = connection.execute(sa.select(table.c.added)).scalars().all()
            assert (len(left), set(left)) == (20, {ago(0), ago(30)})


# by hand


def by_hand(bench: Bench, *words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(job_command, words, env=settings(bench))
    return result.exit_code, result.stdout, result.stderr


def test_a_job_is_run_by_hand_and_shows_in_the_list(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "has not run yet" in by_hand(bench, "list")[1]
    code, said, _ = by_hand(bench, "run", "ledger-proof", "--for", "2026-11-20")
    assert code == 0
    assert said.startswith("ledger-proof for 2026-11-20: done, the books hold")
    assert by_hand(bench, "run", "ledger-proof", "--for", "2026-11-20")[0] == 0
    listed = json.loads(by_hand(bench, "list", "--json")[1])
    (proof,) = [one for one in listed if one["name"] == "ledger-proof"]
    assert (proof["last_run"]["for"], proof["last_run"]["outcome"]) == ("2026-11-20", "done")
    assert "ledger-proof for" not in by_hand(bench, "list")[1]


def test_a_job_that_finds_something_wrong_exits_with_1(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    bench.send(click())
    bench.loader.drain()
    with bench.database.write() as connection:
        connection.execute(sa.text("DELETE FROM Click_1"))
    code, said, _ = by_hand(bench, "run", "ledger-proof", "--json")
    assert code == 1
    assert json.loads(said)["last_run"]["outcome"] == "warning"


def test_a_job_that_is_running_is_not_begun_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    claims.claim(bench.database, "ledger-proof", ago(1))
    code, _, said = by_hand(bench, "run", "ledger-proof")
    assert code == 1
    assert "is running already" in said
    assert "running since" in by_hand(bench, "list")[1]


@pytest.mark.parametrize(
    "words", [("nothing",), ("ledger-proof", "--for", "9999-01-01"), ("ledger-proof", "--for", "x")]
)
def test_wrong_use_exits_with_2(
    bench: Bench, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert by_hand(bench, "run", *words)[0] == 2
