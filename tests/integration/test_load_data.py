"""LOAD DATA LOCAL: as exact as the strict road, or not taken."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlogging import clock
from eventlogging.schema.codec import compile_decoder
from eventlogging.store import load_data
from eventlogging.store.database import Database
from tests.loading import Bench
from tests.schemas import registered


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """What each attempt came to."""
    answers: list[int | None] = []
    real = load_data.try_load

    def watched(*arguments: Any) -> int | None:
        answers.append(real(*arguments))
        return answers[-1]

    monkeypatch.setattr(load_data, "try_load", watched)
    return answers


@pytest.fixture
def bench(mariadb_url: str, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(mariadb_url, tmp_path / "log", registered())
    made.database.close()
    made.database = Database(mariadb_url, load_data=True)
    made.loader = made.new_loader()
    yield made
    made.close()


def clicks(number: int) -> list[dict[str, Any]]:
    now = clock.iso(clock.now_ms())
    return [
        {
            "schema": "Click",
            "id": str(uuid.uuid4()),
            "dt": now,
            "event": {"target": f"t{n}\t\\N\n'💙", "count": 2**63 - 1, "ratio": 0.1, "tags": ["a"]},
        }
        for n in range(number)
    ]


def test_rows_arrive_exactly_and_retries_are_counted(bench: Bench, taken: list[int | None]) -> None:
    events = clicks(300)
    bench.send(*events)
    bench.loader.drain()
    bench.send(*events[:150], *clicks(150))
    bench.loader.drain()
    assert taken == [300, 150]
    assert bench.ledger() == {"sent": 600, "valid": 450, "duplicate": 150}
    plan = bench.registry.snapshot.schemas["Click"].plans[1]
    names = ", ".join([*(column.name for column in plan.columns), "event_more"])
    decode = compile_decoder(plan)
    found = [
        decode(list(row.values())[:-1], row["event_more"]) for row in bench.rows("Click_1", names)
    ]
    assert all(event["event"] in found for event in events)


@pytest.mark.parametrize(
    "text", ["null", "NULL", "a,null,b", "\f", "\x01\x7f", '"', '\\"', "\\u0001", "true\r\n", ""]
)
def test_texts_that_look_like_something_else_arrive_as_texts(
    bench: Bench, taken: list[int | None], text: str
) -> None:
    events = clicks(100)
    for event in events[::2]:
        event["event"]["target"] = text
        del event["event"]["count"]
    bench.send(*events)
    bench.loader.drain()
    assert taken == [100]
    found = bench.rows("Click_1", "event_target, event_count, event_more")
    assert [row["event_target"] for row in found].count(text) == 50
    assert [row["event_count"] for row in found].count(None) == 50
    assert all(row["event_more"] is None for row in found)


def test_what_would_be_bent_takes_the_strict_road(bench: Bench, taken: list[int | None]) -> None:
    bench.send(*clicks(1))
    bench.loader.drain()
    with bench.database.ddl() as connection:
        connection.exec_driver_sql("ALTER TABLE Click_1 MODIFY event_target VARCHAR(12)")
    events = clicks(200)
    events[7]["event"]["target"] = "far too long for it"
    bench.send(*events)
    bench.loader.drain()
    assert taken[0] is None
    assert bench.ledger() == {"sent": 201, "valid": 200, "invalid storage_error": 1}


def test_a_server_that_forbids_it_is_loaded_strictly(bench: Bench, taken: list[int | None]) -> None:
    with bench.database.ddl() as connection:
        connection.exec_driver_sql("SET GLOBAL local_infile = 0")
    try:
        bench.send(*clicks(200))
        bench.loader.drain()
    finally:
        with bench.database.ddl() as connection:
            connection.exec_driver_sql("SET GLOBAL local_infile = 1")
    assert taken == [None]
    assert bench.ledger() == {"sent": 200, "valid": 200}
