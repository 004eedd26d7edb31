"""The Icinga check goes OK, WARNING, CRITICAL and back with what happens to a real server."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest

from eventlogging.store.database import Database
from tests.servers import ROOT, Server, wait_until


def check(url: str, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [str(ROOT / "bin/check_eventlogging"), "--url", url, *options],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.timeout(240)
def test_the_check_follows_the_server(new_server: Callable[..., Server]) -> None:
    server = new_server()
    free = ("--free-warning", "1:", "--free-critical", "1:")  # whatever this machine's disk holds
    code, said = check(server.url, *free)
    assert code == 0
    assert re.match(r"EVENTLOGGING OK - ready, lag [\d.]+s, 0 unexplained \| ", said)
    assert re.search(r"\blag=[\d.]+s;60;300;0", said)
    assert "invalid=0.0%;5;20;0;100" in said

    server.command("demo", "--events", "200", "--seed", "1", "--url", server.url)
    server.command("ledger", "--wait", "60")
    assert check(server.url, *free, "--invalid-warning", "0.1")[0] == 1
    assert check(server.url, *free, "--invalid-critical", "0.1")[0] == 2

    database = Database(f"sqlite:///{server.var / 'eventlogging.db'}")
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE ledger SET count = count + 1 WHERE outcome = 'sent'")
    code, said = check(server.url, *free)
    assert code == 2
    assert "unexplained events" in said.splitlines()[0]
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE ledger SET count = count - 1 WHERE outcome = 'sent'")
    database.close()
    assert check(server.url, *free)[0] == 0, "and all is well again"

    server.kill()
    wait_until(lambda: not server.is_ready(), 20)
    code, said = check(server.url, *free)
    assert code == 2
    assert "0 of 1 ready" in said.splitlines()[0]


def test_a_wrong_threshold_is_unknown() -> None:
    code, said = check("http://127.0.0.1:1", "--lag-warning", "soon")
    assert code == 3
    assert "soon" in said
