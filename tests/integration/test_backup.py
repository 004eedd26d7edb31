"""Backups: consistent while events come in, without keys, checked, aged; and put back."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from eventlogging import clock
from eventlogging.backup import ages, locks, model, sqlite
from eventlogging.backup.copies import copies_of
from eventlogging.backup.drill import drill
from eventlogging.backup.model import BackupError
from eventlogging.backup.restore import look
from eventlogging.cli.backup import backup as backup_command
from eventlogging.cli.restore import restore as restore_command
from eventlogging.platform import Platform
from eventlogging.receipts import chain
from eventlogging.retention import erasure
from eventlogging.store.fixed import (
    epoch_key,
    extension,
    legal_hold,
    metadata,
    person_session,
)
from tests.backups import (
    SECRET,
    assert_proven,
    backups,
    click,
    content,
    keys,
    lose_database,
    made,
    problems,
    put_back,
    put_key,
    rows,
    start,
    stop,
)
from tests.console import House
from tests.servers import ROOT

PERSON = {
    "type": "object",
    "properties": {
        "user": {"type": "string", "description": "Who."},
        "page": {"type": "string", "description": "Where."},
    },
}
# What docs/operators.md lets the account do.
DOCUMENTED = (
    "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, CREATE VIEW, SHOW VIEW"
)


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path / "var")
    made.publish()
    yield made
    made.close()


# making


def test_a_backup_says_what_it_holds(house: House) -> None:
    chain.append(chain.folder_of(house.config.var), "begin", {})
    before = clock.minute(clock.now_ms())
    house.send(click(), click(3))
    backup = made(house)
    assert problems(house, backup) == []
    assert backup.figures.rows == {"Click_1": 1, "Click_invalid": 1}
    assert before <= backup.figures.newest <= clock.minute(clock.now_ms())
    assert backup.receipts_until == 1
    assert min(backup.figures.positions.values()) > 0
    assert (backup.folder / "governance/schemas/Click/1.0.0.json").is_file()
    assert backup.manifest["revision"] and backup.manifest["program"]
    assert backup.folder.parent == backups(house)
    assert [one.name for one in model.find_all(backups(house))] == [backup.name]


def test_a_backup_belongs_to_its_owner_alone(house: House) -> None:
    backup = made(house)
    copy = backup.folder / str(backup.manifest["copy"])
    for path in (backups(house), backup.folder, copy, backup.folder / "manifest.json"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_backup_made_while_events_are_stored_is_of_one_moment(house: House) -> None:
    over = threading.Event()
    sent = 0

    def write() -> None:
        nonlocal sent
        while not over.is_set():
            house.send(*(click(str(number)) for number in range(50)))
            sent += 50

    for _ in range(4):
        house.send(*(click("x" * 30) for _ in range(1000)))
    thread = threading.Thread(target=write)
    thread.start()
    try:
        done = [made(house) for _ in range(3)]
    finally:
        over.set()
        thread.join()
    totals = [backup.figures.total for backup in done]
    assert totals == sorted(totals)
    assert rows(house) >= totals[-1] >= 4000
    for backup in done:
        found = drill(backup, copies_of(house.platform.database))
        assert found.problems == (), found.report


def test_no_backup_holds_a_key_of_hashes(house: House) -> None:
    put_key(house)
    put_key(house, "2026-10", None)
    house.send(click())
    backup = made(house)
    everything = content(backup)
    assert SECRET.encode() not in everything
    assert bytes.fromhex(SECRET) not in everything
    assert keys(house) == {"2026-11": SECRET, "2026-10": None}
    assert [one["epoch"] for one in backup.manifest["destroyed_keys"]] == ["2026-10"]


def test_an_interrupted_backup_is_swept_away_by_the_next(house: House) -> None:
    left = backups(house) / "2026-01-01T000000Z.part"
    left.mkdir(parents=True)
    (left / "whole.sqlite").write_bytes(b"x")
    backup = made(house)
    assert not left.exists()
    assert [path.name for path in backups(house).iterdir() if path.is_dir()] == [backup.name]


def test_a_backup_that_fails_leaves_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model, "write_json", full)
    with pytest.raises(OSError, match="No space"):
        made(house)
    assert model.find_all(backups(house)) == []
    assert not [path for path in backups(house).iterdir() if path.is_dir()]


def test_room_is_looked_for_first(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))  # type: ignore[attr-defined]
    with pytest.raises(BackupError, match="make room"):
        made(house)


def test_without_the_dump_program_its_package_is_named(
    mariadb_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(mariadb_url, tmp_path / "var")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match="apt-get install mariadb-client"):
        made(house)
    assert not [path for path in backups(house).iterdir() if path.is_dir()]
    house.close()


def test_a_password_stands_on_no_command_line(
    mariadb_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(mariadb_url, tmp_path / "var")
    with house.platform.database.ddl() as connection:
        name = mariadb_url.rpartition("/")[2]
        password = "p\\w \"'#=;"
        connection.execute(
            sa.text("CREATE USER 'dumper'@'127.0.0.1' IDENTIFIED BY :p"), {"p": password}
        )
        connection.exec_driver_sql(f"{DOCUMENTED} ON `{name}`.* TO 'dumper'@'127.0.0.1'")
    url = sa.engine.make_url(mariadb_url).set(username="dumper", password=password)
    seen: list[list[str]] = []
    popen = subprocess.Popen

    def watched(words: list[str], **more: Any) -> Any:
        seen.append([*words, *map(str, more.get("env") or ())])
        return popen(words, **more)

    monkeypatch.setattr(subprocess, "Popen", watched)
    other = House(url.render_as_string(hide_password=False), tmp_path / "var")
    try:
        backup = made(other)
        assert problems(other, backup) == []
        put_back(other, backup)
        assert len(seen) == 2
        assert not any("p\\w" in word for words in seen for word in words)
    finally:
        other.close()
        with house.platform.database.ddl() as connection:
            connection.exec_driver_sql("DROP USER 'dumper'@'127.0.0.1'")
        house.close()


# checking


def test_a_damaged_backup_is_found_and_not_put_back(house: House) -> None:
    house.send(click())
    backup = made(house)
    copy = backup.folder / str(backup.manifest["copy"])
    data = bytearray(copy.read_bytes())
    data[len(data) // 2] ^= 0xFF
    copy.write_bytes(data)
    assert problems(house, backup) == [f"{copy.name} is not what its checksum says"]
    with pytest.raises(BackupError, match="is not sound"):
        put_back(house, backup)
    assert not (house.config.var / "restoring").exists()
    assert rows(house) == 1


def test_a_copy_that_breaks_off_is_found_even_where_its_checksum_is_right(house: House) -> None:
    house.send(*(click(str(number)) for number in range(2000)))
    backup = made(house)
    copy = backup.folder / str(backup.manifest["copy"])
    whole = gzip.decompress(copy.read_bytes())
    copy.write_bytes(gzip.compress(whole[: len(whole) // 2]))
    stated = dict(backup.manifest)
    stated["files"][copy.name] = {"bytes": copy.stat().st_size, "sha256": model.digest(copy)}
    model.write_json(backup.folder / "manifest.json", stated)
    found = problems(house, model.read(backup.folder))
    assert len(found) >= 1 and copy.name in found[0]


def test_missing_and_foreign_files_are_named(house: House) -> None:
    backup = made(house)
    (backup.folder / "more").write_text("x")
    (backup.folder / "governance/schemas/Click/1.0.0.json").unlink()
    assert problems(house, backup) == [
        "governance/schemas/Click/1.0.0.json is missing",
        "more is not in the manifest",
    ]
    (backup.folder / "manifest.json").write_text("{")
    assert "cannot be read" in problems(house, model.read(backup.folder))[0]


def test_a_full_disk_is_no_fault_of_the_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(f"sqlite:///{tmp_path / 'eventlogging.db'}", tmp_path / "var")
    backup = made(house)
    real = Path.open

    def full(self: Path, mode: str = "r", *more: Any, **words: Any) -> Any:
        if self.name == "check.sqlite" and "w" in mode:
            raise OSError(28, "No space left on device")
        return real(self, mode, *more, **words)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(BackupError, match=r"cannot be unpacked.*No space"):
        problems(house, backup)
    monkeypatch.undo()
    assert problems(house, backup) == []
    house.close()


def test_a_check_is_not_disturbed_by_the_nightly_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(f"sqlite:///{tmp_path / 'eventlogging.db'}", tmp_path / "var")
    house.send(click())
    backup = made(house)
    unpack = sqlite._unpack

    def meanwhile(*arguments: Any) -> None:
        unpack(*arguments)
        assert [path.name for path in backups(house).iterdir() if path.is_dir()] == [backup.name]
        with locks.locked(backups(house)):
            ages.sweep(backups(house))
        with pytest.raises(locks.Busy, match="try again"):  # a second check by hand
            problems(house, backup)

    monkeypatch.setattr(sqlite, "_unpack", meanwhile)
    assert problems(house, backup) == []
    house.close()


def test_what_an_interrupted_check_left_is_taken_away_by_the_next(tmp_path: Path) -> None:
    house = House(f"sqlite:///{tmp_path / 'eventlogging.db'}", tmp_path / "var")
    backup = made(house)
    left = tmp_path / ".backup-check"
    left.mkdir()
    (left / "check.sqlite").write_bytes(b"x")
    assert problems(house, backup) == []
    assert not left.exists()
    house.close()


# ageing


def test_backups_go_when_they_are_older_than_they_may_be(tmp_path: Path) -> None:
    for day in ("2026-11-18", "2026-11-19", "2026-11-22"):
        (tmp_path / "backups" / f"{day}T030000Z").mkdir(parents=True)
    found = ages.expired(tmp_path, "2026-11-22", 3)
    assert [one.day for one in found] == ["2026-11-18"]
    assert all(ages.delete(one) for one in found)
    assert [one.day for one in model.find_all(tmp_path / "backups")] == [
        "2026-11-19", "2026-11-22",
    ]  # fmt: skip
    assert (ages.keep_of(3, 30), ages.keep_of(3, 2), ages.keep_of(0, 30)) == (3, 2, 30)


# putting back


def test_yesterdays_backup_and_the_log_give_everything_back_exactly_once(house: House) -> None:
    house.send(*(click(str(number)) for number in range(300)), click(1))
    house.send({"schema": "Nobody", "event": {}})
    backup = made(house)
    ids = [f"00000000-0000-4000-8000-{number:012}" for number in range(200)]
    house.send(*(click("later", id=id) for id in ids), click(2))
    house.send(click("later", id=ids[0]))  # a retry
    before = (rows(house), rows(house, "Click_invalid"), rows(house, "unknown_invalid"))
    assert before == (500, 2, 1)
    put_back(house, backup)
    again = start(house)
    assert (rows(again), rows(again, "Click_invalid")) == (300, 1)
    again.load()
    assert (rows(again), rows(again, "Click_invalid"), rows(again, "unknown_invalid")) == before
    assert rows(again, "Click") == 500  # the view
    assert_proven(again)
    assert chain.newest(chain.folder_of(house.config.var)).kind == "restore"  # type: ignore[union-attr]
    again.close()


def test_what_would_be_replaced_is_said_first(house: House) -> None:
    house.send(click(), click())
    backup = made(house)
    house.send(click())
    found = look(house.platform, backup)
    assert found.now is not None
    assert (found.now.total, backup.figures.total) == (3, 2)
    assert found.log_segments == 1 and found.log_bytes > 0
    assert found.gap == ""
    assert look(house.platform, backup).checksum == found.checksum
    house.send(click())
    assert look(house.platform, backup).checksum != found.checksum


def test_a_wrong_checksum_changes_nothing(house: House) -> None:
    house.send(click())
    backup = made(house)
    house.send(click())
    with pytest.raises(BackupError, match="--dry-run"):
        put_back(house, backup, checksum="000000000000")
    assert rows(house) == 2
    assert not (house.config.var / "restoring").exists()


def test_nothing_is_put_back_while_something_runs(house: House) -> None:
    backup = made(house)
    with locks.running(house.config.var), pytest.raises(BackupError, match="stop web, loader"):
        put_back(house, backup)


def test_nothing_is_put_back_while_another_host_works(mariadb_url: str, tmp_path: Path) -> None:
    house = House(mariadb_url, tmp_path / "var")
    backup = made(house)
    elsewhere = sa.create_engine(mariadb_url)
    with elsewhere.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        with pytest.raises(BackupError, match="on every host"):
            put_back(house, backup)
    elsewhere.dispose()
    house.close()


def test_nothing_starts_while_a_restore_is_not_done(house: House) -> None:
    backup = made(house)
    stop(house)

    def interrupted(_platform: Platform) -> str:
        with pytest.raises(BackupError, match="at work"), locks.running(house.config.var):
            raise AssertionError
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put_back(house, backup, purge=interrupted)
    with pytest.raises(BackupError, match="was interrupted"), locks.running(house.config.var):
        raise AssertionError
    environment = {
        **os.environ,
        "EVENTLOGGING_VAR": str(house.config.var),
        "EVENTLOGGING_DATABASE_URL": house.config.database_url,
        "EVENTLOGGING_GOVERNANCE": str(ROOT),
    }
    for command in ("serve", "web", "loader", "jobs"):
        ended = subprocess.run(
            [sys.executable, "-m", "eventlogging.cli.main", command],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert ended.returncode == 1
        assert "finish it: eventlogging restore" in ended.stderr
    put_back(house, backup)
    with locks.running(house.config.var):
        pass


def test_what_was_decided_since_stays_and_nobody_stays_signed_in(house: House) -> None:
    put_key(house, "2026-10", SECRET)
    now = clock.iso(clock.now_ms())
    with house.platform.database.write() as connection:
        connection.execute(sa.insert(person_session).values(
            digest="d", email="a@example.org", created_at=now, expires_at=now))  # fmt: skip
    backup = made(house)
    put_key(house)
    with house.platform.database.write() as connection:
        connection.execute(sa.delete(epoch_key).where(epoch_key.c.epoch == "2026-10"))
        connection.execute(sa.insert(epoch_key).values(
            epoch="2026-10", secret=None, made_at=now, destroyed_at=now))  # fmt: skip
        connection.execute(sa.insert(legal_hold).values(
            schema="Click", reason="a case", placed_by="a@example.org", placed_at=now))  # fmt: skip
        connection.execute(sa.insert(extension).values(
            schemas='["Click"]', first_day="2026-01-01", last_day="2026-12-31", keep_days=180,
            until="2027-01-01", reason="r", why_not_less="w", state="granted", asked_by="a",
            asked_at=now, decision=""))  # fmt: skip
    done = put_back(house, backup)
    assert done.decisions_kept
    assert keys(house) == {"2026-11": SECRET, "2026-10": None}
    with house.platform.database.read() as connection:
        for table, number in ((legal_hold, 1), (extension, 1), (person_session, 0)):
            query = sa.select(sa.func.count()).select_from(table)
            assert connection.execute(query).scalar() == number, table.name


def test_what_is_forgotten_since_is_forgotten_before_the_marker_goes(house: House) -> None:
    receipts = chain.folder_of(house.config.var)
    chain.append(receipts, "begin", {})
    backup = made(house)
    chain.append(receipts, "erasure", {"hashes": ["k:1"]})
    seen: list[Any] = []

    def replay(platform: Platform, since: Any) -> int:
        assert (house.config.var / "restoring").exists()
        seen.extend(one.kind for one in since)
        return 7

    done = put_back(house, backup, replay=replay, purge=lambda _: "nothing was due")
    assert seen == ["erasure"]
    assert (done.erased, done.purged) == (7, "nothing was due")
    assert not (house.config.var / "restoring").exists()


def test_a_lost_database_and_lost_receipts_come_back(house: House) -> None:
    put_key(house, "2026-10", None)
    chain.append(chain.folder_of(house.config.var), "erasure", {"hashes": []})
    house.send(click(), click())
    backup = made(house)
    shutil.rmtree(chain.folder_of(house.config.var))
    lose_database(house)
    found = look(house.platform, backup)
    assert found.now is None
    done = put_back(house, backup)
    assert not done.decisions_kept
    again = start(house)
    again.load()
    assert rows(again) == 2
    assert_proven(again)
    assert keys(again) == {"2026-10": None}
    kinds = [one.kind for one in chain.read(chain.folder_of(house.config.var))]
    assert kinds == ["erasure", "restore"]
    again.close()


def test_an_erased_person_stays_erased_when_yesterdays_backup_is_put_back(
    run: Callable[..., Any], house: House
) -> None:
    house.publish("Visit", PERSON, privacy={"user": "hmac"})
    visits = [{"schema": "Visit", "event": {"user": user, "page": "a"}} for user in ("ann", "bob")]
    house.send(*visits)
    backup = made(house)
    house.send(*visits)
    wish = erasure.ask(house.platform, ["ann"], "op@example.org")
    assert erasure.carry_out(house.platform, wish, plain=["ann"]).rows == 2
    stop(house)
    shown = run(restore_command, "newest", "--json")
    done = run(restore_command, backup.name, "--execute", json.loads(shown.output)["checksum"])
    assert done.exit_code == 0, done.output
    assert "1 rows erased" in done.output
    again = start(house)
    assert rows(again, "Visit_1") == 1
    again.load()
    ann = again.platform.privacy_key.hash("ann")
    with again.platform.database.read() as connection:
        query = sa.text("SELECT COUNT(*) FROM Visit_1 WHERE event_user = :user")
        assert connection.execute(query, {"user": ann}).scalar() == 0
    assert rows(again, "Visit_1") == 2
    assert_proven(again)
    again.close()


def test_lines_of_a_version_that_is_gone_wait_until_it_is_published_again(house: House) -> None:
    backup = made(house)
    wider = {
        "type": "object",
        "required": ["target"],
        "properties": {"target": {"type": "string", "maxLength": 40}, "new": {"type": "integer"}},
    }
    house.publish("Click", {**wider, "properties": {
        "target": {"type": "string", "maxLength": 40, "description": "What was clicked."},
        "count": {"type": "integer"},
        "at": {"type": "object", "properties": {"x": {"type": "number"}}},
        "new": {"type": "integer"},
    }})  # fmt: skip
    house.publish("Fresh", wider)
    house.send(click(), {"schema": "Fresh", "event": {"target": "b"}})
    assert (rows(house), rows(house, "Fresh_1")) == (1, 1)
    put_back(house, backup)
    again = start(house)
    again.load()
    with again.platform.database.read() as connection:
        waiting = connection.execute(sa.select(metadata.tables["parked"])).all()
    assert len(waiting) == 2
    assert_proven(again)
    again.publish("Fresh", wider)
    again.publish("Click", {**wider, "properties": {
        "target": {"type": "string", "maxLength": 40, "description": "What was clicked."},
        "count": {"type": "integer"},
        "at": {"type": "object", "properties": {"x": {"type": "number"}}},
        "new": {"type": "integer"},
    }})  # fmt: skip
    third = start(again)
    third.load()
    assert (rows(third), rows(third, "Fresh_1")) == (1, 1)
    assert_proven(third)
    again.close()
    third.close()


def test_a_log_that_is_gone_is_told(house: House) -> None:
    backup = made(house)
    old = (date.fromisoformat(backup.day) - timedelta(days=3)).isoformat()
    moved = backup.folder.with_name(f"{old}T030000Z")
    backup.folder.rename(moved)
    house.send(click())
    found = look(house.platform, model.read(moved))
    assert found.gap == f"{old} to {backup.day}"


_KILLED = """
import os, signal, sys
from eventlogging.backup import restore as restoring, model, sqlite, mysql
from eventlogging.config import Config
from eventlogging.platform import open_platform
from pathlib import Path

var, url, name, checksum, point = sys.argv[1:]

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def before(owner, attribute):
    setattr(owner, attribute, die)

def after(owner, attribute):
    whole = getattr(owner, attribute)
    def wrapped(*arguments, **more):
        whole(*arguments, **more)
        if not str(arguments[1]).endswith("check.sqlite"):  # that is only looked at
            die()
    setattr(owner, attribute, wrapped)

when, _, place = point.partition(" ")
owner, attribute = {
    "unpack": (sqlite, "_unpack"), "keys": (sqlite, "_take_keys"), "link": (os, "link"),
    "drop": (mysql.MySQLCopies, "_drop"), "load": (mysql.MySQLCopies, "_load"),
    "views": (mysql, "make_views"), "migrate": (restoring, "migrate"),
    "settle": (restoring, "_settle"), "replace": (Path, "replace"),
    "receipt": (restoring.chain, "append"),
}[place]
platform = open_platform(Config(var=Path(var), database_url=url))
backup = model.find(model.folder_of(Path(var)), name)
if place == "replace":  # the second one: the first puts the marker in place
    whole, calls = Path.replace, []
    def replaced(self, target):
        if str(target).endswith(".db"):
            if when == "before":
                die()
            whole(self, target)
            die()
        return whole(self, target)
    Path.replace = replaced
else:
    {"before": before, "after": after}[when](owner, attribute)
restoring.restore(platform, backup, checksum, replay=lambda *_: 0, purge=lambda _: "")
"""
_POINTS = {
    "sqlite": ["after unpack", "after keys", "after link", "before replace", "after replace",
               "before migrate", "after settle", "after receipt"],
    "mysql": ["after drop", "after load", "before views", "before migrate", "after settle"],
}  # fmt: skip


def test_a_restore_that_is_killed_anywhere_can_be_run_again(house: House) -> None:
    put_key(house)
    house.send(*(click(str(number)) for number in range(100)))
    backup = made(house)
    house.send(*(click(str(number)) for number in range(50)))
    now = clock.iso(clock.now_ms())
    with house.platform.database.write() as connection:
        connection.execute(sa.insert(legal_hold).values(
            schema="Click", reason="a case", placed_by="a@example.org", placed_at=now))  # fmt: skip
    stop(house)
    kind = house.platform.database.dialect.name
    checksum = look(house.platform, backup).checksum
    stop(house)
    for point in _POINTS[kind]:
        words = [str(house.config.var), house.config.database_url, backup.name, checksum, point]
        ended = subprocess.run(
            [sys.executable, "-c", _KILLED, *words],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert ended.returncode == -signal.SIGKILL, (point, ended.stderr)
        assert (house.config.var / "restoring").exists(), point
        assert look(house.platform, backup).checksum == checksum
        stop(house)
    put_back(house, backup, checksum=checksum)
    again = start(house)
    again.load()
    assert rows(again) == 150
    assert rows(again, "legal_hold") == 1
    assert keys(again) == {"2026-11": SECRET}
    assert_proven(again)
    left = [path.name for path in house.config.var.parent.rglob(".*db.*")]
    assert left == []
    again.close()


# by hand


@pytest.fixture
def run(house: House, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("EVENTLOGGING_VAR", str(house.config.var))
    monkeypatch.setenv("EVENTLOGGING_DATABASE_URL", house.config.database_url)

    def invoke(command: Any, *words: str) -> Any:
        return CliRunner().invoke(command, list(words), catch_exceptions=False)

    return invoke


def test_a_backup_is_made_listed_and_checked_by_hand(
    run: Callable[..., Any], house: House, tmp_path: Path
) -> None:
    house.send(click())
    assert "There is no backup yet" in run(backup_command, "list").output
    shown = json.loads(run(backup_command, "--json").output)
    assert shown["rows"] == 1
    listed = run(backup_command, "list")
    assert shown["name"] in listed.output
    assert listed.output.splitlines()[-1] == f"eventlogging restore {shown['name']} --dry-run"
    sound = run(backup_command, "check")
    assert (sound.exit_code, "is sound" in sound.output) == (0, True)
    elsewhere = run(backup_command, "--to", str(tmp_path / "there"))
    assert elsewhere.exit_code == 0, elsewhere.output
    assert run(backup_command, "check", elsewhere.output.splitlines()[0]).exit_code == 0
    (house.config.var / "backups" / shown["name"] / "more").write_text("x")
    wrong = run(backup_command, "check", shown["name"], "--json")
    assert wrong.exit_code == 1
    assert json.loads(wrong.output)["problems"] == ["more is not in the manifest"]
    assert run(backup_command, "check", "2020-01-01T000000Z").exit_code == 1


def test_the_command_that_is_printed_next_works(
    run: Callable[..., Any], house: House, tmp_path: Path
) -> None:
    def next_one(done: Any) -> list[str]:
        words = str(done.output).splitlines()[-1].split()
        assert words[:2] == ["eventlogging", "restore"], done.output
        assert words[3:] == ["--dry-run"]
        return words[2:]

    there = str(tmp_path / "there")
    made_there = run(backup_command, "--to", there).output.splitlines()[0]
    shown = run(restore_command, *next_one(run(backup_command, "list", "--from", there)))
    assert f"restore {made_there} --execute" in shown.output
    refused = run(restore_command, made_there, "--execute", "wrong")
    assert f"restore {made_there} --dry-run" in refused.output
    sound = made(house)
    broken = sound.folder.with_name("2099-01-01T000000Z")
    broken.mkdir()
    assert next_one(run(backup_command, "list"))[0] == sound.name
    shutil.rmtree(sound.folder)
    assert run(backup_command, "list").output.splitlines()[-1] == "eventlogging backup"


def test_a_backup_is_put_back_by_hand(run: Callable[..., Any], house: House) -> None:
    house.send(click())
    backup = made(house)
    house.send(click())
    stop(house)
    shown = run(restore_command, "newest", "--dry-run")
    assert shown.exit_code == 0
    assert "replaces 2 rows of events" in shown.output
    words = shown.output.splitlines()[-1].split()
    assert words[:2] == ["eventlogging", "restore"]
    assert words[3] == "--execute"
    refused = run(restore_command, backup.name, "--execute", "wrong")
    assert refused.exit_code == 1
    done = run(restore_command, words[2], "--execute", words[4])
    assert done.exit_code == 0, done.output
    assert "1 rows of events" in done.output
    again = start(house)
    again.load()
    assert rows(again) == 2
    assert_proven(again)
    again.close()
    assert run(restore_command, "newest", "--dry-run", "--execute", "x").exit_code == 2
