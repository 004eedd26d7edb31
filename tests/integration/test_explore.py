"""Explore: events filtered by day and field, counted, paged and taken along."""

import csv
import io
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from eventlogging import clock
from eventlogging.console import explore_query
from eventlogging.console.explore_filter import Asked, Filter
from eventlogging.console.row_pages import event_sources
from eventlogging.registry import audit
from tests.console import BROWSER, House
from tests.integration.test_console_pages import ATTACK, check_clean, words_of
from tests.people import browser_of, signed_in

PATH = "/explore/Thing"
DAY = clock.DAY_MS
THING: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "share": {"type": "number"},
        "is_new": {"type": "boolean"},
        "at": {"type": "string", "format": "date-time"},
        "tags": {"type": "array"},
    },
}


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    house = House(database_url, tmp_path / "var")
    house.publish("Thing", THING)
    yield house
    house.close()


@pytest.fixture
def small_house(tmp_path: Path) -> Iterator[House]:
    house = House("", tmp_path / "var")
    house.publish("Thing", THING)
    yield house
    house.close()


def fill(house: House) -> int:
    """Send five events, the second of them a second before the first; return when that was."""
    now = clock.now_ms()
    payloads: list[tuple[int, dict[str, Any]]] = [
        (0, {"text": "Apple pie", "count": 1, "share": 0.5, "is_new": True, "tags": ["red"]}),
        (0, {"text": "apple", "count": 2, "is_new": False}),
        (1, {"text": "100% _wild_ \\ 'quoted'", "count": 30, "at": "2026-11-22T03:04:05Z"}),
        (2, {"count": -4, "share": 2.25, "is_new": True}),
        (9, {"text": "long ago", "count": 1}),
    ]
    events = [
        {"schema": "Thing", "event": payload, "dt": clock.iso(now - back * DAY - at * 1000)}
        for at, (back, payload) in enumerate(payloads)
    ]
    house.send(*events)
    return now


def analyst_of(house: House) -> FlaskClient:
    return browser_of(house, "an@example.org", "analyst")


def look(client: FlaskClient, **query: str) -> str:
    answer = client.get(PATH, query_string=query, headers=BROWSER)
    assert answer.status_code == 200, answer.text
    check_clean(answer.text)
    return answer.text


def found(page: str) -> int:
    heading = re.search(r"<h1>([\d\u2009]+) events? of Thing</h1>", page)
    assert heading is not None, page
    return int(heading[1].replace("\u2009", ""))


@pytest.mark.parametrize(
    ("field", "condition", "value", "count"),
    [
        ("event_text", "eq", "apple", 1),
        ("event_text", "eq", "Apple pie", 1),
        ("event_text", "contains", "pple", 2),
        ("event_text", "contains", "% _wild_ \\ 'q", 1),
        ("event_text", "contains", "APPLE", 0),
        ("event_text", "absent", "", 1),
        ("event_count", "eq", "2", 1),
        ("event_count", "lt", "2", 2),
        ("event_count", "gt", "1", 2),
        ("event_share", "gt", "0.5", 1),
        ("event_share", "absent", "", 2),
        ("event_is_new", "eq", "true", 2),
        ("event_is_new", "eq", "no", 1),
        ("event_at", "eq", "2026-11-22T03:04:05Z", 1),
        ("event_at", "gt", "2026-11-22T03:04", 1),
        ("event_tags", "contains", "red", 1),
        ("version", "eq", "1.0.0", 4),
    ],
)
def test_a_filter_finds_what_it_says(
    house: House, field: str, condition: str, value: str, count: int
) -> None:
    fill(house)
    page = look(analyst_of(house), field=field, value=value, **{"is": condition})
    assert found(page) == count
    assert len(re.findall(r"<td[^>]*data-label=\"dt\"", page)) == count
    query = unescape(re.findall(r"<code>(SELECT .*?)</code>", page, re.S)[0])
    with house.platform.database.read() as connection:
        copied = connection.execute(sa.text(query.rstrip(";").replace(":", r"\:"))).all()
    assert len(copied) == count


def test_without_a_filter_the_last_days_are_shown_newest_first(house: House) -> None:
    now = fill(house)
    page = look(analyst_of(house))
    assert found(page) == 4
    assert page.index("Apple pie") < page.index("apple</code>") < page.index("_wild_")
    assert "long ago" not in page
    start = clock.day(now - 9 * DAY - 4000)
    older = look(signed_in(house, "an@example.org"), start=start, end=start)
    assert "long ago" in older
    assert found(older) == 1


def test_the_chart_counts_what_the_filter_finds(house: House) -> None:
    now = fill(house)
    page = look(analyst_of(house), field="event_is_new", value="true")
    bars = re.findall(r'<tr data-x="(\d+)">.*?data-label="Events">([\d\u2009]+)</td>', page)
    by_day = {clock.day(int(x) * 1000): int(n) for x, n in bars}
    assert len(by_day) == 7
    assert sum(by_day.values()) == 2
    assert by_day[clock.day(now - 2 * DAY - 3000)] == 1
    hourly = look(signed_in(house, "an@example.org"), start=clock.day(clock.now_ms()))
    assert len(re.findall(r"<tr data-x=", hourly)) == 24


def test_rows_are_paged_by_their_key(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explore_query, "_STEP_ROWS", 30)
    moment = clock.iso(clock.now_ms())
    events = [
        {"schema": "Thing", "event": {"count": n, "is_new": n % 2 == 0}, "dt": moment}
        for n in range(260)
    ]
    house.send(*events)
    client = analyst_of(house)
    seen: list[str] = []
    page = look(client, field="event_is_new", value="true")
    assert found(page) == 130
    while True:
        seen += re.findall(r'data-label="event_count"><code>(\d+)</code>', page)
        following = re.findall(r'<a href="([^"]+)" rel="next">', page)
        if not following:
            break
        page = client.get(unescape(following[0]), headers=BROWSER).text
        check_clean(page)
    assert sorted(map(int, seen)) == list(range(0, 260, 2))


def test_a_long_look_says_how_far_it_came_and_goes_on_from_there(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explore_query, "_STEP_ROWS", 2)
    fill(house)
    schema = house.platform.registry.snapshot.schemas["Thing"]
    (source,) = event_sources(house.platform.database, schema)
    asked = Asked(clock.day(clock.now_ms() - 30 * DAY), clock.day(clock.now_ms()), None)
    numbers: list[int] = []
    after = None
    for _ in range(10):
        seen = explore_query.look(
            house.platform.database, source, asked, most=100, step_chars=10, after=after,
            seconds=-1.0,
        )  # fmt: skip
        numbers += [row.values[source.names.index("event_count")] for row in seen.rows]
        after = seen.next
        if after is None:
            break
        assert seen.looked_back_to is not None
    assert numbers == [1, 2, 30, -4, 1]


def test_what_is_found_is_taken_along(house: House) -> None:
    fill(house)
    client = analyst_of(house)
    query = {"field": "event_count", "is": "gt", "value": "0"}
    lines = client.get(PATH, query_string={**query, "download": "ndjson"})
    assert lines.mimetype == "application/x-ndjson"
    assert [json.loads(line)["event"]["count"] for line in lines.text.splitlines()] == [1, 2, 30]
    table = client.get(PATH, query_string={**query, "download": "csv"})
    assert "attachment" in table.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["event_count"] for row in rows] == ["1", "2", "30"]
    assert rows[2]["event_text"] == "100% _wild_ \\ 'quoted'"
    refused = client.get(PATH, query_string={"download": "xlsx"}, headers=BROWSER)
    assert refused.status_code == 400


def test_reads_are_recorded_without_the_value(house: House) -> None:
    fill(house)
    look(analyst_of(house), field="event_text", value="secret-of-a-person")
    with house.platform.database.read() as connection:
        entry = next(one for one in audit.entries(connection) if one.action == "read")
    assert (entry.who, entry.subject) == ("an@example.org", "Thing")
    assert entry.detail["field"] == "event_text"
    assert "secret-of-a-person" not in json.dumps(entry.detail)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"field": "event_nope"}, "no column"),
        ({"field": "id`; DROP TABLE person"}, "no column"),
        ({"field": "event_count", "value": "many"}, "is a whole number"),
        ({"field": "event_count", "value": "9" * 30}, "is a whole number"),
        ({"field": "event_share", "value": "nan"}, "is a number"),
        ({"field": "event_at", "value": "noon"}, "is a time"),
        ({"field": "event_is_new", "value": "maybe"}, "is true or false"),
        ({"field": "event_count", "is": "contains", "value": "1"}, "you can ask"),
        ({"field": "event_text", "is": "contains", "value": ""}, "is a text"),
        ({"field": "event_text", "value": "x\0y"}, "A text of at most"),
        ({"start": "yesterday"}, "This is a day"),
        ({"start": "2026-01-09", "end": "2026-01-02"}, "comes before the first"),
        ({"start": "1999-01-09"}, "days at once"),
    ],
)
def test_a_wrong_filter_is_named_beside_its_field(
    small_house: House, query: dict[str, str], words: str
) -> None:
    page = look(analyst_of(small_house), **query)
    assert "Nothing was looked for yet" in page
    assert words in words_of(page)


def test_a_place_or_version_that_is_none_is_refused(small_house: House) -> None:
    client = analyst_of(small_house)
    for query in ("after=xyz", "after=WzEsMl0", "major=7", "major=x"):
        assert client.get(f"{PATH}?{query}", headers=BROWSER).status_code == 400


def test_only_those_who_may_read_events_explore(small_house: House) -> None:
    assert small_house.client.get(PATH, headers=BROWSER).status_code == 404
    assert small_house.client.get("/explore", headers=BROWSER).status_code == 404
    viewer = browser_of(small_house, "vi@example.org")
    assert viewer.get(PATH, headers=BROWSER).status_code == 403
    assert "no events for you to read" in viewer.get("/explore", headers=BROWSER).text
    owner = browser_of(small_house, "owner@example.org")
    assert owner.get(PATH, headers=BROWSER).status_code == 200
    small_house.publish("Others", {"type": "object"}, owners=["somebody@example.org"])
    listed = owner.get("/explore", headers=BROWSER).text
    assert 'href="/explore/Thing"' in listed
    assert 'href="/explore/Others"' not in listed
    assert owner.get("/explore/Others", headers=BROWSER).status_code == 403
    assert owner.get("/explore/Nope", headers=BROWSER).status_code == 404


def test_an_empty_table_teaches_how_to_fill_it(small_house: House) -> None:
    example = {"name": "a", "passes": True, "payload": {"count": 7}}
    small_house.publish("Fresh", THING, examples=[example])
    page = analyst_of(small_house).get("/explore/Fresh", headers=BROWSER).text
    assert "No valid event has come yet" in page
    assert "curl -sS" in page


def test_each_major_version_has_its_own_rows(small_house: House) -> None:
    fill(small_house)
    small_house.publish("Thing", {"type": "object", "properties": {"text": {"type": "integer"}}})
    small_house.send({"schema": "Thing", "version": "2.0.0", "event": {"text": 5}})
    client = analyst_of(small_house)
    assert found(look(client)) == 1
    assert found(look(client, major="1")) == 4


def test_attacks_are_shown_as_text(small_house: House) -> None:
    small_house.send({"schema": "Thing", "event": {"text": ATTACK, ATTACK: ATTACK}})
    client = analyst_of(small_house)
    for query in ({}, {"field": "event_text", "value": ATTACK}, {"field": ATTACK},
                  {"start": ATTACK}, {"all": ATTACK}):  # fmt: skip
        page = look(client, **query)
        assert "<script>alert" not in page
        assert "49{" not in page
    assert found(look(client, field="event_text", value=ATTACK)) == 1


def test_copied_values_are_quoted(small_house: House) -> None:
    with small_house.platform.database.read() as connection:
        for value in ("it's", "back\\slash", "line\nbreak", "ü", "", 3, 2.5, True):
            said = Filter("x", "eq", value).sql.partition(" = ")[2]
            assert (
                connection.execute(sa.text(f"SELECT {said}".replace(":", r"\:"))).scalar() == value
            )
