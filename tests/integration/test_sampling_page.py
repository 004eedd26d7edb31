"""Changing a schema's sampling: what it will do, who may, what is recorded."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from eventlogging import clock
from eventlogging.console.sampling_page import error_text, read_rate
from eventlogging.registry import audit
from eventlogging.registry.change import change_settings
from eventlogging.store.fixed import ledger
from tests.console import BROWSER, House, csrf
from tests.integration.test_console_pages import check_clean, words_of
from tests.people import browser_of

PATH = "/schemas/Click/sampling"
OWNER = "owner@example.org"


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    house = House(database_url, tmp_path / "var")
    house.publish(sampling={"rate": 0.5, "unit": "pageview"})
    yield house
    house.close()


@pytest.fixture
def owner(house: House) -> FlaskClient:
    return browser_of(house, OWNER)


def fields(page: str) -> dict[str, str]:
    """What the form of the page would send."""
    form = page[page.index('<form method="post" action="/schemas/Click/sampling"') :]
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)
    return dict(found)


def book_valid(house: House, per_day: int) -> None:
    rows = [
        {"minute": clock.minute(clock.now_ms() - hours * 3_600_000), "schema": "Click",
         "version": "1.0.0", "outcome": "valid", "reason": "", "count": per_day // 24, "kept": 0}
        for hours in range(1, 7 * 24)
    ]  # fmt: skip
    with house.platform.database.write() as connection:
        connection.execute(sa.insert(ledger), rows)


def test_the_page_says_what_the_change_would_do(house: House, owner: FlaskClient) -> None:
    book_valid(house, 24_000)
    standing = owner.get(PATH, headers=BROWSER).text
    assert "50 % of pageviews send Click" in words_of(standing)
    assert "nothing is saved by that" in standing
    text = words_of(page := owner.get(f"{PATH}?rate=5&unit=session", headers=BROWSER).text)
    found = re.search(r"(\d+)\u2009(\d+) rows per day now, about (\d+)\u2009(\d+) then", text)
    assert found is not None, text
    now, then = int(found[1] + found[2]), int(found[3] + found[4])
    assert 23_500 < now < 24_500
    assert then == pytest.approx(now / 10, rel=0.01)
    assert "± 0.6 %" in text  # 1/√24 000
    assert "± 2.0 %" in text  # 1/√2 400
    assert "Sample 5 % of sessions from now on" in text
    assert "within 5 seconds, clients within a minute" in text
    check_clean(page)
    assert house.platform.registry.snapshot.schemas["Click"].sampling_rate == 0.5


def test_a_change_is_in_force_at_once_and_recorded(house: House, owner: FlaskClient) -> None:
    page = owner.get(f"{PATH}?rate=12,5&unit=session", headers=BROWSER).text
    answer = owner.post(PATH, data=fields(page), headers=BROWSER)
    assert answer.status_code == 303
    text = words_of(owner.get(answer.headers["Location"], headers=BROWSER).text)
    assert "Saved." in text
    assert "12.5 % of sessions send Click" in text
    assert f"sampling 50 % → 12.5 %, by session, was by pageview, by {OWNER}" in text
    config = house.client.get("/v1/config")
    assert config.json is not None
    assert config.json["schemas"]["Click"]["sampling"] == {"rate": 0.125, "unit": "session"}
    assert "max-age=60" in config.headers["Cache-Control"]
    with house.platform.database.read() as connection:
        entry = audit.entries(connection, subject="Click")[0]
    assert (entry.who, entry.action) == (OWNER, "settings")
    assert entry.detail["sampling_rate"] == {"old": 0.5, "new": 0.125}
    schema_page = owner.get("/schemas/Click", headers=BROWSER).text
    assert "12.5 % of sessions" in words_of(schema_page)


def test_the_change_is_a_mark_on_the_chart(house: House, owner: FlaskClient) -> None:
    house.send({"schema": "Click", "event": {"target": "a"}, "sampling": 1})
    page = owner.get(f"{PATH}?rate=25&unit=pageview", headers=BROWSER).text
    owner.post(PATH, data=fields(page), headers=BROWSER)
    chart = owner.get("/schemas/Click", headers=BROWSER).text
    marks = re.findall(r'<li data-x="[\d.]+"><span class="words">([^<]+)</span>', chart)
    assert [mark.replace("\xa0", " ") for mark in marks] == [
        "version 1.0.0", "sampling 50 % → 25 %"
    ]  # fmt: skip


def test_of_two_who_change_it_the_second_is_told(house: House, owner: FlaskClient) -> None:
    mine = fields(owner.get(f"{PATH}?rate=10&unit=pageview", headers=BROWSER).text)
    change_settings(house.platform.database, "Click", "other", sampling={"rate": 0.75})
    house.platform.registry.refresh()
    answer = owner.post(PATH, data=mine, headers=BROWSER)
    assert answer.status_code == 409
    assert "Somebody changed it meanwhile to 75 % of pageviews" in words_of(answer.text)
    assert house.platform.registry.snapshot.schemas["Click"].sampling_rate == 0.75


@pytest.mark.parametrize("rate", ["", "ten", "-1", "101", "nan", "inf", "1e", "0x10", "<b>"])
def test_a_wrong_rate_is_named_and_changes_nothing(
    house: House, owner: FlaskClient, rate: str
) -> None:
    page = owner.get(PATH, query_string={"rate": rate}, headers=BROWSER)
    assert "The rate is a percentage from 0 to 100" in page.text
    assert "<b>" not in page.text.partition("<h1>")[2].partition("</form>")[0]
    form = {"csrf": csrf(page.text), "rate": rate, "unit": "pageview", "standing": "0.5 pageview"}
    assert owner.post(PATH, data=form, headers=BROWSER).status_code == 400
    assert house.platform.registry.snapshot.schemas["Click"].sampling_rate == 0.5


def test_only_owners_and_admins_change_it(house: House) -> None:
    assert house.client.get(PATH, headers=BROWSER).status_code == 404
    analyst = browser_of(house, "an@example.org", "analyst")
    refused = analyst.get(PATH, headers=BROWSER)
    assert refused.status_code == 403
    assert "owner" in refused.text
    form = {"csrf": "the-token", "rate": "1", "unit": "session", "standing": "0.5 pageview"}
    assert analyst.post(PATH, data=form, headers=BROWSER).status_code == 403
    assert "Change sampling" not in analyst.get("/schemas/Click", headers=BROWSER).text
    house.sign_in()
    assert "Change sampling" in house.page("/schemas/Click")
    assert house.client.get("/schemas/No/sampling", headers=BROWSER).status_code == 404


def test_rates_are_read_as_people_write_them() -> None:
    assert read_rate(" 12,5 % ") == (0.125, None)
    assert read_rate("100") == (1.0, None)
    assert read_rate("0.1") == (0.001, None)


def test_an_error_is_never_said_to_be_nothing() -> None:
    assert error_text(10_000) == "± 1.0\xa0% (10\u2009000 events)"
    assert error_text(10**9).startswith("under 0.1")
    assert "nothing to count" in error_text(0.3)
