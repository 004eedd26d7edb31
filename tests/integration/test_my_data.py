"""A device sees and erases what it sent, by a token of its own; nobody else can tell."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from eventlogging import clock
from eventlogging.clock import moved
from eventlogging.jobs.erasure_duties import carry_out_erasures
from eventlogging.ledger.proof import prove
from eventlogging.receipts import chain
from eventlogging.retention import device, erasure, person_rows
from eventlogging.retention.policy import policy_of
from eventlogging.retention.scrub import strip_day
from eventlogging.store.fixed import sign_in_failure
from tests.console import House

TOKEN, TAG = "5c" * 16, "9d" * 8
OTHER = "77" * 16


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path / "var")
    made.publish()
    yield made
    made.close()


def today() -> str:
    return clock.day(clock.now_ms())


def click(n: int, *, token: str = TOKEN, **event: Any) -> dict[str, Any]:
    content = {"target": f"of-{token[:2]}-{n}", **event}
    return {"schema": "Click", "event": content, "id": device.event_id(token, TAG, n)}


def pages(count: int = 10, day: str = "") -> list[list[Any]]:
    return [[day or today(), TAG, count]]


def ask(house: House, path: str = "", token: Any = TOKEN, **body: Any) -> TestResponse:
    body = {"token": token, "pages": pages(), **body}
    return house.client.post(f"/v1/my-data{path}", json=body)


def files_with(house: House, text: str) -> set[str]:
    return {
        path.name
        for path in house.config.var.rglob("*")
        if path.is_file() and text.encode() in path.read_bytes()
    }


def count(house: House, table: str) -> int:
    with house.platform.database.read() as connection:
        return int(connection.execute(sa.text(f"SELECT COUNT(*) FROM `{table}`")).scalar_one())


def run_job(house: House) -> str:
    return carry_out_erasures(house.platform, "2026-11-22 03:00").detail


def test_a_device_sees_its_own_events_and_no_others(house: House) -> None:
    house.send(click(0), click(1), click(0, token=OTHER), click(2, target=7))
    house.send(click(0))  # a retry
    seen = ask(house)
    assert seen.status_code == 200 and seen.headers["Cache-Control"] == "no-store"
    found = seen.json
    assert sorted(one["event"]["target"] for one in found["events"]) == ["of-5c-0", "of-5c-1"]
    assert [json.loads(json.dumps(one["raw"]))["event"]["target"] for one in found["refused"]] == [
        7
    ]
    assert found["ids"] == 10 and found["next"] is None
    assert "of-77" not in seen.text


def test_a_strangers_token_sees_nothing_and_soon_has_to_wait(house: House) -> None:
    house.send(click(0))
    for _ in range(5):
        seen = ask(house, token="ab" * 16)
        assert seen.json["events"] == seen.json["refused"] == seen.json["stripped"] == []
    refused = ask(house, token="ab" * 16)
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) >= 1
    for _ in range(8):  # who has something here may look as often as they like
        assert ask(house).status_code == 200
    with house.platform.database.read() as connection:
        kept = connection.execute(sa.select(sign_in_failure)).all()
    assert TOKEN not in str(kept) and "ab" * 16 not in str(kept)


@pytest.mark.parametrize(
    "body",
    [
        {"token": "5C" * 16}, {"token": "5c"}, {"token": 7}, {"token": None},
        {"pages": {}}, {"pages": [["2026-11-22", TAG]]}, {"pages": [["2026-11-22", TAG, -1]]},
        {"pages": [["2026-11-22", TAG, 1.5]]}, {"pages": [["2026-11-22", TAG, True]]},
        {"pages": [["yesterday", TAG, 1]]}, {"pages": [["0001-01-01", TAG, 1]]},
        {"pages": [["9999-12-31", TAG, 1]]}, {"pages": [["2026-11-22", "'; DROP", 1]]},
        {"pages": [["2026-11-22", TAG, 10**8]]}, {"pages": [["2026-11-22", TAG, 1]] * 401},
        {"pages": [["2026-11-22", TAG, 6 * 10**6]] * 2}, {"after": 7}, {"after": "9"},
        {"after": "é.1.2.3"}, {"after": "x" * 400},
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["", "/erase"])
def test_what_is_no_claim_is_refused_in_words(house: House, body: Any, path: str) -> None:
    answer = ask(house, path, **body)
    assert answer.status_code == 400 and answer.json["code"] == "bad_parameter"
    assert answer.json["problems"]


def test_a_body_that_is_no_json_is_refused(house: House) -> None:
    for data, kind in ((b"{", "application/json"), (b"[]", "application/json"), (b"{}", "text/x")):
        answer = house.client.post("/v1/my-data", data=data, content_type=kind)
        assert answer.status_code == 400, answer.text


def test_erased_events_are_nowhere_and_the_receipt_says_so(house: House) -> None:
    house.send(*(click(n) for n in range(5)), click(5, target=7), click(0, token=OTHER))
    asked = ask(house, "/erase")
    assert asked.status_code == 202 and asked.json["rows"] == 6
    (receipt,) = chain.read(chain.folder_of(house.config.var))
    assert asked.json["receipt"]["digest"] == receipt.digest
    assert TOKEN not in json.dumps(receipt.as_dict()) and TAG not in json.dumps(receipt.as_dict())
    waiting = house.client.get(asked.json["erasure"]).json
    assert waiting["state"] == "asked" and waiting["rows"] == 0

    assert "done, 6 rows went" in run_job(house)

    done = house.client.get(asked.json["erasure"]).json
    newest = chain.newest(chain.folder_of(house.config.var))
    assert newest is not None
    assert done["state"] == "done" and done["rows"] == 6 and done["log_lines"] == 6
    assert done["receipt"] == {"number": newest.number, "digest": newest.digest}
    assert "hosts" not in done
    assert files_with(house, "of-5c-") == set()
    assert files_with(house, device.event_id(TOKEN, TAG, 0)) == {chain.FILE}
    assert "eventlogging.db" not in files_with(house, device.event_id(TOKEN, TAG, 5))
    assert count(house, "Click_1") == 1 and count(house, "Click_invalid") == 0
    assert prove(house.platform.database).holds
    assert ask(house).json["events"] == []
    assert erasure.unfinished(house.platform.database) == []


def test_nothing_is_asked_for_where_nothing_is_found(house: House) -> None:
    house.send(click(0))
    answer = ask(house, "/erase", token="ab" * 16)
    assert answer.status_code == 200 and answer.json["erasure"] is None
    assert answer.json["next"] is None
    assert chain.read(chain.folder_of(house.config.var)) == []
    assert house.client.get("/v1/my-data/erasures/nobody").status_code == 404


def test_an_erasure_of_somebody_else_is_not_shown(house: House) -> None:
    wish = erasure.ask(house.platform, ["ann"], "admin@example.org")
    assert house.client.get(f"/v1/my-data/erasures/{wish.id}").status_code == 404


def test_what_is_in_no_table_yet_is_erased_once_it_is(house: House) -> None:
    house.send(click(0))
    house.accept(json.dumps(click(1)).encode())
    assert ask(house, "/erase").json["rows"] == 1
    assert "waits" in run_job(house)
    house.load()
    assert "done, 2 rows went" in run_job(house)
    assert files_with(house, "of-5c-") == set() and prove(house.platform.database).holds


def test_many_ids_are_looked_for_in_the_log_at_once(house: House) -> None:
    house.send(*(click(n) for n in range(120)))
    house.send(*(click(n, token=OTHER) for n in range(120)))
    assert ask(house, "/erase", pages=pages(120)).json["rows"] == 120
    assert "done, 120 rows went" in run_job(house)
    assert files_with(house, "of-5c-") == set() and count(house, "Click_1") == 120


def test_events_far_from_the_day_of_their_page_are_not_looked_for(house: House) -> None:
    house.send({**click(0), "dt": clock.iso(clock.now_ms())})
    far = moved(today(), -20)
    assert ask(house, pages=pages(day=far)).json["events"] == []
    assert len(ask(house, pages=pages(day=moved(today(), -8))).json["events"]) == 1
    assert len(ask(house, pages=pages(day=moved(today(), 1))).json["events"]) == 1


def test_an_event_of_a_wrong_clock_is_found_for_some_days(house: House) -> None:
    house.send({**click(0), "dt": "1999-03-02T00:00:00Z"})
    (one,) = ask(house, pages=pages(day="1999-03-02")).json["events"]
    assert one["event"]["target"] == "of-5c-0"
    assert ask(house, "/erase", pages=pages(day="1999-03-02")).json["rows"] == 1
    assert "done, 1 rows went" in run_job(house)


def test_a_look_that_takes_long_goes_on_where_it_ended(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now_ms()
    sent = [{**click(n), "dt": clock.iso(now - n * clock.DAY_MS)} for n in range(4)]
    house.send(*sent, click(4, target=7))
    monkeypatch.setattr("eventlogging.console.my_data._LOOK_SECONDS", 0.0)
    every = [[moved(today(), -n), TAG, 5] for n in range(5)]
    found, after, turns = [], None, 0
    while after or not turns:
        body = ask(house, pages=every, after=after).json
        found += [*body["events"], *body["refused"]]
        after, turns = body["next"], turns + 1
    assert len(found) == 5 and turns >= 4
    assert len({one["id"] for one in found}) == 5


def all_of(house: House, path: str = "", **body: Any) -> list[Any]:
    """The answers of one look, to its end."""
    found: list[Any] = []
    while not found or found[-1]["next"]:
        answer = ask(house, path, **body, after=found[-1]["next"] if found else None)
        assert answer.status_code in (200, 202), answer.text
        found.append(answer.json)
    return found


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("retention.device", "console.my_data_place"):
        monkeypatch.setattr(f"eventlogging.{module}.MOST_IDS", 3)


@pytest.mark.usefixtures("small_portions")
def test_a_page_with_more_events_than_are_looked_for_at_once_is_seen_and_erased(
    house: House,
) -> None:
    house.send(*(click(n) for n in range(8)), click(0, token=OTHER))
    other_page = [today(), "1" * 16, 4]
    every = {"pages": [other_page, [today(), TAG, 8], other_page]}
    seen = all_of(house, **every)
    assert len(seen) == 6 and all(one["ids"] == 16 for one in seen)
    events = [event["event"]["target"] for one in seen for event in one["events"]]
    assert sorted(events) == [f"of-5c-{n}" for n in range(8)]
    assert sum(one["rows"] for one in all_of(house, "/erase", **every)) == 8
    run_job(house)
    assert count(house, "Click_1") == 1 and files_with(house, "of-5c-") == set()


@pytest.mark.usefixtures("small_portions")
def test_a_look_in_many_portions_that_finds_nothing_is_one_attempt(house: House) -> None:
    house.send(click(0, token=OTHER))
    for _ in range(5):
        assert len(all_of(house, pages=pages(30))) == 10
    assert ask(house, pages=pages(30)).status_code == 429


@pytest.mark.usefixtures("small_portions")
def test_only_who_began_a_look_can_go_on_with_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    onward = ask(house).json["next"]
    assert ask(house, after=onward).status_code == 200
    for other in ({"token": OTHER}, {"pages": pages(9)}):
        assert ask(house, **other, after=onward).status_code == 400
    assert ask(house, after=onward.replace(".3.", ".6.")).status_code == 400
    monkeypatch.setattr(clock, "offset_ms", 3_700_000)
    assert ask(house, after=onward).status_code == 400, "and not for ever"


def test_the_keys_of_stripped_tables_are_read_once_in_a_look(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now_ms()
    house.send(*({**click(n), "dt": clock.iso(now - n * clock.DAY_MS)} for n in range(4)))
    house.platform.registry.refresh()
    schema = house.platform.registry.snapshot.schemas["Click"]
    rule = policy_of("Click", {"scrub": {"keep": ["/target"]}}, {})
    for n in range(4):
        strip_day(house.platform.database, schema, "Click_1", rule, moved(today(), -n))
    read: list[object] = []
    keys = person_rows.month_secrets

    def counted(database: Any) -> Any:
        read.append(database)
        return keys(database)

    monkeypatch.setattr(person_rows, "month_secrets", counted)
    assert len(ask(house, pages=[[moved(today(), -4), TAG, 5]]).json["stripped"]) == 4
    assert len(read) == 1


def test_stripped_events_are_found_and_erased_too(house: House) -> None:
    house.send(click(0), click(0, token=OTHER))
    house.platform.registry.refresh()
    schema = house.platform.registry.snapshot.schemas["Click"]
    rule = policy_of("Click", {"scrub": {"keep": ["/target"]}}, {})
    strip_day(house.platform.database, schema, "Click_1", rule, today())
    found = ask(house).json
    assert len(found["stripped"]) == 1 and found["stripped"][0]["event_target"] == "of-5c-0"
    assert ask(house, "/erase").json["rows"] == 2
    run_job(house)
    assert count(house, "Click_1_scrubbed") == 1


def test_a_restored_database_does_not_bring_them_back(tmp_path: Path) -> None:
    path = tmp_path / "var" / "eventlogging.db"
    house = House(f"sqlite:///{path}", tmp_path / "var")
    house.publish()
    house.send(click(0), click(1), click(0, token=OTHER))
    backup = tmp_path / "backup.db"
    with sqlite3.connect(path) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    assert ask(house, "/erase").status_code == 202
    run_job(house)
    house.close()
    for file in path.parent.glob("eventlogging.db*"):
        file.unlink()
    shutil.copy(backup, path)
    house = House(f"sqlite:///{path}", tmp_path / "var")
    assert count(house, "Click_1") == 3
    assert erasure.replay(house.platform, chain.read(chain.folder_of(house.config.var))) == 2
    assert count(house, "Click_1") == 1 and files_with(house, "of-5c-") == set()
    house.load()
    assert prove(house.platform.database).holds
    assert erasure.replay(house.platform, chain.read(chain.folder_of(house.config.var))) == 0
    house.close()
