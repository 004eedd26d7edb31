"""kill -9 at any moment under load: what was acknowledged is stored, exactly once."""

from __future__ import annotations

import json
import random
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging.store.database import Database
from tests.servers import ROOT, Server, wait_until

KILLS = 20
EXAMPLE = json.loads(
    next((ROOT / "schemas/NavigationTiming/examples").glob("*.pass.json")).read_text()
)


class Sender(threading.Thread):
    """Sends batches for as long as it may; one that was not acknowledged is sent again."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.acknowledged: dict[str, bool] = {}  # id → valid
        self.enough = threading.Event()

    def run(self) -> None:
        while not self.enough.wait(0.01):
            batch = [self._event(random.random() > 0.1) for _ in range(random.randint(1, 20))]
            while not self._send(batch):
                time.sleep(0.05)
            for event in batch:
                self.acknowledged[event["id"]] = "pageId" in event["event"]

    def _event(self, valid: bool) -> dict[str, Any]:
        payload = EXAMPLE if valid else {"action": "view"}
        return {"schema": "NavigationTiming", "event": payload, "id": str(uuid.uuid4())}

    def _send(self, batch: list[dict[str, Any]]) -> bool:
        request = urllib.request.Request(
            f"{self.server.url}/v1/events",
            json.dumps(batch).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return bool(answer.status in (201, 207))
        except urllib.error.HTTPError as error:
            return error.code == 400
        except OSError:
            return False


def ids(database: Database, table: str) -> list[str]:
    with database.read() as connection:
        return [row[0] for row in connection.execute(sa.text(f"SELECT id FROM {table}"))]


def survive(server: Server, database_url: str) -> None:
    senders = [Sender(server) for _ in range(4)]
    for sender in senders:
        sender.start()
    for _ in range(KILLS):
        time.sleep(random.uniform(0.05, 0.6))
        server.kill()
        server.start()
    time.sleep(0.5)
    for sender in senders:
        sender.enough.set()
    for sender in senders:
        sender.join(60)
        assert not sender.is_alive()
    acknowledged = {id: valid for sender in senders for id, valid in sender.acknowledged.items()}
    assert len(acknowledged) > 500
    database = Database(database_url)
    wait_until(lambda: loaded(database, len(acknowledged)), 60)
    valid, invalid = ids(database, "NavigationTiming_1"), ids(database, "NavigationTiming_invalid")
    assert len(valid) == len(set(valid))
    assert len(invalid) == len(set(invalid))
    assert not set(valid) & set(invalid)
    assert {id for id, good in acknowledged.items() if good} <= set(valid)
    assert {id for id, good in acknowledged.items() if not good} <= set(invalid)
    database.close()
    proof = server.command("ledger", "--prove", "--wait", "30", check=False)
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert "0 unexplained" in proof.stdout
    assert server.stop() == 0


def loaded(database: Database, least: int) -> bool:
    tables = ("NavigationTiming_1", "NavigationTiming_invalid")
    return sum(len(ids(database, table)) for table in tables) >= least


@pytest.mark.timeout(400)
def test_every_acknowledged_event_survives_kill_9_on_sqlite(
    new_server: Callable[..., Server],
) -> None:
    server = new_server()
    survive(server, f"sqlite:///{server.var / 'eventlogging.db'}")


@pytest.mark.timeout(400)
def test_every_acknowledged_event_survives_kill_9_on_mariadb(
    new_server: Callable[..., Server], mariadb_url: str
) -> None:
    survive(new_server(EVENTLOGGING_DATABASE_URL=mariadb_url), mariadb_url)
