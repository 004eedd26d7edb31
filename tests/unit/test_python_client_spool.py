"""The Python client's spool: what a process leaves behind the next one sends, counted once."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.python_client import CLIENT, accounted
from tests.python_client import new as _new
from tests.python_spool import files, killed
from tests.servers import wait_until

from eventlogging_client import EventLog  # isort: skip
from eventlogging_client.capsule import Event, capsule  # isort: skip
from eventlogging_client.left import Left  # isort: skip
from eventlogging_client.spool import Spool  # isort: skip
from eventlogging_client.waiting import Waiting  # isort: skip

new = _new
S = "Click"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


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


def test_the_last_line_may_be_torn_and_others_may_be_nonsense(new: Any, spool: Path):
    collector = new()
    ids = killed(collector.url, spool, 5)
    (file,) = files(spool)
    lines = file.read_bytes().splitlines(keepends=True)
    lines[3] = b'["e",2,"Click",[]]\n["q"]\nnull\n\xff\xfe\n{}\n["d"]\n["d","sent",["x"]]\n'
    lines[3] += b"[" * 100_000 + b"\n"
    file.write_bytes(b"".join(lines)[:-9])
    log = EventLog(collector.url, spool=str(spool))
    assert log.close(10)
    assert collector.ids == [ids[0], ids[1], ids[3]]


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


def test_counts_without_an_event_outlive_a_close_while_the_collector_is_away(new: Any, spool: Path):
    busy = new((503, {}, {"Retry-After": "60"}))
    says_yes = iter([True] * 5 + [False] * 7 + [True] * 18)
    log = EventLog(
        busy.url, spool=str(spool), queue_events=5, age=0, consent=lambda: next(says_yes)
    )
    for n in range(30):
        log.log(S, {"n": n})
        if n == 4:
            wait_until(lambda: len(busy.parcels) == 1, 5)
            time.sleep(0.1)
    assert not log.close(0.2)
    assert len(busy.parcels) == 1
    collector = new()
    assert EventLog(collector.url, spool=str(spool)).close(10)
    assert collector.reported(S) == {
        "attempted": 30, "sampled_out": 0, "suppressed": 7, "dropped": 18, "sent": 5,
    }  # fmt: skip


def test_counts_are_on_disk_before_they_go_even_if_nothing_was_logged_but_them(spool: Path):
    waiting = Waiting(100, 10, lambda: Spool(str(spool), 5_000))
    for _ in range(2):  # the second time the first report is still on its way
        waiting.count(S, "attempted", "sampled_out")
        waiting.pack(1)
        waiting.sync()
    (file,) = files(spool)
    left = Left()
    left.read(file)
    (report,) = left.reports.values()
    assert report.counts == left.counts.new == {S: {"attempted": 1, "sampled_out": 1}}


def test_counts_without_an_event_outlive_a_crash_once_it_was_tried_to_send(new: Any, spool: Path):
    dead, collector = new(503), new()
    killed(dead.url, spool, 5_000, age=0, until=lambda: len(dead.parcels) >= 3, queue=5)
    log = EventLog(collector.url, spool=str(spool))
    assert log.close(10)
    assert collector.reported(S) == {
        "attempted": 5_000, "sampled_out": 0, "suppressed": 0, "dropped": 4_995, "sent": 5,
    }  # fmt: skip


def test_a_spool_that_cannot_be_used_is_told_once(
    new: Any, spool: Path, caplog: pytest.LogCaptureFixture
):
    spool.write_text("in the way")
    log = EventLog(new().url, spool=str(spool), age=0)
    with caplog.at_level(logging.WARNING, "eventlogging_client"):
        for n in range(5):
            log.log(S, {"n": n})
            assert log.flush()
        assert log.close(10)
    (record,) = caplog.records
    assert f"the spool fails, a crash would cost what waits: {spool}: " in record.getMessage()


def test_a_file_that_somebody_removes_is_written_again(
    new: Any, spool: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("eventlogging_client.spool._MEND", 0.0)
    log = EventLog(new(503).url, spool=str(spool), age=0)
    log.log(S, {"n": 1})
    assert not log.flush(0.2)
    shutil.rmtree(spool)
    log.log(S, {"n": 2})
    wait_until(spool.exists, 10)
    assert not log.close(0.2)
    (file,) = files(spool)
    left = Left()
    left.read(file)
    assert [json.loads(event.body)["event"]["n"] for event in left.events.values()] == [1, 2]


def test_what_is_closed_in_the_midst_of_a_request_is_free_once_that_has_ended(
    new: Any, spool: Path
):
    away = new("hang")
    log = EventLog(away.url, spool=str(spool), age=0)
    id = log.log(S, {})
    wait_until(lambda: len(away.parcels) == 1, 5)
    assert not log.close(0.1)
    away.released.set()
    wait_until(lambda: not log._sender.is_working, 10)
    collector = new()
    assert EventLog(collector.url, spool=str(spool)).close(10)
    assert collector.ids == [id]
    assert collector.reported(S)["attempted"] == 1


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
    assert (done.returncode, done.stderr.count(b"\n")) == (0, 1)
    assert b"a crash would cost what waits" in done.stderr
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
