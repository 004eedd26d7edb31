"""People, their own account, tokens and the audit: pages that change who may do what."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from eventlogging import clock
from eventlogging.people import accounts
from eventlogging.people.permissions import ROLES
from eventlogging.registry import audit, counter, tokens
from eventlogging.store.fixed import mail, owner_trouble
from tests.console import BROWSER, CLICK, House, csrf
from tests.integration.test_console_pages import ATTACK, check_clean, words_of
from tests.people import PASSWORD, add_person, browser_of, signed_in

ANN, BOSS = "ann@example.org", "boss@example.org"
OWNER = "owner@example.org"  # of schemas that the House publishes
CSRF = {"csrf": "the-token"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House("", tmp_path / "var")
    yield house
    house.close()


@pytest.fixture
def any_house(database_url: str, tmp_path: Path) -> Iterator[House]:
    house = House(database_url, tmp_path / "var")
    yield house
    house.close()


def browser(house: House, role: str) -> FlaskClient:
    """A browser of somebody with just this role; owners own the schema Click."""
    if role == "stranger":
        return house.app.test_client()
    if role == "owner":
        return browser_of(house, OWNER)
    if role == "reviewer":
        return browser_of(house, "rev@example.org", reviewer=True)
    return browser_of(house, f"{role}@example.org", role)


def person(house: House, email: str) -> Any:
    with house.platform.database.read() as connection:
        return accounts.find(connection, email)


def entries(house: House, **more: Any) -> list[audit.Entry]:
    with house.platform.database.read() as connection:
        return audit.entries(connection, **more)


def copyable(page: str) -> str:
    return unescape(re.findall(r'<div class="copyable"><pre[^>]*><code>([^<]+)', page)[0])


# The table of permissions, over HTTP

SIGNED_IN = {"viewer", "analyst", "owner", "reviewer", "admin"}
READS = {
    "/people": SIGNED_IN,
    f"/people/{OWNER}": SIGNED_IN,
    "/account": SIGNED_IN,
    "/audit": {"analyst", "reviewer", "admin"},
    "/tokens": {"admin"},
    "/v1/data/Click": {"analyst", "owner", "admin"},
    "/v1/data/Click/invalid": {"analyst", "owner", "reviewer", "admin"},
    "/v1/data/Other": {"analyst", "admin"},
    "/v1/data/(unknown)/invalid": {"analyst", "reviewer", "admin"},
}
WRITES = {
    "/people": {"email": "new@example.org", "name": "New", "role": "viewer"},
    f"/people/{ANN}": {"do": "disable"},
    "/tokens": {"do": "make", "name": "ci", "scopes": "read"},
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_what_the_table_says(house: House, role: str) -> None:
    house.publish()
    house.publish("Other", owners=["somebody.else@example.org"])
    add_person(house, BOSS, "admin")
    if role != "owner":
        add_person(house, OWNER)
    client = browser(house, role)
    for path, may in READS.items():
        status = client.get(path, headers=BROWSER).status_code
        refused = (401 if path.startswith("/v1") else 404) if role == "stranger" else 403
        assert status == (200 if role in may else refused), path


@pytest.mark.parametrize("role", ROLES)
def test_only_admins_change_people_and_tokens(house: House, role: str) -> None:
    add_person(house, ANN)
    add_person(house, BOSS, "admin")
    client = browser(house, role)
    for path, form in WRITES.items():
        with client.session_transaction() as session:
            session["csrf"] = "the-token"
        answer = client.post(path, data={**CSRF, **form}, headers=BROWSER)
        if role == "admin":
            assert answer.status_code in (201, 303), path
        else:
            assert answer.status_code == (404 if role == "stranger" else 403), path
            assert role == "stranger" or "Only an admin may do this" in answer.text
    assert (person(house, ANN).state == "disabled") == (role == "admin")


@pytest.mark.parametrize("path", [*WRITES, "/account"])
def test_forms_without_their_token_change_nothing(house: House, path: str) -> None:
    add_person(house, ANN)
    client = browser_of(house, BOSS, "admin")
    before = len(entries(house))
    for form in ({}, {"csrf": "wrong"}):
        data = {**form, **WRITES.get(path, {"do": "leave"})}
        assert client.post(path, data=data, headers=BROWSER).status_code == 400
    assert len(entries(house)) == before


def test_rows_read_by_people_are_recorded(any_house: House) -> None:
    any_house.publish()
    any_house.send({"schema": "Click", "event": {"target": "a"}})
    client = browser_of(any_house, OWNER)
    assert client.get("/v1/data/Click?limit=5&format=csv").status_code == 200
    assert client.get("/v1/data/Click/invalid").status_code == 200
    found = entries(any_house, who=OWNER)
    assert [(entry.action, entry.subject) for entry in found] == [
        ("read_refused", "Click"), ("read_events", "Click"),
    ]  # fmt: skip
    assert found[1].detail == {"rows": 1, "format": "csv", "start": None, "end": None}
    refused = browser_of(any_house, ANN).get("/v1/data/Click").json
    assert refused is not None
    assert refused["code"] == "forbidden"
    assert "an analyst or an owner of the schema or an admin" in refused["problems"][0]
    assert not entries(any_house, who=ANN)


# People


def test_the_list_says_who_is_there(any_house: House) -> None:
    any_house.publish()
    any_house.publish("Other", owners=["ANN@example.org"])
    client = browser_of(any_house, BOSS, "admin")
    browser_of(any_house, ANN, "analyst", reviewer=True)
    page = client.get("/people", headers=BROWSER).text
    check_clean(page)
    text = words_of(page)
    assert "2 people are here" in text
    assert "analyst reviewer" in text
    assert 'href="/schemas/Other"' in page
    assert "never" in text
    one = client.get("/people/Ann@Example.org", headers=BROWSER).text
    check_clean(one)
    assert "analyst, reviewer" in words_of(one)
    assert client.get("/people/nobody@example.org", headers=BROWSER).status_code == 404
    plain = signed_in(any_house, ANN).get(f"/people/{BOSS}", headers=BROWSER).text
    assert "<form" not in plain.split("<main")[1]


def test_an_invitation_is_mailed_and_shown_once(any_house: House) -> None:
    client = browser_of(any_house, BOSS, "admin")
    form = {**CSRF, "email": " Ann@Example.org", "name": "Ann", "role": "analyst"}
    answer = client.post("/people", data=form, headers=BROWSER)
    assert answer.status_code == 201
    check_clean(answer.text)
    link = copyable(answer.text)
    with any_house.platform.database.read() as connection:
        sent = connection.execute(sa.select(mail)).mappings().one()
    assert sent["recipient"] == ANN
    assert link in sent["text"]
    assert "an analyst" in sent["text"]
    assert link not in client.get("/people", headers=BROWSER).text
    assert link not in client.get("/audit", headers=BROWSER).text
    page = any_house.app.test_client().get(link.removeprefix(any_house.config.url))
    assert page.status_code == 200
    assert ANN in page.text
    found = person(any_house, ANN)
    assert (found.state, found.role) == ("invited", "analyst")
    again = client.post("/people", data=form, headers=BROWSER)
    assert again.status_code == 400
    assert "There is an account of ann@example.org already" in again.text


@pytest.mark.parametrize(
    "form",
    [
        {"email": "no address", "role": "viewer"}, {"email": ANN, "role": "king"}, {},
        {"email": ANN, "role": "viewer", "name": "two\nlines"}, {"email": "a" * 300 + "@b.c"},
        {"email": ATTACK, "name": ATTACK, "role": ATTACK},
    ],
)  # fmt: skip
def test_a_wrong_invitation_says_why_and_loses_nothing(house: House, form: dict[str, str]) -> None:
    client = browser_of(house, BOSS, "admin")
    answer = client.post("/people", data={**CSRF, **form}, headers=BROWSER)
    assert answer.status_code == 400
    check_clean(answer.text)
    assert 'role="alert"' in answer.text
    assert person(house, ANN) is None
    with house.platform.database.read() as connection:
        assert not connection.execute(sa.select(mail)).all()


def test_a_new_link_is_sent_and_the_one_before_is_dead(house: House) -> None:
    client = browser_of(house, BOSS, "admin")
    form = {**CSRF, "email": ANN, "name": "Ann", "role": "viewer"}
    first = copyable(client.post("/people", data=form).text)
    second = copyable(client.post(f"/people/{ANN}", data={**CSRF, "do": "link"}).text)
    stranger = house.app.test_client()
    assert stranger.get(first.removeprefix(house.config.url)).status_code == 410
    assert stranger.get(second.removeprefix(house.config.url)).status_code == 200
    add_person(house, "zoe@example.org", password=PASSWORD)
    answer = client.post("/people/zoe@example.org", data={**CSRF, "do": "link"})
    assert answer.status_code == 201
    with house.platform.database.read() as connection:
        subjects = connection.execute(sa.select(mail.c.subject)).scalars().all()
    assert subjects[-1] == "EventLogging: choose a new password"
    assert len(subjects) == 3


def test_a_disabled_owner_is_flagged_and_comes_back(any_house: House) -> None:
    any_house.publish()
    add_person(any_house, OWNER)
    client = browser_of(any_house, BOSS, "admin")
    page = client.get(f"/people/{OWNER}", headers=BROWSER).text
    assert "1 schema loses this owner" in words_of(page)
    done = client.post(f"/people/{OWNER}", data={**CSRF, "do": "disable"}, follow_redirects=True)
    assert "The account is disabled" in done.text
    check_clean(done.text)
    with any_house.platform.database.read() as connection:
        flagged = connection.execute(sa.select(owner_trouble)).mappings().one()
    assert (flagged["schema"], flagged["email"], flagged["reason"]) == ("Click", OWNER, "disabled")
    client.post(f"/people/{OWNER}", data={**CSRF, "do": "enable"})
    assert person(any_house, OWNER).state == "invited"  # there was no password yet
    with any_house.platform.database.read() as connection:
        assert not connection.execute(sa.select(owner_trouble)).all()


def test_the_last_admin_stays(any_house: House) -> None:
    client = browser_of(any_house, BOSS, "admin")
    for form in ({"do": "disable"}, {"do": "role", "role": "viewer"}):
        answer = client.post(f"/people/{BOSS}", data={**CSRF, **form}, headers=BROWSER)
        assert answer.status_code == 409
        assert "the only admin" in answer.text
    add_person(any_house, ANN, "admin")
    form = {**CSRF, "do": "role", "role": "viewer"}
    assert client.post(f"/people/{BOSS}", data=form).status_code == 303
    assert person(any_house, BOSS).role == "viewer"
    assert client.get("/people").status_code == 200  # one's own session stays, with less in it
    assert client.get("/tokens").status_code == 403


def test_two_admins_who_demote_each_other_leave_one(any_house: House) -> None:
    for email in (ANN, BOSS):
        add_person(any_house, email, "admin")
    together, problems = threading.Barrier(2), []

    def demote(email: str) -> None:
        together.wait()
        with any_house.platform.database.write() as connection:
            counter.lock(connection)
            problems.append(accounts.set_role(connection, email, "viewer", "test"))

    threads = [threading.Thread(target=demote, args=(email,)) for email in (ANN, BOSS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(problem is None for problem in problems) == [False, True]
    assert {person(any_house, email).role for email in (ANN, BOSS)} == {"admin", "viewer"}


@pytest.mark.parametrize("form", [{}, {"do": "fly"}])
def test_a_form_that_says_nothing_to_do_is_refused(house: House, form: dict[str, str]) -> None:
    client = browser_of(house, BOSS, "admin")
    for path in (f"/people/{BOSS}", "/account", "/tokens"):
        assert client.post(path, data={**CSRF, **form}).status_code == 400


def test_names_are_shown_as_text(house: House) -> None:
    client = browser_of(house, BOSS, "admin")
    assert client.post("/account", data={**CSRF, "do": "name", "name": ATTACK}).status_code == 303
    for path in ("/people", f"/people/{BOSS}", "/account", "/audit", "/"):
        page = client.get(path, headers=BROWSER).text
        assert "<script>alert" not in page
        assert "<img" not in page
        check_clean(page)


# One's own account


def test_ones_own_name_days_away_and_password(any_house: House) -> None:
    add_person(any_house, ANN, password=PASSWORD)
    client = signed_in(any_house, ANN)
    page = client.get("/account", headers=BROWSER).text
    check_clean(page)
    assert "You are Ann, viewer" in words_of(page)
    until = clock.day(clock.now_ms() + 5 * clock.DAY_MS)
    for form, column, value in (
        ({"do": "name", "name": " Ann A. "}, "name", "Ann A."),
        ({"do": "away", "until": until}, "away_until", until),
        ({"do": "away", "until": ""}, "away_until", None),
    ):
        answer = client.post("/account", data={**CSRF, **form}, follow_redirects=True)
        assert 'role="status"' in answer.text
        assert getattr(person(any_house, ANN), column) == value
    for form, word in (
        ({"do": "name", "name": ""}, "A name has 1 to"),
        ({"do": "away", "until": "2020-01-01"}, "today or later"),
        ({"do": "away", "until": "soon"}, "such as 2026-11-22"),
        ({"do": "password", "old": PASSWORD, "new": "short"}, "at least 12"),
        ({"do": "password", "old": "wrong", "new": "another four words"}, "not your password"),
    ):
        answer = client.post("/account", data={**CSRF, **form}, headers=BROWSER)
        assert answer.status_code == 400
        assert word in answer.text
        check_clean(answer.text)
    form = {**CSRF, "do": "password", "old": PASSWORD, "new": "another four words"}
    assert client.post("/account", data=form).status_code == 303
    fresh = any_house.app.test_client()
    token = csrf(fresh.get("/sign-in").text)
    data = {"csrf": token, "email": ANN, "password": "another four words"}
    assert fresh.post("/sign-in", data=data).status_code == 303


def test_signing_out_everywhere(house: House) -> None:
    here, there = browser_of(house, ANN), signed_in(house, ANN)
    assert "2 browsers" in here.get("/account").text
    assert here.post("/account", data={**CSRF, "do": "leave"}).status_code == 303
    for client in (here, there):
        assert client.get("/account").status_code == 404


def test_a_test_key_of_ones_own(any_house: House) -> None:
    client = browser_of(any_house, ANN)
    made = client.post("/account", data={**CSRF, "do": "key", "label": "laptop"}, headers=BROWSER)
    assert made.status_code == 201
    check_clean(made.text)
    secret = copyable(made.text)
    with any_house.platform.database.read() as connection:
        known = tokens.find(connection, secret)
    assert known is not None
    assert (known.name, known.scopes) == (f"{ANN}/laptop", ("test",))
    assert known.expanded == {"test"}
    page = client.get("/account", headers=BROWSER).text
    assert known.name in page
    assert secret not in page
    again = client.post("/account", data={**CSRF, "do": "key", "label": "laptop"})
    assert again.status_code == 409
    tokens.create(any_house.platform.database, "ci", ["read"], None, "somebody else")
    for name, status in (("ci", 404), (known.name, 303)):
        form = {**CSRF, "do": "revoke", "name": name}
        assert client.post("/account", data=form).status_code == status
    with any_house.platform.database.read() as connection:
        assert tokens.find(connection, secret) is None
        assert [one.is_live("2000") for one in tokens.rows(connection)].count(True) == 1


@pytest.mark.parametrize("label", ["", "x" * 61, "two\nlines"])
def test_a_key_needs_a_name(house: House, label: str) -> None:
    form = {**CSRF, "do": "key", "label": label}
    answer = browser_of(house, ANN).post("/account", data=form, headers=BROWSER)
    assert answer.status_code == 400
    assert "A key has a name" in answer.text


# Tokens


def test_an_admin_makes_and_ends_a_token(any_house: House) -> None:
    any_house.publish()
    client = browser_of(any_house, BOSS, "admin")
    form = {**CSRF, "do": "make", "name": "ci", "scopes": ["read", "propose"], "days": "90"}
    made = client.post("/tokens", data=form, headers=BROWSER)
    assert made.status_code == 201
    check_clean(made.text)
    headers = {"Authorization": f"Bearer {copyable(made.text)}"}
    plain = any_house.app.test_client()
    assert plain.get("/v1/data/Click", headers=headers).status_code == 200
    page = client.get("/tokens", headers=BROWSER).text
    assert copyable(made.text) not in page
    assert "1 token is live" in words_of(page)
    assert BOSS in page
    ends = clock.day(clock.now_ms() + 90 * clock.DAY_MS)
    told = words_of(client.get("/audit?subject=ci", headers=BROWSER).text)
    assert f"made a token ci scopes propose, read · until {ends}" in told
    form = {**CSRF, "do": "revoke", "name": "ci"}
    done = client.post("/tokens", data=form, follow_redirects=True)
    assert "opens nothing any more" in done.text
    assert plain.get("/v1/data/Click", headers=headers).status_code == 401
    assert client.post("/tokens", data=form).status_code == 404
    assert [entry.action for entry in entries(any_house, subject="ci")] == [
        "token.revoke", "token.create",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({"name": "", "scopes": "read"}, "needs a name"),
        ({"name": "a"}, "scopes are among"),
        ({"name": "a", "scopes": "fly"}, "scopes are among"),
        ({"name": "a", "scopes": ["read", "test"]}, "test alone"),
        ({"name": "a", "scopes": "read", "days": "many"}, "whole number"),
        ({"name": "a", "scopes": "read", "days": "0"}, "between 1 and"),
        ({"name": ATTACK, "scopes": ATTACK, "days": ATTACK}, "whole number"),
    ],
)
def test_a_wrong_token_says_why(house: House, form: dict[str, Any], word: str) -> None:
    client = browser_of(house, BOSS, "admin")
    answer = client.post("/tokens", data={**CSRF, "do": "make", **form}, headers=BROWSER)
    assert answer.status_code == 400
    assert word in answer.text
    check_clean(answer.text)
    with house.platform.database.read() as connection:
        assert not tokens.rows(connection)


# Audit


def test_the_audit_tells_in_words_who_did_what(any_house: House) -> None:
    client = browser_of(any_house, BOSS, "admin")
    any_house.publish()
    wider = {**CLICK, "properties": {**CLICK["properties"], "more": {"type": "string"}}}
    any_house.publish(schema=wider, sampling={"rate": 0.25, "unit": "session"})
    add_person(any_house, ANN)
    client.post(f"/people/{ANN}", data={**CSRF, "do": "role", "role": "analyst"})
    page = client.get("/audit", headers=BROWSER).text
    check_clean(page)
    text = words_of(page)
    assert f"{BOSS} changed a role {ANN} role analyst · before viewer" in text
    assert "changed the settings Click" in text
    assert "published a version Click version 1.0.0" in text
    assert f'href="/people/{ANN}"' in page
    only = words_of(client.get(f"/audit?subject={ANN}", headers=BROWSER).text)
    assert "changed a role" in only
    assert "published" not in only
    mine = words_of(client.get(f"/audit?who={BOSS}", headers=BROWSER).text)
    assert "changed a role" in mine
    assert "published" not in mine
    none = client.get("/audit?subject=nothing-like-it", headers=BROWSER).text
    assert "No entry matches" in none


def test_the_audit_is_paged_and_shows_any_detail(house: House) -> None:
    client = browser_of(house, BOSS, "admin")
    with house.platform.database.write() as connection:
        for n in range(120):
            detail = {
                "n": n,
                "text": "long " * 200,
                "deep": {"a": [1, {"b": None}]},
                ATTACK: ATTACK,
            }
            audit.record(connection, ATTACK, "odd.act", f"subject {n}", detail)
    seen: list[str] = []
    path: str | None = "/audit?who=" + ATTACK.replace("&", "%26").replace("{", "%7B")
    while path:
        page = client.get(path, headers=BROWSER)
        assert page.status_code == 200
        check_clean(page.text)
        assert "<script>alert" not in page.text
        seen += re.findall(r"subject=subject\+(\d+)\"", page.text)
        following = re.findall(r'href="([^"]*before=[^"]*)"', page.text)
        path = unescape(following[0]) if following else None
    assert seen == [str(n) for n in reversed(range(120))]
    for before in ("-1", "x", "9" * 30, "²"):
        assert client.get(f"/audit?before={before}", headers=BROWSER).status_code == 400


# The command line


def command(house: House, *words: str) -> Any:
    environment = {**os.environ, "EVENTLOGGING_VAR": str(house.config.var)}
    return subprocess.run(
        [sys.executable, "-m", "eventlogging.cli.main", "user", *words],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_command_line_invites_changes_and_disables(house: House) -> None:
    house.publish(owners=[ANN])
    assert "Nobody has an account" in command(house, "list").stdout
    made = command(house, "add", "Ann@example.org", "--role", "admin")
    assert made.returncode == 0, made.stderr
    path = "/sign-in/" + made.stdout.strip().rpartition("/")[2]
    assert house.client.get(path).status_code == 200
    client = house.app.test_client()
    form = {"csrf": csrf(client.get(path).text), "name": "Ann", "password": PASSWORD}
    assert client.post(path, data=form).status_code == 303
    listed = json.loads(command(house, "list", "--json").stdout)["people"]
    assert [(one["email"], one["role"], one["state"]) for one in listed] == [
        (ANN, "admin", "active")
    ]
    for words in (("disable", ANN), ("role", ANN, "viewer"), ("add", ANN), ("add", "x"),
                  ("reset", "nobody@example.org"), ("enable", ANN)):  # fmt: skip
        refused = command(house, *words)
        assert refused.returncode == 1
        assert refused.stderr.startswith("Error: ")
        assert len(refused.stderr.splitlines()) == 1
    assert command(house, "role", ANN, "king").returncode == 2
    add_person(house, BOSS, "admin")
    done = command(house, "disable", ANN)
    assert "Schemas that lost an owner: Click" in done.stdout
    assert client.get("/account").status_code == 404
    assert "disabled" in command(house, "reset", ANN).stderr
    assert command(house, "enable", ANN).returncode == 0
    assert person(house, ANN).state == "active"
    again = command(house, "reset", ANN)
    assert "/sign-in/" in again.stdout
    assert "active" in command(house, "list").stdout
