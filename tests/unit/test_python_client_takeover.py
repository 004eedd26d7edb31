"""The Python client takes over what others left behind: each file once, and no more than fits."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.python_client import TinyCollector, accounted
from tests.python_client import new as _new
from tests.python_spool import files, killed, left_behind
from tests.servers import wait_until

from eventlogging_client import EventLog  # isort: skip
from eventlogging_client.capsule import Event, capsule  # isort: skip
from eventlogging_client.spool import Spool  # isort: skip
from eventlogging_client.waiting import Waiting  # isort: skip

new = _new
S = "Click"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


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


def test_a_file_whose_place_was_taken_goes_with_the_one_that_took_it(
    new: Any, spool: Path, tmp_path: Path
):
    collector = new()
    ids = killed(collector.url, spool, 5)
    (old,) = files(spool)
    kept = shutil.copy(old, tmp_path / "kept")
    dead = new(503)
    killed(dead.url, spool, 0, until=lambda: old not in files(spool))
    (taker,) = files(spool)
    taker.rename(spool / "00.spool")  # the first in the order of names, the old one the last
    shutil.move(kept, old)
    ids += left_behind(dead.url, spool, 5, "0a") + left_behind(dead.url, spool, 5, "0b")
    worker = EventLog(dead.url, spool=str(spool), queue_events=5)
    wait_until(lambda: not (spool / "00.spool").exists(), 5)
    assert not worker.close(0.1)
    log = EventLog(collector.url, spool=str(spool))
    assert log.close(10)
    assert sorted(collector.ids) == sorted(ids)
    assert collector.reported(S)["attempted"] == 15


@pytest.mark.parametrize("narrow", ["events", "bytes"])
def test_what_finds_no_room_stays_on_disk_until_there_is_some(
    new: Any, spool: Path, monkeypatch: pytest.MonkeyPatch, narrow: str
):
    if narrow == "bytes":
        monkeypatch.setattr("eventlogging_client.waiting._MOST_BYTES", 2_000)
        monkeypatch.setattr("eventlogging_client.waiting._PARCEL_BYTES", 1_000)
    most = {"queue_events": 10} if narrow == "events" else {}
    dead, collector = new(503), new()
    ids = [id for name in "abcd" for id in left_behind(dead.url, spool, 9, name)]
    workers = [EventLog(dead.url, spool=str(spool), **most) for _ in range(2)]
    for worker in workers:
        wait_until(lambda log=worker: S in log.counts(), 5)
        assert (worker.counts()[S]["waiting"], worker.counts()[S]["dropped"]) == (9, 0)
    assert not workers[0].close(0.1)
    assert len(files(spool)) == 4
    last = EventLog(collector.url, spool=str(spool), **most)
    assert last.close(10)
    assert last.counts()[S]["sent"] == 27
    assert not workers[1].close(0.1)
    last = EventLog(collector.url, spool=str(spool), **most)
    assert last.close(10)
    assert sorted(collector.ids) == sorted(ids)
    assert (collector.reported(S)["sent"], collector.reported(S)["dropped"]) == (36, 0)
    assert files(spool) == []


def test_a_file_with_far_more_than_the_queue_takes_is_cut_and_counted(new: Any, spool: Path):
    collector = new()
    killed(collector.url, spool, 20)
    log = EventLog(collector.url, spool=str(spool), queue_events=8)
    assert log.close(10)
    assert (len(collector.events), collector.reported(S)["dropped"]) == (16, 4)
    assert accounted(log.counts()[S])


def test_what_waited_beside_what_was_taken_over_is_taken_over_as_well(new: Any, spool: Path):
    left_behind(new(503).url, spool, 8, "a")
    first, second = (Waiting(8, 10, lambda: Spool(str(spool), 50_000)) for _ in range(2))
    assert first.put(S, Event(S, "", capsule(S, {}, "mine", None), decided=True))
    assert first.recover() == 8
    first.close(let_go=True)
    assert second.recover() == 9
    assert (second.figures()[S]["dropped"], second.figures()[S]["waiting"]) == (0, 9)
    second.close(let_go=True)


def test_a_file_that_is_about_to_be_locked_is_left_alone_and_others_are_swept(
    new: Any, spool: Path
):
    spool.mkdir()
    for name, content, age in (("new", "", 0), ("torn", '["x"', 0), ("old", "", 100)):
        path = spool / f"{name}.tmp"
        path.write_text(content)
        os.utime(path, (time.time() - age,) * 2)
    assert EventLog(new().url, spool=str(spool)).close(10)
    assert [path.name for path in spool.iterdir()] == ["new.tmp"]
