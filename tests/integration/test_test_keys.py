"""Test keys from the request to their table: judged, shown, and outside of all books."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.errors import RegistryError
from eventlogging.intake.context import Context
from eventlogging.ledger.proof import prove
from eventlogging.loader.trials import KEPT_OF_A_KEY, drop_old
from eventlogging.registry import tokens
from eventlogging.registry.snapshot import read_snapshot
from eventlogging.store.database import Database
from eventlogging.store.fixed import checkpoint, parked, test_event
from tests.books import click, open_bench
from tests.intake_server import IntakeServer, good
from tests.loading import Bench
from tests.servers import Server, wait_until


@pytest.fixture
def bench(database_url: str, tmp_path: Path) -> Iterator[Bench]:
    made = open_bench(database_url, tmp_path)
    yield made
    made.close()


def attempt(bench: Bench, *events: Any, key: str = "ann", received: int | None = None) -> None:
    """Send events with a test key."""
    bench.intake.use(bench.registry.snapshot)
    now = clock.now_ms() if received is None else received
    accepted = bench.intake.accept_body(json.dumps(events).encode(), Context(now, test_key=key))
    done = threading.Event()
    lines = [verdict.line for verdict in accepted.verdicts]
    bench.writer.append(lines, accepted.sent, lambda _: done.set())
    assert done.wait(10)


def test_tests_are_in_a_table_of_their_own_and_in_no_other(bench: Bench) -> None:
    bench.send(click(), click(5))
    attempt(bench, click(), click(5), {"schema": "No", "event": {}})
    bench.loader.drain()
    assert bench.ledger() == {"sent": 2, "valid": 1, "invalid type_mismatch": 1}
    assert bench.count("Click_1") == 1
    assert bench.count("Click_invalid") == 1
    rows = bench.rows("test_event ORDER BY id")
    assert [(row["schema"], row["outcome"], row["code"], row["key_name"]) for row in rows] == [
        ("Click", "valid", "", "ann"),
        ("Click", "invalid", "type_mismatch", "ann"),
        ("(unknown)", "invalid", "unknown_schema", "ann"),
    ]
    assert json.loads(rows[0]["event"]) == {"target": "a"}
    assert json.loads(rows[1]["errors"])[0]["pointer"] == "/target"
    proof = prove(bench.database)
    assert proof.holds, proof.discrepancies


def test_tests_alone_leave_no_trace_in_the_books(bench: Bench) -> None:
    attempt(bench, click(), click(5))
    bench.loader.drain()
    assert bench.ledger() == {}
    assert prove(bench.database).checked["tables"] == 0


def test_the_newest_thousand_of_each_key_are_kept(bench: Bench) -> None:
    attempt(bench, click("of another"), key="bob")
    for part in range(3):
        attempt(bench, *(click(f"{part}-{number}") for number in range(450)))
        bench.loader.drain()
    assert bench.count("test_event WHERE key_name = 'ann'") == KEPT_OF_A_KEY
    assert bench.count("test_event WHERE key_name = 'bob'") == 1
    newest = bench.rows("test_event ORDER BY id DESC LIMIT 1")[0]
    assert json.loads(newest["event"])["target"] == "2-449"
    attempt(bench, *(click(f"more-{number}") for number in range(1500)))
    bench.loader.drain()
    assert bench.count("test_event WHERE key_name = 'ann'") == KEPT_OF_A_KEY


def test_none_is_older_than_a_day(bench: Bench) -> None:
    attempt(bench, click("old"), received=clock.now_ms() - clock.DAY_MS - 1000)
    attempt(bench, click("new"))
    bench.loader.drain()
    bench.new_loader().step()
    assert bench.count("test_event") == 1
    assert drop_old(bench.database) == 0


def test_a_place_in_the_log_becomes_one_row_also_when_its_checkpoint_is_lost(
    bench: Bench,
) -> None:
    attempt(bench, click(), click(5))
    bench.loader.drain()
    with bench.database.write() as connection:
        connection.execute(sa.update(checkpoint).values(position=0))
    bench.new_loader().drain()
    assert bench.count("test_event") == 2


def test_trouble_with_their_table_holds_up_nothing_else_and_loses_none(bench: Bench) -> None:
    with bench.database.ddl() as connection:
        connection.exec_driver_sql("ALTER TABLE test_event RENAME TO away")
    bench.send(click())
    attempt(bench, click(), click(5))
    bench.loader.drain()
    assert bench.count("Click_1") == 1
    assert bench.ledger() == {"sent": 1, "valid": 1}, "nothing of it is pending"
    with bench.database.ddl() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO test_event")

    def stored() -> bool:
        bench.loader.step()
        return bench.count("test_event") == 2

    wait_until(stored, 20)
    with bench.database.read() as connection:
        assert connection.execute(sa.select(parked)).first() is None
    assert prove(bench.database).holds


def test_a_test_key_lives_thirty_days_and_opens_nothing_else(bench: Bench) -> None:
    now = clock.now_ms()
    secret = tokens.create(bench.database, "ann", ["test"], None, "tests")
    assert secret.startswith(tokens.TEST_PREFIX)
    with bench.database.read() as connection:
        known = tokens.find(connection, secret)
    assert known is not None
    assert known.expires_at is not None
    assert known.expires_at[:10] == clock.day(now + 30 * clock.DAY_MS)
    snapshot = read_snapshot(bench.database)
    assert snapshot.tokens[tokens.digest(secret)] == {"test"}
    assert snapshot.test_keys == {tokens.digest(secret): "ann"}
    with pytest.raises(RegistryError, match="alone"):
        tokens.create(bench.database, "both", ["test", "produce"], None, "tests")


def test_an_admins_token_makes_no_tests(bench: Bench) -> None:
    secret = tokens.create(bench.database, "boss", ["admin"], None, "tests")
    snapshot = read_snapshot(bench.database)
    assert "test" not in snapshot.tokens[tokens.digest(secret)]
    assert snapshot.test_keys == {}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IntakeServer]:
    started = IntakeServer(tmp_path / "var")
    started.start()
    yield started
    started.stop()


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def test_a_key_that_was_made_a_moment_ago_is_good_at_once(server: IntakeServer) -> None:
    secret = tokens.create(server.database, "ann", ["test"], None, "tests")
    event = good()
    answer = server.post(event, **bearer(secret))
    assert answer.status == 201
    assert answer.json["accepted"] == 1
    assert server.post({**event, "event": {}}, **bearer(secret)).status == 400
    assert server.post(b"{", **bearer(secret)).codes == {0: "malformed_json"}
    assert server.counted("sent") == 0
    tables = "SELECT name FROM sqlite_master WHERE name LIKE 'NavigationTiming%'"
    assert server.query(tables) == []
    assert [row["outcome"] for row in server.query("SELECT outcome FROM test_event")] == [
        "valid", "invalid", "invalid"
    ]  # fmt: skip


def test_hasty_tests_and_those_of_the_beacon_are_tests(server: IntakeServer) -> None:
    secret = tokens.create(server.database, "ann", ["test"], None, "tests")
    body = json.dumps(good()).encode()
    assert server.request("POST", "/v1/events?hasty=true", body, bearer(secret)).status == 202
    assert server.request("POST", "/beacon/event", body, bearer(secret)).status == 204

    def both() -> bool:
        server.loader.drain()
        return len(server.query("SELECT id FROM test_event")) == 2

    wait_until(both, 10)
    assert server.counted("sent") == 0


def test_a_key_that_is_over_lets_nothing_into_production(server: IntakeServer) -> None:
    secret = tokens.create(server.database, "ann", ["test"], None, "tests")
    tokens.revoke(server.database, "ann", "tests")
    for path in ("/v1/events", "/beacon/event"):
        answer = server.request("POST", path, json.dumps(good()).encode(), bearer(secret))
        assert answer.status == 401
        assert answer.json["error"][0]["code"] == "unauthorized"
    assert server.post(good(), **bearer(f"{tokens.TEST_PREFIX}made-up")).status == 401
    assert server.counted("sent") == 0
    assert server.query("SELECT id FROM test_event") == []


def test_other_tokens_send_into_production_as_before(server: IntakeServer) -> None:
    produce = tokens.create(server.database, "shop", ["produce"], None, "tests")
    for secret in (produce, "unknown", "test-token"):
        assert server.post(good(), **bearer(secret)).status == 201
    assert server.counted("sent") == 3


@pytest.mark.timeout(300)
def test_acknowledged_tests_survive_kill_9_and_are_stored_once(
    new_server: Callable[..., Server], database_url: str, tmp_path: Path
) -> None:
    server = new_server(EVENTLOGGING_DATABASE_URL=database_url)
    database = Database(database_url)
    secret = tokens.create(database, "ann", ["test"], None, "tests")
    made = server.command("send", "--schema", "NavigationTiming", "--token", secret, check=False)
    assert "test key" in made.stdout
    sent = 1
    for _ in range(4):
        for _ in range(20):
            sent += int(posted(server, secret))
        time.sleep(0.15)
        server.kill()
        server.start()
    wait_until(lambda: counted(database) >= sent, 60)
    assert counted(database) == sent
    proof = server.command("ledger", "--prove", "--wait", "30", check=False)
    assert proof.returncode == 0, proof.stdout + proof.stderr
    tail = server.command("tail", "--once", "-n", "5").stdout
    assert tail.count("[test key ann]") == 5
    with database.read() as connection:
        rows = connection.execute(sa.text("SELECT COUNT(*) FROM ledger")).scalar()
    assert rows == 0
    database.close()
    assert server.stop() == 0


def posted(server: Server, secret: str) -> bool:
    body = json.dumps({**good(), "id": str(uuid.uuid4())}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {secret}"}
    request = urllib.request.Request(f"{server.url}/v1/events", body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bool(answer.status == 201)


def counted(database: Database) -> int:
    with database.read() as connection:
        query = sa.select(sa.func.count()).select_from(test_event)
        return int(connection.execute(query).scalar() or 0)
