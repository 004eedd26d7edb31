"""Subscriptions: chosen on a page, ended by one click of a mail program, by who has the link."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlogging.people import signed, subscriptions
from tests.console import BROWSER, House, csrf

ANN = "ann@example.org"
KEY = "key"


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path / "var")
    made.publish()
    yield made
    made.close()


def topics(house: House, email: str) -> list[str]:
    with house.platform.database.read() as connection:
        return subscriptions.topics_of(connection, email)


def me(house: House) -> str:
    page = house.page("/subscriptions")
    return page.split("Mails go to ")[1].split(". Each")[0]


def test_people_subscribe_once_and_unsubscribe(house: House) -> None:
    with house.platform.database.write() as connection:
        assert subscriptions.subscribe(connection, ANN, "daily")
        assert not subscriptions.subscribe(connection, ANN.upper(), "daily")
        assert subscriptions.subscribe(connection, ANN, "schema:Click")
        assert not subscriptions.subscribe(connection, ANN, "hourly")
        assert not subscriptions.subscribe(connection, ANN, "schema:")
        assert subscriptions.subscribers(connection, "daily") == [ANN]
        assert subscriptions.unsubscribe(connection, ANN.upper(), "daily")
        assert not subscriptions.unsubscribe(connection, ANN, "daily")
    assert topics(house, ANN) == ["schema:Click"]


def test_the_page_changes_what_one_is_told(house: House) -> None:
    house.sign_in()
    email = me(house)
    form = {"csrf": csrf(house.page("/subscriptions")), "topic": ["daily", "alerts"]}
    assert house.client.post("/subscriptions", data={**form, "schema": "Click"}).status_code == 303
    assert topics(house, email) == ["alerts", "daily", "schema:Click"]
    page = house.page("/subscriptions")
    assert page.count(" checked") == 3
    house.client.post("/subscriptions", data={**form, "topic": ["weekly", "schema:Nothing", "x"]})
    assert topics(house, email) == ["weekly"]
    wrong = house.client.post("/subscriptions", data={**form, "schema": "Nothing"})
    assert wrong.status_code == 400


def test_strangers_and_forged_forms_change_nothing(house: House) -> None:
    assert house.client.get("/subscriptions", headers=BROWSER).status_code == 404
    assert house.client.post("/subscriptions", data={"topic": "daily"}).status_code == 404
    house.sign_in()
    assert house.client.post("/subscriptions", data={"topic": "daily"}).status_code == 400


def test_a_link_asks_first_and_a_mail_program_needs_one_click(house: House) -> None:
    with house.platform.database.write() as connection:
        subscriptions.subscribe(connection, ANN, "daily")
    key = house.platform.session_key
    headers = subscriptions.headers("", key, ANN, "daily")
    path = headers["List-Unsubscribe"].strip("<>")
    anybody = house.app.test_client()
    page = anybody.get(path, headers=BROWSER)
    assert "Stop sending the daily validity report?" in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert topics(house, ANN) == ["daily"], "scanners look at links"
    once = anybody.post(path, data={"List-Unsubscribe": "One-Click"})
    assert (once.status_code, topics(house, ANN)) == (200, [])
    assert anybody.post(path).status_code == 200, "a second click does no harm"


def test_a_link_is_for_one_person_one_topic_and_one_purpose(house: House) -> None:
    token = subscriptions.unsubscribe_token(KEY, ANN, "daily")
    assert subscriptions.read_token(KEY, token) == (ANN, "daily")
    assert subscriptions.read_token("other", token) is None
    for wrong in ("", ".", token[:-1], token + "x", "é" + token, "x" * 5000, f"x{token}"):
        assert subscriptions.read_token(KEY, wrong) is None
    other = signed.sign(KEY, "alert", (ANN, "daily"))
    assert subscriptions.read_token(KEY, other) is None
    assert house.client.get(f"/unsubscribe/{other}", headers=BROWSER).status_code == 404
    assert house.client.post("/unsubscribe/nonsense").status_code == 404
