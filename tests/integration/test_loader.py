"""The loader on both databases: exactly once, whatever happens, one table's trouble at a time."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.errors import StoreUnavailable
from eventlogging.log import reader, segment
from eventlogging.schema.codec import compile_decoder
from eventlogging.store.fixed import parked
from tests.loading import Bench
from tests.schemas import CLICK, registered


def click(target: str = "a", schema: str = "Click", **capsule: Any) -> dict[str, Any]:
    return {"schema": schema, "event": {"target": target}, "id": str(uuid.uuid4()), **capsule}


@pytest.fixture
def bench(database_url: str, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(database_url, tmp_path / "log", registered(), registered("Other"))
    yield made
    made.close()


def test_events_arrive_in_the_tables_of_their_schema(bench: Bench) -> None:
    bench.send(click("a"), click("b", "Other"), {"schema": "Click", "event": {}}, {"schema": "No"})
    assert bench.loader.drain() == 4
    assert [row["event_target"] for row in bench.rows("Click_1")] == ["a"]
    assert [row["event_target"] for row in bench.rows("Other_1")] == ["b"]
    refused = bench.rows("Click_invalid")[0]
    assert refused["code"] == "missing_field"
    assert "/target" in refused["message"]
    assert bench.rows("unknown_invalid")[0]["code"] == "bad_capsule"
    assert bench.count("Click") == 1, "the view shows the valid events"


def test_a_retry_is_counted_as_a_duplicate(bench: Bench) -> None:
    dated = click(dt=clock.iso(clock.now_ms()))
    undated = click()
    for _ in range(3):
        bench.send(dated, undated)
        bench.loader.drain()
    bench.send(dated, dated, undated, undated)
    bench.loader.drain()
    assert bench.count("Click_1") == 2
    assert bench.ledger() == {"sent": 10, "valid": 2, "duplicate": 8}


def test_a_retry_days_later_is_still_a_duplicate(bench: Bench) -> None:
    event = click()
    first = clock.now_ms() - 3 * clock.DAY_MS
    bench.send(event, received=first)
    bench.loader.drain()
    bench.send(event)
    bench.loader.drain()
    assert bench.ledger()["duplicate"] == 1


def test_the_same_id_with_other_content_is_kept_as_invalid(bench: Bench) -> None:
    event = click(dt=clock.iso(clock.now_ms()))
    other = {**event, "event": {"target": "b"}}
    bench.send(event)
    bench.loader.drain()
    bench.send(other, event, other)
    bench.loader.drain()
    assert [row["event_target"] for row in bench.rows("Click_1")] == ["a"]
    assert bench.ledger() == {"sent": 4, "valid": 1, "duplicate": 2, "invalid id_conflict": 1}
    assert '"b"' in bench.rows("Click_invalid")[0]["raw"]


def test_the_same_id_twice_in_one_batch_is_told_apart_by_content(bench: Bench) -> None:
    event = click(dt=clock.iso(clock.now_ms()))
    bench.send(event, event, {**event, "event": {"target": "b"}})
    bench.loader.drain()
    assert bench.ledger() == {"sent": 3, "valid": 1, "duplicate": 1, "invalid id_conflict": 1}


def test_a_retry_of_an_invalid_event_is_a_duplicate_too(bench: Bench) -> None:
    wrong = {"schema": "Click", "event": {"target": 5}, "id": "w"}
    bench.send(wrong)
    bench.loader.drain()
    bench.send(wrong, wrong, {**wrong, "event": {"target": 6}})
    bench.loader.drain()
    assert bench.ledger() == {"sent": 4, "duplicate": 2, "invalid type_mismatch": 2}
    assert bench.count("Click_invalid") == 2


def test_a_minor_version_adds_its_column(bench: Bench) -> None:
    bench.send(click("a"))
    bench.loader.drain()
    wider = {**CLICK, "properties": {**CLICK["properties"], "extra": {"type": "integer"}}}
    bench.registry.know(registered(documents={"1.0.0": CLICK, "1.1.0": wider}))
    bench.send({"schema": "Click", "event": {"target": "b", "extra": 7}})
    bench.loader.drain()
    assert [row["event_extra"] for row in bench.rows("Click_1 ORDER BY event_target")] == [None, 7]
    assert "event_extra" in bench.rows("Click")[0], "and the view has it"


def test_the_view_unites_the_majors_over_shared_columns(bench: Bench) -> None:
    second = {**CLICK, "required": ["place"], "properties": {"place": {"type": "integer"}}}
    second["properties"]["count"] = {"type": "integer"}
    bench.registry.know(registered(documents={"1.0.0": CLICK, "2.0.0": second}))
    bench.send(
        {"schema": "Click", "version": "1.0.0", "event": {"target": "a", "count": 1}},
        {"schema": "Click", "version": "2.0.0", "event": {"place": 3, "count": 2}},
    )
    bench.loader.drain()
    rows = bench.rows("Click ORDER BY version")
    assert [(row["version"], row["event_count"]) for row in rows] == [("1.0.0", 1), ("2.0.0", 2)]
    assert "event_place" not in rows[0]


def test_an_event_of_a_version_the_loader_never_heard_of_waits_for_it(bench: Bench) -> None:
    known = bench.registry.snapshot
    bench.registry.know(registered(), registered("Newer"))
    bench.send(click(schema="Newer"), click())
    bench.registry.snapshot = known
    loader = bench.new_loader()
    loader.drain()
    assert bench.ledger() == {"sent": 2, "valid": 1, "pending": 1}
    bench.registry.know(registered(), registered("Newer"))
    loader = bench.new_loader()
    loader.drain()
    assert bench.ledger() == {"sent": 2, "valid": 2}
    assert bench.count("Newer_1") == 1


def test_one_row_that_the_database_cannot_hold_costs_no_other(bench: Bench) -> None:
    bench.send(click("ok"))
    bench.loader.drain()
    with bench.database.ddl() as connection:
        if bench.database.dialect.name == "mysql":
            connection.exec_driver_sql("ALTER TABLE Click_1 MODIFY event_target VARCHAR(4)")
        else:
            connection.exec_driver_sql(
                "CREATE TRIGGER short BEFORE INSERT ON Click_1 WHEN length(NEW.event_target) > 4 "
                "BEGIN SELECT RAISE(ABORT, 'too long'); END"
            )
    bench.send(*(click("long text" if n == 37 else f"t{n}") for n in range(100)))
    bench.loader.drain()
    assert bench.count("Click_1") == 100
    ledger = bench.ledger()
    assert ledger == {"sent": 101, "valid": 100, "invalid storage_error": 1}
    assert "long text" in bench.rows("Click_invalid")[0]["raw"]


def test_a_table_in_trouble_parks_its_events_and_lets_the_others_go_on(bench: Bench) -> None:
    with bench.database.ddl() as connection:
        connection.exec_driver_sql("CREATE TABLE Click_1 (id CHAR(36), dt CHAR(5))")
    bench.send(click("a"), click("b", "Other"), click("c"))
    bench.loader.drain()
    assert bench.count("Other_1") == 1
    assert bench.ledger() == {"sent": 3, "valid": 1, "pending": 2}
    bench.send(click("d"), click("e", "Other"))
    bench.loader.drain()
    assert bench.ledger() == {"sent": 5, "valid": 2, "pending": 3}
    with bench.database.ddl() as connection:
        connection.exec_driver_sql("DROP TABLE Click_1")
    bench.new_loader().drain()
    assert bench.ledger() == {"sent": 5, "valid": 5}
    assert bench.count("parked") == 0
    assert sorted(row["event_target"] for row in bench.rows("Click_1")) == ["a", "c", "d"]


def test_lines_that_wait_in_another_hosts_segments_are_left_to_its_loader(bench: Bench) -> None:
    theirs = {"segment": "2026-11-22/000000000-another", "start": 0, "end": 9}
    rest = {"table_name": "Click_1", "lines": 1, "reason": "", "since": ""}
    with bench.database.write() as connection:
        connection.execute(sa.insert(parked), [theirs | rest])
    bench.send(click())
    bench.loader.drain()
    assert bench.count("Click_1") == 1
    assert bench.count("parked") == 1


def test_a_segment_that_cannot_be_read_stops_no_other(bench: Bench) -> None:
    bench.send(click())
    bench.writer.close()
    name = reader.segments(bench.folder)[0]
    path = segment.data_path(bench.folder, name)
    path.unlink()
    path.mkdir()  # nobody, not even root, can read that as a file
    bench.writer = bench.new_writer()
    bench.send(click("b"))
    bench.loader.drain()
    assert [row["event_target"] for row in bench.rows("Click_1")] == ["b"]


def test_two_loaders_on_one_log_store_everything_once(bench: Bench) -> None:
    for _ in range(40):
        bench.send(*(click(str(n)) for n in range(50)))
    loaders = [bench.new_loader(load_rows=70) for _ in range(3)]
    failures = []

    def drain(loader: Any) -> None:
        try:
            for _ in range(200):
                loader.step()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=drain, args=(loader,)) for loader in loaders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert bench.count("Click_1") == 2000
    assert bench.ledger() == {"sent": 2000, "valid": 2000}


def test_a_crash_between_rows_and_commit_leaves_nothing_behind(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.send(click(), click())
    from eventlogging.loader import books

    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(books, "write_ledger", fail)
        with pytest.raises(KeyboardInterrupt):
            bench.loader.drain()
    assert bench.ledger() == {}
    assert bench.count("Click_1") == 0
    bench.new_loader().drain()
    assert bench.ledger() == {"sent": 2, "valid": 2}


def test_the_books_agree_with_the_rows(bench: Bench) -> None:
    now = clock.now_ms()
    bench.send(*(click(dt=clock.iso(now - day * clock.DAY_MS)) for day in range(5)))
    bench.send({"schema": "Click", "event": {}}, {**click(), "consent": False})
    bench.loader.drain()
    days = {(row["table_name"], row["day"]): row["rows_in"] for row in bench.rows("table_day")}
    assert len([1 for table, _ in days if table == "Click_1"]) == 5
    assert days["Click_invalid", clock.day(now)] == 1
    kept = bench.rows("ledger", "SUM(kept) AS n")[0]["n"]
    assert kept == sum(days.values()) == 6


def test_a_finished_segment_is_marked_and_left_alone(bench: Bench) -> None:
    bench.send(click())
    bench.writer.close()
    bench.loader.drain()
    assert bench.loader.step() == 0
    assert [bool(row["finished"]) for row in bench.rows("checkpoint")] == [True]
    assert len(reader.segments(bench.folder)) == 1
    bench.writer = bench.new_writer()


def test_what_is_read_back_is_what_was_sent(bench: Bench) -> None:
    schema = bench.registry.snapshot.schemas["Click"]
    event = {
        "target": "💙 Ünïcode  ",
        "count": 2**63 - 1,
        "ratio": 2**53 + 1,
        "when": "2026-11-22T03:04:05.123456+02:00",
        "user": "",
        "tags": ["a", "A", "a "],
    }
    bench.send({"schema": "Click", "event": event})
    bench.loader.drain()
    plan = schema.plans[1]
    names = ", ".join([*(column.name for column in plan.columns), "event_more"])
    row = list(bench.rows("Click_1", names)[0].values())
    assert compile_decoder(plan)(row[:-1], row[-1]) == event


def test_an_unreachable_database_is_waited_for(tmp_path: Path) -> None:
    bench = Bench(f"sqlite:///{tmp_path / 'a.db'}", tmp_path / "log", registered())
    bench.send(click())
    blocker = bench.database.engine.connect()
    bench.database.dialect.begin(blocker, write=True)
    impatient = sa.event.listens_for(bench.database.engine, "checkout")

    @impatient
    def wait_briefly(connection: Any, *_: Any) -> None:
        connection.execute("PRAGMA busy_timeout = 50")

    with pytest.raises(StoreUnavailable):
        bench.loader.drain()
    blocker.rollback()
    blocker.close()
    bench.new_loader().drain()
    assert bench.ledger() == {"sent": 1, "valid": 1}
    bench.close()


def test_an_analyst_who_holds_a_transaction_open_delays_one_table_only(
    mariadb_url: str, tmp_path: Path
) -> None:
    bench = Bench(mariadb_url, tmp_path / "log", registered(), registered("Other"))
    bench.send(click("a"))
    bench.loader.drain()
    url = sa.engine.make_url(mariadb_url)
    analyst = pymysql.connect(
        host=url.host, port=url.port or 0, user=url.username, database=url.database
    )
    analyst.begin()
    with analyst.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM Click_1")
    wider = {**CLICK, "properties": {**CLICK["properties"], "extra": {"type": "integer"}}}
    bench.registry.know(registered(documents={"1.0.0": CLICK, "1.1.0": wider}), registered("Other"))
    bench.send({"schema": "Click", "event": {"target": "b", "extra": 1}}, click("c", "Other"))
    bench.loader.drain()
    assert bench.count("Other_1") == 1
    assert bench.ledger() == {"sent": 3, "valid": 2, "pending": 1}
    analyst.rollback()
    analyst.close()
    bench.new_loader().drain()
    assert bench.ledger() == {"sent": 3, "valid": 3}
    bench.close()


def test_each_day_has_its_partition(mariadb_url: str, tmp_path: Path) -> None:
    bench = Bench(mariadb_url, tmp_path / "log", registered())
    now = clock.now_ms()
    bench.send(click(dt=clock.iso(now)), click(dt=clock.iso(now - 5 * clock.DAY_MS)))
    bench.loader.drain()
    with bench.database.read() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT partition_name, table_rows FROM information_schema.partitions "
                "WHERE table_schema = DATABASE() AND table_name = 'Click_1' ORDER BY 1"
            )
        ).all()
    names = [row[0] for row in rows]
    today, tomorrow = clock.day(now), clock.day(now + clock.DAY_MS)
    assert names == [f"p{today.replace('-', '')}", f"p{tomorrow.replace('-', '')}", "p_old"]
    bench.close()
