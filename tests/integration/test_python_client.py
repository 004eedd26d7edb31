"""The Python client against the real intake: killed, away, hostile; all of it is accounted for."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlogging.ledger.clients import Balance, balances, total
from eventlogging.ledger.reading import LineOfTruth, lines_of_truth
from eventlogging.registry.change import change_settings
from eventlogging.store.database import Database
from tests.intake_server import EXAMPLE, IntakeServer
from tests.python_client import CLIENT, KINDS, accounted
from tests.servers import Server, wait_until

from eventlogging_client import EventLog  # isort: skip

S = "NavigationTiming"
PROGRAM = f"""
import json, sys
sys.path.insert(0, {str(CLIENT)!r})
from eventlogging_client import EventLog
log = EventLog(sys.argv[1], spool=sys.argv[2], age=0.05, batch=20, timeout=2)
event = json.loads(sys.argv[3])
while True:
    print(log.log("NavigationTiming", event), flush=True)
"""


class Killable(IntakeServer):
    """An intake that can be killed, and started again on the same port."""

    def __init__(self, var: Path, **environment: str) -> None:
        super().__init__(var, **environment)
        self.url = f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def said(self) -> Balance:
        """What the clients reported."""
        self.loader.drain()
        with self.database.read() as connection:
            return total(balances(connection), S)

    def truth(self) -> dict[str, LineOfTruth]:
        """What the ledger says, by schema."""
        self.loader.drain()
        with self.database.read() as connection:
            return {line.schema: line for line in lines_of_truth(connection)}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Killable]:
    made = Killable(tmp_path / "var")
    made.start()
    yield made
    made.stop()


def books_close(server: Killable, counted: dict[str, int] | None = None) -> LineOfTruth:
    """Hold the client's counts, its reports and the ledger against each other."""
    said, lines = server.said(), server.truth()
    sent = sum(line.sent for line in lines.values())
    duplicate = sum(line.duplicate for line in lines.values())
    assert said.waiting == 0, said
    assert sent - duplicate == said.sent, (said, lines)
    assert all(line.residual == 0 for line in lines.values()), lines
    if counted is not None:
        assert accounted(counted)
        assert {kind: getattr(said, kind) for kind in KINDS} == {k: counted[k] for k in KINDS}
    return lines.get(S, LineOfTruth(S))


def test_a_server_that_is_killed_and_restarted_in_mid_session_loses_nothing(server: Killable):
    log = EventLog(server.url, age=0.05, batch=25, timeout=5)
    stop = threading.Event()
    ids: list[str | None] = []

    def work() -> None:
        while not stop.is_set():
            ids.append(log.log(S, EXAMPLE))
            time.sleep(0.004)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.5)
        server.kill()
        time.sleep(0.2)
        server.start()
    stop.set()
    for thread in threads:
        thread.join()
    assert log.close(30)
    counted = log.counts()[S]
    assert counted["attempted"] == len(ids) == counted["sent"]
    assert books_close(server, counted).valid == len(ids)


def test_events_wait_while_the_server_is_away_and_what_has_no_room_is_counted(server: Killable):
    server.kill()
    log = EventLog(server.url, queue_events=50, age=0.05)
    for _ in range(80):
        log.log(S, EXAMPLE)
    assert not log.flush(0.5)
    assert (log.counts()[S]["waiting"], log.counts()[S]["dropped"]) == (50, 30)
    server.start()
    assert log.close(30)
    line = books_close(server, log.counts()[S])
    assert (line.valid, server.said().dropped) == (50, 30)


def test_a_process_killed_again_and_again_leaves_nothing_uncounted(
    server: Killable, tmp_path: Path
):
    spool = str(tmp_path / "spool")
    logged: list[str] = []
    chance = random.Random(1)
    for turn in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, server.url, spool, json.dumps(EXAMPLE)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        for _ in range(chance.randint(50, 400)):
            logged.append(process.stdout.readline().strip())
        if turn in (1, 3):
            server.kill()
            time.sleep(0.1)
        process.kill()
        logged += [line for line in process.stdout.read().splitlines() if len(line) == 36]
        process.stdout.close()
        process.wait()
        if not server.is_alive():
            server.start()
    log = EventLog(server.url, spool=spool)
    assert log.close(30)
    line = books_close(server)
    # What was logged is stored; the very last of a process may have been, before it could say so.
    stored = {row["id"] for row in server.query("SELECT id FROM NavigationTiming_1")}
    assert set(logged) <= stored
    assert len(logged) <= line.valid == server.said().attempted <= len(logged) + 5
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forks_send_their_own_events_alone(server: Killable):
    log = EventLog(server.url, age=30)
    for _ in range(5):
        log.log(S, EXAMPLE)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            for _ in range(10):
                log.log(S, EXAMPLE)
            os._exit(0 if log.close(20) and log.counts()[S]["sent"] == 10 else 1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert log.close(20)
    line = books_close(server)
    assert (line.valid, line.duplicate, server.said().attempted) == (45, 0, 45)


def cycle() -> dict[str, Any]:
    found: dict[str, Any] = {}
    found["self"] = found
    return found


def deep(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(levels):
        found = {"deeper": found}
    return found


HOSTILE: list[Any] = [
    cycle(), {"x": float("nan")}, {"x": b"bytes"}, {"x": "y" * 10_000_000}, {"x": "\ud800"}, None,
    {"x": "y" * 400_000}, {"x": 2**64}, {"x": -(10**4000)}, {"x": 1e308}, {"x": "a\0b"},
    {"a\0b": 1}, deep(70), deep(250), deep(900), {"x": [[]] * 1000}, {"__proto__": {}},
    {"x": '"}],"consent":false,"events":[{"'}, {"x" * 300_000: 1}, {},
]  # fmt: skip


def test_hostile_payloads_cost_themselves_alone(server: Killable):
    refused: list[str] = []
    log = EventLog(server.url, age=60, on_refused=lambda event, code, _: refused.append(code))
    for payload in HOSTILE:
        log.log(S, EXAMPLE)
        log.log(S, payload)
    for schema in ("", "No/Such", "a\0b", "Ä", "x" * 500, "../../etc"):
        log.log(schema, EXAMPLE)
    for id in ("", "x" * 300, "a\0b", "ä", 7):
        log.log(S, EXAMPLE, id=id)  # type: ignore[arg-type]
    for version in ("9.9.9", "latest", "x"):
        log.log(S, EXAMPLE, version=version)
    assert log.close(30)
    counted = {kind: sum(of[kind] for of in log.counts().values()) for kind in (*KINDS, "waiting")}
    line = books_close(server, counted)
    assert counted["dropped"] == 7
    assert line.valid >= len(HOSTILE) + 4
    assert {"number_out_of_range", "nul_character", "too_deep", "event_too_large"} <= set(refused)
    assert {"unknown_schema", "unknown_version", "bad_capsule"} <= set(refused)


def test_a_wrong_clock_costs_no_event(server: Killable):
    log = EventLog(server.url, age=0.05, timeout=5)
    times = ["1970-01-01", "2099-01-01T00:00:00Z", 0, -5, 10**14, "yesterday", 1e300, True]
    for dt in times:
        log.log(S, EXAMPLE, dt=dt)
    wait_until(lambda: log.counts()[S]["sent"] > 0, 10)
    server.kill()
    for dt in times:
        log.log(S, EXAMPLE, dt=dt)
    time.sleep(0.3)
    server.start()
    assert log.close(30)
    counted = log.counts()[S]
    line = books_close(server, counted)
    assert counted["sent"] == 2 * len(times)
    assert line.valid + line.invalid == 2 * len(times)
    assert line.valid >= 10


def test_without_a_config_the_collector_samples_by_the_unit(server: Killable):
    change_settings(server.database, S, "test", sampling={"rate": 0.5, "unit": "device"})
    time.sleep(1.5)  # collectors look once a second
    log = EventLog(server.url)  # this intake has no /v1/config
    for n in range(200):
        log.log(S, EXAMPLE, unit_id=f"device-{n % 20}")
    assert log.close(20)
    line = books_close(server, log.counts()[S])
    assert line.valid + line.sampled_out == 200
    assert line.valid % 10 == 0  # whole devices
    assert 20 < line.valid < 180


def test_with_a_config_the_client_samples_itself(new_server: Callable[..., Server]):
    server = new_server()
    database = Database(f"sqlite:///{server.var / 'eventlogging.db'}")
    change_settings(database, S, "test", sampling={"rate": 0.1, "unit": "device"})
    time.sleep(1.5)
    log = EventLog(server.url)
    for n in range(1000):
        log.log(S, EXAMPLE, unit_id=f"device-{n}")
    assert log.close(20)
    counted = log.counts()[S]
    assert accounted(counted)
    assert 60 < counted["sent"] < 140

    def seen() -> tuple[int, int, int, int]:
        with database.read() as connection:
            said = total(balances(connection, schema=S))
            lines = lines_of_truth(connection, schema=S)
        line = lines[0] if lines else LineOfTruth(S)
        return said.attempted, said.sampled_out, said.waiting, line.valid

    wanted = (1000, counted["sampled_out"], 0, counted["sent"])
    wait_until(lambda: seen() == wanted, 20)
    with database.read() as connection:
        assert lines_of_truth(connection, schema=S)[0].sampled_out == 0
    database.close()


def test_who_says_no_leaves_no_trace(server: Killable):
    log = EventLog(server.url, consent=lambda: False)
    for _ in range(10):
        log.log(S, {**EXAMPLE, "mark": "unmistakable"})
    assert log.close(10)
    server.stop()
    for path in server.var.rglob("*"):
        if path.is_file():
            assert b"unmistakable" not in path.read_bytes()
    assert server.said() == Balance(S)
    assert server.truth() == {}
