"""What of the log is not loaded yet, and which lines wait for their table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlogging import clock
from eventlogging.ledger.lag import Lag, opened_at, read_lag
from tests.books import click, open_bench
from tests.loading import Bench
from tests.schemas import registered


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = open_bench(f"sqlite:///{tmp_path / 'books.db'}", tmp_path)
    yield made
    made.close()


def lag_of(bench: Bench) -> Lag:
    with bench.database.read() as connection:
        return read_lag(connection, bench.folder)


def test_an_empty_log_waits_for_nothing(bench: Bench) -> None:
    assert lag_of(bench) == Lag(0, 0, None, None, ())
    assert lag_of(bench).is_loaded


def test_a_log_folder_that_is_not_there_waits_for_nothing(bench: Bench, tmp_path: Path) -> None:
    with bench.database.read() as connection:
        assert read_lag(connection, tmp_path / "nowhere").is_loaded


def test_what_is_not_loaded_is_counted_in_bytes_with_the_age_of_the_oldest(bench: Bench) -> None:
    bench.send(click(), received=clock.now_ms() - 90_000)
    bench.send(click())
    lag = lag_of(bench)
    assert lag.segments == 1
    assert lag.oldest_segment is not None
    assert lag.bytes == (bench.folder / f"{lag.oldest_segment}.jsonl").stat().st_size
    assert lag.age_seconds is not None and 89 < lag.age_seconds < 120
    assert not lag.is_loaded


def test_the_age_is_that_of_the_oldest_line_still_waiting(bench: Bench) -> None:
    bench.send(click(), received=clock.now_ms() - 90_000)
    bench.loader.drain()
    assert lag_of(bench).is_loaded
    bench.send(click())
    age = lag_of(bench).age_seconds
    assert age is not None and age < 60


def test_parked_lines_are_told_by_table_with_their_reason(bench: Bench) -> None:
    bench.send(click(schema="Other"), click(schema="Other"), click())
    bench.registry.know(registered())
    bench.loader.drain()
    lag = lag_of(bench)
    assert (lag.bytes, lag.parked_lines) == (0, 2)
    (table,) = lag.parked
    assert table.table == "(Other 1.0.0)"
    assert "registry" in table.reason
    assert not lag.is_loaded


def test_the_name_of_a_segment_says_when_it_was_opened() -> None:
    moment = opened_at("2026-11-22/030405678-00c0ffee")
    assert clock.iso(moment) == "2026-11-22T03:04:05.678Z"
    with pytest.raises(ValueError, match="does not match"):
        opened_at("lost+found")
