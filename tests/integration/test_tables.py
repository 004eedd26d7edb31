"""Tables on both databases: what a column would bend, cut or confuse is stored as it was sent."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.ledger.proof import prove
from eventlogging.registry.model import RegisteredSchema
from eventlogging.schema.codec import compile_decoder
from eventlogging.schema.plan import plan_columns
from eventlogging.store.database import Database
from eventlogging.store.migrate import migrate, unfit
from tests.loading import Bench
from tests.schemas import registered
from tests.servers import MariaDB, wait_until
from tests.strategies import same


def thing(name: str = "Thing", /, **properties: Any) -> RegisteredSchema:
    """A schema of one version with these properties, open to others."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
    }
    return registered(name, {"1.0.0": document})


def event(payload: dict[str, Any], schema: str = "Thing") -> dict[str, Any]:
    return {"schema": schema, "event": payload, "id": str(uuid.uuid4())}


class Tables(Bench):
    """A bench that stores payloads and reads them back as they were sent."""

    def store(self, schema: RegisteredSchema, *payloads: dict[str, Any]) -> None:
        self.registry.know(schema)
        accepted = self.send(*(event(payload, schema.name) for payload in payloads))
        assert [verdict.text for verdict in accepted.verdicts] == ["valid"] * len(payloads)
        self.loader.drain()
        assert self.ledger() == {"sent": len(payloads), "valid": len(payloads)}

    def payloads(self, schema: RegisteredSchema) -> list[dict[str, Any]]:
        plan = schema.plans[1]
        names = ", ".join([*(f"`{column.name}`" for column in plan.columns), "event_more"])
        decode = compile_decoder(plan)
        return [
            decode(list(row.values())[:-1], row["event_more"])
            for row in self.rows(f"{schema.name}_1", names)
        ]


@pytest.fixture
def tables(database_url: str, tmp_path: Path) -> Iterator[Tables]:
    made = Tables(database_url, tmp_path / "log")
    yield made
    made.close()


def test_twenty_texts_of_1024_characters_fit_into_one_table(tables: Tables) -> None:
    schema = thing(**{f"f{n}": {"type": "string", "maxLength": 1024} for n in range(20)})
    payload = {f"f{n}": "😀" * 1024 for n in range(20)}
    tables.store(schema, payload)
    assert tables.payloads(schema) == [payload]


def test_short_texts_that_together_exceed_a_row_are_stored_all_the_same(tables: Tables) -> None:
    schema = thing(**{f"f{n}": {"type": "string", "maxLength": 255} for n in range(150)})
    payload = {f"f{n}": "é" * 255 for n in range(150)}
    tables.store(schema, payload)
    assert tables.payloads(schema) == [payload]


def test_more_fields_than_a_table_has_columns_are_stored_in_event_more(tables: Tables) -> None:
    schema = thing(**{f"f{n}": {"type": "integer"} for n in range(1200)})
    assert schema.plans[1].overflow, "the author is told which fields found no column"
    payload = {f"f{n}": n for n in range(1200)}
    tables.store(schema, payload)
    assert tables.payloads(schema) == [payload]


def test_names_beyond_64_characters_are_cut_and_stay_apart(tables: Tables) -> None:
    schema = thing(**{"k" * 70: {"type": "integer"}, "k" * 71: {"type": "integer"}})
    payload = {"k" * 70: 1, "k" * 71: 2}
    tables.store(schema, payload)
    assert tables.payloads(schema) == [payload]


def test_fields_that_differ_by_a_dot_an_underscore_or_case_stay_apart(tables: Tables) -> None:
    number = {"type": "integer"}
    schema = thing(
        **{"a.b": number, "a_b": number, "userId": number, "userid": number, "A_B": number},
        a={"type": "object", "properties": {"b": number}},
    )
    payload = {"a.b": 1, "a_b": 2, "userId": 3, "userid": 4, "A_B": 5, "a": {"b": 6}}
    tables.store(schema, payload)
    assert tables.payloads(schema) == [payload]


def test_a_columns_name_and_kind_stay_when_a_minor_version_brings_a_rival(tables: Tables) -> None:
    first: dict[str, Any] = {"type": "object", "properties": {"a_b": {"type": "integer"}}}
    rival = {"type": "object", "properties": {"a.b": {"type": "integer"}, **first["properties"]}}
    tables.store(registered("Thing", {"1.0.0": first}), {"a_b": 1})
    both = registered("Thing", {"1.0.0": first, "1.1.0": rival})
    tables.registry.know(both)
    tables.send(event({"a.b": 2, "a_b": 3}))
    tables.loader.drain()
    assert [row["event_a_b"] for row in tables.rows("Thing_1 ORDER BY event_a_b")] == [1, 3]
    assert {"a.b": 2, "a_b": 3} in tables.payloads(both)


def test_fields_named_like_the_capsules_are_payload_and_change_nothing(tables: Tables) -> None:
    names = ("id", "dt", "timestamp", "received", "version", "schema", "event", "more", "host")
    schema = thing(**{name: {"type": "string"} for name in names})
    payload = {name: f"my {name}" for name in names}
    tables.store(schema, payload)
    assert tables.payloads(schema) == [payload]
    row = tables.rows("Thing_1")[0]
    assert uuid.UUID(row["id"])
    assert row["version"] == "1.0.0"
    assert row["event_timestamp"] == "my timestamp"


def test_numbers_come_back_as_they_were_sent(tables: Tables) -> None:
    schema = thing(n={"type": "number"}, i={"type": "integer"})
    numbers = [16777217, 16777217.0, 2**53, 2**53 + 1, -(2**53) - 1, 0.1, -0.0, 1e308, 5e-324]
    integers = [16777217, 2**53 + 1, 2**63 - 1, -(2**63), 1.0]
    sent = [{"n": number} for number in numbers] + [{"i": number} for number in integers]
    tables.store(schema, *sent)
    stored = tables.payloads(schema)
    for payload in sent:
        assert any(same(payload, other) for other in stored), payload
    if tables.database.dialect.name == "mysql":
        kinds = {row["Field"]: row["Type"] for row in _rows(tables, "SHOW COLUMNS FROM Thing_1")}
        assert (kinds["event_n"], kinds["event_i"]) == ("double", "bigint(20)")


def test_an_integer_beyond_64_bits_is_refused_unless_it_comes_as_text(tables: Tables) -> None:
    schema = thing(i={"type": "integer"}, s={"type": "string"})
    tables.registry.know(schema)
    accepted = tables.send(event({"i": 2**63}), event({"s": str(2**63)}))
    assert [verdict.code for verdict in accepted.verdicts] == ["number_out_of_range", ""]
    tables.loader.drain()
    assert tables.payloads(schema) == [{"s": "9223372036854775808"}]


def test_emoji_and_long_texts_are_kept_whole(tables: Tables) -> None:
    schema = thing(
        short={"type": "string", "maxLength": 10}, long={"type": "string"}, free={"type": "string"}
    )
    payload = {"short": "😀" * 10, "long": "💙éß" * 20_000, "free": "' \\ \" \n`"}
    tables.store(schema, payload)
    assert tables.payloads(schema) == [payload]
    length = "CHAR_LENGTH" if tables.database.dialect.name == "mysql" else "LENGTH"
    assert tables.rows("Thing_1", f"{length}(event_short) AS n")[0]["n"] == 10


def test_a_text_too_long_for_its_column_is_refused_and_never_cut(tables: Tables) -> None:
    tables.registry.know(thing(t={"type": "string", "maxLength": 10}))
    accepted = tables.send(event({"t": "x" * 11}))
    assert accepted.verdicts[0].code == "out_of_bounds"


def test_texts_that_differ_by_case_blanks_or_accents_differ_in_sql(tables: Tables) -> None:
    texts = ["a", "A", "a ", "a  ", "á", "a\t", " a", "😀", "😁", "ß", "ss", ""]
    schema = thing(short={"type": "string", "maxLength": 10}, long={"type": "string"})
    tables.store(schema, *({"short": text, "long": text} for text in texts))
    for column in ("event_short", "event_long"):
        groups = f"Thing_1 GROUP BY {column}"
        counts = {
            row["t"]: row["n"] for row in tables.rows(groups, f"{column} AS t, COUNT(*) AS n")
        }
        assert counts == dict.fromkeys(texts, 1)
        with tables.database.read() as connection:
            for text in texts:
                query = sa.text(f"SELECT {column} FROM Thing_1 WHERE {column} = :text")
                assert connection.execute(query, {"text": text}).scalars().all() == [text]


def test_ids_and_names_in_the_fixed_tables_differ_by_case_too(database_url: str) -> None:
    database = Database(database_url)
    migrate(database)
    with database.write() as connection:
        for name in ("Alpha", "alpha", "alpha "):
            connection.execute(
                sa.text("INSERT INTO table_day VALUES (:name, '2026-11-22', 1, 0)"), {"name": name}
            )
    database.close()


def test_a_sound_server_is_found_fit(tables: Tables) -> None:
    assert unfit(tables.database) == []


def test_sessions_are_strict_even_where_the_server_is_not(
    mariadb: MariaDB, mariadb_url: str
) -> None:
    url = sa.engine.make_url(mariadb_url)
    admin = pymysql.connect(
        host=url.host, port=mariadb.port, user=url.username, database=url.database, autocommit=True
    )
    cursor = admin.cursor()
    cursor.execute("SELECT @@GLOBAL.sql_mode, @@GLOBAL.character_set_server")
    mode, charset = cursor.fetchone() or ("", "")
    try:
        cursor.execute("SET GLOBAL sql_mode = '', GLOBAL character_set_server = latin1")
        database = Database(mariadb_url)
        assert unfit(database) == []
        with database.ddl() as connection:
            connection.exec_driver_sql("CREATE TABLE t (a VARCHAR(3) CHARACTER SET utf8mb4)")
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES ('😀😀😀')")
            with pytest.raises(sa.exc.DataError):
                connection.exec_driver_sql("INSERT INTO t VALUES ('long')")
        with database.read() as connection:
            assert connection.exec_driver_sql("SELECT a FROM t").scalars().all() == ["😀😀😀"]
        database.close()
    finally:
        cursor.execute(f"SET GLOBAL sql_mode = '{mode}', GLOBAL character_set_server = {charset}")
        admin.close()


def test_a_quiet_schemas_only_event_is_stored_within_two_seconds(tables: Tables) -> None:
    tables.registry.know(thing(a={"type": "integer"}))
    tables.loader.drain()
    stop = threading.Event()
    runner = threading.Thread(target=tables.loader.run, args=(stop.is_set,))
    runner.start()
    try:
        time.sleep(0.3)
        start = time.monotonic()
        tables.send(event({"a": 1}))
        wait_until(lambda: tables.ledger().get("valid") == 1, 10)
        assert time.monotonic() - start < 2
    finally:
        stop.set()
        runner.join(10)


def test_a_table_is_keyed_by_time_first(tables: Tables) -> None:
    tables.store(thing(a={"type": "integer"}), {"a": 1})
    with tables.database.read() as connection:
        key = sa.inspect(connection).get_pk_constraint("Thing_1")["constrained_columns"]
    assert key == ["dt", "id"]


def test_a_table_that_another_program_made_first_is_taken_as_it_is(tables: Tables) -> None:
    schema = thing(a={"type": "integer"}, b={"type": "integer"})
    dialect = tables.database.dialect
    fewer = plan_columns({"type": "object", "properties": {"a": {"type": "integer"}}})
    with tables.database.ddl() as connection:
        for _ in range(2):
            for statement in dialect.event_table_ddl(
                "Thing_1", fewer.columns, clock.day(clock.now_ms())
            ):
                connection.exec_driver_sql(statement)
    tables.store(schema, {"a": 1, "b": 2})
    assert tables.payloads(schema) == [{"a": 1, "b": 2}]


def test_loaders_that_make_a_table_at_the_same_time_hold_nothing_up(tables: Tables) -> None:
    schemas = [thing(f"Thing{n}", a={"type": "integer"}) for n in range(4)]
    tables.registry.know(*schemas)
    loaders = [tables.new_loader() for _ in range(3)]
    tables.send(*(event({"a": n}, schema.name) for n, schema in enumerate(schemas)))
    together = threading.Barrier(len(loaders))

    def drain(loader: Any) -> None:
        together.wait()
        loader.drain()

    threads = [threading.Thread(target=drain, args=(loader,)) for loader in loaders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tables.ledger() == {"sent": 4, "valid": 4}, "and none waits as pending"


def test_a_broken_table_of_refused_events_stops_no_other_schema(tables: Tables) -> None:
    tables.registry.know(registered(), registered("Other"))
    wrong = {"schema": "Click", "event": {"target": 5}, "id": "w"}
    tables.send(wrong)
    tables.loader.drain()
    with tables.database.ddl() as connection:
        connection.exec_driver_sql("ALTER TABLE Click_invalid RENAME COLUMN raw TO event_full")
    tables.send(wrong, event({"target": "a"}, "Other"))
    tables.loader.drain()
    assert tables.count("Other_1") == 1
    assert tables.ledger()["pending"] == 1
    with tables.database.ddl() as connection:
        connection.exec_driver_sql("ALTER TABLE Click_invalid RENAME COLUMN event_full TO raw")
    tables.new_loader().drain()
    assert tables.ledger() == {
        "sent": 3, "valid": 1, "duplicate": 1, "invalid type_mismatch": 1
    }  # fmt: skip


def test_writers_that_read_first_wait_for_their_turn(tables: Tables) -> None:
    with tables.database.write() as connection:
        connection.exec_driver_sql("INSERT INTO registry_counter VALUES (77, 0)")
    failures: list[Exception] = []

    def add() -> None:
        try:
            for _ in range(20):
                with tables.database.write() as connection:
                    lock = " FOR UPDATE" if tables.database.dialect.name == "mysql" else ""
                    value = connection.exec_driver_sql(
                        f"SELECT value FROM registry_counter WHERE id = 77{lock}"
                    ).scalar()
                    connection.exec_driver_sql(
                        f"UPDATE registry_counter SET value = {int(value or 0) + 1} WHERE id = 77"
                    )
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert tables.rows("registry_counter WHERE id = 77")[0]["value"] == 80


def test_loading_the_whole_log_again_doubles_nothing(tables: Tables) -> None:
    schema = thing(a={"type": "integer"})
    tables.store(schema, *({"a": n} for n in range(50)))
    with tables.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM checkpoint")
    tables.new_loader().drain()
    assert tables.count("Thing_1") == 50
    assert tables.ledger() == {"sent": 100, "valid": 50, "duplicate": 50}


def test_the_books_count_what_was_stored_and_not_what_was_taken_in(tables: Tables) -> None:
    tables.registry.know(registered())
    tables.send(*(event({"target": "a"}, "Click") for _ in range(3)))
    assert tables.ledger() == {}, "taken in, and not stored yet"
    tables.loader.drain()
    assert prove(tables.database).holds
    with tables.database.write() as connection:
        one = tables.rows("Click_1", "id")[0]["id"]
        connection.execute(sa.text("DELETE FROM Click_1 WHERE id = :id"), {"id": one})
    assert [text for text in prove(tables.database).discrepancies if "Click_1" in text]


def _rows(tables: Tables, query: str) -> list[Any]:
    with tables.database.read() as connection:
        return list(connection.execute(sa.text(query)).mappings())
