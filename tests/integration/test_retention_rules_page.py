"""What remains of a schema's events, and its owners changing it: said, tried, saved, refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from eventlogging.clock import moved
from eventlogging.retention import own_policy
from eventlogging.store.fixed import extension, legal_hold
from tests.console import BROWSER, House
from tests.forms import Form
from tests.integration.test_console_pages import check_clean, words_of
from tests.integration.test_own_policy import (
    SCRUB,
    SPEED,
    TABLE,
    book,
    held,
    save,
    today,
)
from tests.people import browser_of

PATH, OWNER = "/schemas/Speed/retention", "owner@example.org"
STRIPPING = {"strip": "on", "how:/load": "keep", "how:/userId": "hash", "capsule.host": "on"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House("", tmp_path / "var")
    house.publish("Speed", SPEED, privacy={"userId": "hmac", "secret": "drop"})
    yield house
    house.close()


@pytest.fixture
def owner(house: House) -> FlaskClient:
    return browser_of(house, OWNER)


def get(client: FlaskClient, path: str = PATH) -> str:
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == 200, answer.text
    check_clean(answer.text)
    return answer.text


def fields(page: str, path: str = PATH) -> dict[str, str]:
    """What the form of a page sends as it stands."""
    return Form(page, action=path).fields.to_dict()


def send(client: FlaskClient, form: Mapping[str, Any], act: str = "save") -> TestResponse:
    sent = {name: text for name, text in form.items() if text is not None}
    answer = client.post(PATH, data={**sent, "act": act}, headers=BROWSER)
    if answer.mimetype == "text/html":
        check_clean(answer.text)
    return answer


def aggregates_of(form: Mapping[str, str]) -> list[str]:
    return [name for name in form if re.fullmatch(r"a\d+\.name", name)]


def effect_of(page: str) -> str:
    return words_of(page[page.index('id="effect"') :])


def test_the_page_says_what_remains_after_which_day(house: House, owner: FlaskClient) -> None:
    text = words_of(get(owner))
    assert "Speed: events go after 90 days; nothing of them stays" in text
    assert "Until day 90 Everything: 5 fields." in text
    assert "From day 91 Nothing of single events." in text
    assert "Refused events go after 30 days; those whose private fields could not" in text
    assert "No rule of its own: purge/default.toml holds." in text
    save(house, {"scrub": SCRUB, "aggregate": [{"name": "all", "per": "day"}]}, longer=True)
    page = get(owner)
    text = words_of(page)
    assert "Speed: events go after 90 days; 3 of 5 fields and all stay" in text
    assert "From day 91 3 of 5 fields, without seen, isNew; userId hashed anew each month" in text
    assert "For good all (counts in all)." in text
    assert "Nobody named seen, isNew: what is not listed goes." in text
    assert 'keep = [\n    "load",\n    "site",\n]' in page.replace("&#34;", '"')


def test_a_private_field_offers_a_hash_and_a_dropped_one_nothing(owner: FlaskClient) -> None:
    page = get(owner)
    rows = {row.split("<code>")[1].split("<")[0]: row for row in page.split("<tr>") if "how" in row}
    assert 'value="keep"' not in rows["userId"]
    assert 'value="hash"' in rows["userId"]
    assert 'value="bucket"' not in rows["isNew"]
    assert 'value="bucket"' in rows["load"]
    assert "how:/secret" not in page
    assert "secret dropped never stored" in words_of(page).replace("\n", " ")


def test_an_owner_tries_a_rule_and_saves_it(house: House, owner: FlaskClient) -> None:
    book(house, TABLE, {10: 7, 31: 11, 90: 13, 91: 17})
    form = fields(get(owner)) | STRIPPING | {"keep_days": "30", "how:/seen": "drop"}
    form["scrub.keep_days"] = "90"
    shown = send(owner, form, "show")
    assert shown.status_code == 200
    said = effect_of(shown.text)
    assert "24 rows go at the next pass that stay as things are" in said
    first, last = moved(today(), -90), moved(today(), -31)
    assert f"Speed_1events go242{first} – {last}" in said.replace(" \n", "")
    assert "From day 31 to 90 2 of 5 fields, without site, seen, isNew" in said
    assert "Nobody named site, isNew: what is not listed goes." in said
    assert "[scrub]" in said
    assert held(house) is None
    answer = send(owner, form)
    assert answer.status_code == 303, answer.text
    page = get(owner, answer.headers["Location"])
    assert "Saved. The next pass follows it." in words_of(page)
    assert "Speed: events go after 30 days; 2 of 5 fields stay" in words_of(page)
    assert held(house) == {
        "keep_days": 30,
        "scrub": {
            "keep": ["load"],
            "hash": ["userId"],
            "drop": ["seen"],
            "capsule": ["host"],
            "keep_days": 90,
        },
    }
    again = fields(page)
    assert {name: again[name] for name in STRIPPING} == STRIPPING
    assert again["how:/seen"] == "drop"


def test_saving_what_is_shown_changes_nothing(house: House, owner: FlaskClient) -> None:
    rule = {
        "aggregate": [
            {"name": "one", "per": "day", "capsule": ["host", "wiki"], "fields": ["site"],
             "sum": ["load"], "distinct": ["userId"], "min_cell": 12},
            {"name": "two", "per": "day", "quantiles": ["load"]},
        ],
        "scrub": {
            "capsule": ["wiki", "host"], "bucket": {"seen": "day", "load": 2.5},
            "keep": ["/site"], "hash": ["userId"], "drop": ["isNew"], "keep_days": 400,
        },
        "keep_days": 45,
        "extension": {"keep_days": 180, "until": "2099-01-01", "reason": "R", "asked_by": "a@b.c"},
    }  # fmt: skip
    saved = save(house, rule, longer=True)
    assert saved.done, saved.problems
    form = fields(get(owner))
    assert send(owner, form).status_code == 303
    assert held(house) == rule
    assert list(held(house)["scrub"]) == list(rule["scrub"])  # type: ignore[call-overload]
    assert send(owner, form | {"keep_days": "40", "strip": None}).status_code == 303
    assert held(house) == {**{k: v for k, v in rule.items() if k != "scrub"}, "keep_days": 40}


def test_aggregates_come_and_go_by_buttons_alone(house: House, owner: FlaskClient) -> None:
    form = fields(get(owner))
    for name in ("one", "two", "three"):
        form = fields(send(owner, form | {"keep_days": "20"}, "add").text)
        at = f"a{len(aggregates_of(form)) - 1}."
        form |= {f"{at}name": name, f"{at}fields": "site, isNew", f"{at}capsule.wiki": "on"}
    page = send(owner, form, "remove:1").text
    assert 'aria-label="Remove one"' in page
    assert 'aria-label="Remove two"' not in page
    form = fields(page)
    assert form["keep_days"] == "20", "nothing is lost"
    form = fields(send(owner, form, "add").text)  # one that nobody fills in
    assert send(owner, form).status_code == 303
    made = {"per": "day", "capsule": ["wiki"], "fields": ["site", "isNew"]}
    assert held(house) == {
        "keep_days": 20,
        "aggregate": [{"name": "one", **made}, {"name": "three", **made}],
    }
    for act in ("remove:9", "remove:x", "remove:", "remove:" + 5000 * "9", "remove:²"):
        assert aggregates_of(fields(send(owner, form, act).text)) == aggregates_of(form)


def test_all_aggregates_that_stand_are_kept_however_many_they_are(
    house: House, owner: FlaskClient
) -> None:
    rule = {
        "aggregate": [{"name": f"one_{n}", "per": "day", "fields": ["site"]} for n in range(25)]
    }
    assert save(house, rule).done
    form = fields(get(owner)) | {"keep_days": "40"}
    assert len(aggregates_of(form)) == 25
    assert send(owner, form).status_code == 303
    assert held(house) == {**rule, "keep_days": 40}


def test_all_fields_that_an_aggregate_names_are_kept_however_many_they_are(
    house: House, owner: FlaskClient
) -> None:
    many = {f"field{n}": {"type": "integer", "description": "N."} for n in range(450)}
    house.publish("Speed", {"type": "object", "properties": {**SPEED["properties"], **many}})
    rule = {"aggregate": [{"name": "wide", "per": "day", "sum": list(many)}]}
    assert save(house, rule).done
    form = fields(owner.get(PATH, headers=BROWSER).text) | {"keep_days": "40"}
    assert send(owner, form).status_code == 303
    assert held(house) == {**rule, "keep_days": 40}


def test_more_than_the_form_takes_is_refused_and_not_cut_off(
    house: House, owner: FlaskClient
) -> None:
    form = fields(get(owner))
    for _ in range(20):
        form = fields(send(owner, form, "add").text)
    said = send(owner, form, "add")
    assert "at most 20 aggregates" in words_of(said.text)
    assert len(aggregates_of(fields(said.text))) == 20
    names = {f"a{n}.name": f"one_{n}" for n in range(21)}
    refused = send(owner, form | names)
    assert refused.status_code == 400
    assert "at most 20 aggregates" in words_of(refused.text)
    assert len(aggregates_of(fields(refused.text))) == 21, "nothing is lost"
    form = fields(send(owner, fields(get(owner)), "add").text) | {"a0.name": "one"}
    refused = send(owner, form | {"a0.sum": "load," * 401})
    assert refused.status_code == 400
    assert "at most 400" in words_of(refused.text)
    assert send(owner, form | {f"a{n}.name": "" for n in range(1001)}).status_code == 413
    assert held(house) is None


WRONG = [
    ({"keep_days": "ninety"}, "a whole number of days, at least 1", "keep_days"),
    ({"keep_days": "400"}, "at most cap_days, which is 365", "keep_days"),
    ({"keep_days": "2.5"}, "a whole number of days", "keep_days"),
    ({"invalid_keep_days": "0"}, "at least 1", "invalid_keep_days"),
    ({"unsealed_keep_days": "999"}, "cap_days", "unsealed_keep_days"),
    ({"strip": "on"}, "scrub is empty; it should be a table with keep", "strip"),
    (STRIPPING | {"scrub.keep_days": "90"}, "more than keep_days, which is 90", "scrub.keep_days"),
    (STRIPPING | {"how:/userId": "keep"}, "scrub.hash, where it is hashed anew", "f5"),
    (STRIPPING | {"how:/load": "bucket", "bucket:/load": "week"}, "a width above 0", "f1"),
    (STRIPPING | {"how:/site": "bucket", "bucket:/site": "10"}, "it is not a number", "f2"),
    (STRIPPING | {"how:/site": "bucket"}, "a width above 0", "f2"),
    ({"a0.name": "2 much"}, "letters, digits and _", "a0.name"),
    ({"a0.name": ""}, "aggregate[0].name is missing", "a0.name"),
    ({"a0.fields": "sites"}, "did you mean 'site'?", "a0.fields"),
    ({"a0.fields": "userId"}, "is private in schema.toml", "a0.fields"),
    ({"a0.sum": "site"}, "is not a number", "a0.sum"),
    ({"a0.quantiles": "site"}, "is not a number", "a0.quantiles"),
    ({"a0.distinct": "secret"}, "dropped before it is stored", "a0.distinct"),
    ({"a0.min_cell": "0"}, "at least 1", "a0.min_cell"),
]


@pytest.mark.parametrize(("change", "said", "at"), WRONG)
def test_a_wrong_value_is_named_beside_its_field_and_nothing_is_lost(
    house: House, owner: FlaskClient, change: dict[str, str], said: str, at: str
) -> None:
    form = fields(send(owner, fields(get(owner)), "add").text)
    form |= {"a0.name": "one", "a0.fields": "site", "invalid_keep_days": "12"} | change
    answer = send(owner, form)
    assert answer.status_code == 400
    assert said in words_of(answer.text)
    assert f'id="{at}-error"' in answer.text
    again = fields(answer.text)
    assert {name: again.get(name) for name in form if form[name]} == {
        name: text for name, text in form.items() if text
    }
    assert held(house) is None
    tried = send(owner, form, "show")
    assert "Correct first:" in effect_of(tried.text)


def test_an_owner_who_wants_longer_is_shown_the_way_and_an_admin_saves(
    house: House, owner: FlaskClient
) -> None:
    form = fields(get(owner)) | {"keep_days": "180"}
    for act in ("show", "save"):
        answer = send(owner, form, act)
        assert answer.status_code == (200 if act == "show" else 400)
        assert "events would be kept for 180 days instead of 90" in words_of(answer.text)
        start = answer.text.index('id="keep_days-error"')
        assert 'href="/schemas/Speed/extension"' in answer.text[start : start + 500]
    assert held(house) is None
    house.sign_in()
    admin = house.client
    book(house, TABLE, {100: 5})
    form = fields(get(admin)) | {"keep_days": "180"}
    assert "events stay longer" in effect_of(send(admin, form, "show").text)
    assert send(admin, form).status_code == 303
    assert held(house) == {"keep_days": 180}
    form = fields(get(owner)) | {"keep_days": "100"}
    assert send(owner, form).status_code == 303, "an owner may shorten it"


def test_of_two_who_change_it_the_second_sees_both(house: House, owner: FlaskClient) -> None:
    mine = fields(get(owner)) | STRIPPING | {"keep_days": "30", "scrub.keep_days": "50"}
    save(house, {"keep_days": 50})
    answer = send(owner, mine)
    assert answer.status_code == 409
    text = words_of(answer.text)
    assert "Somebody changed the rule while you had it open" in text
    assert "Speed: events go after 50 days" in text
    again = fields(answer.text)
    assert (again["keep_days"], again["how:/load"]) == ("30", "keep")
    assert held(house) == {"keep_days": 50}
    assert send(owner, again).status_code == 303, "who saw both may save"
    assert held(house)["keep_days"] == 30


def test_owners_and_admins_change_it_members_read_it_and_strangers_see_nothing(
    house: House, owner: FlaskClient
) -> None:
    assert house.client.get(PATH, headers=BROWSER).status_code == 404
    assert house.client.post(PATH, data={"csrf": "x"}, headers=BROWSER).status_code == 404
    form = fields(get(owner)) | {"keep_days": "9"}
    viewer = browser_of(house, "viewer@example.org")
    page = get(viewer)
    assert "Owners of the schema and admins change this here" in page
    assert 'name="standing"' not in page
    assert send(viewer, form).status_code == 403
    assert send(viewer, form, "add").status_code == 403
    assert viewer.get("/schemas/No/retention", headers=BROWSER).status_code == 404
    assert send(owner, form | {"csrf": "another"}).status_code in (400, 403)
    assert held(house) is None


def test_a_hold_and_extensions_are_told(house: House, owner: FlaskClient) -> None:
    row = {"schemas": '["Speed"]', "first_day": "2026-09-01", "last_day": "2026-10-31",
           "keep_days": 120, "until": moved(today(), 30), "reason": "A study <b>goes on</b>.",
           "why_not_less": "", "state": "granted", "asked_by": "a@b.org", "asked_at": "",
           "decision": ""}  # fmt: skip
    gone = {**row, "until": moved(today(), -1), "keep_days": 150}
    hold = {"schema": "Speed", "reason": "secret cause", "placed_by": "a", "placed_at": ""}
    with house.platform.database.write() as connection:
        connection.execute(sa.insert(extension), [row, gone])
        connection.execute(sa.insert(legal_hold).values(**hold))
    page = get(owner)
    text = words_of(page)
    assert "Speed is held: nothing of it goes" in text
    assert "A legal hold is on this schema" in text
    assert "secret cause" not in text
    assert "events of 2026-09-01 to 2026-10-31 are kept for 120 days, for a@b.org" in text
    assert "A study <b>goes on</b>." in text
    assert "150 days" not in text
    book(house, TABLE, {50: 4})
    said = effect_of(send(owner, fields(page) | {"keep_days": "9"}, "show").text)
    assert "nothing goes before the hold is lifted" in said


@pytest.mark.parametrize("attack", ['"><script>alert(1)</script>', "</textarea><img src=x>"])
def test_an_attack_is_refused_and_escaped(house: House, owner: FlaskClient, attack: str) -> None:
    form = fields(send(owner, fields(get(owner)), "add").text)
    change = {"a0.name": attack, "a0.fields": attack, "keep_days": attack, "strip": "on",
              "how:/load": "bucket", "bucket:/load": attack}  # fmt: skip
    answer = send(owner, form | change)
    assert answer.status_code == 400
    assert "<script>alert" not in answer.text
    assert "<img" not in answer.text
    assert held(house) is None


def test_fields_of_older_versions_and_names_with_slashes(house: House, owner: FlaskClient) -> None:
    other: dict[str, Any] = {
        "type": "object",
        "properties": {"a/b ~c": {"type": "string", "description": "Odd."},
                       "at": {"type": "object", "description": "Where.",
                              "properties": {"x": {"type": "number", "description": "X."}}}},
    }  # fmt: skip
    house.publish("web/speed", other)
    house.publish("web/retention", other)
    path = "/schemas/web/speed/retention"
    form = fields(get(owner, path), path)
    assert "how:/a~1b ~0c" in form
    form |= {"strip": "on", "how:/a~1b ~0c": "keep", "how:/at/x": "bucket", "bucket:/at/x": "0,5"}
    form |= {"keep_days": "30", "scrub.keep_days": "90"}
    form["act"] = "save"
    answer = owner.post(path, data=form, headers=BROWSER)
    assert answer.status_code == 303, answer.text
    with house.platform.database.read() as connection:
        saved = own_policy.read(connection, "web/speed")
    remains = {"keep": ["a/b ~c"], "bucket": {"/at/x": 0.5}, "keep_days": 90}
    assert saved == {"keep_days": 30, "scrub": remains}
    itself = owner.get("/schemas/web/retention", headers=BROWSER).text
    assert 'name="standing"' not in itself, "the schema of this name comes first"
    assert 'name="standing"' in get(owner, "/schemas/web/retention/retention")
    newer = {**other, "properties": {"other": {"type": "string", "description": "New."}}}
    assert house.client.post(
        "/v1/schemas/web/speed?publish=true",
        json={"schema": newer, "title": "S", "owners": [OWNER]},
        headers={"Authorization": "Bearer let-me-in"},
    ).status_code == 201  # fmt: skip
    form = fields(get(owner, path), path)
    assert [name for name in form if name.startswith("how:")] == [
        "how:/other", "how:/a~1b ~0c", "how:/at/x"
    ]  # fmt: skip


def test_the_page_of_the_schema_says_it_in_a_line(house: House, owner: FlaskClient) -> None:
    save(house, {"scrub": SCRUB, "aggregate": [{"name": "all", "per": "day"}]}, longer=True)
    line = "90 days, then stripped to 3 of 5 fields; aggregate: all"
    stranger = house.client.get("/schemas/Speed", headers=BROWSER).text
    assert f"Kept{line}" in words_of(stranger)
    assert PATH not in stranger
    shown = owner.get("/schemas/Speed", headers=BROWSER).text
    assert f"Kept{line}, change" in words_of(shown)
    assert f'href="{PATH}"' in shown


def test_a_schema_of_300_fields_stays_usable(house: House, owner: FlaskClient) -> None:
    many = {f"field{n}": {"type": "integer", "description": "N."} for n in range(300)}
    house.publish("Speed", {"type": "object", "properties": {**SPEED["properties"], **many}})
    form = fields(get(owner)) | {"strip": "on", "keep_days": "30", "scrub.keep_days": "90"}
    form |= {f"how:/field{n}": "bucket" for n in range(300)}
    form |= {f"bucket:/field{n}": "1000" for n in range(300)}
    assert send(owner, form).status_code == 303
    assert len(held(house)["scrub"]["bucket"]) == 300
