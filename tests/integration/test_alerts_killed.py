"""Nothing is told twice when the process is killed between deciding and sending.

Killed before its commit, nothing was decided. Killed after it, the mail waits in the queue. Only
when it is killed while the mail server answers, the mail goes out once more, under the same
Message-ID.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eventlogging import clock
from eventlogging.mail.deliver import LEASE_SECONDS
from tests.console import House
from tests.integration.test_alerts import LIST, OWNER, all_episodes, clicks, rules
from tests.integration.test_alerts import mails as queued
from tests.mail_server import MailServer

# Its window is longer than the test takes.
BURST = {"above_per_second": 0.02, "window_minutes": 30, "rearm_below_per_second": 0.001}
# Look at alerts, then deliver mail, as the jobs process does; die where the test says.
CHILD = """
import os, signal, sys
from contextlib import contextmanager
from eventlogging import config
from eventlogging.jobs.table import look_at_alerts
from eventlogging.mail.deliver import deliver_due
from eventlogging.mail.send import Session
from eventlogging.platform import open_platform
from eventlogging.store.database import Database

where = sys.argv[1]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

write = Database.write

@contextmanager
def deadly(self):
    with write(self) as connection:
        yield connection
        if where == "before the commit":
            die()
    if where == "after the commit":
        die()

settings = config.load()
platform = open_platform(settings)
Database.write = deadly
look_at_alerts(platform, "")
Database.write = write
with Session(settings) as session:
    deliver_due(platform.database, settings, session)
"""


@pytest.fixture
def server() -> Iterator[MailServer]:
    made = MailServer()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path / "var")
    made.publish()
    now = clock.now_ms()
    rules(made, throughput=BURST)
    made.send(*clicks(90), received=now)
    yield made
    made.close()


def start(house: House, server: MailServer, where: str, offset_s: float) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "EVENTLOGGING_CONFIG": "",
        "EVENTLOGGING_VAR": str(house.config.var),
        "EVENTLOGGING_DATABASE_URL": house.config.database_url,
        "EVENTLOGGING_CLOCK_OFFSET": str(offset_s),
        **{f"EVENTLOGGING_{name.upper()}": str(value) for name, value in server.settings().items()},
    }
    del environment["EVENTLOGGING_CONFIG"]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, where], env=environment, cwd=house.config.var,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def run(house: House, server: MailServer, where: str = "", offset_s: float = 60) -> int:
    return start(house, server, where, offset_s).wait(60)


def received(server: MailServer) -> list[tuple[str, str]]:
    return sorted(
        (one.recipients[0], str(one.message["Message-ID"])) for one in server.mailbox.received
    )


@pytest.mark.parametrize("where", ["before the commit", "after the commit"])
def test_killed_between_deciding_and_sending_it_is_told_once(
    house: House, server: MailServer, where: str
) -> None:
    assert run(house, server, where) == -signal.SIGKILL
    decided = where == "after the commit"
    assert len(all_episodes(house)) == decided
    assert len(queued(house)) == 2 * decided
    assert not server.mailbox.received
    for _ in range(2):
        assert run(house, server) == 0
    assert [who for who, _ in received(server)] == [LIST, OWNER]
    assert len(all_episodes(house)) == 1


def test_killed_while_the_server_answers_it_is_told_twice_under_one_message_id(
    house: House, server: MailServer
) -> None:
    children: list[subprocess.Popen[bytes]] = []
    kill: Callable[[], None] = lambda: children[0].kill()  # noqa: E731
    server.mailbox.on_data = kill
    children.append(start(house, server, "", 60))
    assert children[0].wait(60) == -signal.SIGKILL
    server.mailbox.on_data = lambda: None
    first = received(server)
    assert len(first) == 1
    assert run(house, server) == 0
    assert len(received(server)) == 2, "the lease holds; the other mail goes out"
    assert run(house, server, offset_s=60 + LEASE_SECONDS + 5) == 0
    again = received(server)
    assert again.count(first[0]) == 2
    assert len(again) == 3
