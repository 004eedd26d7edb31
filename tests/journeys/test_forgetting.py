"""Two hundred days: what is due goes on its day, what may stay stays and is right, a person who
asks is found nowhere, and each night it is proved from the outside."""

from __future__ import annotations

import gzip
import json
import statistics
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.backup.make import make
from eventlogging.backup.model import Backup, folder_of
from eventlogging.backup.restore import look, restore
from eventlogging.cli.forget_again import purge, replay
from eventlogging.cli.traffic import traffic
from eventlogging.cli.verify import certificate
from eventlogging.event import Outcome
from eventlogging.governance.read import read_governance
from eventlogging.jobs.erasure_duties import carry_out_erasures
from eventlogging.jobs.runner import run_due
from eventlogging.jobs.table import JOBS
from eventlogging.ledger.proof import prove
from eventlogging.ledger.reading import lines_of_truth, total
from eventlogging.platform import open_platform
from eventlogging.registry.apply import apply
from eventlogging.retention import erasure, erasure_book, extensions
from eventlogging.retention.letter import Post
from eventlogging.retention.wish import Wish
from eventlogging.store.fixed import job_run
from tests.console import House
from tests.servers import ROOT

DAYS, RAW_GOES = 200, 91
HOUR = 3_600_000
EACH_DAY = 40
NIGHTLY = ("aggregates", "retention", "retire-log", "erasures", "retention-verify", "forget-ids")
PERSON = 4_242_424
TIMINGS = ("connectStart", "responseStart", "domInteractive", "loadEventEnd")
ASKED_ON, HELD_UNTIL = 60, 150  # the extension: asked on, and its last day
FORGOTTEN_ON = 100


@dataclass
class Sent:
    """What the test itself knows of a day."""

    timings: list[dict[str, Any]] = field(default_factory=list)  # payloads of NavigationTiming
    accounts: int = 0


class World:
    """The house, its clock, and what was sent into it."""

    def __init__(self, url: str, var: Path) -> None:
        self.house = House(url, var)
        self.var = var
        self.begin = clock.now_ms() // clock.DAY_MS * clock.DAY_MS
        self.sent: dict[str, Sent] = defaultdict(Sent)
        self._bodies = traffic(read_governance(ROOT).schemas.values(), seed=11)
        self._seen: set[str] = set()  # a retry of the demo traffic is the same event
        self._nightly = [job for job in JOBS if job.name in NIGHTLY]

    @property
    def platform(self) -> Any:
        return self.house.platform

    def at(self, day: int, hour: float) -> None:
        clock.offset_ms = 0
        clock.offset_ms = self.begin + day * clock.DAY_MS + round(hour * HOUR) - clock.now_ms()

    def day(self, number: int) -> str:
        return clock.day(self.begin + number * clock.DAY_MS)

    def live_through(self, number: int) -> None:
        """A day of traffic, and the night after it."""
        self.at(number, 12)
        bodies = [*islice(self._bodies, EACH_DAY), *self._of_the_person(number)]
        accepted = self.house.accept(json.dumps(bodies).encode(), scopes={"produce"})
        self.house.load()
        today = self.sent[self.day(number)]
        for body, verdict in zip(bodies, accepted.verdicts, strict=True):
            if verdict.outcome is not Outcome.VALID or body.get("id") in self._seen:
                continue
            self._seen.add(body.get("id", str(uuid.uuid4())))
            if body["schema"] == "NavigationTiming":
                today.timings.append(body["event"])
            if body["schema"] == "ServerSideAccountCreation":
                today.accounts += 1
        self.at(number + 1, 4.5)
        run_due(self.platform, self._nightly)

    def _of_the_person(self, number: int) -> Iterator[dict[str, Any]]:
        """One person, signed in, among the others; not in the first days, which end up counted."""
        if number % 3 == 0:
            event = {
                "action": "view", "isAnon": False, "isHttps": True, "mediaWikiVersion": "1.27.0",
                "responseStart": 100 + number, "loadEventEnd": 500 + number, "userId": PERSON,
                "pageId": 77,
            }  # fmt: skip
            yield {"schema": "NavigationTiming", "event": event, "host": "en.example.org"}
        if number % 10 == 0:
            wrong = {"action": "view", "userId": PERSON, "responseStart": "soon"}
            yield {"schema": "NavigationTiming", "event": wrong}
            # Nobody can tell where the private field of an unknown schema is.
            yield {"schema": "NobodyKnows", "event": {"user": PERSON}}

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.platform.database.read() as connection:
            return list(connection.execute(sa.text(query), values))

    def days_of(self, table: str) -> list[str]:
        return sorted({str(row[0])[:10] for row in self.rows(f"SELECT dt FROM `{table}`")})

    def outcome_of(self, job: str) -> tuple[str, str]:
        query = sa.select(job_run).where(job_run.c.job == job).order_by(job_run.c.slot.desc())
        with self.platform.database.read() as connection:
            row = connection.execute(query).first()
        assert row is not None, f"{job} never ran"
        return row.outcome, row.detail

    def assert_proved(self, number: int) -> None:
        """The certificate of the night, the books, and the promise."""
        outcome, detail = self.outcome_of("retention-verify")
        assert outcome == "done", f"day {number}: {detail}"
        outcome, detail = self.outcome_of("retention")
        assert outcome == "done", f"day {number}: {detail}"
        assert certificate(self.platform, grace_days=0).findings == (), f"day {number}"

    def assert_the_books_hold(self) -> None:
        proof = prove(self.platform.database)
        assert proof.holds, proof.discrepancies
        with self.platform.database.read() as connection:
            assert total(lines_of_truth(connection)).residual == 0

    def counted(self) -> dict[str, int]:
        """Rows of every table of events."""
        names = [row[0] for row in self.rows("SELECT DISTINCT table_name FROM table_day")]
        return {name: int(self.rows(f"SELECT COUNT(*) FROM `{name}`")[0][0]) for name in names}

    def restore(self, backup: Backup) -> None:
        """Stop, put a backup back, start again; the loader catches up from the log."""
        self.house.close()
        platform = open_platform(self.house.config)
        found = look(platform, backup)
        restore(platform, backup, found.checksum, replay=replay, purge=purge)
        platform.database.close()
        self.house = House(self.house.config.database_url, self.var)
        self.house.load()
        carry_out_erasures(self.platform, clock.minute(clock.now_ms()))

    def hashes(self) -> set[bytes]:
        key = self.platform.privacy_key
        return {key.hash(PERSON).encode(), key.hash(str(PERSON)).encode()}

    def traces(self) -> list[str]:
        """Where the person stands: in every file of ours, byte by byte, and every table."""
        wanted = {*self.hashes(), str(PERSON).encode()}
        found = []
        for path in self.var.rglob("*"):
            if path.is_file() and "backups" not in path.parts and "receipts" not in path.parts:
                data = path.read_bytes()
                found += [f"{path.name}: {text!r}" for text in wanted if text in data]
        with self.platform.database.read() as connection:
            for table in sa.inspect(connection).get_table_names():
                if table == "erasure":
                    continue  # holds the hash, so that a restore cannot bring the person back
                for row in connection.execute(sa.text(f"SELECT * FROM `{table}`")):
                    text = repr(tuple(row)).encode()
                    found += [f"{table}: {one!r}" for one in wanted if one in text]
        return found


@pytest.fixture
def world(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(clock, "offset_ms", 0)
    made = World(database_url, tmp_path / "var")
    apply(made.platform.database, read_governance(ROOT), "test")
    yield made
    made.house.close()


@pytest.mark.timeout(900)
def test_two_hundred_days(world: World) -> None:
    for number in range(DAYS):
        if number == ASKED_ON:
            grant_an_extension(world)
        world.live_through(number)
        world.assert_proved(number)
        if number == FORGOTTEN_ON - 1:
            yesterday = make(world.platform, folder_of(world.var))
        if number == FORGOTTEN_ON:
            forget_the_person(world, yesterday)
        if number + 1 in (RAW_GOES - 1, RAW_GOES, RAW_GOES + 1, DAYS):
            raw_goes_on_its_day(world, number + 1)
        if number + 1 in (HELD_UNTIL, HELD_UNTIL + 1):
            the_extension_holds_to_its_end(world, number + 1)
    world.assert_the_books_hold()
    timings_remain_without_people(world)
    aggregates_remain_and_are_right(world)
    no_log_outlives_its_days(world)


def raw_goes_on_its_day(world: World, today: int) -> None:
    """On day 91 the first day goes, and each night one more."""
    first = max(0, today - RAW_GOES + 1)
    assert world.days_of("NavigationTiming_1")[0] == world.day(first)
    stripped = world.days_of("NavigationTiming_1_scrubbed") if first else []
    assert stripped == [world.day(number) for number in range(first)]


def grant_an_extension(world: World) -> None:
    """A researcher, two months in, needs the first days for longer."""
    database = world.platform.database
    wish = Wish(
        schemas=("RecipeUptake",), first_day=world.day(0), last_day=world.day(20), keep_days=180,
        until=world.day(HELD_UNTIL), reason="The study runs for two more months.",
        why_not_less="It follows single recipes.",
    )  # fmt: skip
    post = Post("http://localhost", "key")
    asked = extensions.ask(database, wish, "recipes@example.org", (), post)
    assert asked.extension is not None, asked.problems
    decided = extensions.decide(
        database, asked.extension.id, "reviewer@example.org", True, "Until then.",
        world.var / "receipts", post,
    )  # fmt: skip
    assert decided.done, decided.problems


def the_extension_holds_to_its_end(world: World, today: int) -> None:
    kept = [day for day in world.days_of("RecipeUptake_1") if day <= world.day(20)]
    if today <= HELD_UNTIL:
        assert kept, "kept to its last day"
    else:
        assert kept == [], "and not a day longer"


def forget_the_person(world: World, yesterday: Backup) -> None:
    """The person asks; afterwards yesterday's backup brings everything back but them."""
    assert world.traces(), "the search finds what is there"
    data = b"".join(
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in yesterday.folder.rglob("*")
        if path.is_file()
    )
    assert any(one in data for one in world.hashes()), "the backup holds the person"
    wish = erasure.ask(world.platform, [str(PERSON)], "admin@example.org")
    carry_out_erasures(world.platform, clock.minute(clock.now_ms()))
    with world.platform.database.read() as connection:
        done = erasure_book.read(connection, wish.id)
    assert done is not None and done.state == "done", done
    assert world.traces() == []
    world.assert_the_books_hold()
    before = world.counted()
    world.restore(yesterday)
    assert world.traces() == []
    world.assert_the_books_hold()
    assert world.counted() == before, "and nobody else is missing"


def timings_remain_without_people(world: World) -> None:
    table = "NavigationTiming_1_scrubbed"
    columns = set(_columns(world, table))
    assert not {"event_pageId", "event_revId", "event_userId", "user_agent_browser"} & columns
    names = ", ".join(f"`event_{name}`" for name in TIMINGS)
    rows = world.rows(f"SELECT dt, {names} FROM `{table}`")
    found = defaultdict(list)
    for row in rows:
        found[str(row[0])[:10]].append(tuple(row)[1:])
    for number in range(DAYS - RAW_GOES + 1):
        day = world.day(number)
        sent = [
            tuple(event.get(name) for name in TIMINGS)
            for event in world.sent[day].timings
            if not (event.get("userId") == PERSON and number <= FORGOTTEN_ON)
            or number <= FORGOTTEN_ON - RAW_GOES + 1
        ]
        assert sorted(found[day], key=str) == sorted(sent, key=str), day


def aggregates_remain_and_are_right(world: World) -> None:
    """The oldest day, long gone: its counts and quartiles are those of what was sent."""
    day = world.day(3)
    answer = world.house.client.get(
        f"/v1/aggregates/NavigationTiming?aggregate=speed_per_day&start={day}&end={day}",
        headers={"Authorization": "Bearer let-me-in"},
    )
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    counted = sum(cell["events"] for cell in body["cells"]) + body["suppressed"]["events"]
    assert counted == len(world.sent[day].timings)
    for cell in body["cells"]:
        if cell["events"] == counted:
            exact = statistics.median(one["loadEventEnd"] for one in world.sent[day].timings)
            assert cell["quantiles"]["loadEventEnd"]["p50"] == pytest.approx(exact, rel=0.2)


def no_log_outlives_its_days(world: World) -> None:
    oldest = min(path.name for path in (world.var / "log").iterdir() if path.is_dir())
    assert oldest >= world.day(DAYS - 14 - 1)


def _columns(world: World, table: str) -> Iterator[str]:
    with world.platform.database.read() as connection:
        yield from world.platform.database.dialect.existing_columns(connection, table)
