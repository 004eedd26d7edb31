"""The data API: rows by date range, as owners and analysts read them."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlogging import clock
from eventlogging.console import rows
from eventlogging.registry import tokens
from tests.console import CLICK, TOKEN, House

HOUR = 3_600_000
SAME_ID = "00000000-0000-4000-8000-000000000001"
MORE = {
    **CLICK,
    "properties": {**CLICK["properties"], "target": {"type": "integer"}},
}


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    house = House(database_url, tmp_path / "var")
    yield house
    house.close()


def event(target: Any, dt: int, **more: Any) -> dict[str, Any]:
    return {"schema": "Click", "dt": clock.iso(dt), "event": {"target": target}, **more}


def read(house: House, path: str) -> list[dict[str, Any]]:
    answer = house.client.get(f"/v1/data/{path}", headers=TOKEN)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def read_all(house: House, path: str, limit: int) -> list[dict[str, Any]]:
    """Follow the Link of each page, as a client does."""
    found, url = [], f"/v1/data/{path}{'&' if '?' in path else '?'}limit={limit}"
    for _ in range(200):
        answer = house.client.get(url, headers=TOKEN)
        assert answer.status_code == 200, answer.text
        lines = answer.text.splitlines()
        assert len(lines) <= limit
        found += [json.loads(line) for line in lines]
        if "X-Next-Cursor" not in answer.headers:
            assert "Link" not in answer.headers
            return found
        assert len(lines) == limit
        link = answer.headers["Link"]
        assert link.endswith('; rel="next"')
        url = link[1 : link.index(">")]
    raise AssertionError("the pages never end")


def test_what_is_read_back_is_what_was_sent(house: House) -> None:
    house.publish()
    now = clock.now_ms()
    payloads: list[dict[str, Any]] = [
        {"target": "a", "count": 1, "at": {"x": 1.5}},
        {"target": "Ä 🎈 \u2028 '\"\\", "count": 1.0, "at": {}},
        {"target": "b", "extra": {"deep": [1, None, 2.0]}, "at": {"x": 3, "y": None}},
    ]
    for at, payload in enumerate(payloads):
        house.send({"schema": "Click", "dt": clock.iso(now - 1000 + at), "event": payload})
    found = read(house, "Click")
    assert [json.dumps(row["event"], sort_keys=True) for row in found] == [
        json.dumps(payload, sort_keys=True) for payload in payloads
    ]
    first = found[0]
    assert first["dt"] == clock.iso(now - 1000)
    assert first["version"] == "1.0.0"
    assert first["sample_rate"] == 1.0
    assert len(first["id"]) == 36
    assert first["host"] is None


def test_pages_over_two_majors_give_every_row_once_in_order(house: House) -> None:
    house.publish()
    now = clock.now_ms() - HOUR
    house.send(*(event(f"old {i}", now + i // 3, version="1.0.0") for i in range(9)))
    house.send(event("both", now + 1, id=SAME_ID, version="1.0.0"))
    house.publish(schema=MORE)
    house.send(*(event(i, now + i // 3, version="2.0.0") for i in range(9)))
    house.send(event(99, now + 1, id=SAME_ID, version="2.0.0"))
    for limit in (1, 2, 3, 7, 19, 20, 100):
        found = read_all(house, "Click", limit)
        assert len(found) == 20
        assert len({(row["id"], row["version"]) for row in found}) == 20
        assert [row["dt"] for row in found] == sorted(row["dt"] for row in found)
    both = [row["event"]["target"] for row in found if row["id"] == SAME_ID]
    assert both == ["both", 99]


def test_a_page_larger_than_one_read_of_the_table(house: House) -> None:
    house.publish()
    now = clock.now_ms() - HOUR
    house.send(*(event(f"t{i}", now) for i in range(450)))
    found = read_all(house, "Click", 430)
    assert len({row["id"] for row in found}) == 450
    assert len(found) == 450


def test_a_page_of_large_events_ends_early_and_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.publish()
    now = clock.now_ms() - HOUR
    house.send(*(event(f"t{i}", now + i) for i in range(5)))
    monkeypatch.setattr(rows, "_MOST_CHARS", 500)
    found, cursor, pages = [], "", 0
    while pages < 10:
        answer = house.client.get(f"/v1/data/Click?cursor={cursor}", headers=TOKEN)
        found += [json.loads(line)["event"]["target"] for line in answer.text.splitlines()]
        pages += 1
        cursor = answer.headers.get("X-Next-Cursor", "")
        if not cursor:
            break
    assert found == [f"t{i}" for i in range(5)]
    assert 1 < pages <= 5


def test_only_the_asked_days_come_and_the_end_is_not_among_them(house: House) -> None:
    house.publish()
    days = [clock.now_ms() // clock.DAY_MS * clock.DAY_MS - n * clock.DAY_MS for n in (3, 2, 1)]
    house.send(*(event(clock.day(day), day) for day in days))
    first, second, third = (clock.day(day) for day in days)
    for query, expected in (
        (f"start={second}", [second, third]),
        (f"end={second}", [first]),
        (f"start={first}&end={third}", [first, second]),
        (f"start={second}T00:00:00.001Z", [third]),
        (f"start={second}T01:00+01:00&end={second}T02:00%2B01:00", [second]),
    ):
        assert [row["event"]["target"] for row in read(house, f"Click?{query}")] == expected


def test_json_names_the_next_page(house: House) -> None:
    house.publish()
    now = clock.now_ms() - HOUR
    house.send(event("a", now), event("b", now + 1))
    answer = house.client.get("/v1/data/Click?limit=1&format=json", headers=TOKEN).json
    assert answer is not None
    assert [row["event"]["target"] for row in answer["rows"]] == ["a"]
    following = house.client.get(
        f"/v1/data/Click?limit=1&format=json&cursor={answer['next']}", headers=TOKEN
    ).json
    assert following is not None
    assert [row["event"]["target"] for row in following["rows"]] == ["b"]
    assert following["next"] is None


def test_csv_is_flat_and_runs_no_formula(house: House) -> None:
    house.publish()
    now = clock.now_ms() - HOUR
    house.send(event("=1+1", now), event('a,"b"\nc', now + 1))
    house.publish(schema=MORE)
    house.send({**event(-5, now + 2), "event": {"target": -5, "at": {"x": 0.5}}})
    answer = house.client.get("/v1/data/Click?format=csv", headers=TOKEN)
    assert answer.mimetype == "text/csv"
    assert 'filename="Click.csv"' in answer.headers["Content-Disposition"]
    found = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["event_target"] for row in found] == ["'=1+1", 'a,"b"\nc', "-5"]
    assert [row["event_at_x"] for row in found] == ["", "", "0.5"]
    assert [row["version"] for row in found] == ["1.0.0", "1.0.0", "2.0.0"]
    assert found[0]["user_agent_is_bot"] in ("", "true", "false")
    assert found[0]["dt"] == clock.iso(now)


def test_columns_that_no_event_has_filled_yet_are_read_as_empty(house: House) -> None:
    house.publish()
    house.send(event("a", clock.now_ms() - HOUR))
    wider = {**CLICK, "properties": {**CLICK["properties"], "new": {"type": "string"}}}
    house.publish(schema=wider)
    assert [row["event"] for row in read(house, "Click")] == [{"target": "a"}]
    assert "event_new" in house.client.get("/v1/data/Click?format=csv", headers=TOKEN).text


def test_a_schema_without_events_gives_no_rows(house: House) -> None:
    house.publish()
    assert read(house, "Click") == []
    assert read(house, "Click/invalid") == []
    answer = house.client.get("/v1/data/Click?format=csv", headers=TOKEN)
    assert answer.text.startswith("dt,id,received,version,")
    assert house.client.get("/v1/data/Click?format=json", headers=TOKEN).json == {
        "rows": [],
        "next": None,
    }


def test_refused_events_say_why_and_are_paged_too(house: House) -> None:
    house.publish()
    received = clock.now_ms() - HOUR
    house.send(*(event(i, received) for i in range(7)), received=received)
    found = read_all(house, "Click/invalid", 2)
    assert [row["index"] for row in found] == list(range(7))
    assert {row["code"] for row in found} == {"type_mismatch"}
    assert found[0]["errors"][0]["pointer"] == "/target"
    assert json.loads(found[3]["raw"])["event"] == {"target": 3}
    assert found[0]["received"] == clock.iso(received)
    assert read(house, "Click/invalid?end=2020-01-01") == []
    answer = house.client.get("/v1/data/Click/invalid?format=csv&limit=1", headers=TOKEN)
    assert next(csv.DictReader(io.StringIO(answer.text)))["code"] == "type_mismatch"


def test_a_name_may_be_a_path(house: House) -> None:
    house.publish("team/app/click")
    dt = clock.iso(clock.now_ms())
    house.send({"schema": "team/app/click", "event": {"target": "a"}, "dt": dt})
    house.send({"schema": "team/app/click", "event": {"target": 1}})
    assert [row["event"] for row in read(house, "team/app/click")] == [{"target": "a"}]
    assert [row["schema"] for row in read(house, "team/app/click/invalid")] == ["team/app/click"]
    answer = house.client.get("/v1/data/team/app/click?format=csv", headers=TOKEN)
    assert 'filename="team_app_click.csv"' in answer.headers["Content-Disposition"]


def test_events_of_no_registered_schema_can_be_read(house: House) -> None:
    house.send({"schema": "Nobody", "event": {}})
    found = read(house, "(unknown)/invalid")
    assert [(row["schema"], row["code"]) for row in found] == [("Nobody", "unknown_schema")]


def test_who_may_read(house: House) -> None:
    house.publish()
    house.send(event("a", clock.now_ms()))
    read_token = tokens.create(house.platform.database, "reader", ["read"], None, "test")
    other = tokens.create(house.platform.database, "sender", ["produce"], None, "test")
    for path in ("/v1/data/Click", "/v1/data/Click/invalid"):
        nobody = house.client.get(path)
        assert nobody.status_code == 401
        assert nobody.json is not None
        assert "eventlogging token create" in nobody.json["problems"][0]
        for secret, status in ((read_token, 200), (other, 403), ("wrong", 401)):
            headers = {"Authorization": f"Bearer {secret}"}
            assert house.client.get(path, headers=headers).status_code == status
    house.sign_in()
    assert house.client.get("/v1/data/Click").status_code == 200
    wrong = {"Authorization": "Bearer wrong"}
    assert house.client.get("/v1/data/Click", headers=wrong).status_code == 401
    tokens.revoke(house.platform.database, "reader", "test")
    revoked = {"Authorization": f"Bearer {read_token}"}
    assert house.client.get("/v1/data/Click", headers=revoked).status_code == 401


def test_an_unknown_schema_is_404(house: House) -> None:
    answer = house.client.get("/v1/data/Nope", headers={**TOKEN, "Accept": "text/html"})
    assert answer.status_code == 404
    assert answer.json is not None
    assert answer.json["code"] == "unknown_schema"


def test_wrong_parameters_are_named(house: House) -> None:
    house.publish()
    house.publish("Other")
    now = clock.now_ms() - HOUR
    house.send(event("a", now), event("b", now + 1))
    cursor = house.client.get("/v1/data/Click?limit=1", headers=TOKEN).headers["X-Next-Cursor"]
    for path, word in (
        ("Click?limit=0", "limit"),
        ("Click?limit=10001", "limit"),
        ("Click?limit=many", "limit"),
        ("Click?format=xml", "format"),
        ("Click?start=yesterday", "start"),
        ("Click?end=0000-01-01", "end"),
        ("Click?start=2026-11-22&end=2026-11-22", "end"),
        ("Click?cursor=abc", "cursor"),
        ("Click?cursor=bnVsbA", "cursor"),
        (f"Other?cursor={cursor}", "cursor"),
        (f"Click/invalid?cursor={cursor}", "cursor"),
    ):
        answer = house.client.get(f"/v1/data/{path}", headers=TOKEN)
        assert answer.status_code == 400, path
        assert answer.json is not None
        assert answer.json["code"] == "bad_parameter"
        assert word in answer.json["problems"][0]
