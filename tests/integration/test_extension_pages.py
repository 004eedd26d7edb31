"""The pages of extensions: an owner asks, somebody else decides, and nothing typed is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from eventlogging.clock import moved
from eventlogging.registry import audit
from eventlogging.retention.extension_record import Extension, find_all
from tests.console import BROWSER, House
from tests.people import add_person, browser_of
from tests.retention import OWNER, REVIEWER, book, days_ago, mails, receipts_of, today

PATH = "/schemas/Click/extension"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(f"sqlite:///{tmp_path / 'e.db'}", tmp_path / "var")
    made.publish()
    made.publish("Other")
    made.publish("Foreign", owners=["somebody@example.org"])
    book(made, {days_ago(60): 1200, days_ago(10): 5})
    yield made
    made.close()


@pytest.fixture
def owner(house: House) -> FlaskClient:
    return browser_of(house, OWNER)


@pytest.fixture
def reviewer(house: House) -> FlaskClient:
    return browser_of(house, REVIEWER, reviewer=True)


def form(**more: str | list[str]) -> dict[str, str | list[str]]:
    values: dict[str, str | list[str]] = {
        "csrf": "the-token", "schema": ["Click"], "first_day": days_ago(60),
        "last_day": days_ago(1), "keep_days": "180", "until": moved(today(), 120),
        "reason": "The study <b>runs</b>.", "why_not_less": "It follows single visits.",
    }  # fmt: skip
    return {**values, **more}


def ask(client: FlaskClient, **more: str | list[str]) -> TestResponse:
    return client.post(PATH, data=form(**more), headers=BROWSER)


def act(client: FlaskClient, what: str, words: str = "Worth it.", id: int = 1) -> TestResponse:
    data = {"csrf": "the-token", "act": what, "words": words}
    return client.post(f"/extensions/{id}", data=data, headers=BROWSER)


def page(client: FlaskClient, path: str) -> str:
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == 200, answer.text
    return answer.text


def every(house: House) -> list[Extension]:
    with house.platform.database.read() as connection:
        return find_all(connection)


def test_alternatives_are_offered_before_the_form(owner: FlaskClient) -> None:
    said = page(owner, PATH)
    assert "events of Click go in 31 days" in said.replace("\N{THIN SPACE}", " ")
    assert (
        said.index("Stripped events")
        < said.index("Aggregates")
        < said.index("If not: ask for more")
    )
    assert 'href="/schemas/Click/retention"' in said
    assert f'value="{days_ago(60)}"' in said  # it begins with what is stored
    assert 'value="180"' in said
    assert 'value="Other"' in said  # of the same owner
    assert "Foreign" not in said


def test_an_owner_asks_and_a_reviewer_grants(
    house: House, owner: FlaskClient, reviewer: FlaskClient
) -> None:
    made = ask(owner, schema=["Click", "Other"])
    assert (made.status_code, made.headers["Location"]) == (303, "/extensions/1")
    assert [one.subject for one in mails(house, REVIEWER)] == [
        "Click, Other: owner@example.org asks to keep events for 180 days"
    ]
    said = page(reviewer, "/extensions/1")
    assert "180 days for Click, Other: waits for a decision" in said
    assert "The study &lt;b&gt;runs&lt;/b&gt;." in said
    assert "Grant it until" in said
    assert "waits for a decision" in page(reviewer, "/extensions")
    assert act(reviewer, "grant").status_code == 303
    said = page(owner, "/extensions/1")
    assert "is in force" in said
    assert "Worth it." in said
    assert "Grant it until" not in said
    assert len(receipts_of(house, "extension")) == 1
    assert "The study &lt;b&gt;runs&lt;/b&gt;." in house.page("/retention")
    with house.platform.database.read() as connection:
        assert audit.entries(connection, subject="Other", limit=1)[0].who == REVIEWER


def test_what_is_wrong_stands_beside_the_field_and_nothing_is_lost(
    house: House, owner: FlaskClient
) -> None:
    answer = ask(owner, keep_days="many", until=today(), why_not_less="")
    assert answer.status_code == 400
    assert "This is a number of days, such as 180." in answer.text
    assert "The end lies after today" in answer.text
    assert "neither stripped events nor counts" in answer.text
    assert 'value="many"' in answer.text
    assert "The study &lt;b&gt;runs&lt;/b&gt;." in answer.text
    assert re.search(r'id="until-error" role="alert"', answer.text)
    beyond = ask(owner, keep_days="400")
    assert "longer than 365 days" in beyond.text
    assert every(house) == []


def test_nobody_asks_for_what_is_not_theirs(house: House, owner: FlaskClient) -> None:
    answer = ask(owner, schema=["Click", "Foreign"])
    assert answer.status_code == 400
    assert "you do not own Foreign" in answer.text
    viewer = browser_of(house, "vi@example.org")
    assert viewer.get(PATH, headers=BROWSER).status_code == 403
    assert ask(viewer).status_code == 403
    assert house.client.get(PATH, headers=BROWSER).status_code == 404
    assert house.client.get("/extensions", headers=BROWSER).status_code == 404
    assert ask(browser_of(house, "root@example.org", "admin")).status_code == 303


def test_who_asked_withdraws_and_a_late_decision_says_so(
    house: House, owner: FlaskClient, reviewer: FlaskClient
) -> None:
    ask(owner)
    assert "Withdraw it" in page(owner, "/extensions/1")
    assert act(reviewer, "withdraw").status_code == 409
    assert act(owner, "withdraw").status_code == 303
    late = act(reviewer, "grant")
    assert late.status_code == 409
    assert "It was withdrawn by owner@example.org meanwhile" in late.text
    assert every(house)[0].state == "withdrawn"


def test_a_decision_without_words_is_asked_for_them(
    owner: FlaskClient, reviewer: FlaskClient
) -> None:
    ask(owner)
    answer = act(reviewer, "refuse", " ")
    assert answer.status_code == 400
    assert "Say why, in a sentence" in answer.text
    assert act(reviewer, "refuse", "Counts would do.").status_code == 303
    assert "Why it was refused" in page(owner, "/extensions/1")


def test_only_reviewers_and_admins_decide_and_never_on_their_own(house: House) -> None:
    owner = browser_of(house, OWNER, reviewer=True)
    ask(owner)
    assert act(owner, "grant").status_code == 409
    assert act(browser_of(house, "vi@example.org", "analyst"), "grant").status_code == 403
    assert act(house.client, "grant").status_code == 404
    assert every(house)[0].state == "asked"


def test_a_granted_one_is_ended_early(
    house: House, owner: FlaskClient, reviewer: FlaskClient
) -> None:
    ask(owner)
    act(reviewer, "grant")
    assert "End it with today" not in page(owner, "/extensions/1")
    assert act(owner, "end").status_code == 403
    assert "End it with today" in page(reviewer, "/extensions/1")
    assert act(reviewer, "end", "The study is over.").status_code == 303
    assert every(house)[0].wish.until == today()
    assert "The study is over." in page(owner, "/extensions/1")


def test_without_reviewers_the_admins_are_asked(house: House, owner: FlaskClient) -> None:
    add_person(house, "root@example.org", "admin")
    ask(owner)
    assert [one.recipient for one in mails(house)] == ["root@example.org"]


def test_odd_requests_are_answered(owner: FlaskClient, reviewer: FlaskClient) -> None:
    ask(owner)
    assert act(reviewer, "fly").status_code == 400
    assert act(reviewer, "grant", id=99).status_code == 404
    assert reviewer.get(f"/extensions/{2**70}", headers=BROWSER).status_code == 404
    assert reviewer.get("/schemas/Clack/extension", headers=BROWSER).status_code == 404
    assert ask(owner, csrf="wrong").status_code == 400
    assert ask(owner, keep_days="9" * 40).status_code == 400
    assert ask(owner, first_day="0000-00-00").status_code == 400


def test_a_schema_that_is_named_like_the_page_keeps_its_own(house: House) -> None:
    house.publish("a/b")
    house.publish("a/b/extension")
    assert "a/b/extension" in house.page("/schemas/a/b/extension")
