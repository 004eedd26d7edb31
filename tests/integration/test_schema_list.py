"""The list of schemas: mine first, figures of the week, sorted and filtered by address."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlogging import clock
from tests.console import BROWSER, House
from tests.integration.test_console_pages import book, check_clean, words_of
from tests.people import browser_of

PLAIN = {"type": "object"}


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    house = House(database_url, tmp_path / "var")
    yield house
    house.close()


@pytest.fixture
def small_house(tmp_path: Path) -> Iterator[House]:
    house = House("", tmp_path / "var")
    yield house
    house.close()


def order(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/schemas/([^"]+)"', page)


def test_each_line_tells_of_the_week(house: House) -> None:
    house.publish(sampling={"rate": 0.125, "unit": "session"})
    book(house, "Click", "valid", 1000)
    book(house, "Click", "valid", 200, day=2)
    book(house, "Click", "invalid", 12, day=2)
    book(house, "Click", "invalid", 999, day=7)  # a week ago today
    text = words_of(page := house.page("/schemas"))
    assert "1\u2009212" in text
    assert "99.0 %" in text
    assert "12.5 %" in text
    assert "90 days" in text
    assert 'aria-label="Events per day, oldest first: 0, 0, 0, 0, 212, 0, 1000"' in page
    check_clean(page)


def test_mine_come_first_and_can_be_alone(house: House) -> None:
    house.publish("Aa", PLAIN)
    house.publish("Zz", PLAIN, owners=["Pat@Example.org", "all@example.org"])
    pat = browser_of(house, "pat@example.org")
    page = pat.get("/schemas", headers=BROWSER).text
    assert "<h2>My schemas</h2>" in page
    assert order(page) == ["Zz", "Aa"]
    alone = pat.get("/schemas?mine=1", headers=BROWSER).text
    assert order(alone) == ["Zz"]
    assert "1 of 2 schemas is yours" in alone
    assert "My schemas" not in house.page("/schemas")
    check_clean(page)


def test_the_address_says_how_it_is_sorted(small_house: House) -> None:
    for name, valid, invalid in (("Aa", 10, 0), ("Bb", 500, 500), ("Cc", 70, 7)):
        small_house.publish(name, PLAIN)
        book(small_house, name, "valid", valid)
        book(small_house, name, "invalid", invalid)
    small_house.publish("Dd", PLAIN)
    assert order(small_house.page("/schemas?sort=events")) == ["Bb", "Cc", "Aa", "Dd"]
    assert order(small_house.page("/schemas?sort=valid")) == ["Bb", "Cc", "Aa", "Dd"]
    for sort in ("name", "owner", "latest", "sampling", "kept"):
        assert order(small_house.page(f"/schemas?sort={sort}")) == ["Aa", "Bb", "Cc", "Dd"]
    assert 'aria-sort="descending"' in small_house.page("/schemas?sort=events")


@pytest.mark.parametrize("query", ["sort=colour", "state=asleep"])
def test_an_order_or_state_that_is_none_is_named(small_house: House, query: str) -> None:
    answer = small_house.client.get(f"/schemas?{query}", headers=BROWSER)
    assert answer.status_code == 400
    assert "is one of" in answer.text


def test_only_those_in_a_state_are_shown(small_house: House) -> None:
    small_house.publish("Aa", PLAIN)
    assert order(small_house.page("/schemas?state=published")) == ["Aa"]
    assert "No schema is like that" in small_house.page("/schemas?state=retired")


def test_the_same_list_as_csv(small_house: House) -> None:
    small_house.publish("Aa", PLAIN, title="=1+1")
    small_house.publish("Bb", PLAIN)
    book(small_house, "Aa", "valid", 3)
    answer = small_house.client.get("/schemas?q=aa&format=csv")
    assert answer.mimetype == "text/csv"
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["schema"], row["title"], row["valid_7_days"]) == ("Aa", "'=1+1", "3")
    assert row["keep_days"] == "90"


def test_the_rail_shows_what_the_visitor_may_see(small_house: House) -> None:
    small_house.publish()
    stranger = small_house.page("/schemas")
    assert 'href="/jobs"' not in stranger
    assert 'href="/sign-in?next=/schemas"' in stranger
    viewer = browser_of(small_house, "vi@example.org").get("/", headers=BROWSER).text
    for path in ("/reviews", "/people", "/jobs", "/account"):
        assert f'href="{path}"' in viewer
    for path in ("/explore", "/outbox", "/audit"):
        assert f'href="{path}"' not in viewer
    owner = browser_of(small_house, "owner@example.org").get("/", headers=BROWSER).text
    assert 'href="/explore"' in owner
    small_house.sign_in()
    assert 'href="/outbox"' in small_house.page("/")
    assert clock.day(clock.now_ms()) in small_house.page("/")
