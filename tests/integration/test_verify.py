"""The certificate: each thing that no rule explains is found, and a clean house passes."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from eventlogging import clock
from eventlogging.cli.retention import retention
from eventlogging.config import Config
from eventlogging.receipts import chain
from eventlogging.store.fixed import (
    aggregate_cell,
    aggregate_day,
    epoch_key,
    extension,
    governance,
    legal_hold,
    recent_id,
    test_event,
)
from eventlogging.verify import files
from eventlogging.verify.certificate import Certificate, Finding
from eventlogging.verify.examine import examine
from tests.console import House

EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "target": {"type": "string", "maxLength": 40},
        "user": {"type": "string", "maxLength": 40},
        "seen": {
            "type": "array",
            "items": {"type": "object", "properties": {"who": {"type": "string"}, "what": {}}},
        },
        "at": {"type": "object", "properties": {"x": {"type": "number"}}},
    },
}
DIGITS = "0123456789abcdef" * 4
MINE = "abcdef:" + DIGITS[:32]


class Planted:
    """A house, and what does not belong into it."""

    def __init__(self, url: str, var: Path) -> None:
        self.house = House(url, var, log_keep_days=14)
        self.var = var
        self.house.publish("Click", EVENT, privacy={"user": "hmac", "/seen/*/who": "hmac"})
        self.house.send(
            {"schema": "Click", "event": {"target": "a", "user": "u"}}, {"schema": "Nobody"}, {}
        )
        self.today = date.fromisoformat(clock.day(clock.now_ms()))

    def look(self, **more: Any) -> Certificate:
        return examine(self.house.platform, **more)

    def found(self, **more: Any) -> Finding:
        (finding,) = self.look(**more).findings
        assert finding.mend
        return finding

    def day(self, ago: int) -> str:
        return (self.today - timedelta(ago)).isoformat()

    def run(self, *statements: str) -> None:
        with self.house.platform.database.ddl() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def put(self, table: str, **values: Any) -> None:
        names = ", ".join(f"`{name}`" for name in values)
        marks = ", ".join(f":{name}" for name in values)
        query = sa.text(f"INSERT INTO `{table}` ({names}) VALUES ({marks})")
        with self.house.platform.database.write() as connection:
            connection.execute(query, values)

    def event(self, ago: int, table: str = "Click_1", **values: Any) -> None:
        at = f"{self.day(ago)} 12:00:00.000"
        id = f"00000000-0000-8000-8000-{ago:012}"
        row: dict[str, Any] = {"dt": at, "id": id, "received": at}
        row |= {"version": "1.0.0", "sample_rate": 1.0}
        if table.endswith("_scrubbed"):
            del row["received"]
        self.put(table, **{**row, **values})

    def month_hash(self, ago: int) -> str:
        return f"{self.day(ago)[:7]}:{DIGITS[:56]}"

    def refused(self, ago: int, table: str = "Click_invalid", **values: Any) -> None:
        at = f"{self.day(ago)} 12:00:00.000"
        row = {"received": at, "segment": "s", "offset": ago, "index": 0, "sealed": 1, "raw": "{}"}
        self.put(table, **{**row, **values})

    def rule(self, name: str = "Click", **document: Any) -> None:
        row = {"folder": "purge", "name": f"{name}.toml", "updated_at": ""}
        with self.house.platform.database.write() as connection:
            connection.execute(sa.delete(governance).where(governance.c.name == row["name"]))
            connection.execute(sa.insert(governance).values(**row, document=json.dumps(document)))

    def insert(self, table: sa.Table, **values: Any) -> None:
        with self.house.platform.database.write() as connection:
            connection.execute(sa.insert(table).values(**values))

    def line(self, ago: int, **content: Any) -> Path:
        """A day of the log with one line in it."""
        folder = self.var / "log" / self.day(ago)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "120000000-0123abcd.jsonl"
        received = clock.now_ms() - ago * clock.DAY_MS
        whole = {"outcome": "invalid", "schema": "Click", "received": received, **content}
        with file.open("ab") as opened:
            opened.write(json.dumps(whole, separators=(",", ":")).encode() + b"\n")
        return file

    def stripped(self, *columns: str) -> None:
        names = ", ".join(f"`{name}` VARCHAR(100)" for name in columns)
        self.run(
            "CREATE TABLE Click_1_scrubbed (dt VARCHAR(23) NOT NULL, id CHAR(36) NOT NULL, "
            f"version VARCHAR(32), sample_rate DOUBLE, {names}{',' if names else ''} "
            "event_more TEXT, PRIMARY KEY (dt, id))"
        )


@pytest.fixture
def planted(database_url: str, tmp_path: Path) -> Iterator[Planted]:
    made = Planted(database_url, tmp_path / "var")
    yield made
    made.house.close()


def test_a_clean_house_passes(planted: Planted) -> None:
    certificate = planted.look(grace_days=0)
    assert certificate.findings == ()
    assert certificate.sentence.startswith("nothing is left that no rule explains; looked at: ")
    assert certificate.looked_at["log_days"] == 1


# tables


def test_a_foreign_table_is_found(planted: Planted) -> None:
    planted.run("CREATE TABLE Click_2_copy (id INTEGER PRIMARY KEY)")
    finding = planted.found()
    assert (finding.kind, finding.where) == ("table", "Click_2_copy")


def test_a_foreign_view_is_found(planted: Planted) -> None:
    planted.run("CREATE VIEW everything AS SELECT dt FROM Click_1")
    assert planted.found().where == "everything"


def test_a_stripped_table_needs_a_rule(planted: Planted) -> None:
    planted.stripped()
    planted.rule(scrub={"keep": ["target"]})
    assert planted.look().is_clean
    planted.rule()
    planted.event(100, "Click_1_scrubbed")
    assert "[scrub]" in planted.found().what


# rows


def test_a_row_that_is_too_old_is_found(planted: Planted) -> None:
    planted.event(90)
    assert planted.look(grace_days=0).is_clean, "kept for 90 days"
    planted.event(91)
    assert planted.look(grace_days=1).is_clean, "a pass runs once a day"
    finding = planted.found(grace_days=0)
    assert (finding.kind, finding.where) == ("rows", "Click_1")
    assert planted.day(91) in finding.what


def test_the_own_rule_counts_and_the_cap_holds_for_it(planted: Planted) -> None:
    planted.event(40)
    planted.rule(keep_days=30)
    assert planted.found().kind == "rows"
    planted.rule("default", keep_days=100, cap_days=20)
    planted.rule(keep_days=60)
    assert "kept for 20 days" in planted.found().what


def test_a_forgotten_day_in_the_middle_of_an_extension_is_found(planted: Planted) -> None:
    for ago in (120, 110, 100):
        planted.event(ago)
    for first, last in ((122, 115), (105, 95)):
        planted.insert(
            extension, schemas='["Click"]', first_day=planted.day(first),
            last_day=planted.day(last), keep_days=180, until=planted.day(0), reason="",
            why_not_less="", state="granted", asked_by="", asked_at="", decision="",
        )  # fmt: skip
    finding = planted.found()
    assert planted.day(110) in finding.what
    assert planted.day(120) not in finding.what
    assert planted.day(100) not in finding.what


def test_an_extension_holds_to_its_end_and_not_a_day_longer(planted: Planted) -> None:
    planted.event(120)
    longer = {"keep_days": 180, "until": planted.day(0), "reason": "r", "asked_by": "a"}
    planted.rule(extension=longer)
    assert planted.look(grace_days=0).is_clean
    tomorrow = planted.today + timedelta(1)
    (finding,) = planted.look(today=tomorrow, grace_days=0).findings
    assert finding.kind == "rows"
    assert planted.look(today=tomorrow, grace_days=1).is_clean, "the pass of that day takes it"


def test_a_refused_extension_explains_nothing(planted: Planted) -> None:
    planted.event(120)
    planted.insert(
        extension, schemas='["Click"]', first_day=planted.day(130), last_day=planted.day(0),
        keep_days=180, until=planted.day(0), reason="", why_not_less="", state="refused",
        asked_by="", asked_at="", decision="",
    )  # fmt: skip
    assert planted.found().kind == "rows"


def test_a_hold_explains_everything_of_its_schema(planted: Planted) -> None:
    planted.event(300)
    planted.refused(300)
    assert len(planted.look().findings) >= 2
    planted.insert(legal_hold, schema="Click", reason="", placed_by="", placed_at="")
    assert planted.look().is_clean
    planted.refused(300, "unknown_invalid")
    assert {one.where for one in planted.look().findings} == {"unknown_invalid"}


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)  # the other has no partitions
def test_an_old_partition_is_found(planted: Planted) -> None:
    planted.run(
        "ALTER TABLE Click_1 REORGANIZE PARTITION p_old INTO (PARTITION p_older VALUES LESS THAN "
        f"('{planted.day(200)}'), PARTITION p_old VALUES LESS THAN ('{planted.day(0)}'))"
    )
    assert planted.look().is_clean, "it is empty"
    planted.event(300)
    assert {one.kind for one in planted.look().findings} == {"rows", "partition"}


def test_refused_events_go_by_their_receipt(planted: Planted) -> None:
    planted.refused(30)
    assert planted.look(grace_days=0).is_clean
    planted.refused(31)
    finding = planted.found(grace_days=0)
    assert (finding.kind, finding.where) == ("invalid", "Click_invalid")


@pytest.mark.parametrize("table", ["Click_invalid", "unknown_invalid"])
def test_refused_events_that_could_not_be_sealed_go_sooner(planted: Planted, table: str) -> None:
    planted.refused(7, table, sealed=0)
    assert planted.look(grace_days=0).is_clean
    planted.refused(8, table, sealed=0)
    finding = planted.found(grace_days=0)
    assert (finding.kind, finding.where) == ("unsealed", table)


def test_what_passes_by_does_not_stay(planted: Planted) -> None:
    old = clock.iso(clock.now_ms() - 3 * clock.DAY_MS)
    planted.insert(
        test_event, segment="s", offset=0, index=0, received=old, key_name="k", schema="Click",
        version="1.0.0", outcome="valid", code="", errors="[]", event="{}",
    )  # fmt: skip
    assert planted.found().where == "test_event"
    planted.insert(recent_id, table_name="Click_1", id="i", dt="", added=planted.day(10))
    assert {one.where for one in planted.look().findings} == {"test_event", "recent_id"}


# the log


def test_an_old_day_of_the_log_is_found(planted: Planted) -> None:
    planted.line(14)
    assert planted.look(grace_days=0).is_clean
    planted.line(15)
    assert planted.found(grace_days=0).kind == "log"
    assert planted.look(grace_days=1).is_clean


def test_no_day_of_the_log_outlives_the_shortest_rule(planted: Planted) -> None:
    planted.line(9)
    planted.rule(keep_days=5)
    assert "at most 5" in planted.found().what


def test_an_unsealed_line_is_found(planted: Planted) -> None:
    planted.line(10, sealed=True, raw="{}")
    planted.line(10, code="erased", kept=False)
    planted.line(10, outcome="valid", event={"sealed": False})
    assert planted.look().is_clean
    planted.line(10, sealed=False, raw='{"user":"u"}')
    finding = planted.found()
    assert finding.kind == "log"
    assert planted.day(10) in finding.where
    planted.rule(unsealed_keep_days=10)
    assert planted.look().is_clean, "its schema's own rule counts"


# stripped tables


def test_a_stripped_table_may_hold_what_its_rule_lists(planted: Planted) -> None:
    planted.rule(
        scrub={
            "keep": ["/at", "/unheard/of"], "hash": ["user", "/seen/*/who"], "capsule": ["host"],
            "bucket": {"target": "browser", "when": "day", "size": 10},
        }
    )  # fmt: skip
    planted.stripped(
        "host", "hash_user", "event_at_x", "event_unheard_of_0123abcd", "browser_target",
        "time_when_0123abcd", "bucket_size_0123abcd", "event_seen",
    )  # fmt: skip
    mine = planted.month_hash(100)
    planted.event(
        100, "Click_1_scrubbed", hash_user=mine, event_at_x="1",
        event_seen=json.dumps([{"who": mine}]),
        event_more=json.dumps({"at": {"y": 1}, "user": None}),
    )  # fmt: skip
    assert planted.look().findings == ()
    assert planted.look().looked_at["stripped_rows"] == 1


def test_an_id_as_it_was_sent_is_found(planted: Planted) -> None:
    planted.rule(scrub={"keep": ["target"]})
    planted.stripped()
    at = f"{planted.day(100)} 12:00:00.000"
    planted.put("Click_1_scrubbed", dt=at, id="3c5e8a54-0000-4000-8000-000000000000")
    assert "ids" in planted.found().what


def test_an_unlisted_column_is_found(planted: Planted) -> None:
    planted.rule(scrub={"keep": ["target"]})
    planted.stripped("event_target", "event_user", "wiki")
    found = planted.look().findings
    assert {one.what.split(",")[0] for one in found} == {
        "the column event_user", "the column wiki",
    }  # fmt: skip


def test_a_private_field_that_is_kept_as_it_is_is_found(planted: Planted) -> None:
    planted.rule(scrub={"keep": ["user"]})
    planted.stripped("event_user")
    assert "private field /user" in planted.found().what


@pytest.mark.parametrize("value", [MINE, f"2026-01:{DIGITS[:56]}", "u"])
def test_a_hash_that_links_beyond_its_month_is_found(planted: Planted, value: str) -> None:
    planted.rule(scrub={"hash": ["user"]})
    planted.stripped("hash_user")
    planted.event(100, "Click_1_scrubbed", hash_user=planted.month_hash(100))
    assert planted.look().is_clean
    planted.event(101, "Click_1_scrubbed", hash_user=value)
    assert "no hash of a month" in planted.found().what


def test_a_hashed_field_has_no_column_of_its_own_name(planted: Planted) -> None:
    planted.rule(scrub={"hash": ["user"]})
    planted.stripped("event_user")
    assert "event_user" in planted.found().what


@pytest.mark.parametrize(
    "more", [{"user": "u"}, {"at": {"y": 1}}, {"seen": [{"who": MINE}]}, {"target": "t", "z": 0}]
)
def test_an_unlisted_field_beside_the_columns_is_found(
    planted: Planted, more: dict[str, Any]
) -> None:
    planted.rule(scrub={"keep": ["target", "/seen/*/what"]})
    planted.stripped("event_target")
    planted.event(100, "Click_1_scrubbed", event_more=json.dumps({"seen": [{"what": 1}]}))
    assert planted.look().is_clean
    planted.event(101, "Click_1_scrubbed", event_more=json.dumps(more))
    assert planted.found().kind == "stripped"


def test_of_a_list_only_what_is_listed_may_be_there(planted: Planted) -> None:
    planted.rule(scrub={"keep": ["/seen/*/what"]})
    planted.stripped("event_seen")
    planted.event(100, "Click_1_scrubbed", event_seen='[{"what":1},{}]')
    assert planted.look().is_clean
    planted.event(101, "Click_1_scrubbed", event_seen=f'[{{"what":1,"who":"{MINE}"}}]')
    assert "/seen/0/who" in planted.found().what


def test_stripped_events_have_an_end_where_the_rule_states_one(planted: Planted) -> None:
    planted.stripped()
    planted.event(400, "Click_1_scrubbed")
    planted.rule(scrub={"keep": ["target"]})
    assert planted.look().is_clean, "kept for good"
    planted.rule(scrub={"keep": ["target"], "keep_days": 365})
    assert planted.found().where == "Click_1_scrubbed"


# files


def test_a_stale_backup_is_found(planted: Planted) -> None:
    folder = planted.var / "backups"
    (folder / f"{planted.day(3)}T030000Z").mkdir(parents=True)
    (folder / ".lock").touch()
    assert planted.look(grace_days=0).is_clean
    (folder / f"{planted.day(4)}T030000Z").mkdir()
    assert planted.found(grace_days=0).kind == "backup"
    (folder / f"{planted.day(5)}T030000Z.part").mkdir()
    assert {one.kind for one in planted.look(grace_days=0).findings} == {"backup"}


def test_what_a_restore_drill_has_left_is_found(planted: Planted) -> None:
    database = planted.house.platform.database
    if database.dialect.name == "sqlite":
        left = planted.var / "backups" / ".drill-abc"
        left.mkdir(parents=True)
        assert planted.look().is_clean, "it may be at work"
        os.utime(left, (0, 0))
        assert planted.found().where == str(left)
    else:
        name = f"{database.engine.url.database}_drill"
        planted.run(f"CREATE DATABASE {name}", f"CREATE TABLE {name}.a (i INTEGER)")
        assert planted.look().is_clean, "it may be at work"
        assert planted.found(grace_days=0).where == name
        planted.run(f"DROP DATABASE {name}")


def test_what_a_check_of_a_backup_has_left_is_found(planted: Planted) -> None:
    left = planted.var / ".backup-check"
    left.mkdir()
    (left / "check.sqlite").write_bytes(b"x")
    assert planted.look().is_clean, "it may be at work"
    os.utime(left, (0, 0))
    assert planted.found().where == str(left)


@pytest.mark.parametrize(
    "name",
    [
        *("copy.db", "export.csv", "log/notes.txt", "log/2026-01-01.tar", "backups/all.sql"),
        *("eventlogging.db", "eventlogging.db-wal"),  # of before the move to another database
    ],
)
def test_a_file_that_nobody_explains_is_found(planted: Planted, name: str) -> None:
    path = planted.var / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    finding = planted.found()
    assert (finding.kind, finding.where) == ("file", str(path))


def test_the_database_in_use_is_no_unknown_file(tmp_path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        (tmp_path / f"eventlogging.db{ending}").write_text("x")
    url = sa.engine.make_url(Config(var=tmp_path).effective_database_url)
    assert list(files.unknown_files(tmp_path, url, {})) == []


def test_an_empty_file_holds_nothing_of_anybody(planted: Planted) -> None:
    for name in ("running", "log/.blanking", "receipts/pass.lock", "backups/.lock"):
        (planted.var / name).parent.mkdir(exist_ok=True)
        (planted.var / name).touch()
    assert planted.look().is_clean


def test_a_copy_of_a_segment_is_found(planted: Planted) -> None:
    file = planted.line(1)
    os.link(file, file.with_suffix(".bak"))
    assert planted.found().where.endswith(".bak")


# receipts


def erased(planted: Planted, *hashes: str, asked_ms: int) -> None:
    body = {"hashes": list(hashes), "asked_at": clock.iso(asked_ms)}
    chain.append(chain.folder_of(planted.var), "erasure", body)


def test_a_broken_chain_is_found(planted: Planted) -> None:
    folder = chain.folder_of(planted.var)
    for number in range(3):
        chain.append(folder, "purge", {"rows_before": number})
    assert planted.look().looked_at["receipts"] == 3
    file = folder / chain.FILE
    file.write_text(file.read_text().replace('"rows_before":1', '"rows_before":0'))
    assert "receipt 2" in planted.found().what


def test_who_was_erased_is_found_in_tables_and_log(planted: Planted) -> None:
    now = clock.now_ms()
    erased(planted, MINE, asked_ms=now - clock.DAY_MS)
    planted.event(0, event_user=MINE)
    planted.line(0, outcome="valid", event={"user": MINE})
    assert planted.look().is_clean, "who comes back after asking is a new guest"
    planted.event(3, event_user=MINE)
    assert (planted.found().kind, planted.found().where) == ("erasure", "Click_1")
    planted.refused(3, raw=f'{{"user":"{MINE}"}}')
    planted.refused(3, "unknown_invalid", raw=MINE)
    planted.line(3, outcome="valid", event={"user": MINE})
    found = [one.where for one in planted.look().findings]
    assert found[:3] == ["Click_1", "Click_invalid", "unknown_invalid"]
    assert planted.day(3) in found[3]


def test_events_that_devices_erased_are_looked_for_together(planted: Planted) -> None:
    day, asked = planted.day(3), clock.iso(clock.now_ms())
    ids = [str(uuid.UUID(int=number)) for number in range(300)]
    for number, id in enumerate(ids):
        body = {"erasure": f"e{number}", "hashes": [], "asked_at": asked, "state": "done"}
        chain.append(chain.folder_of(planted.var), "erasure", {**body, "ids": [[day, day, [id]]]})
    queries: list[str] = []
    engine = planted.house.platform.database.engine

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        queries.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    assert planted.look().is_clean
    assert sum("AND id IN" in one for one in queries) == 1
    planted.event(3, id=ids[7])
    planted.event(3, id=ids[9])
    found = [one.what.rpartition(" ")[2] for one in planted.look().findings]
    assert found == ["8", "10"]


@pytest.mark.parametrize("column", ["event_seen", "event_more"])
def test_who_was_erased_is_found_among_other_values(planted: Planted, column: str) -> None:
    erased(planted, MINE, asked_ms=clock.now_ms())
    planted.event(3, **{column: json.dumps([{"who": MINE}])})
    assert planted.found().kind == "erasure"


def test_an_erasure_has_a_day_to_be_done(planted: Planted) -> None:
    folder = chain.folder_of(planted.var)
    body = {"erasure": "e", "hashes": [MINE], "asked_at": clock.iso(clock.now_ms())}
    planted.event(3, event_user=MINE)
    chain.append(folder, "erasure", {**body, "state": "asked"})
    assert planted.look().is_clean
    assert planted.found(grace_days=0).kind == "erasure"
    chain.append(folder, "erasure", {**body, "state": "done"})
    assert planted.found().kind == "erasure"


def test_a_held_schema_keeps_even_who_was_erased(planted: Planted) -> None:
    erased(planted, MINE, asked_ms=clock.now_ms())
    planted.event(3, event_user=MINE)
    planted.line(3, outcome="valid", event={"user": MINE})
    planted.insert(legal_hold, schema="Click", reason="", placed_by="", placed_at="")
    assert planted.look().is_clean


def test_an_erasure_that_says_nothing_is_found(planted: Planted) -> None:
    chain.append(chain.folder_of(planted.var), "erasure", {"hashes": ["plain@example.org"]})
    assert planted.found().kind == "receipt"


# what outlives events


def test_a_cell_for_too_few_is_found_once_it_is_final(planted: Planted) -> None:
    day = planted.day(100)
    key = {"schema": "Click", "aggregate": "per_day", "day": day}
    values = {"definition": "", "source": "", "events": 3, "computed_at": ""}
    planted.insert(aggregate_day, **key, **values, final=False)
    planted.insert(
        aggregate_cell, **key, cell="c", by='{"wiki":"x"}', events=3, count=3.0, measures="{}"
    )
    assert planted.look().is_clean, "its events are there as well"
    with planted.house.platform.database.write() as connection:
        connection.execute(sa.update(aggregate_day).values(final=True))
    assert planted.found().where == "Click per_day"
    planted.rule(aggregate=[{"name": "per_day", "min_cell": 3}])
    assert planted.look().is_clean, "the aggregate's own least"


def test_a_key_that_should_be_destroyed_is_found(planted: Planted) -> None:
    planted.rule(scrub={"hash": ["user"]})
    month = planted.day(160)[:7]
    planted.insert(epoch_key, epoch=month, secret="00", made_at="")
    planted.insert(epoch_key, epoch="2020-01", secret=None, made_at="", destroyed_at="")
    planted.insert(epoch_key, epoch=planted.day(60)[:7], secret="00", made_at="")
    finding = planted.found()
    assert finding.kind == "key"
    assert month in finding.what


# the command


def test_the_command_says_what_it_looked_at_and_what_it_found(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTLOGGING_VAR", str(planted.var))
    monkeypatch.setenv("EVENTLOGGING_DATABASE_URL", planted.house.config.database_url)
    done = CliRunner().invoke(retention, ["verify"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("Looked at ")
    planted.event(200)
    done = CliRunner().invoke(retention, ["verify"])
    assert done.exit_code == 1
    assert f"✗ Click_1: events of {planted.day(200)}" in done.output
    assert done.output.splitlines()[-1] == "eventlogging purge --dry-run"
    done = CliRunner().invoke(retention, ["verify", "--json"])
    said = json.loads(done.output)
    assert done.exit_code == 1
    assert not said["clean"]
    assert said["findings"][0]["where"] == "Click_1"
