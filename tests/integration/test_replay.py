"""Stored invalid events judged again: those that pass move, and the books move with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from eventlogging import clock
from eventlogging.cli.replay import replay as replay_command
from eventlogging.ledger.proof import prove
from eventlogging.ledger.reading import lines_of_truth
from eventlogging.registry import audit
from eventlogging.review import replay
from eventlogging.review.replay import Done, Plan, Wish
from tests.console import House

ENUM: dict[str, Any] = {
    "type": "object",
    "required": ["color"],
    "additionalProperties": False,
    "properties": {
        "color": {"type": "string", "enum": ["red", "blue"], "description": "Which."},
        "user": {"type": "integer"},
    },
}
IDS = [f"00000000-0000-4000-8000-{number:012}" for number in range(50)]


def colours(*names: str) -> dict[str, Any]:
    color = {"type": "string", "enum": ["red", "blue", *names], "description": "Which."}
    return {**ENUM, "properties": {**ENUM["properties"], "color": color}}


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path / "var")
    made.publish("Paint", ENUM, privacy={"user": "hmac"})
    yield made
    made.close()


def paint(color: Any, name: str = "Paint", **more: Any) -> dict[str, Any]:
    event = {"color": color, **more.pop("event", {})}
    return {"schema": name, "event": event, **more}


def rows(house: House, table: str, columns: str = "*") -> list[Any]:
    query = sa.text(f"SELECT {columns} FROM {table}")
    with house.platform.database.read() as connection:
        return list(connection.execute(query).mappings())


def ledger(house: House) -> dict[str, int]:
    """Schema, outcome and reason → count."""
    query = sa.text("SELECT `schema`, outcome, reason, SUM(count) FROM ledger GROUP BY 1, 2, 3")
    with house.platform.database.read() as connection:
        found = connection.execute(query)
        return {" ".join(row[:3]).strip(): int(row[3]) for row in found if row[3]}


def run(house: House, **wish: Any) -> tuple[Plan, Done]:
    plan = replay.plan(house.platform, Wish(wish.pop("schema", "Paint"), **wish))
    return plan, replay.execute(house.platform, plan, "ann")


def assert_proven(house: House) -> None:
    assert prove(house.platform.database).discrepancies == ()
    with house.platform.database.read() as connection:
        assert all(line.residual == 0 for line in lines_of_truth(connection))


def test_events_that_pass_the_mended_schema_become_valid(house: House) -> None:
    received = clock.now_ms() - 3_600_000
    house.send(
        paint("green", id=IDS[0], dt=clock.iso(received - 5000), host="a.example.org"),
        paint("pink", id=IDS[1]), paint("red"), received=received,
    )  # fmt: skip
    assert ledger(house) == {
        "Paint sent": 3, "Paint valid": 1, "Paint invalid value_not_allowed": 2,
    }  # fmt: skip
    house.publish("Paint", colours("green"), privacy={"user": "hmac"})
    plan, done = run(house)
    assert (plan.looked_at, plan.passes, plan.versions) == (2, 1, {"1.1.0": 1})
    assert done == Done(valid=1, duplicate=0, stays=1)
    assert ledger(house) == {
        "Paint sent": 3, "Paint valid": 2, "Paint invalid value_not_allowed": 1,
    }  # fmt: skip
    [moved] = [row for row in rows(house, "Paint_1") if row["event_color"] == "green"]
    assert (moved["id"], moved["version"], moved["host"]) == (IDS[0], "1.1.0", "a.example.org")
    assert str(moved["dt"])[:23] in (
        clock.sql_time(received - 5000), clock.sql_time(received - 5000)[:-4],
    )  # fmt: skip
    assert len(rows(house, "Paint_invalid")) == 1
    assert_proven(house)
    assert run(house)[1] == Done(0, 0, 1)
    assert_proven(house)


def test_an_event_that_was_sent_again_since_is_a_duplicate(house: House) -> None:
    received = clock.now_ms()
    dt = clock.iso(received - 1000)
    house.send(paint("green", id=IDS[0], dt=dt), received=received)
    house.publish("Paint", colours("green"), privacy={"user": "hmac"})
    house.send(paint("green", id=IDS[0], dt=dt), received=received)
    _, done = run(house)
    assert done == Done(valid=0, duplicate=1, stays=0)
    assert ledger(house) == {"Paint sent": 2, "Paint valid": 1, "Paint duplicate": 1}
    assert_proven(house)


def test_an_event_whose_id_another_has_stays_refused(house: House) -> None:
    received = clock.now_ms()
    dt = clock.iso(received - 1000)
    house.send(paint("green", id=IDS[0], dt=dt), paint("red", id=IDS[0], dt=dt), received=received)
    house.publish("Paint", colours("green"), privacy={"user": "hmac"})
    plan, done = run(house)
    assert plan.passes == 1
    assert done == Done(valid=0, duplicate=0, stays=1)
    assert len(rows(house, "Paint_invalid")) == 1
    assert_proven(house)


def test_private_fields_stay_hashed_and_do_not_keep_an_event_out(house: House) -> None:
    house.send(paint("green", event={"user": 5}), paint("red", event={"user": 5}))
    house.publish("Paint", colours("green"), privacy={"user": "hmac"})
    assert run(house)[1].valid == 1
    assert len({row["event_user"] for row in rows(house, "Paint_1")}) == 1
    assert rows(house, "Paint_1")[0]["event_user"].count(":") == 1


def test_events_of_a_schema_that_nobody_knew_are_sealed_and_stored(house: House) -> None:
    house.send(paint("green", "Late", event={"user": 5}, id="one"), paint(7, "Late"))
    assert ledger(house) == {"(unknown) sent": 2, "(unknown) invalid unknown_schema": 2}
    house.publish("Late", colours("green"), privacy={"user": "hmac"})
    plan, done = run(house, schema="Late")
    assert (plan.passes, done.valid) == (1, 1)
    [row] = rows(house, "Late_1")
    assert row["event_user"] == house.platform.privacy_key.hash(5)
    # It was counted as sent under (unknown), and what was sent never moves.
    assert ledger(house) == {
        "(unknown) sent": 2, "(unknown) valid": 1, "(unknown) invalid unknown_schema": 1,
    }  # fmt: skip
    assert len(rows(house, "unknown_invalid")) == 1
    assert_proven(house)


def test_a_version_that_is_there_by_now_takes_its_events(house: House) -> None:
    house.send({**paint("green"), "version": "1.1.0"}, {**paint("green"), "version": "9.0.0"})
    house.publish("Paint", colours("green"), privacy={"user": "hmac"})
    plan, done = run(house, code="unknown_version")
    assert plan.versions == {"1.1.0": 2}
    assert done.valid == 2
    assert_proven(house)


def test_an_event_whose_sender_nobody_looked_at_stays(house: House) -> None:
    house.send(paint("red", "Late"))
    house.publish("Late", colours(), producers="token")
    plan, done = run(house, schema="Late")
    assert (plan.passes, done.valid) == (0, 0)
    assert plan.stays == {"whether its sender was allowed to send it cannot be told any more": 1}


def test_what_was_refused_for_something_else_than_its_content_is_not_looked_at(
    house: House,
) -> None:
    house.publish("Kept", ENUM, producers="token")
    house.send(paint("red", "Kept"), paint("red", id=5))
    with house.platform.database.read() as connection:
        codes = {row[0] for row in connection.exec_driver_sql("SELECT code FROM Kept_invalid")}
    assert codes == {"not_allowed"}
    assert run(house, schema="Kept")[0].looked_at == 0
    assert run(house)[0].looked_at == 0


def test_an_event_that_is_too_old_to_be_kept_stays(house: House) -> None:
    now = clock.now_ms()
    old = now - 80 * clock.DAY_MS
    house.send(paint("green", dt=clock.iso(old - 20 * clock.DAY_MS)), received=old)
    house.publish("Paint", colours("green"), privacy={"user": "hmac"})
    plan, _ = run(house)
    assert plan.stays == {"it is older than events of its schema are kept": 1}


def test_only_the_days_and_codes_asked_for_are_moved(house: House) -> None:
    day = clock.DAY_MS
    now = clock.now_ms()
    for back in (2, 1, 0):
        house.send(paint("green"), paint(None), received=now - back * day)
    house.publish("Paint", colours("green"), privacy={"user": "hmac"})
    first, last = clock.day(now - 2 * day), clock.day(now - day)
    assert replay.plan(house.platform, Wish("Paint", since=last)).passes == 2
    assert replay.plan(house.platform, Wish("Paint", until=first)).passes == 1
    assert replay.plan(house.platform, Wish("Paint", code="type_mismatch")).passes == 0
    _, done = run(house, since=last, until=last)
    assert done.valid == 1
    assert_proven(house)


def test_many_events_move_some_at_a_time_and_only_once(house: House) -> None:
    for _ in range(5):
        house.send(*(paint("green") for _ in range(100)))
    house.publish("Paint", colours("green"), privacy={"user": "hmac"})
    first = replay.plan(house.platform, Wish("Paint"))
    seen: list[int] = []

    class Stop(Exception):
        pass

    def stop(_what: str, done: int, _of: int) -> None:
        seen.append(done)
        if len(seen) == 2:
            raise Stop

    with pytest.raises(Stop):
        replay.execute(house.platform, first, "ann", progress=stop)
    assert_proven(house)
    moved = len(rows(house, "Paint_1"))
    assert 0 < moved < 500
    assert run(house)[1].valid == 500 - moved
    assert ledger(house) == {"Paint sent": 500, "Paint valid": 500}
    assert_proven(house)


def test_a_page_of_events_is_taken_out_in_a_few_statements(house: House) -> None:
    house.send(*(paint("green") for _ in range(250)))
    house.publish("Paint", colours("green"), privacy={"user": "hmac"})
    plan = replay.plan(house.platform, Wish("Paint"))
    said: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        said.append(statement)

    engine = house.platform.database.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    assert replay.execute(house.platform, plan, "ann") == Done(valid=250)
    sa.event.remove(engine, "before_cursor_execute", note)
    assert len([one for one in said if one.startswith("DELETE FROM `Paint_invalid`")]) == 3
    assert rows(house, "Paint_invalid") == []
    assert_proven(house)


def test_what_went_while_it_was_to_be_moved_stays_away_and_the_rest_moves(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.send(*(paint("green", id=IDS[n]) for n in range(5)))
    house.publish("Paint", colours("green"), privacy={"user": "hmac"})
    plan = replay.plan(house.platform, Wish("Paint"))
    monkeypatch.setattr(replay, "_WAIT_SECONDS", 0.0)
    judge, gone = replay.ReplayJudge.judge, False

    def judged(self: Any, row: Any) -> Any:
        nonlocal gone
        if not gone:  # as a purge would that comes in between
            gone = True
            with house.platform.database.write() as connection:
                connection.execute(sa.text(f"DELETE FROM Paint_invalid WHERE id = '{IDS[2]}'"))
        return judge(self, row)

    monkeypatch.setattr(replay.ReplayJudge, "judge", judged)
    assert replay.execute(house.platform, plan, "ann") == Done(valid=4)
    assert {row["id"] for row in rows(house, "Paint_1", "id")} == {*IDS[:2], *IDS[3:5]}
    assert rows(house, "Paint_invalid") == []


def test_a_replay_is_in_the_audit(house: House) -> None:
    house.send(paint("green"))
    house.publish("Paint", colours("green"), privacy={"user": "hmac"})
    run(house)
    with house.platform.database.read() as connection:
        [entry] = [one for one in audit.entries(connection) if one.action == "replay"]
    assert (entry.who, entry.subject, entry.detail["passes"]) == ("ann", "Paint", 1)


def command(house: House, *words: str) -> Result:
    environment = {
        "EVENTLOGGING_VAR": str(house.config.var),
        "EVENTLOGGING_DATABASE_URL": house.config.database_url,
        "EVENTLOGGING_PRIVACY_KEY": house.config.privacy_key,
    }
    return CliRunner().invoke(
        replay_command, list(words), env={k: v for k, v in environment.items() if v}
    )


def test_by_hand_the_checksum_of_the_dry_run_is_quoted(house: House) -> None:
    house.send(paint("green"), paint("pink"))
    house.publish("Paint", colours("green"), privacy={"user": "hmac"})
    shown = command(house, "Paint", "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert "1 of 2 invalid events pass now" in shown.output
    words = shown.output.splitlines()[-1].split()[2:]
    wrong = command(house, "Paint", "--execute", "0")
    assert wrong.exit_code == 1
    assert len(rows(house, "Paint_invalid")) == 2
    done = command(house, *words, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["valid"] == 1
    assert command(house, "Nobody").exit_code == 1
    assert command(house, "Paint", "--since", "2026-02-01", "--until", "2026-01-01").exit_code == 2
    assert command(house, "Paint", "--code", "not_allowed").exit_code == 2
