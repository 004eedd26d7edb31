"""The Python client against a collector that answers as it is told: nothing is lost uncounted."""

from __future__ import annotations

import ast
import logging
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from werkzeug.datastructures import Headers

from tests.python_client import CLIENT, accounted, refusing
from tests.python_client import new as _new
from tests.servers import wait_until

from eventlogging_client import EventLog, EventLogHandler, in_sample, said_no  # isort: skip
from eventlogging_client.spool import Spool  # isort: skip

new = _new
S = "Click"


@pytest.fixture
def nowhere() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def sampled(rate: Any, unit: str = "device") -> dict[str, Any]:
    return {"schemas": {S: {"version": "1.0.0", "sampling": {"rate": rate, "unit": unit}}}}


def close(log: EventLog, seconds: float = 10) -> dict[str, int]:
    """Close and return what was counted of the one schema."""
    assert log.close(seconds)
    return log.counts()[S]


# An event on its way


def test_two_lines_put_an_event_on_its_way(new: Any):
    collector = new()
    log = EventLog(collector.url)
    id = log.log(S, {"target": "a"})
    assert accounted(close(log))
    (event,) = collector.events
    assert event["id"] == id
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(id))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["dt"])
    assert event["client"] == "eventlogging-python/1.0.0"
    assert (event["schema"], event["event"]) == (S, {"target": "a"})
    assert collector.parcels[0]["consent"] is True
    assert collector.targets == ["/v1/events"] * 2
    assert collector.reported(S) == {
        "attempted": 1, "sampled_out": 0, "suppressed": 0, "dropped": 0, "sent": 1,
    }  # fmt: skip


def test_an_event_goes_by_itself_after_a_second(new: Any):
    collector = new()
    log = EventLog(collector.url, age=0.2)
    log.log(S, {})
    assert collector.events == []
    wait_until(lambda: len(collector.events) == 1, 5)
    assert log.close()


def test_a_full_batch_does_not_wait(new: Any):
    collector = new()
    log = EventLog(collector.url, age=60, batch=10)
    for n in range(25):
        log.log(S, {"n": n})
    wait_until(lambda: len(collector.events) == 20, 5)
    time.sleep(0.1)
    assert [len(parcel["events"]) for parcel in collector.parcels] == [10, 10]
    assert log.close()
    assert [event["event"]["n"] for event in collector.events] == list(range(25))
    assert collector.connections == 1


def test_all_that_can_be_said_is_said(new: Any):
    collector = new()
    with EventLog(
        collector.url + "/", client="shop/2.1", host="shop.org", wiki="dewiki", token="secret"
    ) as log:
        then = datetime(2026, 11, 22, 4, 0, 0, 123456, timezone(timedelta(hours=2)))
        log.log(S, {}, version="1.2.0", id="mine", dt=then, unit_id="u")
        log.log(S, MappingProxyType({"a": 1}), dt=datetime(2026, 11, 22))
        log.log(S, {}, dt=1_700_000_000_123)
        log.log(S, {}, dt="2026-11-22")
    first, second, third, fourth = collector.events
    assert (first["version"], first["id"], first["host"], first["wiki"]) == (
        "1.2.0", "mine", "shop.org", "dewiki",
    )  # fmt: skip
    assert (first["dt"], first["sample_unit_id"]) == ("2026-11-22T02:00:00.123Z", "u")
    assert (first["client"], second["event"]) == ("shop/2.1", {"a": 1})
    assert second["dt"] == "2026-11-22T00:00:00.000Z"
    assert (third["dt"], fourth["dt"]) == (1_700_000_000_123, "2026-11-22")
    assert collector.headers[0]["authorization"] == "Bearer secret"
    assert collector.parcels[0]["counters"]["client"] == "shop/2.1"


def test_large_bodies_are_zipped(new: Any):
    collector = new()
    log = EventLog(collector.url)
    log.log(S, {"text": "x"})
    assert log.flush()
    log.log(S, {"text": "x" * 2000})
    assert log.close()
    zipped = [headers.get("content-encoding") for headers in collector.headers]
    assert (zipped[0], "gzip" in zipped) == (None, True)
    assert [len(event["event"]["text"]) for event in collector.events] == [1, 2000]


def test_a_parcel_stays_small(new: Any):
    collector = new()
    log = EventLog(collector.url, age=60)
    for _ in range(20):
        log.log(S, {"text": "x" * 100_000})
    assert close(log)["sent"] == 20
    assert max(len(parcel["events"]) for parcel in collector.parcels) <= 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "localhost:8080"}, {"url": ""}, {"url": "ftp://x"}, {"url": "http://h:port"},
        {"client": "a\nb"}, {"client": ""}, {"token": "a\r\nX: y"}, {"queue_events": 0},
        {"batch": 0}, {"batch": 2001}, {"timeout": 0},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_arguments_are_told_at_once(wrong: dict[str, Any]):
    with pytest.raises(ValueError):
        EventLog(**{"url": "http://127.0.0.1:1", **wrong})


# What no event can be


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __hash__ = __bool__ = __repr__  # type: ignore[assignment]


def cycle() -> dict[str, Any]:
    found: dict[str, Any] = {}
    found["self"] = found
    return found


def deep(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = [found]
    return {"deep": found}


@pytest.mark.parametrize(
    "event",
    [
        cycle(), {"x": float("nan")}, {"x": float("inf")}, {"x": b"bytes"}, {"x": {1, 2}},
        {"x": "\ud800"}, {"\udfff": 1}, {"x": object()}, {"x": Hostile()}, {b"x": 1}, Hostile(),
        None, 7, "text", [1], [("a", 1)], {"x": "y" * 10_000_000}, deep(400), deep(100_000),
        {"x": 10**5000},
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_cannot_be_sent_is_counted_as_dropped(new: Any, event: Any):
    collector = new()
    log = EventLog(collector.url)
    assert log.log(S, event) is None
    assert log.log(S, {"good": True})
    assert close(log) == {
        "attempted": 2, "sampled_out": 0, "suppressed": 0, "dropped": 1, "sent": 1, "waiting": 0,
    }  # fmt: skip
    assert [event["event"] for event in collector.events] == [{"good": True}]


@pytest.mark.parametrize("schema", [None, 7, b"x", [], "\ud800", "", "a\0b", "x" * 10_000])
def test_a_schema_that_cannot_be_is_booked_as_unknown(new: Any, schema: Any):
    collector = new()
    log = EventLog(collector.url)
    log.log(schema, {})
    assert log.close()
    assert accounted(log.counts()["(unknown)"])
    assert collector.reported("(unknown)")["attempted"] == 1


def test_invented_names_of_schemas_do_not_fill_the_memory(new: Any):
    collector = new()
    log = EventLog(collector.url)
    for n in range(500):
        log.log(f"S{n}", {})
    assert log.close()
    assert len(log.counts()) <= 200
    assert sum(of["sent"] for of in log.counts().values()) == 500
    assert all(len(p["counters"]["counts"]) <= 200 for p in collector.parcels if "counters" in p)


@pytest.mark.parametrize("more", [{"dt": Hostile()}, {"id": Hostile()}, {"version": Hostile()}])
def test_hostile_words_around_an_event_cost_the_event_alone(new: Any, more: Any):
    log = EventLog(new().url)
    assert log.log(S, {}, **more) is None
    assert close(log)["dropped"] == 1


def test_a_full_queue_drops_what_is_new_and_counts_it(nowhere: str):
    log = EventLog(nowhere, queue_events=10)
    ids = [log.log(S, {"n": n}) for n in range(15)]
    assert [id is None for id in ids] == [False] * 10 + [True] * 5
    assert (log.counts()[S]["dropped"], log.counts()[S]["waiting"]) == (5, 10)
    assert not log.close(0.1)


def test_logging_takes_no_time_whatever_the_collector_does(new: Any):
    collector = new("hang", config="hang")
    log = EventLog(collector.url, batch=1, age=0, timeout=1)
    longest = 0.0
    for _ in range(300):
        start = time.perf_counter()
        log.log(S, {})
        longest = max(longest, time.perf_counter() - start)
        time.sleep(0.001)
    assert longest < 0.25
    assert not log.close(0.2)
    assert log.counts()[S]["waiting"] == 300


# Answers


def test_refused_events_are_settled_and_told_with_the_exact_path(
    new: Any, caplog: pytest.LogCaptureFixture
):
    collector = new(refusing(lambda event: event["event"]["n"] == 1))
    told: list[Any] = []
    log = EventLog(collector.url, on_refused=lambda *words: told.append(words))
    with caplog.at_level(logging.DEBUG, "eventlogging_client"):
        for n in range(3):
            log.log(S, {"n": n})
        assert close(log)["sent"] == 3
    ((event, code, errors),) = told
    assert (event["event"], code, errors[0]["pointer"]) == ({"n": 1}, "type_mismatch", "/n")
    assert "Click refused: type_mismatch; /n: expected a whole number, found a text" in caplog.text
    assert len(collector.events) == 3


@pytest.mark.parametrize("wrong", [lambda *_: 1 / 0, lambda *_: sys.exit(1)])
def test_all_refused_is_settled_too_and_a_wrong_callback_ends_nothing(new: Any, wrong: Any):
    collector = new(refusing(lambda _: True))
    log = EventLog(collector.url, on_refused=wrong, age=0)
    log.log(S, {})
    wait_until(lambda: len(collector.events) == 1, 5)
    log.log(S, {})
    assert close(log)["sent"] == 2
    assert len(collector.events) == 2


def test_nothing_is_said_unless_in_debug_mode(new: Any, capfd: pytest.CaptureFixture[str]):
    for debug in (False, True):
        log = EventLog(new(refusing(lambda _: True)).url, debug=debug)
        log.log(S, {"n": "x"})
        log.log(S, b"no event")  # type: ignore[arg-type]
        assert log.close()
    # pytest's own handlers hear all; a plain process is asked.
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from eventlogging_client import EventLog\n"
        "log = EventLog('http://127.0.0.1:9', debug=len(sys.argv) > 2)\n"
        "log.log('S', b'');  log.close(1)\n"
    )
    quiet = subprocess.run([sys.executable, "-c", code, CLIENT], capture_output=True, text=True)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    loud = subprocess.run([sys.executable, "-c", code, CLIENT, "d"], capture_output=True, text=True)
    assert "an event is dropped: the event is not a mapping" in loud.stderr


def test_a_parcel_that_is_too_large_is_split(new: Any):
    collector = new(lambda parcel: (413 if len(parcel["events"]) > 2 else 201, {}, {}))
    log = EventLog(collector.url, age=60)
    for n in range(9):
        log.log(S, {"n": n})
    assert close(log)["sent"] == 9
    small = [p for p in collector.parcels if len(p["events"]) <= 2]
    assert sorted(e["event"]["n"] for p in small for e in p["events"]) == list(range(9))
    assert collector.reported(S)["sent"] == 9


def test_one_event_that_is_too_large_is_dropped_and_its_neighbours_are_not(new: Any):
    collector = new(
        lambda p: (413 if any(e["event"]["n"] == 3 for e in p["events"]) else 201, {}, {})
    )
    log = EventLog(collector.url, age=60)
    for n in range(8):
        log.log(S, {"n": n})
    counted = close(log)
    assert (counted["sent"], counted["dropped"]) == (7, 1)
    assert collector.reported(S) == {
        "attempted": 8, "sampled_out": 0, "suppressed": 0, "dropped": 1, "sent": 7,
    }  # fmt: skip


def test_a_body_refused_as_a_whole_costs_one_event_not_all(new: Any):
    whole = (400, {"invalid": [], "error": [{"index": 0, "code": "too_deep"}]}, {})

    def answer(parcel: Any) -> Any:
        bad = any(event["event"]["n"] == 3 for event in parcel["events"])
        return whole if bad else (201, {}, {})

    collector = new(answer)
    log = EventLog(collector.url, age=60)
    for n in range(8):
        log.log(S, {"n": n})
    assert close(log)["sent"] == 8
    good = [p for p in collector.parcels if all(e["event"]["n"] != 3 for e in p["events"])]
    assert len({e["id"] for p in good for e in p["events"]}) == 7


def test_a_body_that_was_not_read_costs_no_count(new: Any):
    """The collector booked the event as invalid, and knows nothing of the report beside it."""
    unread = (400, {"invalid": [], "error": [{"index": 0, "code": "too_deep"}]}, {})
    collector = new(lambda parcel: unread if parcel["events"] else (201, {}, {}))
    log = EventLog(collector.url, age=0)
    log.log(S, {"n": 1})
    assert close(log)["sent"] == 1
    first, second = collector.parcels[:2]
    assert not second["events"]
    assert second["counters"]["id"] == first["counters"]["id"]
    assert collector.reported(S)["attempted"] == 1


@pytest.mark.parametrize("trouble", [503, 429, 500, 404, "close", (502, b"<html>", {})])
def test_trouble_keeps_events_and_they_go_again_with_id_and_time(new: Any, trouble: Any):
    collector = new(trouble, trouble, 201)
    log = EventLog(collector.url, age=0)
    id = log.log(S, {})
    assert close(log)["sent"] == 1
    again = [event for event in collector.events if event["id"] == id]
    assert len(again) >= 3
    assert len({str(event) for event in again}) == 1
    reports = [p["counters"]["id"] for p in collector.parcels if p["events"]]
    assert len(set(reports)) == 1  # a report that was not acknowledged keeps its id, too
    assert collector.reported(S)["attempted"] == 1


def test_the_back_off_grows(new: Any):
    collector = new(503)
    log = EventLog(collector.url, age=0)
    log.log(S, {})
    wait_until(lambda: len(collector.at) == 3, 10)
    first, second = (b - a for a, b in pairwise(collector.at))
    assert 0.5 <= first <= 1.3
    assert 1.0 <= second <= 2.3
    log.close(0.1)


def test_retry_after_is_honoured_by_flush_and_close_as_well(new: Any):
    collector = new((503, {}, {"Retry-After": "2"}), 201)
    log = EventLog(collector.url, age=0)
    log.log(S, {})
    wait_until(lambda: len(collector.at) == 1, 5)
    time.sleep(0.05)
    start = time.monotonic()
    assert not log.flush(1)  # it knows that a second is not enough
    assert time.monotonic() - start < 0.5
    assert log.close(5)
    assert collector.at[1] - collector.at[0] >= 1.9


def test_a_collector_that_hangs_is_given_up_and_asked_again(new: Any):
    collector = new("hang", 201)
    log = EventLog(collector.url, timeout=0.5, age=0)
    log.log(S, {})
    assert close(log)["sent"] == 1
    assert len(collector.parcels) >= 2


def test_a_connection_that_was_closed_while_idle_costs_nothing(new: Any):
    collector = new(201, "close", 201)
    log = EventLog(collector.url)
    log.log(S, {})
    assert log.flush()
    start = time.monotonic()
    log.log(S, {})
    assert log.flush()
    assert time.monotonic() - start < 0.4
    assert close(log)["sent"] == 2


def test_without_a_network_all_of_it_waits_and_goes_later(new: Any):
    collector = new()
    port = int(collector.url.rpartition(":")[2])
    collector.stop()
    log = EventLog(f"http://127.0.0.1:{port}", age=0)
    ids = [log.log(S, {"n": n}) for n in range(5)]
    assert not log.flush(0.3)
    assert log.counts()[S]["waiting"] == 5
    assert None not in ids
    collector = new(port=port)
    wait_until(lambda: len(collector.events) == 5, 10)
    assert close(log)["sent"] == 5
    assert collector.ids == ids
    assert collector.reported(S)["attempted"] == 5


# Sampling and the config


def test_the_client_samples_and_says_at_what_rate(new: Any):
    collector = new(config=sampled(0.5))
    log = EventLog(collector.url)
    units = [f"device-{n}" for n in range(200)]
    for unit in units:
        log.log(S, {"unit": unit}, unit_id=unit)
    counted = close(log)
    wanted = [unit for unit in units if in_sample(unit, 0.5)]
    assert [event["event"]["unit"] for event in collector.events] == wanted
    assert {event["sample_rate"] for event in collector.events} == {0.5}
    assert [event["sample_unit_id"] for event in collector.events] == wanted
    assert (counted["sampled_out"], counted["sent"]) == (200 - len(wanted), len(wanted))
    assert collector.reported(S)["sampled_out"] == 200 - len(wanted)


def test_without_a_unit_the_id_decides_and_is_stated(new: Any):
    collector = new(config=sampled(0.3))
    log = EventLog(collector.url)
    log.log("Other", {})
    assert log.flush()  # the config is known now, and log() itself can say no
    ids = [log.log(S, {}) for _ in range(100)]
    assert log.close()
    clicks = [event for event in collector.events if event["schema"] == S]
    assert [event["id"] for event in clicks] == [id for id in ids if id]
    assert all(event["sample_unit_id"] == event["id"] for event in clicks)
    assert 10 < len(clicks) < 60


@pytest.mark.parametrize(
    "config",
    [
        404, 500, b"", b"<html>", b"null", b"[]", b"{}", b'{"schemas": []}',
        b'{"schemas": {"Click": 1}}', b"\xff\xfe", b"[" * 100_000, sampled("x"), sampled(None),
        sampled(-1), sampled(2), sampled(True), {"schemas": {S: {"sampling": "no"}}},
        {"schemas": {S: {}}},
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_a_broken_config_leaves_sampling_to_the_collector(new: Any, config: Any):
    collector = new(config=config)
    log = EventLog(collector.url)
    for _ in range(5):
        log.log(S, {})
    assert close(log)["sent"] == 5
    assert not any("sample_rate" in event for event in collector.events)


def test_a_rate_of_none_sends_none(new: Any):
    collector = new(config=sampled(0))
    log = EventLog(collector.url)
    for _ in range(20):
        log.log(S, {})
    assert close(log)["sampled_out"] == 20
    assert collector.events == []


def test_the_config_is_asked_for_once_a_minute_and_by_its_tag(
    new: Any, monkeypatch: pytest.MonkeyPatch
):
    collector = new(config=sampled(0.999))
    log = EventLog(collector.url)
    for _ in range(3):
        log.log(S, {})
        assert log.flush()
    assert len(collector.config_asked) == 1
    monkeypatch.setattr("eventlogging_client.rates._FRESH", 0.0)
    log.log(S, {})
    assert log.flush()
    assert collector.config_asked[-1].get("if-none-match")
    assert log._rates.of(S) == 0.999  # not modified is not forgotten
    collector.config = 500
    log.log(S, {})
    assert log.flush()
    assert log._rates.of(S) == 0.999  # nor is what was known when the collector has trouble
    assert log.close()


# A person who says no


def test_who_says_no_is_counted_and_nothing_is_sent(new: Any):
    collector = new()
    log = EventLog(collector.url, consent=lambda: False, age=0)
    assert log.log(S, {}) is None
    assert log.log(S, {}) is None
    time.sleep(0.2)
    counted = close(log)
    assert (counted["attempted"], counted["suppressed"], counted["waiting"]) == (2, 2, 0)
    assert collector.parcels == []
    assert collector.config_asked == []


def test_what_was_suppressed_is_told_when_something_may_be_sent_again(new: Any):
    answer = iter([False, False, True])
    collector = new()
    log = EventLog(collector.url, consent=lambda: next(answer))
    for _ in range(3):
        log.log(S, {})
    assert close(log)["sent"] == 1
    assert collector.reported(S) == {
        "attempted": 3, "sampled_out": 0, "suppressed": 2, "dropped": 0, "sent": 1,
    }  # fmt: skip


def test_who_is_asked_may_be_told_for_which_schema(new: Any):
    collector = new()
    headers = {"Cookie": "eventlogging_opt_out_for=Click:Other"}
    log = EventLog(collector.url, consent=lambda schema: not said_no(headers, schema))
    assert [log.log(name, {}) is None for name in ("Click", "Third", "Other")] == [
        True, False, True,
    ]  # fmt: skip
    assert log.close()
    assert [event["schema"] for event in collector.events] == ["Third"]
    assert log.counts()[S]["suppressed"] == 1


@pytest.mark.parametrize(
    ("headers", "no"),
    [
        ({}, False),
        ({"dnt": "1"}, True),
        ({"SEC-GPC": "1"}, True),
        ({"HTTP_DNT": "1", "wsgi.version": (1, 0)}, True),
        ({"HTTP_COOKIE": "a=b; eventlogging_opt_out=1"}, True),
        (Headers([("Cookie", "a=b"), ("Cookie", "eventlogging_opt_out=1")]), True),
        (Headers([("DNT", "0"), ("Cookie", "eventlogging_opt_out=0")]), False),
    ],
)
def test_a_request_says_no_for_its_person(headers: Any, no: bool):
    assert said_no(headers) is no


def test_who_cannot_be_asked_has_not_said_yes(new: Any):
    collector = new()
    log = EventLog(collector.url, consent=lambda: 1 / 0 > 0)
    assert log.log(S, {}) is None
    assert close(log)["suppressed"] == 1
    assert collector.parcels == []


def test_the_environment_switches_a_process_off(new: Any, monkeypatch: pytest.MonkeyPatch):
    collector = new()
    log = EventLog(collector.url, age=60)
    assert log.log(S, {})
    monkeypatch.setenv("EVENTLOGGING_OPT_OUT", "1")
    assert log.log(S, {}) is None
    assert log.flush()
    counted = close(log)
    assert (counted["suppressed"], counted["waiting"]) == (2, 0)
    assert collector.parcels == []
    monkeypatch.setenv("EVENTLOGGING_OPT_OUT", "0")
    log = EventLog(collector.url)
    assert log.log(S, {})
    assert close(log)["sent"] == 1


# Threads, forks, the end


def test_eight_threads_lose_nothing(new: Any):
    collector = new()
    log = EventLog(collector.url, age=0.01)
    ids: list[str | None] = []

    def work() -> None:
        for n in range(250):
            ids.append(log.log(S, {"n": n}))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert close(log)["sent"] == 2000
    assert sorted(collector.ids) == sorted(str(id) for id in ids)
    assert collector.reported(S)["sent"] == 2000


def test_a_signal_handler_may_log_in_the_midst_of_logging(new: Any):
    log = EventLog(new().url)
    before = signal.signal(signal.SIGALRM, lambda *_: log.log(S, {"signal": True}))
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    try:
        for _ in range(5000):
            log.log(S, {})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    counted = close(log)
    assert accounted(counted)
    assert counted["sent"] > 5000


def test_a_signal_handler_may_log_and_close_in_the_midst_of_logging(
    new: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    collector = new()
    log = EventLog(collector.url, spool=str(tmp_path), age=60)
    done: list[bool] = []

    def end(*_: Any) -> None:
        log.log(S, {"n": "last"})
        done.append(log.close(10))

    def interrupted(self: Spool, event: Any, add: Any = Spool.add) -> None:
        add(self, event)
        if not done and event.body.count(b'"n":"first"'):
            signal.raise_signal(signal.SIGUSR1)

    monkeypatch.setattr(Spool, "add", interrupted)
    before = signal.signal(signal.SIGUSR1, end)
    try:
        log.log(S, {"n": "first"})
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert done == [True]
    assert [event["event"]["n"] for event in collector.events] == ["first", "last"]
    assert accounted(log.counts()[S])


def test_counts_may_be_read_while_a_signal_handler_logs_what_is_new(new: Any):
    log = EventLog(new().url, age=60)
    before = signal.signal(signal.SIGALRM, lambda *_: log.log(f"S{time.monotonic_ns()}", {}))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        while len(log.counts()) < 180:
            pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert log.close()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_sends_nothing_twice_and_counts_for_itself(new: Any, tmp_path: Path):
    collector = new()
    log = EventLog(collector.url, age=60, spool=str(tmp_path))
    log.log(S, {"who": "parent"})
    child = os.fork()
    if child == 0:
        log.log(S, {"who": "child"})
        good = log.close(10) and log.counts()[S]["attempted"] == 1
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert [event["event"] for event in collector.events] == [{"who": "child"}]
    assert close(log)["sent"] == 1
    assert sorted(event["event"]["who"] for event in collector.events) == ["child", "parent"]
    assert collector.reported(S)["attempted"] == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_in_the_midst_of_an_answer_does_not_wait_for_its_end(new: Any):
    collector = new("stall", 201)
    log = EventLog(collector.url, age=0)
    log.log(S, {"who": "parent"})
    assert collector.stalled.wait(10)
    time.sleep(0.2)  # until the thread that sends waits for the rest of the body
    child = os.fork()
    if child == 0:
        log.log(S, {"who": "child"})
        os._exit(0 if log.close(10) and log.counts()[S]["sent"] == 1 else 1)
    ended: list[int] = []
    threading.Thread(target=lambda: ended.append(os.waitpid(child, 0)[1])).start()
    try:
        wait_until(lambda: bool(ended), 15)
    except TimeoutError:
        os.kill(child, signal.SIGKILL)
        raise
    assert ended == [0]
    assert collector.events[-1]["event"] == {"who": "child"}
    collector.released.set()
    assert close(log)["sent"] == 1


def child_of_multiprocessing(log: EventLog) -> None:
    log.log(S, {"who": "child"})


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_children_of_multiprocessing_send_before_they_end(new: Any):
    collector = new()
    log = EventLog(collector.url)
    context = multiprocessing.get_context("fork")
    process = context.Process(target=child_of_multiprocessing, args=(log,))
    process.start()
    process.join(20)
    assert process.exitcode == 0
    assert [event["event"] for event in collector.events] == [{"who": "child"}]
    assert log.close()


@pytest.mark.parametrize("end", ["", "raise SystemExit(3)", "1 / 0"])
def test_a_process_sends_what_waits_when_it_ends(new: Any, end: str):
    collector = new()
    code = (
        f"import sys; sys.path.insert(0, {str(CLIENT)!r})\n"
        "from eventlogging_client import EventLog\n"
        f"EventLog({collector.url!r}, age=60).log('Click', {{}})\n"
        f"import gc; gc.collect()\n{end}\n"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=20)
    assert len(collector.events) == 1
    assert collector.reported(S)["sent"] == 1


def test_a_process_ends_soon_when_nothing_answers(nowhere: str):
    code = (
        f"import sys; sys.path.insert(0, {str(CLIENT)!r})\n"
        "from eventlogging_client import EventLog\n"
        f"EventLog({nowhere!r}, age=60).log('Click', {{}})\n"
    )
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, b"")
    assert time.monotonic() - start < 6


def test_it_may_be_waited_without_end(new: Any):
    collector = new()
    log = EventLog(collector.url, age=float("inf"), batch=2)
    log.log(S, {"n": 1})
    time.sleep(0.2)
    assert collector.events == []
    log.log(S, {"n": 2})
    assert log.flush(float("inf"))
    log.log(S, {"n": 3})
    assert close(log, float("inf"))["sent"] == 3
    assert not log._sender.is_working


def test_after_the_end_events_are_dropped_and_nothing_raises(new: Any):
    log = EventLog(new().url)
    log.log(S, {})
    assert log.close()
    assert log.log(S, {}) is None
    assert (log.counts()[S]["dropped"], log.close(), log.flush(0.1)) == (1, False, False)


# logging, timings


def test_records_of_logging_become_events(new: Any):
    collector = new()
    event_log = EventLog(collector.url)
    logger = logging.getLogger("a.service")
    handler = EventLogHandler(
        event_log,
        "ServiceMessage",
        lambda record: {"text": record.getMessage()} if record.levelno >= logging.ERROR else None,
    )
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        logger.error("it %s", "broke")
        logger.warning("not this")
        logging.getLogger("eventlogging_client").error("nor what we say of ourselves")
    finally:
        root.removeHandler(handler)
    assert event_log.close()
    (event,) = collector.events
    assert (event["schema"], event["event"]) == ("ServiceMessage", {"text": "it broke"})
    assert abs(event["dt"] / 1000 - time.time()) < 20


def test_a_block_is_timed_even_when_it_raises(new: Any):
    collector = new()
    log = EventLog(collector.url)
    with log.timed(S, "duration", schema="x", field="y") as event:
        time.sleep(0.05)
        event["found"] = 3
    with pytest.raises(ZeroDivisionError), log.timed(S, "ms"):
        _ = 1 / 0
    assert log.close()
    first, second = (event["event"] for event in collector.events)
    assert 50 <= first.pop("duration") < 2000
    assert first == {"schema": "x", "field": "y", "found": 3}
    assert isinstance(second["ms"], int)


# The proxy


def test_the_proxy_of_the_environment_is_used(
    new: Any, nowhere: str, monkeypatch: pytest.MonkeyPatch
):
    proxy = new()
    monkeypatch.setenv("http_proxy", proxy.url.replace("http://", "http://ann:se%20cret@"))
    monkeypatch.delenv("no_proxy", raising=False)
    log = EventLog("http://events.example.org/base")
    log.log(S, {})
    assert close(log)["sent"] == 1
    assert proxy.targets[0] == "http://events.example.org/base/v1/events"
    assert proxy.headers[0]["host"] == "events.example.org"
    assert proxy.headers[0]["proxy-authorization"] == "Basic YW5uOnNlIGNyZXQ="
    collector = new()
    monkeypatch.setenv("http_proxy", nowhere)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    log = EventLog(collector.url)
    log.log(S, {})
    assert close(log)["sent"] == 1


# The package


def test_the_client_imports_nothing_but_the_standard_library_and_speaks_python_3_9():
    allowed = sys.stdlib_module_names | {"eventlogging_client"}
    for path in sorted((CLIENT / "eventlogging_client").glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 9))
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert {name.partition(".")[0] for name in names} <= allowed, path


def test_the_package_can_be_built_and_used_from_its_archive(tmp_path: Path, new: Any):
    code = "from setuptools import setup; setup()"
    built = tmp_path / "built"
    subprocess.run(
        [sys.executable, "-c", code, "-q", "build", "--build-base", str(tmp_path / "base"),
         "--build-lib", str(built), "egg_info", "--egg-base", str(tmp_path)],
        cwd=CLIENT, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert (built / "eventlogging_client" / "py.typed").exists()
    archive = tmp_path / "client.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for path in built.rglob("*.py"):
            made.write(path, path.relative_to(built))
    collector = new()
    use = (
        f"from eventlogging_client import EventLog; EventLog({collector.url!r}).log('Click', {{}})"
    )
    environment = {**os.environ, "PYTHONPATH": str(archive)}
    subprocess.run(
        [sys.executable, "-c", use], env=environment, check=True, timeout=20, cwd=tmp_path
    )
    assert len(collector.events) == 1
