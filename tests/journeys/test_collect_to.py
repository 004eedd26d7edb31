"""An edge's log on its way to two storage servers and a web head: each line counts once."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from eventlogging.ledger.proof import prove
from eventlogging.store.database import Database
from tests.edge import line
from tests.integration.test_collect_to import Shipper
from tests.journeys.test_forwarder import head as _head
from tests.journeys.test_forwarder import storage as _storage
from tests.journeys.test_kill import ids
from tests.servers import Server, wait_until

storage, head = _storage, _head
KILLS = 12


def outcomes(database: Database) -> dict[str, int]:
    with database.read() as connection:
        query = "SELECT outcome, SUM(count) FROM ledger GROUP BY outcome"
        return {name: int(count) for name, count in connection.execute(sa.text(query)) if count}


@pytest.mark.timeout(300)
def test_every_line_counts_once_whoever_is_killed(
    storage: list[Server], head: Server, mariadb_url: str, tmp_path: Path
) -> None:
    servers = [storage[0], head, storage[1]]
    edge = Shipper(tmp_path, *servers)
    written = 0

    def write(count: int) -> None:
        nonlocal written
        edge.write(*(line(None if n % 4 else "?%7B", n) for n in range(written, written + count)))
        written += count

    write(4000)
    process = edge.start("--follow")
    for turn in range(KILLS):
        time.sleep(random.uniform(0.1, 0.6))
        write(1500)
        if turn % 4 == 3:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            process = edge.start("--follow")
        else:
            servers[turn % 4].kill()
            time.sleep(random.uniform(0, 0.5))
            servers[turn % 4].start()
    size = edge.log.stat().st_size
    wait_until(lambda: edge.offset() == size, 60)
    process.terminate()
    process.communicate(timeout=30)
    database = Database(mariadb_url)
    invalid = written // 4
    expected = {"sent": written, "valid": written - invalid, "invalid": invalid}
    wait_until(lambda: outcomes(database) == expected, 60)
    wait_until(lambda: prove(database).holds, 30)
    valid = ids(database, "NavigationTiming_1")
    assert len(valid) == len(set(valid)) == written - invalid
    database.close()
