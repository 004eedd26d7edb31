"""Coming in by an OpenID provider: a real one, on this machine."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import oidc_provider_mock
import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from eventlogging.config import Config, load
from eventlogging.errors import ConfigError
from eventlogging.people import accounts
from eventlogging.people.model import Person
from eventlogging.registry import sign_in_links
from tests.console import BROWSER, House
from tests.integration.test_console_pages import check_clean
from tests.people import PASSWORD, add_person, browser_of

ANN, BOSS = "ann@example.org", "boss@example.org"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with oidc_provider_mock.run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def house(issuer: str, tmp_path: Path) -> Iterator[House]:
    house = new_house(issuer, tmp_path)
    yield house
    house.close()


def new_house(issuer: str, folder: Path, url: str = "", **settings: Any) -> House:
    return House(
        url, folder / "var", public_url="http://localhost", oidc_issuer=issuer,
        oidc_client_id="eventlogging", oidc_client_secret="s3cret", **settings,
    )  # fmt: skip


def knows(issuer: str, sub: str, **claims: Any) -> None:
    """Let the provider know somebody."""
    assert requests.put(f"{issuer}/users/{sub}", json=claims, timeout=10).ok


def go(client: FlaskClient, path: str = "/sign-in/oidc") -> str:
    """Begin in the browser; return the provider's address that it is sent to."""
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == 302, answer.text
    return str(answer.headers["Location"])


def back(client: FlaskClient, away: str, **form: str) -> TestResponse:
    """Answer at the provider, and bring the browser back."""
    answer = requests.post(away, data=form, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    return client.get(answer.headers["Location"].removeprefix("http://localhost"), headers=BROWSER)


def come_in(house: House, sub: str, client: FlaskClient | None = None) -> TestResponse:
    client = client or house.app.test_client()
    return back(client, go(client), sub=sub)


def person(house: House, email: str) -> Person | None:
    with house.platform.database.read() as connection:
        return accounts.find(connection, email)


def invited(house: House, email: str, role: str = "analyst") -> None:
    with house.platform.database.write() as connection:
        assert accounts.add(connection, email, "Invited", role, "test") is None


def test_who_was_invited_comes_in_and_is_known_again(
    issuer: str, database_url: str, tmp_path: Path
) -> None:
    house = new_house(issuer, tmp_path, database_url)
    invited(house, ANN)
    knows(issuer, "ann-1", email="Ann@Example.org", name="Ann")
    client = house.app.test_client()
    page = client.get("/sign-in", headers=BROWSER).text
    assert "Continue with localhost" in page
    away = go(client, "/sign-in/oidc?next=/people")
    asked = parse_qs(urlsplit(away).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == ["http://localhost/sign-in/oidc/back"]
    assert asked["nonce"][0] != asked["state"][0]
    answer = back(client, away, sub="ann-1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/people")
    assert client.get("/account", headers=BROWSER).status_code == 200
    with client.session_transaction() as session:
        assert set(session) <= {"session", "csrf", "_permanent"}
    known = person(house, ANN)
    assert known is not None
    assert (known.state, known.role, known.has_password) == ("active", "analyst", False)
    # The provider's name for somebody outlives a changed e-mail address.
    knows(issuer, "ann-1", email="ann.new@example.org", name="Ann")
    assert come_in(house, "ann-1").status_code == 303
    assert person(house, "ann.new@example.org") is None
    house.close()


def test_somebody_unknown_is_told_what_to_do(house: House, issuer: str) -> None:
    knows(issuer, "eve", email="eve@elsewhere.example")
    client = house.app.test_client()
    answer = come_in(house, "eve", client)
    assert answer.status_code == 403
    assert "There is no account of eve@elsewhere.example. Ask an admin to invite you" in answer.text
    check_clean(answer.text)
    assert client.get("/account").status_code == 404
    assert person(house, "eve@elsewhere.example") is None


def test_who_says_no_at_the_provider_is_not_signed_in(house: House) -> None:
    client = house.app.test_client()
    answer = back(client, go(client), action="deny")
    assert answer.status_code == 400
    assert "You did not let the provider tell us who you are" in answer.text
    check_clean(answer.text)
    assert client.get("/account").status_code == 404


def test_people_of_a_domain_may_come_in_uninvited(issuer: str, tmp_path: Path) -> None:
    house = new_house(issuer, tmp_path, oidc_domains="Example.org, @other.example",
                      oidc_role="analyst")  # fmt: skip
    for sub, email, status in (
        ("d1", "d1@example.org", 303), ("d2", "d2@other.example", 303),
        ("d3", "d3@sub.example.org", 403), ("d4", "d4@example.org.evil.example", 403),
        ("d5", "example.org@evil.example", 403),
    ):  # fmt: skip
        knows(issuer, sub, email=email)
        assert come_in(house, sub).status_code == status, email
        known = person(house, email)
        assert (known is not None) == (status == 303)
        if known is not None:
            assert (known.role, known.state) == ("analyst", "active")
    house.close()


@pytest.mark.parametrize("said", [False, "false", "no", 0, ""])
def test_an_unverified_address_is_nobodys(house: House, issuer: str, said: Any) -> None:
    invited(house, ANN)
    knows(issuer, "liar", email=ANN, email_verified=said)
    answer = come_in(house, "liar")
    assert answer.status_code == 403
    assert "has not verified" in answer.text
    found = person(house, ANN)
    assert found is not None
    assert found.state == "invited"


@pytest.mark.parametrize("claims", [{}, {"email": ""}, {"email": "no address"}])
def test_without_an_address_nobody_comes_in(
    house: House, issuer: str, claims: dict[str, Any]
) -> None:
    knows(issuer, "nameless", **claims)
    answer = come_in(house, "nameless")
    assert answer.status_code == 403
    assert "did not tell your e-mail address" in answer.text


def test_an_account_with_a_password_is_linked_only_when_the_address_is_verified(
    house: House, issuer: str
) -> None:
    add_person(house, ANN, password=PASSWORD)
    knows(issuer, "ann-2", email=ANN)
    answer = come_in(house, "ann-2")
    assert answer.status_code == 403
    assert "Sign in with the password" in answer.text
    knows(issuer, "ann-2", email=ANN, email_verified=True)
    assert come_in(house, "ann-2").status_code == 303
    knows(issuer, "ann-3", email=ANN, email_verified=True)
    answer = come_in(house, "ann-3")
    assert answer.status_code == 403
    assert "belongs to somebody else at the provider" in answer.text


def test_a_disabled_account_stays_out(house: House, issuer: str) -> None:
    invited(house, ANN)
    add_person(house, BOSS, "admin")
    knows(issuer, "ann-4", email=ANN)
    client = house.app.test_client()
    assert come_in(house, "ann-4", client).status_code == 303
    with house.platform.database.write() as connection:
        accounts.disable(connection, ANN, BOSS)
    assert client.get("/account").status_code == 404
    answer = come_in(house, "ann-4")
    assert answer.status_code == 403
    assert "is disabled" in answer.text


def test_an_invitation_can_be_used_with_the_provider(house: House, issuer: str) -> None:
    invited(house, ANN)
    with house.platform.database.write() as connection:
        link = sign_in_links.make_link(connection, house.config, "invite", ANN)
    page = house.client.get(link.removeprefix(house.config.url), headers=BROWSER).text
    assert "Continue with localhost" in page
    check_clean(page)
    knows(issuer, "ann-5", email=ANN)
    assert come_in(house, "ann-5").status_code == 303


def test_an_answer_that_belongs_to_another_browser_signs_nobody_in(
    house: House, issuer: str
) -> None:
    invited(house, ANN)
    knows(issuer, "ann-6", email=ANN)
    away = go(house.app.test_client())
    other = house.app.test_client()
    for client in (other, browser_of(house, BOSS, "admin")):
        answer = back(client, away, sub="ann-6")
        assert answer.status_code == 400
        assert "not begun in this browser" in answer.text
    assert other.get("/account").status_code == 404


def test_an_answer_is_good_once(house: House, issuer: str) -> None:
    invited(house, ANN)
    knows(issuer, "ann-7", email=ANN)
    client = house.app.test_client()
    away = go(client)
    first = requests.post(away, data={"sub": "ann-7"}, allow_redirects=False, timeout=10)
    path = first.headers["Location"].removeprefix("http://localhost")
    assert client.get(path).status_code == 303
    assert client.get(path, headers=BROWSER).status_code == 400


@pytest.mark.parametrize(
    "query",
    ["", "?code=x", "?state=x", "?code=x&state=y", "?error=<script>", "?error=server_error"],
)
def test_whatever_comes_back_is_a_page(house: House, query: str) -> None:
    answer = house.client.get(f"/sign-in/oidc/back{query}", headers=BROWSER)
    assert answer.status_code == 400
    assert "<script>" not in answer.text.split("<main")[1]
    check_clean(answer.text)


def test_a_code_that_the_provider_does_not_know_is_refused(house: House) -> None:
    client = house.app.test_client()
    state = parse_qs(urlsplit(go(client)).query)["state"][0]
    answer = client.get(f"/sign-in/oidc/back?code=made-up&state={state}", headers=BROWSER)
    assert answer.status_code == 400
    assert "The provider refused the sign-in" in answer.text


def test_a_provider_that_is_away_stops_nothing_else(tmp_path: Path) -> None:
    house = new_house("http://localhost:1", tmp_path)  # opening it asks nobody
    add_person(house, ANN, password=PASSWORD)
    answer = house.client.get("/sign-in/oidc", headers=BROWSER)
    assert answer.status_code == 502
    assert "gives no usable answer now" in answer.text
    check_clean(answer.text)
    assert house.client.get("/sign-in", headers=BROWSER).status_code == 200
    house.close()


def test_tokens_of_another_issuer_than_the_one_set_are_not_believed(
    issuer: str, tmp_path: Path
) -> None:
    description = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=10).json()

    class Borrowed(BaseHTTPRequestHandler):
        """Describes the other provider's endpoints as its own."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(description).encode())

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("localhost", 0), Borrowed) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        house = new_house(f"http://localhost:{server.server_port}", tmp_path)
        knows(issuer, "ann-8", email=ANN)
        invited(house, ANN)
        client = house.app.test_client()
        answer = back(client, go(client), sub="ann-8")
        server.shutdown()
    assert answer.status_code == 502
    assert client.get("/account").status_code == 404
    house.close()


def test_without_a_provider_there_is_no_such_way(tmp_path: Path) -> None:
    house = House("", tmp_path / "var")
    assert "Continue with" not in house.page("/sign-in")
    for path in ("/sign-in/oidc", "/sign-in/oidc/back"):
        assert house.client.get(path, headers=BROWSER).status_code == 404
    house.close()


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"OIDC_ISSUER": "http://login.example.org", "OIDC_CLIENT_ID": "x"}, "OIDC_ISSUER"),
        ({"OIDC_ISSUER": "https://login.example.org"}, "OIDC_CLIENT_ID"),
        ({"OIDC_ROLE": "admin"}, "OIDC_ROLE"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, str], name: str, tmp_path: Path) -> None:
    environment = {f"EVENTLOGGING_{key}": value for key, value in settings.items()}
    with pytest.raises(ConfigError, match=f"EVENTLOGGING_{name}"):
        load(environment)


def test_the_secret_is_shown_nowhere() -> None:
    assert "s3cret" not in repr(Config(oidc_client_secret="s3cret"))
