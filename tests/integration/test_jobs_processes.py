"""Two schedulers in two processes, one database: each firing once, also when one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.jobs import claims
from eventlogging.jobs.claims import Claim
from eventlogging.jobs.duties import Result
from eventlogging.jobs.not_yet import NotYet
from eventlogging.jobs.runner import run_due
from eventlogging.jobs.table import Every, Job
from eventlogging.platform import Platform, open_platform
from eventlogging.store.fixed import job_run
from eventlogging.store.migrate import migrate
from tests.servers import wait_until

FIRINGS = 100
CATCH_UP = FIRINGS + 5  # the clock goes on meanwhile
LEASE = 3
# A scheduler as `eventlogging jobs` runs it. Its lease is short and it looks often, so that the
# test need not wait for minutes. The file says who began and who did what; the first to come to
# the deadly moment, in the process that is to die, stays in it.
CHILD = """
import os, sys, threading, time
from pathlib import Path
from eventlogging import config
from eventlogging.jobs import claims, runner
from eventlogging.jobs.duties import Result
from eventlogging.jobs.table import Every, Job
from eventlogging.platform import open_platform

path, sticks = Path(sys.argv[1]), sys.argv[2] == "sticks"
done = 0

def note(word, moment):
    line = f"{word};{os.getpid()};{moment}\\n".encode()
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line)
    os.close(file)

def duty(platform, moment):
    global done
    note("begins", moment)
    done += 1
    if sticks and done == 10:
        note("sticks", moment)
        time.sleep(600)
    time.sleep(0.005)
    note("did", moment)
    return Result("done", "")

claims.LEASE_SECONDS = int(sys.argv[3])
runner.LOOK_SECONDS = 1
platform = open_platform(config.load())
note("here", "")
while len([line for line in path.read_text().splitlines() if line.startswith("here")]) < 2:
    time.sleep(0.01)
runner.run(platform, threading.Event(), [Job("tick", Every(1, catch_up=int(sys.argv[4])), duty)])
"""


def start(url: str, var: Path, path: Path, how: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "EVENTLOGGING_VAR": str(var), "EVENTLOGGING_DATABASE_URL": url}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), how, str(LEASE), str(CATCH_UP)],
        env=environment, cwd=var,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def noted(path: Path, word: str) -> list[tuple[int, str]]:
    lines = path.read_text().splitlines() if path.exists() else []
    found = [line.split(";") for line in lines if line.startswith(f"{word};")]
    return [(int(pid), moment) for _, pid, moment in found]


def test_a_hundred_firings_happen_once_though_a_scheduler_is_killed(
    database_url: str, tmp_path: Path
) -> None:
    platform = open_platform(Config(var=tmp_path, database_url=database_url))
    migrate(platform.database)
    path = tmp_path / "noted"
    wanted = Every(1, catch_up=FIRINGS).due(clock.now_ms())
    assert len(wanted) == FIRINGS
    children = [start(database_url, tmp_path, path, how) for how in ("works", "sticks")]
    try:
        wait_until(lambda: bool(noted(path, "sticks")), 60)
        ((pid, stuck),) = noted(path, "sticks")
        children[1].kill()
        assert children[1].wait(10) == -signal.SIGKILL
        killed_at = time.monotonic()

        def all_done() -> bool:
            return set(wanted) <= {moment for _, moment in noted(path, "did")}

        wait_until(all_done, 60)
        waited = time.monotonic() - killed_at
    finally:
        for child in children:
            child.kill()
            child.wait()
    did = Counter(moment for _, moment in noted(path, "did"))
    assert set(did.values()) == {1}, "none twice"
    began = Counter(moment for _, moment in noted(path, "begins"))
    assert {moment for moment, times in began.items() if times > 1} == {stuck}
    (who,) = [one for one, moment in noted(path, "did") if moment == stuck]
    assert who == children[0].pid != pid, "taken over"
    assert {one for one, _ in noted(path, "did")} == {child.pid for child in children}
    assert waited < 5 * LEASE
    platform.database.close()


# a trigger by minutes


def opened(url: str, tmp_path: Path) -> Platform:
    platform = open_platform(Config(var=tmp_path, database_url=url))
    migrate(platform.database)
    return platform


def test_a_job_by_minutes_is_due_at_round_moments() -> None:
    seven_past = 1_795_330_800_000 + 7 * 60_000 + 59_999
    assert Every(1).due(seven_past) == ["2026-11-22 07:07"]
    assert Every(5).due(seven_past) == ["2026-11-22 07:05"]
    assert Every(5, catch_up=3).due(seven_past) == [
        *("2026-11-22 06:55", "2026-11-22 07:00", "2026-11-22 07:05"),
    ]
    assert (str(Every(1)), str(Every(15))) == ("every minute", "every 15 minutes")
    job = Job("x", Every(1), lambda platform, moment: Result("done", ""), on_each_host=True)
    slot = job.slot("2026-11-22 07:07")
    assert len(slot) <= 32 and job.time_of(slot) == "2026-11-22 07:07"


def test_runs_by_minutes_do_not_pile_up(database_url: str, tmp_path: Path) -> None:
    platform = opened(database_url, tmp_path)
    now = clock.now_ms()
    old = clock.minute(now - clock.DAY_MS - 120_000)
    for slot in (old, clock.minute(now - 3_600_000)):
        run = claims.claim(platform.database, "tick", slot)
        assert run is not None
        claims.finish(platform.database, run, "done", "")
    seen: list[str] = []

    def tick(platform: Platform, moment: str) -> Result:
        seen.append(moment)
        return Result("done", "")

    assert run_due(platform, [Job("tick", Every(1), tick)]) == 1
    with platform.database.read() as connection:
        left = connection.execute(sa.select(job_run.c.slot)).scalars().all()
    assert old not in left and len(left) == 2
    assert seen[0] in left
    platform.database.close()


def test_a_run_that_has_to_wait_is_done_at_the_next_look(database_url: str, tmp_path: Path) -> None:
    platform = opened(database_url, tmp_path)
    waits = [True, True]

    def patient(platform: Platform, moment: str) -> Result:
        if waits:
            waits.pop()
            raise NotYet("the day is not loaded")
        return Result("done", "at last")

    job = Job("patient", Every(1440), patient)
    assert [run_due(platform, [job]) for _ in range(4)] == [0, 0, 1, 0]
    platform.database.close()


def test_a_run_given_back_is_not_taken_from_who_has_it_now(
    database_url: str, tmp_path: Path
) -> None:
    platform = opened(database_url, tmp_path)
    mine = claims.claim(platform.database, "x", "2026-11-22")
    assert mine is not None
    assert claims.release(platform.database, mine)
    time.sleep(0.002)
    theirs = claims.claim(platform.database, "x", "2026-11-22")
    assert theirs is not None
    assert not claims.release(platform.database, Claim("x", "2026-11-22", "earlier"))
    assert claims.claim(platform.database, "x", "2026-11-22") is None
    platform.database.close()
