"""The purge: what is due goes, the books tell of it, and nothing else is touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging.backup import locks
from eventlogging.jobs import log_duties, retention_duties
from eventlogging.retention import held_rows, scrub
from eventlogging.retention.plan import TABLES
from eventlogging.store.fixed import aggregate_cell
from eventlogging.store.migrate import tables
from tests.console import House
from tests.purging import Past, ago, today


@pytest.fixture
def past(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Past]:
    house = House(database_url, tmp_path / "var")
    monkeypatch.setattr("eventlogging.retention.purge._BREATH", 0.0)
    made = Past(house, monkeypatch)
    made.go(-120)
    house.publish("Click")
    house.publish("Other")
    yield made
    made.go(0)
    house.close()


def kinds_of(past: Past) -> list[tuple[str, str, tuple[str, ...], int | None]]:
    plan = past.plan(kinds=TABLES)
    return [(step.kind, step.table, step.days, step.rows) for step in plan.steps]


# what goes


def test_events_go_on_the_day_after_their_keep_and_not_before(past: Past) -> None:
    past.clicks(-91, 4)
    past.clicks(-90, 3)
    past.clicks(0, 2)
    assert kinds_of(past) == [("purge", "Click_1", (ago(91),), 4)]
    outcome = past.run()
    assert (outcome.rows, outcome.deferred) == (4, ())
    assert past.days_of("Click_1") == {ago(90): 3, ago(0): 2}
    assert past.book("Click_1", ago(91)) == (4, 4)
    past.assert_books_hold()
    assert kinds_of(past) == []
    past.go(1)
    assert kinds_of(past) == [("purge", "Click_1", (ago(91),), 3)]


def test_each_table_leaves_a_receipt_that_says_what_went(past: Past) -> None:
    past.clicks(-95, 4)
    past.clicks(-91, 1)
    past.clicks(-3, 2)
    past.go(0)
    past.run()
    (receipt,) = past.receipts("purge")
    body = receipt.body
    assert (body["schema"], body["table"], body["what"]) == ("Click", "Click_1", "purge")
    assert body["days"] == [ago(95), ago(91)]
    assert (body["rows_before"], body["rows_after"]) == (5, 0)
    assert (body["cut_off"], body["oldest_remaining"]) == (ago(90), ago(3))
    assert len(body["policy"]) == 16
    assert [one.kind for one in past.receipts("begin", "pass")] == ["begin", "pass"]


def test_refused_events_go_by_their_own_rule_and_unsealed_ones_sooner(past: Past) -> None:
    for days in (-31, -30, -8, -7, 0):
        past.go(days)
        past.house.accept(json.dumps([{"schema": "Click", "event": {"target": 5}}]).encode())
        past.house.accept(b'{"schema": "Nonsense", "event": {}}')
        past.house.load()
    assert past.days_of("Click_invalid", "received").keys() == {
        ago(31), ago(30), ago(8), ago(7), ago(0),
    }  # fmt: skip
    unknown = [("invalid", "unknown_invalid", (ago(31),), 1)]
    unknown += [("unsealed", "unknown_invalid", (ago(30), ago(8)), 2)]
    assert kinds_of(past) == [("invalid", "Click_invalid", (ago(31),), 1), *unknown]
    past.run()
    assert past.days_of("Click_invalid", "received").keys() == {ago(30), ago(8), ago(7), ago(0)}
    assert past.days_of("unknown_invalid", "received").keys() == {ago(7), ago(0)}
    past.assert_books_hold()


def test_stragglers_of_a_day_that_is_gone_go_at_the_next_pass(past: Past) -> None:
    past.clicks(-91)
    past.go(0)
    past.run()
    # As a log that was not loaded for long does: the events enter when their day is gone.
    past.go(-91)
    past.house.accept(b'{"schema": "Click", "event": {"target": "late"}}')
    past.go(0)
    past.house.load()
    assert past.days_of("Click_1") == {ago(91): 1}
    assert past.book("Click_1", ago(91)) == (4, 3)
    assert past.run().rows == 1
    assert past.book("Click_1", ago(91)) == (4, 4)
    past.assert_books_hold()


def test_extended_days_stay_between_days_that_go(past: Past) -> None:
    for days in (-100, -98, -96, -94, -92):
        past.clicks(days)
    past.go(0)
    past.extend(ago(97), ago(93), 100)
    past.run()
    assert list(past.days_of("Click_1")) == [ago(96), ago(94)]
    past.assert_books_hold()
    past.go(5)
    past.run()
    assert list(past.days_of("Click_1")) == [ago(99)]
    past.assert_books_hold()


def test_a_held_schema_is_not_touched(past: Past) -> None:
    past.clicks(-95)
    past.clicks(-95, schema="Other")
    past.go(-40)
    past.house.send({"schema": "Click", "event": {"target": 5}})
    past.go(0)
    past.hold("Click")
    assert [step[1] for step in kinds_of(past)] == ["Other_1"]
    past.run()
    assert past.days_of("Click_1") == {ago(95): 3}
    assert len(past.days_of("Click_invalid", "received")) == 1
    past.lift("Click")
    assert past.run().rows == 4


def test_a_hold_that_comes_after_the_plan_is_respected(past: Past) -> None:
    past.clicks(-95)
    past.go(0)
    plan = past.plan()
    past.hold("Click")
    outcome = past.run(plan)
    assert "its policy is another one by now" in outcome.deferred[0]
    assert past.days_of("Click_1") == {ago(95): 3}


def test_a_shorter_rule_deletes_more_at_the_next_pass(past: Past) -> None:
    for days in (-20, -10, -5, 0):
        past.clicks(days)
    assert kinds_of(past) == []
    past.rule("Click", keep_days=7)
    past.run()
    assert list(past.days_of("Click_1")) == [ago(5), ago(0)]
    past.assert_books_hold()


def test_a_schema_without_a_rule_has_the_defaults(past: Past) -> None:
    past.clicks(-12, schema="Other")
    past.go(0)
    past.rule("default", keep_days=10)
    assert kinds_of(past) == [("purge", "Other_1", (ago(12),), 3)]
    assert [step.table for step in past.plan(schema="Click", kinds=TABLES).steps] == []


def test_all_days_of_a_table_may_go_and_it_takes_events_again(past: Past) -> None:
    past.clicks(-95)
    past.clicks(-93)
    past.go(0)
    past.run()
    assert past.days_of("Click_1") == {}
    past.clicks(0, 2)
    assert past.days_of("Click_1") == {today(): 2}
    past.assert_books_hold()


def test_rows_that_were_not_stored_by_the_day_are_deleted_bit_by_bit(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days share a part of the table where none was made for each; here the first and p_old."""
    monkeypatch.setattr("eventlogging.retention.purge._FEWEST", 10)
    past.clicks(-70, 1)  # makes the table
    for back in (25, 24, 23):
        past.go(-70)
        day = ago(back)
        past.house.send(
            *({"schema": "Click", "event": {"target": "x"}, "dt": f"{day}T00:00:00Z",
               "id": f"{back:08}-0000-4000-8000-{n:012}"} for n in range(35))
        )  # fmt: skip
    past.go(0)
    assert list(past.days_of("Click_1").values()) == [35, 35, 35, 1]
    past.extend(ago(93), ago(93), 120)
    past.run()
    assert list(past.days_of("Click_1")) == [ago(93), ago(70)]
    past.assert_books_hold()


def test_progress_is_told_of_every_row(past: Past) -> None:
    past.clicks(-95, 7)
    past.clicks(-94, 5)
    past.go(0)
    told: list[int] = []
    past.run(progress=told.append)
    assert sum(told) == 12


def test_the_log_goes_with_a_plan_by_hand(past: Past) -> None:
    past.clicks(-20)
    past.clicks(-3)
    past.house.load()
    past.go(0)
    past.house.load()
    (step,) = past.plan().steps
    assert (step.kind, step.days, step.rows) == ("log", (ago(20),), None)
    past.run()
    (receipt,) = past.receipts("log")
    assert (receipt.body["days"], receipt.body["what"]) == ([ago(20)], "retired")
    assert not (past.platform.log_folder / ago(20)).exists()


def test_unsealed_lines_of_the_log_are_blanked_and_the_rest_stays(past: Past) -> None:
    past.go(-9)
    past.house.send({"schema": "Nonsense", "event": {"secret": "swordfish"}})
    past.clicks(-9)
    past.clicks(-1)
    past.go(0)
    past.house.load()
    folder = past.platform.log_folder / ago(9)
    assert any(b"swordfish" in path.read_bytes() for path in folder.glob("*.jsonl"))
    steps = {step.kind: step for step in past.plan().steps}
    assert (steps["blank"].rows, steps["blank"].days) == (1, (ago(9),))
    past.run()
    assert not any(b"swordfish" in path.read_bytes() for path in folder.glob("*.jsonl"))
    assert past.plan().steps == ()
    (receipt,) = past.receipts("log")
    assert (receipt.body["what"], receipt.body["lines"]) == ("blanked", 1)


def test_the_table_of_stripped_events_goes_when_nobody_asks_for_it(past: Past) -> None:
    with past.platform.database.ddl() as connection:
        connection.exec_driver_sql("CREATE TABLE Click_1_scrubbed (dt VARCHAR(23), id CHAR(36))")
    past.clicks(0)
    assert kinds_of(past) == [("scrubbed", "Click_1_scrubbed", (), 0)]
    past.run()
    with past.platform.database.read() as connection:
        names = {one.name: one.exists for one in held_rows.event_tables(connection)}
        assert connection.execute(sa.text("SELECT COUNT(*) FROM Click_1")).scalar() == 3
    assert names["Click_1_scrubbed"] is False


def test_backups_go_when_they_are_older_than_backups_are_kept(past: Past) -> None:
    past.go(0)
    folder = past.house.config.var / "backups"
    for days in (5, 2):
        (folder / f"{ago(days)}T030000Z").mkdir(parents=True)
    (step,) = past.plan().steps
    assert (step.kind, step.days) == ("backup", (ago(5),))
    past.run()
    left = [path.name for path in folder.iterdir() if path.is_dir()]
    assert left == [f"{ago(2)}T030000Z"]


def test_each_host_deletes_its_own_backups_by_its_own_job(past: Past) -> None:
    past.go(0)
    folder = past.house.config.var / "backups"
    for days in (5, 2):
        (folder / f"{ago(days)}T030000Z").mkdir(parents=True)
    assert retention_duties.forget_events(past.platform, ago(1)).outcome == "done"
    assert len(list(folder.glob("*Z"))) == 2, "not its work: they may lie on another host"
    with locks.locked(folder):
        result = log_duties.retire_log(past.platform, ago(1))
    assert (result.outcome, "backups waits for the next pass" in result.detail) == ("warning", True)
    assert len(list(folder.glob("*Z"))) == 2
    result = log_duties.retire_log(past.platform, ago(1))
    assert result.outcome == "done"
    assert f"deleted the backups of {ago(5)}" in result.detail
    assert [path.name for path in folder.glob("*Z")] == [f"{ago(2)}T030000Z"]


def test_the_receipt_of_a_pass_says_what_it_looked_for(past: Past) -> None:
    past.go(0)
    retention_duties.forget_events(past.platform, ago(1))
    log_duties.retire_log(past.platform, ago(1))
    past.run()
    tables, host, everything = (one.body["kinds"] for one in past.receipts("pass"))
    assert tables == sorted(TABLES)
    assert host == ["backup", "blank", "log"]
    assert everything == sorted([*tables, *host])


def test_a_table_that_cannot_be_narrowed_hinders_no_other(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = scrub.narrow
    for schema in ("Click", "Other"):
        past.clicks(-95, 2, schema)
        past.rule(schema, scrub={"keep": ["target"]})
    past.go(0)
    past.run()
    narrowed = []

    def narrow(database: Any, schema: Any, table: str, policy: Any) -> list[str]:
        if table == "Click_1":
            raise scrub.ScrubRefused("target is private by now")
        narrowed.append(table)
        return real(database, schema, table, policy)

    monkeypatch.setattr(scrub, "narrow", narrow)
    result = retention_duties.forget_events(past.platform, ago(1))
    assert result.outcome == "warning"
    assert "Click_1_scrubbed is not narrowed yet: target is private by now" in result.detail
    assert "destroyed the keys of" in result.detail
    assert narrowed == ["Other_1"]


def test_each_host_blanks_and_retires_its_log_by_the_job(past: Past) -> None:
    past.go(-20)
    past.house.send({"schema": "Nonsense", "event": {"secret": "swordfish"}})
    past.go(-9)
    past.house.send({"schema": "Nonsense", "event": {"secret": "swordfish"}})
    past.clicks(0)
    past.house.load()
    result = log_duties.retire_log(past.platform, ago(1))
    assert result.outcome == "done"
    assert result.detail == (
        f"deleted the log of {ago(20)}; blanked lines of events that could not be sealed: 1"
    )
    assert not list(past.platform.log_folder.glob(f"{ago(20)}*"))
    assert past.days_of("unknown_invalid", "received").keys() == {ago(20), ago(9)}, "not its work"
    assert retention_duties.forget_events(past.platform, ago(1)).outcome == "done"
    assert past.days_of("unknown_invalid", "received") == {}


def test_what_outlives_the_events_is_made_before_they_go(past: Past) -> None:
    past.clicks(-95, 12)
    past.clicks(-92, 11)
    past.clicks(0, 2)
    aggregate = {"name": "clicks", "per": "day"}
    past.rule("Click", scrub={"keep": ["target"]}, aggregate=[aggregate])
    result = retention_duties.forget_events(past.platform, ago(1))
    assert (result.outcome, result.detail[:12]) == ("done", "23 rows gone")
    assert past.days_of("Click_1") == {ago(0): 2}
    assert past.days_of("Click_1_scrubbed") == {ago(95): 12, ago(92): 11}
    with past.platform.database.read() as connection:
        cells = connection.execute(sa.select(aggregate_cell.c.day, aggregate_cell.c.events))
        assert dict(map(tuple, cells)) == {ago(95): 12, ago(92): 11}
    (receipt,) = past.receipts("scrub")
    assert receipt.body["stripped"] == receipt.body["rows_before"] == 23
    assert "event_target" in receipt.body["columns_filled"]
    past.assert_books_hold()
    # A straggler follows the others, and the day's aggregate stays as it was made.
    past.clicks(-92, 1)
    past.go(0)
    assert past.run().rows == 1
    assert past.days_of("Click_1_scrubbed") == {ago(95): 12, ago(92): 12}
    past.rule("Click", scrub={"keep": ["target"], "keep_days": 93})
    assert [step[:3] for step in kinds_of(past)] == [("scrubbed", "Click_1_scrubbed", (ago(95),))]
    past.run()
    assert past.days_of("Click_1_scrubbed") == {ago(92): 12}
    past.rule("Click", keep_days=90)
    past.run()
    assert retention_duties.forget_events(past.platform, ago(1)).outcome == "done"
    with past.platform.database.read() as connection:
        assert "Click_1_scrubbed" not in tables(connection)
    past.assert_books_hold()
