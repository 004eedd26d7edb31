"""Reviewers come by consent alone, and hand their turns on the moment they cannot take them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from eventlogging import clock
from eventlogging.review import drafts, roster
from eventlogging.store.fixed import mail
from tests import reviews
from tests.console import BROWSER, House
from tests.people import add_person, browser_of, signed_in

FORM = {"csrf": "the-token"}


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path / "var")
    yield made
    made.close()


def mails_to(house: House, email: str) -> list[str]:
    query = sa.select(mail.c.text).where(mail.c.recipient == email).order_by(mail.c.id)
    with house.platform.database.read() as connection:
        return list(connection.execute(query).scalars())


def in_roster(house: House, email: str) -> bool:
    with house.platform.database.read() as connection:
        return roster.is_reviewer(connection, email)


def turn_of(house: House, number: int) -> str | None:
    with house.platform.database.read() as connection:
        draft = drafts.find(connection, number)
    assert draft is not None
    return draft.reviewer


def answer(client: FlaskClient, house: House, text: str, said: str) -> None:
    link = re.search(r"https?://\S+/reviews/invitation/\S+", text)
    assert link is not None
    path = link[0].removeprefix(house.config.url)
    with client.session_transaction() as session:
        session["csrf"] = "the-token"
    form = {**FORM, "answer": said, "name": "Ann", "areas": "*"}
    assert client.post(path, data=form, headers=BROWSER).status_code == 200


def test_an_admin_asks_and_only_a_yes_puts_somebody_on_the_roster(house: House) -> None:
    admin = browser_of(house, "root@example.org", "admin")
    add_person(house, "ann@example.org")
    asked = admin.post("/people/ann@example.org", data={**FORM, "do": "review"}, headers=BROWSER)
    assert asked.status_code == 303
    assert not in_roster(house, "ann@example.org")
    (text,) = mails_to(house, "ann@example.org")
    stranger = house.app.test_client()
    answer(stranger, house, text, "no")
    assert not in_roster(house, "ann@example.org")
    answer(stranger, house, text, "yes")
    assert in_roster(house, "ann@example.org")
    again = admin.post("/people/ann@example.org", data={**FORM, "do": "review"}, headers=BROWSER)
    assert again.status_code == 409
    assert "on the roster already" in again.text


def test_who_left_is_asked_anew_before_an_old_yes_counts(house: House) -> None:
    admin = browser_of(house, "root@example.org", "admin")
    ann = browser_of(house, "ann@example.org", reviewer=True)
    left = ann.post("/account", data={**FORM, "do": "no-reviews"}, headers=BROWSER)
    assert left.status_code == 303
    assert not in_roster(house, "ann@example.org")
    admin.post("/people/ann@example.org", data={**FORM, "do": "review"}, headers=BROWSER)
    answer(house.app.test_client(), house, mails_to(house, "ann@example.org")[-1], "yes")
    assert in_roster(house, "ann@example.org")


def test_a_reviewer_says_what_they_look_after(house: House) -> None:
    ann = browser_of(house, "ann@example.org", reviewer=True)
    form = {**FORM, "do": "areas", "areas": "NavigationTiming, search/"}
    assert ann.post("/account", data=form, headers=BROWSER).status_code == 303
    with house.platform.database.read() as connection:
        found = roster.find(connection, "ann@example.org")
    assert found is not None
    assert found.areas == ("NavigationTiming", "search/")
    assert 'value="NavigationTiming search/"' in ann.get("/account", headers=BROWSER).text


@pytest.mark.parametrize("reason", ["away", "left", "disabled"])
def test_a_turn_goes_on_at_once(house: House, reason: str) -> None:
    database = house.platform.database
    reviews.people(database)
    admin = signed_in(house, reviews.ROOT)
    number = reviews.proposed(database).id
    first = turn_of(house, number)
    assert first in (reviews.ANN, reviews.BOB)
    browser = signed_in(house, first)
    if reason == "away":
        until = (clock.now() + timedelta(days=30)).date().isoformat()
        done = browser.post("/account", data={**FORM, "do": "away", "until": until})
    elif reason == "left":
        done = browser.post("/account", data={**FORM, "do": "no-reviews"})
    else:
        done = admin.post(f"/people/{first}", data={**FORM, "do": "disable"})
    assert done.status_code == 303
    second = turn_of(house, number)
    assert second in {reviews.ANN, reviews.BOB} - {first}
    assert any("Click" in text for text in mails_to(house, str(second)))
