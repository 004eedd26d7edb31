"""The Python client's spool: what a process leaves behind the next one sends, counted once."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.python_client import CLIENT, TinyCollector, accounted
from tests.servers import wait_until

from eventlogging_client import EventLog  # isort: skip
from eventlogging_client.capsule import Event, capsule  # isort: skip
from eventlogging_client.left import Left  # isort: skip
from eventlogging_client.spool import Spool  # isort: skip
from eventlogging_client.waiting import Waiting  # isort: skip

S = "Click"
PROGRAM = f"""
import os, sys, time
sys.path.insert(0, {str(CLIENT)!r})
from eventlogging_client import EventLog
url, spool, number, age = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
log = EventLog(url, spool=spool, age=age)
for n in range(number):
    print(log.log("Click", {{"n": n}}), flush=True)
print("logged", flush=True)
time.sleep(60)
"""


@pytest.fixture
def new() -> Iterator[Callable[..., TinyCollector]]:
    made: list[TinyCollector] = []

    def start(*answers: Any, **more: Any) -> TinyCollector:
        made.append(TinyCollector(*answers, **more))
        return made[-1]

    yield start
    for one in made:
        one.stop()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def killed(
    url: str, spool: Path, number: int, age: float = 60, until: Callable[[], bool] | None = None
) -> list[str]:
    """Log events in a process that is killed; return their ids."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url, str(spool), str(number), str(age)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    ids = []
    while (line := process.stdout.readline().strip()) != "logged":
        ids.append(line)
    if until is not None:
        wait_until(until, 10)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return ids


def files(spool: Path) -> list[Path]:
    return sorted(spool.iterdir())


def test_a_killed_process_leaves_its_events_to_the_next(new: Any, spool: Path):
    collector = new()
    ids = killed(collector.url, spool, 30)
    assert collector.events == []
    (file,) = files(spool)
    assert (file.stat().st_mode & 0o777, spool.stat().st_mode & 0o777) == (0o600, 0o700)
    log = EventLog(collector.url, spool=str(spool))
    assert log.close(10)
    assert collector.ids == ids
    assert accounted(log.counts()[S])
    assert collector.reported(S) == {
        "attempted": 30, "sampled_out": 0, "suppressed": 0, "dropped": 0, "sent": 30,
    }  # fmt: skip
    assert files(spool) == []


def test_what_was_sent_without_an_answer_is_sent_again_and_counted_once(new: Any, spool: Path):
    collector = new("hang", 201)
    ids = killed(collector.url, spool, 5, age=0.3, until=lambda: len(collector.parcels) == 1)
    log = EventLog(collector.url, spool=str(spool))
    log.log(S, {"n": "new"})
    assert log.close(10)
    assert collector.ids[:5] == ids
    assert collector.ids.count(ids[0]) == 2
    first, second = collector.parcels[:2]
    assert first["counters"] == second["counters"]  # the same report under the same id
    assert (collector.reported(S)["attempted"], collector.reported(S)["sent"]) == (6, 6)
    assert files(spool) == []


def test_what_was_answered_is_not_sent_again(new: Any, spool: Path):
    collector = new(201)
    killed(collector.url, spool, 5, age=0.1, until=lambda: len(collector.events) == 5)
    time.sleep(0.1)
    log = EventLog(collector.url, spool=str(spool))
    assert log.close(10)
    assert len(collector.events) == 5
    assert collector.reported(S)["sent"] == 5


def test_several_processes_leave_files_and_a_living_one_keeps_its_own(new: Any, spool: Path):
    collector = new()
    ids = {*killed(collector.url, spool, 3), *killed(collector.url, spool, 4)}
    living = EventLog(collector.url, spool=str(spool), age=60)
    wait_until(lambda: living.counts().get(S, {}).get("waiting") == 7, 5)
    mine = living.log(S, {"living": True})
    ids |= set(killed(collector.url, spool, 5))
    log = EventLog(collector.url, spool=str(spool))
    assert log.close(10)
    assert mine not in collector.ids
    assert living.close(10)
    assert sorted(collector.ids) == sorted({*ids, str(mine)})
    assert collector.reported(S)["sent"] == 13
    assert files(spool) == []


def test_the_last_line_may_be_torn_and_others_may_be_nonsense(new: Any, spool: Path):
    collector = new()
    ids = killed(collector.url, spool, 5)
    (file,) = files(spool)
    lines = file.read_bytes().splitlines(keepends=True)
    lines[3] = b'["e",2,"Click",[]]\n["q"]\nnull\n\xff\xfe\n{}\n["d"]\n["d","sent",["x"]]\n'
    file.write_bytes(b"".join(lines)[:-9])
    log = EventLog(collector.url, spool=str(spool))
    assert log.close(10)
    assert collector.ids == [ids[0], ids[1], ids[3]]


def test_a_file_whose_place_was_taken_is_not_read_again(new: Any, spool: Path, tmp_path: Path):
    collector = new()
    ids = killed(collector.url, spool, 5)
    (old,) = files(spool)
    kept = shutil.copy(old, tmp_path / "kept")
    # It takes the five over into a file of its own, and dies before the old one is gone.
    dead = TinyCollector(503)
    killed(dead.url, spool, 0, until=lambda: old not in files(spool))
    dead.stop()
    shutil.move(kept, old)
    assert len(files(spool)) == 2
    log = EventLog(collector.url, spool=str(spool))
    assert log.close(10)
    assert collector.ids == ids
    assert collector.reported(S)["attempted"] == 5
    assert files(spool) == []


def test_what_is_left_behind_is_suppressed_when_the_process_is_switched_off(
    new: Any, spool: Path, monkeypatch: pytest.MonkeyPatch
):
    collector = new()
    killed(collector.url, spool, 5)
    monkeypatch.setenv("EVENTLOGGING_OPT_OUT", "1")
    log = EventLog(collector.url, spool=str(spool))
    log.close(5)
    assert (log.counts()[S]["suppressed"], log.counts()[S]["waiting"]) == (5, 0)
    assert collector.parcels == []
    assert not any(b"target" in file.read_bytes() for file in files(spool))
    assert files(spool) == []


def test_what_cannot_be_sent_before_the_end_is_kept(new: Any, spool: Path):
    dead = new(503)
    log = EventLog(dead.url, spool=str(spool))
    ids = [log.log(S, {"n": n}) for n in range(3)]
    assert not log.close(0.2)
    assert len(files(spool)) == 1
    collector = new()
    log = EventLog(collector.url, spool=str(spool))
    assert log.close(10)
    assert collector.ids == ids
    assert collector.reported(S)["sent"] == 3


def test_more_than_the_queue_takes_is_dropped_and_counted(new: Any, spool: Path):
    collector = new()
    killed(collector.url, spool, 20)
    log = EventLog(collector.url, spool=str(spool), queue_events=8)
    assert log.close(10)
    assert (len(collector.events), collector.reported(S)["dropped"]) == (8, 12)
    assert accounted(log.counts()[S])


def test_the_file_does_not_grow_for_ever(spool: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("eventlogging_client.spool._MEND", 0.0)
    waiting = Waiting(100, 10, lambda: Spool(str(spool), 5_000))
    sizes = []
    for n in range(500):  # one more always waits, so that the file is never empty
        body = capsule(S, {"n": n}, f"id-{n}", None)
        assert waiting.put(S, Event(S, "", body, decided=True))
        if n:
            parcel = waiting.pack(1)
            waiting.sync()
            waiting.settle(parcel)
            sizes.append(sum(file.stat().st_size for file in files(spool)))
    assert 2_000 < max(sizes) < 6_000
    (file,) = files(spool)
    left = Left()
    left.read(file)
    (event,) = left.events.values()
    assert json.loads(event.body)["event"] == {"n": 499}
    assert left.counts.new == {S: {"sent": 1}}
    assert waiting.figures()[S] == {
        "attempted": 500, "sampled_out": 0, "suppressed": 0, "dropped": 0, "sent": 499,
        "waiting": 1,
    }  # fmt: skip


@pytest.mark.parametrize("way", ["a file", "gone"])
def test_without_a_usable_folder_events_go_all_the_same(new: Any, spool: Path, way: str):
    if way == "a file":
        spool.write_text("in the way")
    collector = new()
    log = EventLog(collector.url, spool=str(spool))
    log.log(S, {"n": 1})
    if way == "gone":
        shutil.rmtree(spool)
    log.log(S, {"n": 2})
    assert log.close(10)
    assert [event["event"]["n"] for event in collector.events] == [1, 2]


def test_on_a_full_disk_events_go_all_the_same_and_none_twice(new: Any, spool: Path):
    collector = new()
    program = f"""
import resource, signal, sys
sys.path.insert(0, {str(CLIENT)!r})
from eventlogging_client import EventLog
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = EventLog({collector.url!r}, spool={str(spool)!r}, age=60)
for n in range(50):
    if n == 10:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
    log.log("Click", {{"n": n}})
assert log.close(10)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, b"")
    assert [event["event"]["n"] for event in collector.events] == list(range(50))
    log = EventLog(collector.url, spool=str(spool))
    assert log.close(10)
    assert len(collector.events) == 50


def test_the_file_holds_events_as_plain_json_lines(new: Any, spool: Path):
    log = EventLog(new(503).url, spool=str(spool), age=60)
    id = log.log(S, {"target": "ä"})
    (file,) = files(spool)
    first, second = map(json.loads, file.read_text("utf-8").splitlines())
    assert first == ["x", []]
    assert (second[:3], second[3]["id"], second[3]["event"]) == (["e", 1, S], id, {"target": "ä"})
    log.close(0)
    assert files(spool) == [file]
