"""A day and a bad night, with MariaDB, Carbon and an SMTP server: everybody is told what they
need to know, once, and what they are told is true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.cli.traffic import traffic
from eventlogging.governance.read import read_governance
from eventlogging.jobs.graphite import carbon_of
from eventlogging.jobs.runner import run_due
from eventlogging.jobs.table import JOBS
from eventlogging.ledger.reading import lines_of_truth, total
from eventlogging.ledger.sentence import grouped
from eventlogging.mail.deliver import deliver_due
from eventlogging.mail.send import Session
from eventlogging.metrics.figures import Reader
from eventlogging.metrics.graphite import Sender
from eventlogging.registry.apply import apply
from eventlogging.store.fixed import governance, table_day
from tests.console import House
from tests.mail_server import MailServer, Received
from tests.servers import ROOT, Carbon, wait_until

MINUTE, HOUR = 60_000, 3_600_000
LIST = "eventlogging-alert@example.org"


class World:
    """The house with all that it talks to, and a clock that the test sets."""

    def __init__(self, house: House, post: MailServer, carbon: Carbon, begin: int) -> None:
        self.house = house
        self.post = post
        self.carbon = carbon
        self.begin = begin
        schemas = read_governance(ROOT).schemas.values()
        anyones = [one for one in schemas if one.producers == "public" and not one.origins]
        self._bodies = traffic(anyones, seed=4)
        platform = house.platform
        address = carbon_of(platform.config)
        assert address is not None
        self._sender = Sender(
            address, platform.database, Reader(platform.database, platform.log_folder)
        )

    def at(self, ms_after_begin: float) -> int:
        clock.offset_ms = 0
        clock.offset_ms = self.begin + round(ms_after_begin) - clock.now_ms()
        return clock.now_ms()

    def send(self, number: int, *, load: bool = True) -> None:
        while number:
            some = list(islice(self._bodies, min(number, 2000)))
            self.house.accept(json.dumps(some).encode())
            number -= len(some)
        if load:
            self.house.load()

    def tick(self) -> None:
        """What the jobs process does: the runs that are due, then the mail."""
        run_due(self.house.platform, JOBS)
        with Session(self.house.config) as session:
            deliver_due(self.house.platform.database, self.house.config, session)

    def mails(self, recipient: str, words: str = "") -> list[Received]:
        return [
            one
            for one in self.post.mailbox.received
            if recipient in one.recipients and words in str(one.message["Subject"])
        ]

    def subjects(self, recipient: str) -> list[str]:
        return [str(one.message["Subject"]) for one in self.mails(recipient)]

    def graphite(self) -> None:
        self.house.platform.registry.refresh()
        assert self._sender.send(self.house.platform.registry.snapshot) > 0


@pytest.fixture
def world(
    mariadb_url: str, carbon: Carbon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    # The day before this one: Graphite takes no points of the future.
    midnight = clock.now_ms() // clock.DAY_MS * clock.DAY_MS
    monkeypatch.setattr(clock, "offset_ms", 0)
    carbon.start()
    post = MailServer()
    post.start()
    house = House(
        mariadb_url, tmp_path / "var", graphite=f"127.0.0.1:{carbon.port}", **post.settings()
    )
    made = World(house, post, carbon, midnight - clock.DAY_MS)
    made.at(0)
    apply(house.platform.database, read_governance(ROOT), "test")
    _of_this_test(house)
    yield made
    house.close()
    post.stop()


def _of_this_test(house: House) -> None:
    """The starter rules and one more; but for disks, which are this machine's, and late jobs,
    as the clock of this test jumps."""
    c = governance.c
    with house.platform.database.write() as connection:
        default = (c.folder == "alerts") & (c.name == "default.toml")
        rules: dict[str, Any] = json.loads(
            connection.execute(sa.select(c.document).where(default)).scalar_one()
        )
        kept = {key: rule for key, rule in rules.items() if key not in ("disk", "database", "jobs")}
        connection.execute(sa.update(governance).where(default).values(document=json.dumps(kept)))
        silent = {"silent": {"after_minutes": 90}}
        connection.execute(
            sa.insert(governance).values(
                folder="alerts", name="RecipeUptake.toml", document=json.dumps(silent),
                updated_at="",
            )
        )  # fmt: skip


def stored(world: World) -> int:
    """Rows in all tables of valid events, counted in the tables themselves."""
    number = 0
    with world.house.platform.database.read() as connection:
        names = connection.execute(sa.select(table_day.c.table_name).distinct()).scalars()
        for name in [name for name in names if not name.endswith("_invalid")]:
            rows = connection.execute(sa.text(f"SELECT COUNT(*) FROM `{name}`"))
            number += int(rows.scalar_one())
    return number


@pytest.mark.timeout(420)
def test_a_day_and_a_bad_night(world: World) -> None:
    for hour in range(24):
        world.at(hour * HOUR + 30 * MINUTE)
        world.send(100)
        world.tick()
    assert world.subjects(LIST) == [], "a quiet day raises no alarm"

    # The figures of an hour are in whisper files, minute by minute.
    world.at(23 * HOUR + 40 * MINUTE)
    world.graphite()
    minute = (world.begin + 23 * HOUR + 30 * MINUTE) // 1000
    day = clock.day(world.begin)
    with world.house.platform.database.read() as connection:
        lines = lines_of_truth(connection, start=f"{day} 23:30", end=f"{day} 23:31")
        of_day = total(lines_of_truth(connection, start=day, end=f"{day} 24"))
    assert sum(line.sent for line in lines) == 100

    def held(name: str, outcome: str) -> float | None:
        path = f"eventlogging.schema.{name}.{outcome}"
        return world.carbon.points(path, minute - 120, minute + 120).get(minute)

    for line in [line for line in lines if line.schema != "(unknown)"]:
        wait_until(lambda name=line.schema: held(name, "sent") is not None, 30)  # type: ignore[misc]
        assert (held(line.schema, "sent"), held(line.schema, "valid")) == (line.sent, line.valid)

    # The report of the day arrives when the day is over, and says what ledger and tables say.
    world.at(24 * HOUR + 25 * MINUTE)
    world.send(100)
    world.tick()
    (report,) = world.mails(LIST, day)
    assert of_day.sent == 24 * 100
    figures = f"{grouped(of_day.sent)} sent = {grouped(of_day.valid)} valid"
    assert figures in report.part("plain")
    assert "0 unexplained" in report.part("plain")
    with world.house.platform.database.read() as connection:
        so_far = total(lines_of_truth(connection))
    assert stored(world) == so_far.valid == of_day.valid + _valid_of(world, 24)
    assert any(part.get_content_type() == "image/png" for part in report.message.walk())
    world.post.mailbox.received.clear()

    # A burst over the threshold: one mail with a graph, within two looks, and one at its end.
    burst = 26 * HOUR
    for minutes in range(5):
        world.at(burst + minutes * MINUTE)
        world.send(14_000)
    for minutes in (5, 6):
        world.at(burst + minutes * MINUTE)
        world.send(20)
        world.tick()
    assert len(world.mails(LIST)) == 1, world.subjects(LIST)
    (told,) = world.mails(LIST)
    assert re.search(r"\d events/s", str(told.message["Subject"]))
    assert any(part.get_content_type() == "image/png" for part in told.message.walk())
    for minutes in range(7, 14):
        world.at(burst + minutes * MINUTE)
        world.send(20)
        world.tick()
    assert len(world.mails(LIST)) == 2, world.subjects(LIST)  # and one closing notice
    world.post.mailbox.received.clear()

    # A schema that stops is noticed by its owner.
    others = 28 * HOUR
    quiet = (body for body in world._bodies if body.get("schema") == "NavigationTiming")
    for minutes in range(0, 120, 10):
        world.at(others + minutes * MINUTE)
        world.house.accept(json.dumps(list(islice(quiet, 30))).encode())
        world.house.load()
        world.tick()
    assert world.mails("recipes@example.org", "RecipeUptake")
    world.post.mailbox.received.clear()

    # The loader stands still while intake looks healthy.
    still = others + 3 * HOUR
    for minutes in range(12):
        world.at(still + minutes * MINUTE)
        world.send(200, load=False)
        world.tick()
    subjects = world.subjects(LIST)
    assert any("stored" in subject for subject in subjects), subjects
    world.house.load()
    with world.house.platform.database.read() as connection:
        assert total(lines_of_truth(connection)).residual == 0


def _valid_of(world: World, hour: int) -> int:
    """Valid events received since an hour after the beginning."""
    since = clock.minute(world.begin + hour * HOUR)
    with world.house.platform.database.read() as connection:
        return total(lines_of_truth(connection, start=since)).valid
