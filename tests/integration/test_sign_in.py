"""Coming in: by password, by one-time links; sessions that the server can end."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.console.app import create_app
from eventlogging.console.sign_in import local_path
from eventlogging.people import accounts, limits, passwords, sessions
from eventlogging.people.passwords import Passwords, problem_with
from eventlogging.platform import open_platform
from eventlogging.registry import audit, sign_in_links
from eventlogging.store.fixed import person, person_session, sign_in_failure
from tests.console import BROWSER, House, csrf
from tests.people import PASSWORD, add_person, browser_of, signed_in

ANN = "ann@example.org"


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


def attempt(
    house: House, email: str, password: str, client: FlaskClient | None = None, **more: str
) -> TestResponse:
    client = client or house.app.test_client()
    token = csrf(client.get("/sign-in", headers=BROWSER).text)
    form = {"csrf": token, "email": email, "password": password, **more}
    return client.post("/sign-in", data=form, headers=BROWSER)


def is_in(client: FlaskClient) -> bool:
    return client.get("/account", headers=BROWSER).status_code == 200


def link_path(house: House, purpose: str = "admin", email: str | None = None) -> str:
    with house.platform.database.write() as connection:
        url = sign_in_links.make_link(connection, house.config, purpose, email)
    return url.removeprefix(house.config.url)


def use_link(house: House, path: str, client: FlaskClient, **form: str) -> TestResponse:
    token = csrf(client.get(path, headers=BROWSER).text)
    return client.post(path, data={"csrf": token, **form}, headers=BROWSER)


# By password


def test_e_mail_and_password_sign_in(any_house: House) -> None:
    add_person(any_house, ANN, password=PASSWORD)
    client = any_house.app.test_client()
    answer = attempt(any_house, "  Ann@Example.ORG ", PASSWORD, client)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert is_in(client)
    assert "Sign out" in client.get("/", headers=BROWSER).text
    with any_house.platform.database.read() as connection:
        known = accounts.find(connection, ANN)
        entries = audit.entries(connection, who=ANN)
        kept = connection.execute(sa.select(person_session)).mappings().one()
    assert known is not None
    assert known.seen_at is not None
    assert [entry.action for entry in entries] == ["sign_in"]
    with client.session_transaction() as session:
        assert session["session"] not in str(dict(kept))
        assert session["session"] not in any_house.page("/")


def test_the_password_itself_is_nowhere(house: House) -> None:
    add_person(house, ANN, password=PASSWORD)
    with house.platform.database.read() as connection:
        stored = connection.execute(sa.select(person.c.password)).scalar()
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (ANN, "wrong"), (ANN, ""), ("", ""), ("nobody@example.org", PASSWORD),
        (ANN, PASSWORD * 999), ("ann", PASSWORD), ("a" * 5000, PASSWORD), (ANN, "\x00"),
        ("'; DROP TABLE person; --", "x"),
        ("disabled@example.org", PASSWORD), ("invited@example.org", ""),
    ],
)  # fmt: skip
def test_whatever_is_wrong_the_answer_is_the_same(house: House, email: str, password: str) -> None:
    add_person(house, ANN, password=PASSWORD)
    add_person(house, "disabled@example.org", password=PASSWORD)
    with house.platform.database.write() as connection:
        accounts.add(connection, "boss@example.org", "B", "admin", "test", state="active")
        accounts.disable(connection, "disabled@example.org", "test")
        accounts.add(connection, "invited@example.org", "I", "viewer", "test")
    client = house.app.test_client()
    answer = attempt(house, email, password, client)
    if answer.status_code == 413:
        assert len(password) > 9000
        return
    assert answer.status_code == 403
    assert "E-mail and password do not belong together" in answer.text
    assert PASSWORD not in answer.text
    assert not is_in(client)


def test_an_account_that_is_not_there_takes_as_long() -> None:
    hasher = Passwords()
    assert not hasher.is_outdated(passwords.STAND_IN)  # made as the real ones are
    assert not hasher.fits(None, "it stands for accounts that are not there")


def test_a_hash_of_other_parameters_is_renewed_at_sign_in(house: House) -> None:
    add_person(house, ANN)
    weak = PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)
    with house.platform.database.write() as connection:
        accounts.set_password(connection, ANN, weak, "test")
    assert attempt(house, ANN, PASSWORD).status_code == 303
    with house.platform.database.read() as connection:
        stored = accounts.password_hash(connection, ANN)
    assert stored not in (None, weak)
    assert attempt(house, ANN, PASSWORD).status_code == 303


def test_a_stored_text_that_is_no_hash_opens_nothing() -> None:
    assert not Passwords().fits("not a hash", "not a hash")


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("short", "at least 12"), ("", "at least 12"), ("x" * 1001, "at most 1000"),
        ("aaaaaaaaaaaaaaaa", "repeats"), ("ann@example.org", "your name or e-mail"),
        ("Ann Example!", "your name or e-mail"),
    ],
)  # fmt: skip
def test_a_weak_password_is_refused_with_the_reason(password: str, word: str) -> None:
    assert word in (problem_with(password, ANN, "Ann Example") or "")


def test_the_same_letters_typed_otherwise_are_the_same_password() -> None:
    stored = Passwords().hash("zwei große Bären, ﬁxed")
    assert Passwords().fits(stored, "zwei große Ba\u0308ren, fixed")


# Limits


def test_failures_make_an_account_wait_longer_and_longer(
    any_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_person(any_house, ANN, password=PASSWORD)
    for _ in range(limits.FREE):
        assert attempt(any_house, ANN, "wrong").status_code == 403
    waited = attempt(any_house, ANN, PASSWORD)
    assert waited.status_code == 429  # the right password waits too
    assert waited.headers["Retry-After"] == "2"
    assert "Wait 2" in waited.text
    monkeypatch.setattr(clock, "offset_ms", 2100)
    assert attempt(any_house, ANN, "wrong").status_code == 403
    assert attempt(any_house, ANN, "wrong").headers["Retry-After"] == "4"
    monkeypatch.setattr(clock, "offset_ms", 6300)
    assert attempt(any_house, ANN, PASSWORD).status_code == 303
    assert attempt(any_house, ANN, "wrong").status_code == 403  # counted from the beginning


def test_an_account_that_is_not_there_waits_too_and_its_name_is_not_kept(house: House) -> None:
    for _ in range(limits.FREE):
        assert attempt(house, "typo-of-a-password@example.org", "x").status_code == 403
    assert attempt(house, "typo-of-a-password@example.org", "x").status_code == 429
    with house.platform.database.read() as connection:
        kept = connection.execute(sa.select(sign_in_failure.c.email)).scalars().all()
    assert len(kept) == 1
    assert "typo" not in kept[0]


def test_waits_grow_to_a_limit() -> None:
    waits = [limits.wait_seconds(failures) for failures in range(100)]
    assert waits[: limits.FREE] == [0] * limits.FREE
    assert waits == sorted(waits)
    assert waits[-1] == limits.LONGEST_SECONDS


def test_failures_of_yesterday_are_forgotten(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    add_person(house, ANN, password=PASSWORD)
    for _ in range(limits.FREE):
        attempt(house, ANN, "wrong")
    monkeypatch.setattr(clock, "offset_ms", clock.DAY_MS + 1000)
    assert attempt(house, ANN, "wrong").status_code == 403
    assert attempt(house, ANN, "wrong").status_code == 403


def test_many_attempts_at_the_same_time_are_all_counted(any_house: House) -> None:
    add_person(any_house, ANN)
    database, together = any_house.platform.database, threading.Barrier(12)
    waits: list[int] = []

    def one() -> None:
        together.wait()
        with database.write() as connection:
            waits.append(limits.attempt(connection, ANN))

    threads = [threading.Thread(target=one) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(waits) == 12
    assert 1 <= waits.count(0) <= limits.FREE


# Sessions


def test_the_session_is_another_one_after_sign_in(house: House) -> None:
    add_person(house, ANN, password=PASSWORD)
    client = house.app.test_client()
    with client.session_transaction() as session:
        session["session"] = "planted"
        session["csrf"] = "planted"
    form = {"csrf": "planted", "email": ANN, "password": PASSWORD}
    assert client.post("/sign-in", data=form).status_code == 303
    with client.session_transaction() as session:
        assert session["session"] != "planted"
        assert "csrf" not in session
    first = dict(session)
    assert attempt(house, ANN, PASSWORD, client).status_code in (303, 400)
    with house.platform.database.read() as connection:
        assert sessions.count(connection, ANN) == 1
    assert first["session"]


def test_a_session_ends_after_seven_days(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    client = browser_of(house, ANN)
    monkeypatch.setattr(clock, "offset_ms", 7 * clock.DAY_MS - 5000)
    assert is_in(client)
    monkeypatch.setattr(clock, "offset_ms", 7 * clock.DAY_MS + 5000)
    assert not is_in(client)
    signed_in(house, ANN)
    with house.platform.database.read() as connection:
        assert len(connection.execute(sa.select(person_session)).all()) == 1


def test_signing_out_ends_the_session_for_a_copied_cookie_too(house: House) -> None:
    client = browser_of(house, ANN)
    cookie = client.get_cookie("eventlogging_session")
    assert cookie is not None
    assert client.post("/sign-out", data={"csrf": "the-token"}).status_code == 303
    thief = house.app.test_client()
    thief.set_cookie("eventlogging_session", cookie.value)
    assert not is_in(thief)


def test_a_new_password_a_role_and_a_disabled_account_end_sessions(house: House) -> None:
    here, there = browser_of(house, ANN), signed_in(house, ANN)
    form = {"csrf": "the-token", "do": "password", "new": PASSWORD}
    assert here.post("/account", data=form).status_code == 303
    assert is_in(here)
    assert not is_in(there)
    boss = browser_of(house, "boss@example.org", "admin")
    form = {"csrf": "the-token", "do": "role", "role": "analyst"}
    assert boss.post(f"/people/{ANN}", data=form).status_code == 303
    assert not is_in(here)
    again = signed_in(house, ANN)
    assert is_in(again)
    assert boss.post(f"/people/{ANN}", data={"csrf": "the-token", "do": "disable"}).location
    assert not is_in(again)
    assert not is_in(signed_in(house, ANN))


def test_the_database_failing_shows_a_page_to_who_is_signed_in(tmp_path: Path) -> None:
    url = "mysql+pymysql://root@127.0.0.1:1/none"
    platform = open_platform(Config(var=tmp_path / "var", database_url=url))
    client = create_app(platform).test_client()
    with client.session_transaction() as session:
        session["session"] = "some secret"
    for path in ("/", "/people", "/account", "/tokens", "/audit", "/sign-in"):
        answer = client.get(path, headers=BROWSER)
        assert answer.status_code == 503, path
        assert "none is lost" in answer.text


# Onwards


@pytest.mark.parametrize(
    ("asked", "goes"),
    [
        ("/schemas/Click?day=2026-11-22", "/schemas/Click?day=2026-11-22"), ("/people", "/people"),
        ("//evil.example", "/"), ("https://evil.example", "/"), ("/\\evil.example", "/"),
        ("/a\r\nX-Injected: 1", "/"), ("javascript:alert(1)", "/"), ("", "/"), ("people", "/"),
        ("/sign-in/abc", "/"), ("/sign-out", "/"), ("/" + "a" * 5000, "/"), ("/\t/evil", "/"),
    ],
)  # fmt: skip
def test_after_sign_in_one_is_where_one_wanted_to_be(house: House, asked: str, goes: str) -> None:
    assert local_path(asked) == goes
    add_person(house, ANN, password=PASSWORD)
    answer = attempt(house, ANN, PASSWORD, next=asked)
    assert answer.headers["Location"] == goes


def test_a_page_that_is_not_for_strangers_offers_to_sign_in_and_come_back(house: House) -> None:
    add_person(house, ANN, password=PASSWORD)
    client = house.app.test_client()
    answer = client.get("/people?x=1", headers=BROWSER)
    assert answer.status_code == 404
    path = re.findall(r'href="(/sign-in\?next=[^"]+)"', answer.text)[0]
    form = client.get(path.replace("&amp;", "&"), headers=BROWSER).text
    assert 'name="next" value="/people?x=1"' in form


def test_the_sign_in_page_holds_no_password_and_names_no_account(house: House) -> None:
    add_person(house, ANN, password=PASSWORD)
    answer = attempt(house, ANN, "wrong-but-typed")
    assert "wrong-but-typed" not in answer.text
    assert f'value="{ANN}"' in answer.text  # nothing that was typed is lost but the password


def test_a_form_from_elsewhere_signs_nobody_in(house: House) -> None:
    add_person(house, ANN, password=PASSWORD)
    for form in ({}, {"csrf": "x"}):
        client = house.app.test_client()
        data = {"email": ANN, "password": PASSWORD, **form}
        assert client.post("/sign-in", data=data).status_code == 400
        assert not is_in(client)


# Links


def test_the_operators_link_makes_an_account_of_ones_own(any_house: House) -> None:
    path, client = link_path(any_house), any_house.app.test_client()
    page = client.get(path, headers=BROWSER).text
    assert page.index("Sign in as admin") < page.index("account of your own")
    answer = use_link(
        any_house, path, client, email="Ann@Example.org", name="Ann", password="short"
    )
    assert answer.status_code == 400
    assert "at least 12" in answer.text
    assert 'value="Ann@Example.org"' in answer.text
    form = {"email": "Ann@Example.org", "name": "Ann", "password": PASSWORD}
    assert use_link(any_house, path, client, **form).status_code == 303
    assert is_in(client)
    with any_house.platform.database.read() as connection:
        known = accounts.find(connection, ANN)
    assert known is not None
    assert (known.role, known.state, known.has_password) == ("admin", "active", True)
    assert any_house.app.test_client().get(path, headers=BROWSER).status_code == 410
    assert attempt(any_house, ANN, PASSWORD).status_code == 303


def test_the_operators_link_takes_no_account_over(house: House) -> None:
    add_person(house, ANN, password=PASSWORD)
    form = {"email": ANN, "name": "Eve", "password": "another four words"}
    answer = use_link(house, link_path(house), house.app.test_client(), **form)
    assert answer.status_code == 400
    assert "sign in with it" in answer.text
    assert attempt(house, ANN, PASSWORD).status_code == 303


def test_the_operators_link_lets_a_disabled_operator_in_again(house: House) -> None:
    assert house.sign_in().status_code == 303
    add_person(house, "boss@example.org", "admin")
    with house.platform.database.write() as connection:
        assert accounts.disable(connection, accounts.OPERATOR, "boss@example.org") is None
    assert not is_in(house.client)
    assert house.sign_in().status_code == 303
    assert is_in(house.client)


def test_an_invitation_sets_name_and_password(any_house: House) -> None:
    with any_house.platform.database.write() as connection:
        accounts.add(connection, ANN, "Ann", "analyst", "test")
    path, client = link_path(any_house, "invite", ANN), any_house.app.test_client()
    page = client.get(path, headers=BROWSER)
    assert ANN in page.text
    assert "Sign in as admin" not in page.text
    answer = use_link(any_house, path, client, name="", password="x")
    assert answer.status_code == 400
    assert "A name has 1 to" in answer.text
    # Neither role nor e-mail can be chosen by who holds the link.
    form = {"name": "Ann A.", "password": PASSWORD, "email": "eve@example.org", "role": "admin"}
    assert use_link(any_house, path, client, **form).status_code == 303
    assert is_in(client)
    with any_house.platform.database.read() as connection:
        known = accounts.find(connection, ANN)
        assert accounts.find(connection, "eve@example.org") is None
        assert accounts.find(connection, accounts.OPERATOR) is None
    assert known is not None
    assert (known.name, known.role, known.state) == ("Ann A.", "analyst", "active")


def test_an_invitation_never_makes_an_operator(house: House) -> None:
    with house.platform.database.write() as connection:
        accounts.add(connection, ANN, "Ann", "viewer", "test")
    client = house.app.test_client()
    assert use_link(house, link_path(house, "invite", ANN), client).status_code == 400
    assert not is_in(client)


def test_a_link_for_a_new_password_ends_all_sessions_and_older_links(house: House) -> None:
    add_person(house, ANN, password=PASSWORD)
    elsewhere = signed_in(house, ANN)
    older, newer = link_path(house, "reset", ANN), link_path(house, "reset", ANN)
    assert house.app.test_client().get(older, headers=BROWSER).status_code == 410
    client = house.app.test_client()
    new = "seven lamps are lit"
    assert use_link(house, newer, client, name="Ann", password=new).status_code == 303
    assert is_in(client)
    assert not is_in(elsewhere)
    assert attempt(house, ANN, PASSWORD).status_code == 403
    assert attempt(house, ANN, new).status_code == 303


def test_a_link_of_a_disabled_account_opens_nothing(house: House) -> None:
    add_person(house, ANN, password=PASSWORD)
    add_person(house, "boss@example.org", "admin")
    before = link_path(house, "reset", ANN)
    with house.platform.database.write() as connection:
        accounts.disable(connection, ANN, "boss@example.org")
    assert house.app.test_client().get(before, headers=BROWSER).status_code == 410
    after = link_path(house, "reset", ANN)
    assert house.app.test_client().get(after, headers=BROWSER).status_code == 410


@pytest.mark.parametrize(("purpose", "days"), [("invite", 7), ("reset", 1)])
def test_links_for_people_run_out(
    house: House, monkeypatch: pytest.MonkeyPatch, purpose: str, days: int
) -> None:
    add_person(house, ANN)
    path = link_path(house, purpose, ANN)
    monkeypatch.setattr(clock, "offset_ms", days * clock.DAY_MS - 5000)
    assert house.app.test_client().get(path).status_code == 200
    monkeypatch.setattr(clock, "offset_ms", days * clock.DAY_MS + 5000)
    assert house.app.test_client().get(path).status_code == 410


# Headers


def test_cookies_and_headers_are_careful(house: House, tmp_path: Path) -> None:
    headers = house.client.get("/sign-in", headers=BROWSER).headers
    assert "camera=()" in headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in headers
    assert "HttpOnly" in headers["Set-Cookie"]
    assert "SameSite=Lax" in headers["Set-Cookie"]
    behind = House("", tmp_path / "other", public_url="https://events.example.org")
    answer = behind.client.get("/sign-in", base_url="https://events.example.org")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Secure" in answer.headers["Set-Cookie"]
    behind.close()
