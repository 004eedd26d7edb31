"""What clients count of themselves is kept, once, beside what arrived."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlogging import clock
from eventlogging.intake.accept import Accepted
from eventlogging.intake.context import Context
from eventlogging.ledger.clients import Balance, balances, total
from eventlogging.loader import books
from eventlogging.loader.prepare import Report
from tests.loading import Bench
from tests.schemas import registered

GOOD = {"schema": "Click", "event": {"target": "a"}}


@pytest.fixture
def bench(database_url: str, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(database_url, tmp_path / "log", registered(), registered("Other"))
    yield made
    made.close()


def counters(**counts: dict[str, int]) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "client": "eventlogging-js/1.0.0", "counts": counts}


def send(bench: Bench, parcel: Any, **context: Any) -> Accepted:
    bench.intake.use(bench.registry.snapshot)
    accepted = bench.intake.accept_body(
        json.dumps(parcel).encode(), Context(received=clock.now_ms(), **context)
    )
    done = threading.Event()
    bench.writer.append(accepted.lines, accepted.sent, lambda _: done.set())
    assert done.wait(10)
    bench.loader.drain()
    return accepted


def reported(bench: Bench, **span: Any) -> list[Balance]:
    with bench.database.read() as connection:
        return balances(connection, **span)


def test_counts_are_added_up_beside_what_arrived(bench: Bench) -> None:
    said = counters(Click={"attempted": 5, "sampled_out": 1, "dropped": 1, "sent": 2})
    accepted = send(bench, {"events": [GOOD, GOOD], "counters": said})
    assert [verdict.text for verdict in accepted.verdicts] == ["valid", "valid"]
    assert bench.ledger() == {"sent": 2, "valid": 2}
    send(bench, {"events": [], "counters": counters(Click={"sent": 1}, Nobody={"attempted": 3})})
    unknown, click = reported(bench)
    assert click == Balance("Click", "", 5, 1, 0, 1, 3)
    assert click.waiting == 0
    assert (unknown.schema, unknown.waiting) == ("(unknown)", 3)
    assert total(reported(bench)).attempted == 8


def test_a_report_that_comes_twice_counts_once(bench: Bench) -> None:
    said = counters(Click={"attempted": 2, "sent": 2})
    for _ in range(3):
        send(bench, {"events": [{**GOOD, "id": "one"}], "counters": said})
    assert reported(bench) == [Balance("Click", "", 2, 0, 0, 0, 2)]
    assert bench.ledger() == {"sent": 3, "valid": 1, "duplicate": 2}


def test_reports_of_one_piece_are_added_up_and_written_in_order(bench: Bench) -> None:
    """Two loaders that write the same counts in two orders would wait for each other."""
    known = counters(Click={"attempted": 1})
    send(bench, {"events": [], "counters": known})
    new = [counters(Other={"attempted": 1}, Click={"attempted": 2}) for _ in range(3)]
    bench.intake.use(bench.registry.snapshot)
    for said in (*new, known, new[0]):
        body = json.dumps({"events": [], "counters": said}).encode()
        accepted = bench.intake.accept_body(body, Context(received=clock.now_ms()))
        done = threading.Event()
        bench.writer.append(accepted.lines, accepted.sent, lambda _, done=done: done.set())
        assert done.wait(10)
    written = watched(bench)
    bench.loader.drain()
    assert [one.attempted for one in reported(bench)] == [7, 3]
    (rows,) = written
    assert rows == sorted(rows), "sums, each key once"
    assert len(rows) == len({row[:3] for row in rows}) == 2


def test_a_report_that_another_loader_counts_meanwhile_counts_once(bench: Bench) -> None:
    said = counters(Click={"attempted": 1})
    send(bench, {"events": [], "counters": said})
    row = Report(said["id"], "other", "2026-11-22", {"Click": [1, 0, 0, 0, 0]})
    blind = pytest.MonkeyPatch()
    blind.setattr(books, "_known_reports", lambda *_: iter(()))
    with pytest.raises(books.Overtaken), bench.database.write() as connection:
        books.write_reports(bench.database, connection, [row])
    blind.undo()
    assert total(reported(bench)).attempted == 1


def watched(bench: Bench) -> list[list[Any]]:
    """What is added to the counts of clients from now on, one list for each statement."""
    written: list[list[Any]] = []
    dialect = bench.database.dialect
    add_counts = dialect.add_counts

    def watch(connection: Any, table: str, key: Any, counts: Any, rows: Any) -> None:
        if table == "client_count":
            written.append(list(rows))
        add_counts(connection, table, key, counts, rows)

    dialect.add_counts = watch  # type: ignore[method-assign]
    return written


def test_days_and_schemas_can_be_asked_for(bench: Bench) -> None:
    today = clock.day(clock.now_ms())
    said = counters(Click={"attempted": 1}, Other={"attempted": 2})
    send(bench, {"events": [GOOD], "counters": said})
    assert [one.schema for one in reported(bench, start=today, schema="Other")] == ["Other"]
    assert [one.day for one in reported(bench, by_day=True)] == [today, today]
    assert reported(bench, end=today) == []
    assert reported(bench, end=f"{today} 00:00") == []
    assert len(reported(bench, end=f"{today}T12:00:00Z")) == 2
    assert reported(bench, start="9999-01-01") == []


@pytest.mark.parametrize(
    "wrong",
    [
        None, 7, [], {}, {"id": "x", "client": "a", "counts": {}},
        {**counters(), "client": ""}, {**counters(), "client": "a\nb"},
        {**counters(), "counts": []}, counters(Click={"attempted": -1}),
        counters(Click={"attempted": 1.5}), counters(Click={"attempted": True}),
        counters(Click={"seen": 1}), counters(Click={"attempted": 10**12}),
        counters(**{f"S{number}": {} for number in range(201)}),
    ],
)  # fmt: skip
def test_wrong_counts_cost_no_event(bench: Bench, wrong: Any) -> None:
    accepted = send(bench, {"events": [GOOD], "counters": wrong})
    assert [verdict.text for verdict in accepted.verdicts] == ["valid"]
    assert accepted.remark.startswith("counters")
    assert reported(bench) == []


@pytest.mark.parametrize("how", ["header", "parcel"])
def test_who_says_no_leaves_no_count_either(bench: Bench, how: str) -> None:
    parcel = {"events": [GOOD], "counters": counters(Click={"attempted": 1, "sent": 1})}
    if how == "header":
        send(bench, parcel, opted_out=True)
    else:
        send(bench, {**parcel, "consent": False})
    assert reported(bench) == []
    assert bench.ledger() == {"sent": 1, "suppressed": 1}


def test_a_test_key_counts_nothing(bench: Bench) -> None:
    send(bench, {"events": [GOOD], "counters": counters(Click={"sent": 1})}, test_key="mine")
    assert reported(bench) == []
    assert bench.ledger() == {}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"events": []}, "empty_batch"),
        ({"events": [GOOD] * 2001}, "batch_too_large"),
        ({"events": {}}, "bad_capsule"),
        ({"events": [GOOD], "schema": "Click", "event": {"target": "a"}}, "valid"),
    ],
)
def test_what_only_looks_like_a_parcel_is_judged_as_before(
    bench: Bench, body: Any, code: str
) -> None:
    accepted = send(bench, body)
    assert [verdict.code or verdict.text for verdict in accepted.verdicts] == [code]


def test_one_bad_event_of_a_parcel_costs_no_other(bench: Bench) -> None:
    accepted = send(bench, {"events": [GOOD, 7, {"schema": "Click", "event": {}}, GOOD]})
    assert [v.code for v in accepted.verdicts] == ["", "not_an_event", "missing_field", ""]
    assert bench.ledger()["sent"] == 4
