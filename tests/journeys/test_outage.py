"""The database stops for a while under load: nobody notices, and nothing is missing afterwards."""

from __future__ import annotations

import json
import statistics
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from eventlogging.store.database import Database
from tests.journeys.test_kill import EXAMPLE
from tests.servers import MariaDB, Server, wait_until

OUTAGE_SECONDS = 30


class Clocked(threading.Thread):
    """Sends an event at a time, and notes when it was sent and how long the answer took."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.enough = threading.Event()
        self.answers: list[tuple[float, float]] = []
        self.failures: list[str] = []

    def run(self) -> None:
        while not self.enough.wait(0.02):
            body = {"schema": "NavigationTiming", "event": EXAMPLE, "id": str(uuid.uuid4())}
            request = urllib.request.Request(
                f"{self.url}/v1/events",
                json.dumps(body).encode(),
                {"Content-Type": "application/json"},
            )
            start = time.monotonic()
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    answer.read()
            except OSError as error:
                self.failures.append(str(error))
            else:
                self.answers.append((start, time.monotonic() - start))


@pytest.mark.timeout(300)
def test_an_outage_of_the_database_costs_nothing(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    mariadb = MariaDB(tmp_path / "m")
    mariadb.start()
    try:
        url = mariadb.new_database("events")
        server = new_server(EVENTLOGGING_DATABASE_URL=url)
        senders = [Clocked(server.url) for _ in range(4)]
        for sender in senders:
            sender.start()
        time.sleep(4)
        mariadb.stop()
        stopped = time.monotonic()
        time.sleep(OUTAGE_SECONDS)
        started = time.monotonic()
        mariadb.start()
        time.sleep(3)
        for sender in senders:
            sender.enough.set()
            sender.join(20)
        assert [failure for sender in senders for failure in sender.failures] == []
        answers = [answer for sender in senders for answer in sender.answers]
        calm = [seconds for at, seconds in answers if at < stopped]
        dark = [seconds for at, seconds in answers if stopped <= at < started]
        assert len(dark) > 500
        # Flat: the median of the answers is no more than a few times what it was before.
        assert statistics.median(dark) < 5 * statistics.median(calm) + 0.01
        database = Database(url)

        def all_there() -> bool:
            with database.read() as connection:
                query = sa.text("SELECT COUNT(DISTINCT id) FROM NavigationTiming_1")
                return bool(connection.execute(query).scalar() == len(answers))

        wait_until(all_there, 60)
        database.close()
        proof = server.command("ledger", "--prove", "--wait", "30", check=False)
        assert proof.returncode == 0, proof.stdout + proof.stderr
        server.stop()
    finally:
        mariadb.stop()
