"""The proof of the books: it holds while all is well, and names each thing that is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.errors import StoreUnavailable
from eventlogging.ledger.proof import Proof, prove
from eventlogging.store.database import Database
from tests.books import click, open_bench
from tests.loading import Bench
from tests.schemas import registered


@pytest.fixture
def bench(database_url: str, tmp_path: Path) -> Iterator[Bench]:
    made = open_bench(database_url, tmp_path)
    yield made
    made.close()


@pytest.fixture
def filled(bench: Bench) -> Bench:
    """Of everything something: days, duplicates, refusals, a conflict, an unknown schema."""
    good = click()
    other = {**good, "event": {"target": "another"}}
    bench.send(good, click(), click(3), click(schema="Other"), {"schema": "Nobody", "event": {}})
    bench.send(good, other, click(dt=clock.iso(clock.now_ms() - 3 * clock.DAY_MS)))
    bench.loader.drain()
    return bench


def today() -> str:
    return clock.day(clock.now_ms())


def change(bench: Bench, *statements: str) -> None:
    with bench.database.ddl() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_nothing_holds(bench: Bench) -> None:
    assert prove(bench.database) == Proof((), {"tables": 0, "days": 0, "rows": 0, "schemas": 0})


def test_what_was_loaded_holds(filled: Bench) -> None:
    proof = prove(filled.database)
    assert proof.discrepancies == ()
    assert proof.holds
    # 4 valid (one of them of another day), 2 refused, 1 conflict
    assert proof.checked == {"tables": 5, "days": 5, "rows": 7, "schemas": 3}
    assert proof.as_dict()["holds"] is True


def test_what_waits_for_its_table_is_explained(filled: Bench) -> None:
    filled.send(click(schema="Other"), click())
    filled.registry.know(registered())
    filled.loader.drain()
    assert filled.ledger()["pending"] == 1
    assert prove(filled.database).holds


def test_a_row_that_is_gone_is_found(filled: Bench) -> None:
    change(filled, f"DELETE FROM Click_1 WHERE dt < '{today()}'")
    (wrong,) = prove(filled.database).discrepancies
    assert wrong.startswith("Click_1 of ") and wrong.endswith("holds 0, and its book says 1")


def test_a_row_that_nobody_booked_is_found(filled: Bench) -> None:
    change(filled, "UPDATE table_day SET rows_in = rows_in - 1 WHERE table_name = 'Click_invalid'")
    wrong = prove(filled.database).discrepancies
    assert len(wrong) == 2
    assert wrong[0] == f"Click_invalid of {today()} holds 2, and its book says 1"
    assert wrong[1] == (
        "the ledger says that 7 rows were kept, and the tables' books that 6 came in"
    )


def test_a_row_that_moved_to_another_day_is_found(filled: Bench) -> None:
    older = clock.sql_time(clock.now_ms() - 2 * clock.DAY_MS)
    change(filled, f"UPDATE Click_1 SET dt = '{older}' WHERE dt < '{today()}'")
    assert len(prove(filled.database).discrepancies) == 2


def test_rows_that_were_purged_by_the_book_are_no_discrepancy(filled: Bench) -> None:
    change(
        filled,
        f"DELETE FROM Click_1 WHERE dt < '{today()}'",
        "UPDATE table_day SET rows_out = rows_in "
        f"WHERE table_name = 'Click_1' AND day < '{today()}'",
    )
    assert prove(filled.database).holds


def test_a_table_that_nobody_booked_is_found(filled: Bench) -> None:
    change(filled, "CREATE TABLE Ghost_1 AS SELECT * FROM Click_1")
    wrong = prove(filled.database).discrepancies
    assert len(wrong) == 2
    assert wrong[1] == f"Ghost_1 of {today()} holds 2, and its book says 0"


def test_a_table_of_another_form_is_left_alone(filled: Bench) -> None:
    change(
        filled,
        "CREATE TABLE notes (id INTEGER, dt VARCHAR(20))",
        "INSERT INTO notes VALUES (1, '')",
    )
    assert prove(filled.database).holds


def test_a_table_that_is_gone_is_found(filled: Bench) -> None:
    change(filled, "DROP TABLE Other_1")
    (wrong,) = prove(filled.database).discrepancies
    assert wrong == f"Other_1 of {today()} does not exist, and its book says 1"


def test_an_event_without_an_outcome_is_unexplained(filled: Bench) -> None:
    change(
        filled, "UPDATE ledger SET count = count + 2 WHERE outcome = 'sent' AND `schema` = 'Other'"
    )
    (wrong,) = prove(filled.database).discrepancies
    assert wrong == "Other: 2 of 3 sent are unexplained"


def test_the_last_days_alone_can_be_counted(filled: Bench) -> None:
    change(filled, f"DELETE FROM Click_1 WHERE dt < '{today()}'")
    proof = prove(filled.database, days=2)
    assert proof.holds
    assert proof.checked["days"] == 4
    assert not prove(filled.database, days=5).holds


def proofs_while_loading(bench: Bench) -> list[Proof]:
    done = threading.Event()

    def load() -> None:
        try:
            for _ in range(60):
                bench.send(*[click() for _ in range(8)], click(1))
                bench.loader.drain()
        finally:
            done.set()

    loading = threading.Thread(target=load)
    loading.start()
    proofs = []
    while not done.is_set():
        proofs.append(prove(bench.database))
    loading.join()
    assert prove(bench.database).checked["rows"] == 540
    return proofs


def test_it_holds_while_a_loader_works(bench: Bench) -> None:
    proofs = proofs_while_loading(bench)
    assert len(proofs) > 2
    assert [proof.discrepancies for proof in proofs if not proof.holds] == []


def test_a_database_that_does_not_answer_is_said_to_be_so() -> None:
    database = Database("mysql+pymysql://ev:ev@127.0.0.1:9/ev")
    with pytest.raises(StoreUnavailable):
        prove(database)


def test_it_holds_on_a_server_that_is_set_to_see_what_others_commit(
    mariadb_url: str, tmp_path: Path
) -> None:
    bench = open_bench(mariadb_url, tmp_path)
    sa.event.listen(
        bench.database.engine,
        "connect",
        lambda connection, _: connection.query(
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
        ),
    )
    bench.database.engine.dispose()
    proofs = proofs_while_loading(bench)
    bench.close()
    assert [proof.discrepancies for proof in proofs if not proof.holds] == []
