"""What a head forwarded is loaded once, with few questions, and whatever cannot be booked."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.intake.context import Context
from eventlogging.loader import forwarded
from eventlogging.log.forwarded import Marker, marker_line
from eventlogging.store import fixed
from tests.loading import Bench
from tests.schemas import registered


@pytest.fixture
def bench(database_url: str, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(database_url, tmp_path / "log", registered())
    yield made
    made.close()


def append(bench: Bench, lines: Sequence[bytes]) -> None:
    done = threading.Event()
    bench.writer.append(lines, {}, lambda _: done.set())
    assert done.wait(10)


def batch(bench: Bench, origin: str, start: int, target: str) -> list[bytes]:
    """The lines of a forwarded batch of one valid event."""
    bench.intake.use(bench.registry.snapshot)
    event = {"schema": "Click", "event": {"target": target}, "id": f"{origin} {start}"}
    line = bench.intake.accept(event, Context(received=clock.now_ms())).line
    sent = [(clock.minute(clock.now_ms()), "Click", 1)]
    return [marker_line(origin, start, 1, sent), line]


def test_only_the_stretch_of_an_origin_is_read_that_the_piece_is_of(bench: Bench) -> None:
    """A head's segment has tens of thousands of batches, and each piece asks of a few."""
    with bench.database.write() as connection:
        rows = [
            {
                "origin": origin,
                "start": start,
                "segment": "s",
                "offset": start,
                "added": "2026-11-22",
            }
            for origin in ("head/a", "head/b")
            for start in range(0, 2000, 10)
        ]
        connection.execute(sa.insert(fixed.forwarded), rows)
    found = [Marker("head/a", start, 0, 0, ()) for start in (500, 520, 545)]
    found += [Marker("head/b", 7, 0, 0, ()), Marker("head/c", 10, 0, 0, ())]
    assert sorted(forwarded._known(bench.database, found)) == [
        ("head/a", start) for start in (500, 510, 520, 530, 540)
    ]
    many = [Marker(f"edge/{n}", 0, n, n, ()) for n in range(1000)]
    assert forwarded._known(bench.database, [*many, *found]).keys() >= {("head/a", 500)}


def test_a_batch_without_a_place_of_its_own_costs_no_other(bench: Bench) -> None:
    append(bench, batch(bench, "head/a", 0, "first"))
    append(bench, batch(bench, "head/a", 2**63, "nowhere"))
    append(bench, batch(bench, "head/a", 2**63 - 1, "last"))
    bench.loader.drain()
    assert {row["event_target"] for row in bench.rows("Click_1")} == {"first", "last"}
    assert bench.ledger() == {"sent": 2, "valid": 2}


@pytest.mark.parametrize("line", ['{"outcome":"forwarded","sent":7}', '{"outcome":"valid"}'])
def test_a_segment_that_cannot_be_loaded_waits_and_does_not_stop_the_others(
    bench: Bench, line: str
) -> None:
    append(bench, [f"{line}\n".encode()])
    bench.writer.close()
    bench.writer = bench.new_writer()
    append(bench, batch(bench, "head/b", 0, "other"))
    for _ in range(3):
        bench.loader.step()
    assert [row["event_target"] for row in bench.rows("Click_1")] == ["other"]
