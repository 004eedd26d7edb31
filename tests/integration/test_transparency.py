"""What anybody may read of what is collected, in plain words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging.console.field_words import fields_of, kind_words
from eventlogging.console.transparency import sampled_words, senders_words
from eventlogging.receipts import chain
from eventlogging.retention import extensions, holds
from eventlogging.retention.policy import look_up_policy, read_policies
from eventlogging.retention.standing import read_standing, standing_of
from eventlogging.store.fixed import event_schema, governance
from tests.console import BROWSER, House
from tests.integration.test_console_pages import check_clean
from tests.retention import OWNER, POST, REVIEWER, book, days_ago, today, wish
from tests.schemas import registered

DOCUMENT: dict[str, Any] = {
    "type": "object",
    "required": ["what", "where"],
    "additionalProperties": False,
    "properties": {
        "what": {"enum": ["view", "save"], "description": "What the person did."},
        "user": {"type": ["string", "null"], "maxLength": 40},
        "secret": {"type": "string"},
        "where": {
            "type": "object",
            "required": ["x"],
            "properties": {"x": {"type": "number"}, "y": {"type": "number"}},
        },
        "steps": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}}},
        },
        "at": {"type": "string", "format": "date-time"},
    },
}
PRIVACY = {"user": "hmac", "secret": "drop"}


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path / "var")
    yield made
    made.close()


def text(page: str) -> str:
    """What a page says, without its tags."""
    words = " ".join(re.sub(r"<[^>]+>", " ", page).replace("\N{THIN SPACE}", " ").split())
    return re.sub(r" ([.,:;])", r"\1", words)


def test_a_stranger_reads_what_a_schema_is_for_and_who_answers_for_it(house: House) -> None:
    house.publish(
        schema=DOCUMENT, privacy=PRIVACY, description="To see what people do. And more.",
        sampling={"rate": 0.1, "unit": "session"}, origins=["https://www.example.org"],
    )  # fmt: skip
    book(house, {days_ago(2): 1204})
    listed = house.page("/transparency")
    assert "1 kind of event is collected here" in text(listed)
    assert "Click To see what people do. One visit of ten · kept 90 days" in text(listed)
    assert 'href="/opt-out"' in listed
    page = house.page("/transparency/Click")
    said = text(page)
    check_clean(listed)
    check_clean(page)
    assert "Click: collected from one visit of ten, kept 90 days" in said
    assert "To see what people do. And more." in said
    assert "Who answers for it owner@example.org" in said  # as its page in /schemas says
    assert "what What the person did. one of “view”, “save” yes as it is sent" in said
    assert "user not described text of at most 40 characters, or nothing no stored as a ha" in said
    assert "secret not described text no never stored" in said
    assert "where.x not described number yes" in said
    assert "steps not described list of groups no" in said
    assert "steps[].name not described text no" in said
    assert "pages of https://www.example.org, and programs" in said
    assert f"1 204 events since {days_ago(2)}; the oldest 1 204 go in 89 days" in said
    assert "Nothing of single events." in said
    assert "Senders may add fields" in said  # for `where` is open


def test_one_schema_is_read_by_itself_as_it_is_among_all(house: House) -> None:
    house.publish()
    house.publish("Other")
    book(house, {days_ago(200): (5, 5), days_ago(3): (7, 2), days_ago(2): 9})
    book(house, {days_ago(4): 70}, "Other_1")
    rule = {"keep_days": 60, "aggregate": [{"name": "a_day", "per": "day"}]}
    with house.platform.database.write() as connection:
        row = {"folder": "purge", "updated_at": ""}
        for name, one in (("default.toml", {"keep_days": 50}), ("Click.toml", rule)):
            connection.execute(
                sa.insert(governance).values(**row, name=name, document=json.dumps(one))
            )
    folder = chain.folder_of(house.config.var)
    asked = extensions.ask(house.platform.database, wish(), OWNER, [], POST)
    assert asked.extension is not None
    extensions.decide(
        house.platform.database, asked.extension.id, REVIEWER, True, "Yes.", folder, POST
    )
    for place in (False, True):
        if place:
            holds.place(house.platform.database, folder, "Click", "ann@example.org", "Case 17")
        with house.platform.database.read() as connection:
            policies = read_policies(connection)
            standing = read_standing(connection, policies, today())
            for name in ("Click", "Other"):
                alone = look_up_policy(connection, name)
                assert alone == policies.of(name)
                assert standing_of(connection, alone, today()) == standing[name]
            assert look_up_policy(connection, "Nobody") == policies.of("Nobody")


def test_what_remains_and_what_is_kept_longer_is_said_with_its_reason(house: House) -> None:
    house.publish()
    rule = {"keep_days": 60, "scrub": {"keep": ["target"]},
            "aggregate": [{"name": "a_day", "per": "day", "capsule": ["browser"]}]}  # fmt: skip
    with house.platform.database.write() as connection:
        row = {"folder": "purge", "name": "Click.toml", "updated_at": ""}
        connection.execute(sa.insert(governance).values(**row, document=json.dumps(rule)))
    folder = chain.folder_of(house.config.var)
    asked = extensions.ask(house.platform.database, wish(), OWNER, [], POST)
    assert asked.extension is not None
    extensions.decide(
        house.platform.database, asked.extension.id, REVIEWER, True, "Yes.", folder, POST
    )
    holds.place(house.platform.database, folder, "Click", "ann@example.org", "Case 17")
    page = house.page("/transparency/Click")
    said = text(page)
    assert "60 days from the day it happened, then deleted, but for what remains" in said
    assert "Of each event, for good: 1 of 3 fields" in said
    assert "Statistics by browser, for good: no figure stands for fewer than 10 events" in said
    assert f"Events of {days_ago(60)} to {days_ago(1)} for 180 days" in said
    assert "Why: The study of clicks runs for four more months." in said
    assert "Held on legal grounds" in said
    assert "Case 17" not in page
    assert REVIEWER not in page


def test_programs_read_the_same_from_anywhere_and_ask_cheaply(house: House) -> None:
    house.publish(schema=DOCUMENT, privacy=PRIVACY)
    answer = house.client.get("/v1/transparency")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    body = json.loads(answer.text)
    [one] = body["schemas"]
    assert (one["schema"], one["owners"], one["keep_days"]) == ("Click", ["owner@example.org"], 90)
    assert one["sampling"] == {"rate": 1.0, "unit": "pageview", "words": "every page view"}
    fields = {field["name"]: field for field in one["fields"]}
    assert fields["user"]["private"] == "stored as a hash"
    assert fields["what"]["meaning"] == "What the person did."
    assert len(body["envelope"]) == 5
    etag = answer.headers["ETag"]
    again = house.client.get("/v1/transparency", headers={"If-None-Match": etag})
    assert again.status_code == 304
    house.publish("Other")
    assert house.client.get("/v1/transparency").headers["ETag"] != etag


def test_what_is_retired_stays_listed_while_anything_of_it_is_stored(house: House) -> None:
    house.publish()
    house.publish("Gone")
    with house.platform.database.write() as connection:
        connection.execute(sa.update(event_schema).values(state="retired"))
    house.publish("Kept")
    book(house, {days_ago(2): 3})
    said = text(house.page("/transparency"))
    assert "2 kinds of events are collected here" in said
    assert "Click no longer collected" in said
    assert "Gone" not in said
    assert "no longer collected, kept 90 days" in text(house.page("/transparency/Click"))
    for name in ("Gone", "Nobody", "Nobody/else"):
        answer = house.client.get(f"/transparency/{name}", headers=BROWSER)
        assert answer.status_code == 404
        assert "Nothing is collected under the name" in answer.text


def test_three_hundred_schemas_are_paged_found_and_light(tmp_path: Path) -> None:
    house = House("", tmp_path / "var")
    for number in range(61):
        house.publish(f"Kind{number:03}", description=f"Purpose {number}. {'why ' * 60}")
    page = house.page("/transparency")
    assert len(page) < 60_000
    assert page.count("<li id=") == 60
    assert text(house.page("/transparency?after=Kind059")).count("Purpose 60") == 1
    found = house.page("/transparency?q=purpose+60")
    assert "1 of 61 kinds of events match “purpose 60”" in text(found)
    assert "No name or purpose holds this text." in house.page("/transparency?q=zebra")
    assert text(house.page("/transparency?after=zebra")) == text(page)
    house.close()


def test_without_schemas_nothing_is_collected(tmp_path: Path) -> None:
    house = House("", tmp_path / "var")
    assert "Nothing is collected here yet" in house.page("/transparency")
    assert json.loads(house.client.get("/v1/transparency").text)["schemas"] == []
    house.close()


def test_hostile_words_are_only_words(house: House) -> None:
    house.publish(
        title="<b>&", description="<script>x</script>",
        schema={"type": "object", "properties": {"<i>": {"description": "<u>", "enum": ["<s>"]}}},
    )  # fmt: skip
    for page in (house.page("/transparency"), house.page("/transparency/Click")):
        for tag in ("<b>&", "<script>x", "<i>", "<u>", "<s>"):
            assert tag not in page


@pytest.mark.parametrize(
    ("rate", "unit", "words"),
    [
        (1.0, "pageview", "every page view"), (0.5, "session", "one visit of two"),
        (0.1, "device", "one device of ten"), (0.001, "pageview", "one page view of 1\u2009000"),
        (0.125, "session", "one visit of eight"), (0.3, "session", "30\u00a0% of visits"),
        (0.0, "pageview", "no page view"),
    ],
)  # fmt: skip
def test_sampling_is_said_in_words(rate: float, unit: str, words: str) -> None:
    assert sampled_words(rate, unit) == words


def test_who_may_send_is_said() -> None:
    assert senders_words(registered()) == "any page, and any program"
    assert "only servers" in senders_words(registered(producers="token"))


@pytest.mark.parametrize(
    ("node", "items", "words"),
    [
        ({"type": "integer"}, {}, "whole number"),
        ({"type": ["boolean", "null"]}, {}, "yes or no, or nothing"),
        ({"type": ["string", "number"]}, {}, "text or number"),
        ({"type": "array"}, {"type": "string"}, "list of texts"),
        ({"type": "array"}, {"type": "string", "format": "date"}, "list of dates"),
        ({"type": "array"}, {}, "list"),
        ({"type": "object"}, {}, "values under any names"),
        ({"type": "string", "format": "email"}, {}, "e-mail address"),
        ({"enum": [1, 2, True, None]}, {}, "one of 1, 2, yes"),
        ({"const": "x"}, {}, "always “x”"),
        ({"enum": list("abcdefgh")}, {}, "one of “a”, “b”, “c”, “d”, “e”, “f” and 2 more"),
        ({"type": 7, "format": [], "maxLength": "x"}, {}, "anything"),
        ({}, {}, "anything"),
    ],
)  # fmt: skip
def test_a_kind_of_value_is_said_in_words(node: Any, items: Any, words: str) -> None:
    assert kind_words([node], [items]) == words


def test_a_schema_that_holds_itself_ends() -> None:
    loop = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "below": {"$ref": "#"}},
        "additionalProperties": False,
    }
    fields = fields_of(registered(documents={"1.0.0": loop}))
    assert [one.name for one in fields.fields][:3] == ["name", "below", "below.name"]
    assert len(fields.fields) < 10
    assert not fields.is_open
