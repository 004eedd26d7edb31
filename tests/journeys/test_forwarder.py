"""A web head without a database, and two storage servers: every event once, whoever is killed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from eventlogging.ledger.proof import prove
from eventlogging.store.database import Database
from tests.journeys.test_kill import Sender, ids
from tests.servers import ROOT, Server, wait_until

KEY = {"EVENTLOGGING_PRIVACY_KEY": "the same on all of them"}
ROUNDS = 8


@pytest.fixture
def storage(mariadb_url: str, tmp_path: Path) -> Iterator[list[Server]]:
    shared = {**KEY, "EVENTLOGGING_DATABASE_URL": mariadb_url}
    servers = [Server(tmp_path / name, shared) for name in ("one", "two")]
    for server in servers:
        server.start()
    yield servers
    for server in servers:
        if server.is_alive():
            server.kill()


@pytest.fixture
def head(storage: list[Server], tmp_path: Path) -> Iterator[Server]:
    server = head_of(storage, tmp_path / "head")
    server.start()
    yield server
    if server.is_alive():
        server.kill()


def head_of(storage: list[Server], var: Path, **more: str) -> Server:
    environment = {
        **KEY,
        "EVENTLOGGING_FORWARD_TO": ",".join(server.url for server in storage),
        "EVENTLOGGING_FORWARD_TOKEN": storage[0].token,
        **more,
    }
    return Server(var, environment, role="forwarder")


def waits(database: Database, expected: int) -> bool:
    with database.read() as connection:
        query = "SELECT COALESCE(SUM(count), 0) FROM ledger WHERE outcome IN ('valid', 'invalid')"
        return int(connection.execute(sa.text(query)).scalar_one()) < expected


@pytest.mark.timeout(300)
def test_every_event_arrives_once_whoever_is_killed(
    storage: list[Server], head: Server, mariadb_url: str
) -> None:
    senders = [Sender(head) for _ in range(3)]
    for sender in senders:
        sender.start()
    for turn in range(ROUNDS):
        time.sleep(random.uniform(0.2, 0.8))
        victim = [storage[0], head, storage[1], head][turn % 4]
        victim.kill()
        time.sleep(random.uniform(0, 0.5))
        victim.start()
    time.sleep(1)
    for sender in senders:
        sender.enough.set()
    for sender in senders:
        sender.join(60)
        assert not sender.is_alive()
    acknowledged = {id: valid for sender in senders for id, valid in sender.acknowledged.items()}
    assert len(acknowledged) > 300
    database = Database(mariadb_url)
    wait_until(lambda: not waits(database, len(acknowledged)), 60)
    wait_until(lambda: prove(database).holds, 30)
    valid, invalid = ids(database, "NavigationTiming_1"), ids(database, "NavigationTiming_invalid")
    assert len(valid) == len(set(valid))
    assert len(invalid) == len(set(invalid)), "what has no key of its own arrives once, too"
    assert {id for id, good in acknowledged.items() if good} <= set(valid)
    assert {id for id, good in acknowledged.items() if not good} <= set(invalid)
    database.close()


def test_a_batch_that_comes_to_both_is_loaded_once(
    storage: list[Server], head: Server, mariadb_url: str
) -> None:
    """As after an acknowledgement that was lost: the head starts over, at the other server."""
    body = [{"schema": "Nobody", "event": {}}, {"schema": "NavigationTiming", "event": {}}]
    for _ in range(3):
        wait_until(lambda: post(head, body) == 400, 30)
    database = Database(mariadb_url)
    wait_until(lambda: not waits(database, 6), 30)
    head.kill()
    (head.var / "forwarded.json").unlink()
    storage[0].kill()
    head.start()
    wait_until(lambda: (head.var / "forwarded.json").exists(), 30)
    # 503 while what is unknown might only not be heard of: nothing is kept then.
    wait_until(lambda: post(head, body) == 400, 30)
    wait_until(lambda: not waits(database, 8), 60)
    wait_until(lambda: prove(database).holds, 30)
    with database.read() as connection:
        outcomes = "SELECT SUM(count) FROM ledger WHERE outcome = :outcome"
        sent = connection.execute(sa.text(outcomes), {"outcome": "sent"}).scalar_one()
        invalid = connection.execute(sa.text(outcomes), {"outcome": "invalid"}).scalar_one()
    assert (sent, invalid) == (8, 8)
    database.close()


def test_a_head_that_finds_no_storage_takes_events_by_what_it_knows(
    storage: list[Server], head: Server, mariadb_url: str
) -> None:
    head.kill()
    for server in storage:
        server.kill()
    head.start()
    payload = json.loads(
        (ROOT / "schemas/NavigationTiming/examples/only-what-is-required.pass.json").read_text()
    )
    assert post(head, {"schema": "NavigationTiming", "event": payload}) == 201
    storage[1].start()
    database = Database(mariadb_url)
    wait_until(lambda: not waits(database, 1), 60)
    assert len(ids(database, "NavigationTiming_1")) == 1
    database.close()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"EVENTLOGGING_PRIVACY_KEY": "another"}, "EVENTLOGGING_PRIVACY_KEY"),
        ({"EVENTLOGGING_FORWARD_TOKEN": "wrong"}, "EVENTLOGGING_FORWARD_TOKEN"),
        ({"EVENTLOGGING_FORWARD_TO": ""}, "EVENTLOGGING_FORWARD_TO"),
    ],
)
def test_a_head_that_cannot_work_says_why(
    storage: list[Server], tmp_path: Path, more: dict[str, str], said: str
) -> None:
    wrong = head_of(storage, tmp_path / "wrong", **more)
    ended = subprocess.run(
        [sys.executable, "-m", "eventlogging.cli.main", "forwarder"],
        env=wrong.environment, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.startswith(said)
    assert "Traceback" not in ended.stderr


def post(server: Server, body: object) -> int:
    request = urllib.request.Request(
        f"{server.url}/v1/events",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
