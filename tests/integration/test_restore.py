"""What a restore brings along of what was said since the backup, and what it leaves alone."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from eventlogging import clock
from eventlogging.backup import locks, model
from eventlogging.backup.model import Backup, BackupError
from eventlogging.backup.restore import look, words
from eventlogging.cli.main import cli
from eventlogging.cli.restore import restore as restore_command
from eventlogging.platform import Platform
from eventlogging.receipts import chain
from eventlogging.registry import counter, opt_outs
from eventlogging.retention import holds
from tests.backups import backups, click, content, lose_database, made, put_back, rows, start
from tests.console import House
from tests.servers import ROOT


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path / "var")
    made.publish()
    yield made
    made.close()


@pytest.fixture
def sqlite_house(tmp_path: Path) -> Iterator[House]:
    made = House(f"sqlite:///{tmp_path / 'eventlogging.db'}", tmp_path / "var")
    made.publish()
    yield made
    made.close()


@pytest.fixture
def run(house: House, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    return commands(house, monkeypatch)


def commands(house: House, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """What runs a command in a house."""
    monkeypatch.setenv("EVENTLOGGING_VAR", str(house.config.var))
    monkeypatch.setenv("EVENTLOGGING_DATABASE_URL", house.config.database_url)
    monkeypatch.setenv("EVENTLOGGING_GOVERNANCE", str(ROOT))

    def invoke(command: Any, *words: str) -> Any:
        return CliRunner().invoke(command, list(words), catch_exceptions=False)

    return invoke


def seen_by_replay(house: House, backup: Backup) -> list[str]:
    """Put a backup back; return whom the receipts that were gone through name."""
    seen: list[str] = []

    def replay(_platform: Platform, since: Any) -> int:
        seen.extend(str(one.body.get("who", one.kind)) for one in since)
        return 0

    put_back(house, backup, replay=replay)
    return seen


def test_on_another_host_the_receipts_since_are_told_by_their_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = chain.folder_of(house.config.var)
    for number in range(5):
        chain.append(folder, "erasure", {"who": f"first host {number}"})
    backup = made(house)
    shutil.rmtree(folder)  # the data folder is another host's, with a chain of its own
    monkeypatch.setattr(clock, "offset_ms", -3 * clock.DAY_MS)
    chain.append(folder, "hold", {"who": "long before"})
    monkeypatch.setattr(clock, "offset_ms", 0)
    chain.append(folder, "erasure", {"who": "since"})
    found = look(house.platform, backup)
    assert (found.receipts, found.receipts_by_time) == (1, True)
    assert "another chain" in "\n".join(words(found))
    assert seen_by_replay(house, backup) == ["since"]


def test_receipts_that_were_lost_and_begun_anew_are_not_passed_over(house: House) -> None:
    folder = chain.folder_of(house.config.var)
    for number in range(3):
        chain.append(folder, "erasure", {"who": f"lost {number}"})
    backup = made(house)
    shutil.rmtree(folder)
    for number in range(4):
        chain.append(folder, "erasure", {"who": f"new {number}"})
    assert seen_by_replay(house, backup) == ["new 0", "new 1", "new 2", "new 3"]


def test_in_the_same_chain_receipts_are_told_by_their_number(house: House) -> None:
    folder = chain.folder_of(house.config.var)
    chain.append(folder, "erasure", {"who": "before"})
    backup = made(house)
    chain.append(folder, "erasure", {"who": "since"})
    found = look(house.platform, backup)
    assert (found.receipts, found.receipts_by_time) == (1, False)
    assert seen_by_replay(house, backup) == ["since"]


def test_who_said_no_since_the_backup_is_not_tracked_again(house: House) -> None:
    database = house.platform.database
    opt_outs.say_no(database, "before")
    opt_outs.say_no(database, "took it back")
    backup = made(house)
    opt_outs.say_no(database, "since")
    opt_outs.take_back(database, "took it back")
    with database.read() as connection:
        known = counter.both(connection)[1]
    put_back(house, backup)
    # A no wins: what was taken back has to be taken back once more.
    assert opt_outs.read_hashes(database) == {"before", "since", "took it back"}
    with database.read() as connection:
        assert counter.both(connection)[1] not in (2, known), "collectors read them anew"


def test_where_the_old_database_is_lost_the_command_says_which_nos_are(
    run: Callable[..., Any], house: House
) -> None:
    backup = made(house)
    opt_outs.say_no(house.platform.database, "since")
    lose_database(house)
    shown = run(restore_command, backup.name, "--json")
    done = run(restore_command, backup.name, "--execute", json.loads(shown.output)["checksum"])
    assert done.exit_code == 0, done.output
    assert "who opted out since" in done.output
    assert "PUT /v1/opt-out" in done.output
    assert "extensions" not in done.output


def test_a_database_that_was_begun_anew_lifts_no_hold(house: House) -> None:
    receipts = chain.folder_of(house.config.var)
    holds.place(house.platform.database, receipts, "Click", "ada@example.org", "Case 17")
    backup = made(house)
    lose_database(house)
    if house.platform.database.dialect.name == "sqlite":
        Path(house.config.database_url.removeprefix("sqlite:///")).unlink()
    anew = start(house)
    anew.publish()
    opt_outs.say_no(anew.platform.database, "since")
    done = put_back(anew, backup)
    assert rows(anew, "legal_hold") == 1
    assert opt_outs.read_hashes(anew.platform.database) == {"since"}
    assert not done.decisions_kept
    anew.close()


def test_an_extension_granted_since_protects_its_events_where_the_old_database_is_lost(
    run: Callable[..., Any], house: House
) -> None:
    old = clock.now_ms() - 200 * clock.DAY_MS
    day = clock.day(old)
    house.send(click(), received=old)
    backup = made(house)
    chain.append(chain.folder_of(house.config.var), "extension", {
        "act": "granted", "schemas": ["Click"], "first_day": day, "last_day": day,
        "keep_days": 400, "until": clock.day(clock.now_ms() + 30 * clock.DAY_MS), "reason": "r",
        "asked_at": clock.iso(clock.now_ms()),
    })  # fmt: skip
    lose_database(house)
    shown = run(restore_command, backup.name, "--json")
    done = run(restore_command, backup.name, "--execute", json.loads(shown.output)["checksum"])
    assert done.exit_code == 0, done.output
    assert rows(house) == 1
    assert rows(house, "extension") == 1


def test_what_others_keep_in_the_database_stays_as_it_is(mariadb_url: str, tmp_path: Path) -> None:
    house = House(mariadb_url, tmp_path / "var")
    house.publish()
    house.send(click())
    with house.platform.database.ddl() as connection:
        for statement in (
            "CREATE TABLE notes (text VARCHAR(20))", "INSERT INTO notes VALUES ('before')",
            "CREATE TABLE my_clicks AS SELECT * FROM Click_1",
            "CREATE VIEW my_view AS SELECT event_target FROM Click",
        ):  # fmt: skip
            connection.exec_driver_sql(statement)
    backup = made(house)
    assert not any(name in content(backup) for name in (b"notes", b"my_clicks", b"my_view"))
    house.publish("Late")
    house.send(click(), {"schema": "Late", "event": {"target": "b"}})
    with house.platform.database.ddl() as connection:
        connection.exec_driver_sql("INSERT INTO notes VALUES ('since')")
        connection.exec_driver_sql("DELETE FROM my_clicks")
    put_back(house, backup)
    assert (rows(house, "notes"), rows(house, "my_clicks"), rows(house, "my_view")) == (2, 0, 1)
    with house.platform.database.read() as connection:
        inspector = sa.inspect(connection)
        assert not {"Late", "Late_1", "Late_invalid"} & {
            *inspector.get_table_names(), *inspector.get_view_names(),
        }  # fmt: skip
        assert "Click" in inspector.get_view_names()
    house.close()


def test_an_interrupted_restore_of_the_newest_names_what_it_can_go_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the default data folder is a relative one
    house = House(f"sqlite:///{tmp_path / 'eventlogging.db'}", Path("var"))
    made(house)
    newest = model.find(backups(house), "newest")
    assert newest.folder.is_absolute()
    checksum = look(house.platform, newest).checksum

    def interrupted(_platform: Platform) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put_back(house, newest, purge=interrupted)
    with pytest.raises(BackupError) as told, locks.running(house.config.var):
        raise AssertionError
    named, wanted = re.search(r"restore (\S+) --execute (\S+)", str(told.value)).groups()  # type: ignore[union-attr]
    assert wanted == checksum
    put_back(house, model.find(backups(house), named), checksum=wanted)
    house.close()


@pytest.mark.parametrize(
    "words",
    [
        "apply", "user list", "user add ann@example.org", "user disable ann@example.org",
        "user role ann@example.org admin", "user enable ann@example.org",
        "user reset ann@example.org", "token create ci --scope read", "token revoke ci",
        "token list", "retention hold Click --reason why", "retention lift Click",
        "retention status", "retention extensions", "retention verify", "person find 4711",
        "person export 4711", "person erase 4711", "job list",
    ],
)  # fmt: skip
def test_no_command_writes_while_a_restore_is_not_done(
    monkeypatch: pytest.MonkeyPatch, sqlite_house: House, words: str
) -> None:
    run = commands(sqlite_house, monkeypatch)
    with locks.alone(sqlite_house.config.var):
        refused = run(cli, *words.split())
    assert (refused.exit_code, "restore is at work" in refused.output) == (1, True), refused.output
    locks.write_marker(sqlite_house.config.var, {"backup": "/there", "checksum": "c"})
    refused = run(cli, *words.split())
    assert (refused.exit_code, "was interrupted" in refused.output) == (1, True), refused.output


@pytest.mark.parametrize("words", ["diff", "apply --check", "ledger"])
def test_who_only_reads_needs_no_data_folder(
    monkeypatch: pytest.MonkeyPatch, sqlite_house: House, words: str
) -> None:
    run = commands(sqlite_house, monkeypatch)
    var = sqlite_house.config.var
    with locks.alone(var):
        assert "restore" not in run(cli, *words.split(), "--json").output
