"""Who said no is obeyed: by the page's cookies, schema by schema, and account by account."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from eventlogging import clock
from eventlogging.collector.request import said_no
from eventlogging.config import load
from eventlogging.errors import ConfigError, StoreUnavailable
from eventlogging.event import Outcome
from eventlogging.intake.accept import Intake
from eventlogging.intake.context import Context
from eventlogging.intake.seal import PrivacyKey
from eventlogging.ledger.reading import lines_of_truth
from eventlogging.registry import opt_outs, wire
from eventlogging.registry.snapshot import RegistryCache
from eventlogging.store.fixed import opt_out
from tests.console import BROWSER, CLICK, TOKEN, House, csrf

ANN = "ann-41d9a7e0"
SCHEMA: dict[str, Any] = {
    **CLICK,
    "properties": {
        **CLICK["properties"],
        "uid": {"type": ["string", "integer"]},
        "friends": {"type": "array", "items": {"type": "string"}},
    },
}
PRIVACY = {"uid": "hmac", "/friends/*": "hmac"}


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path / "var")
    made.publish("Click", SCHEMA, privacy=PRIVACY, title="Menus", description="Which menus help.")
    made.publish("Shown", CLICK, title="Menus")
    yield made
    made.close()


def click(schema: str = "Click", **event: Any) -> dict[str, Any]:
    return {"schema": schema, "event": {"target": "menu", **event}}


def outcomes(house: House, *events: Any, **context: Any) -> list[str]:
    house.platform.registry.refresh()
    intake = Intake(house.config, house.platform.privacy_key)
    intake.use(house.platform.registry.snapshot)
    body = events[0] if isinstance(events[0], bytes) else json.dumps(events).encode()
    accepted = intake.accept_body(body, Context(received=clock.now_ms(), **context))
    for verdict in accepted.verdicts:
        if verdict.outcome is Outcome.SUPPRESSED:
            assert json.loads(verdict.line)["kept"] is False
    return [str(verdict.outcome) for verdict in accepted.verdicts]


# ---------------------------------------------------------------- the page


def press(client: FlaskClient, act: str, **more: Any) -> TestResponse:
    token = csrf(client.get("/opt-out", headers=BROWSER).text)
    return client.post("/opt-out", data={"csrf": token, "act": act, **more}, headers=BROWSER)


def cookie(client: FlaskClient, name: str = "eventlogging_opt_out") -> str | None:
    found = client.get_cookie(name)
    return found.value if found else None


def test_a_no_and_its_end_are_one_press_away(house: House) -> None:
    client = house.client
    assert "until you say no" in house.page("/opt-out")
    said = press(client, "none")
    assert said.status_code == 303 and said.headers["Location"] == "/opt-out"
    (set_cookie,) = [one for one in said.headers.getlist("Set-Cookie") if "opt_out=1" in one]
    assert "Max-Age=34560000" in set_cookie and "Path=/" in set_cookie
    assert "SameSite=Lax" in set_cookie and "Secure" not in set_cookie
    assert cookie(client) == "1"
    page = house.page("/opt-out")
    assert "Nothing is recorded from this browser" in page and "checked" not in page
    press(client, "all")
    assert cookie(client) is None
    assert "until you say no" in house.page("/opt-out")


def test_the_page_begins_no_session(house: House) -> None:
    answer = house.client.get("/opt-out", headers=BROWSER)
    names = [one.partition("=")[0] for one in answer.headers.getlist("Set-Cookie")]
    assert names == ["eventlogging_form"]
    assert {"Cookie", "Sec-GPC", "DNT"} <= set(answer.headers["Vary"].replace(",", " ").split())


def test_with_https_the_no_goes_along_from_pages_of_other_sites(tmp_path: Path) -> None:
    house = House(
        f"sqlite:///{tmp_path / 'e.db'}", tmp_path / "var",
        public_url="https://events.example.org", opt_out_domain="example.org",
    )  # fmt: skip
    client = house.app.test_client()
    address = {"base_url": "https://events.example.org", "headers": BROWSER}
    token = csrf(client.get("/opt-out", **address).text)
    said = client.post("/opt-out", data={"csrf": token, "act": "none"}, **address)
    found = [one for one in said.headers.getlist("Set-Cookie") if "opt_out=1" in one]
    assert len(found) == 1
    assert all(part in found[0] for part in ("Secure", "SameSite=None", "Domain=example.org"))
    house.close()


def test_a_domain_that_is_not_ours_is_refused_at_the_start() -> None:
    for url in ("https://events.example.com", "https://badexample.org", ""):
        with pytest.raises(ConfigError, match="OPT_OUT_DOMAIN"):
            load({"EVENTLOGGING_PUBLIC_URL": url, "EVENTLOGGING_OPT_OUT_DOMAIN": "example.org"})


def test_a_form_from_elsewhere_changes_nothing(house: House) -> None:
    client, other = house.client, house.app.test_client()
    theirs = csrf(other.get("/opt-out", headers=BROWSER).text)
    client.get("/opt-out")
    for token in ("", theirs, "0" * 48, "ü"):
        data = {"csrf": token, "act": "none"}
        refused = client.post("/opt-out", data=data, headers=BROWSER)
        assert refused.status_code == 400 and cookie(client) is None
    # Without cookies nothing can be remembered, and the page says what else there is.
    blind = house.app.test_client(use_cookies=False)
    token = csrf(blind.get("/opt-out").text)
    refused = blind.post("/opt-out", data={"csrf": token, "act": "none"}, headers=BROWSER)
    assert refused.status_code == 400 and "Global Privacy Control" in refused.text


@pytest.mark.parametrize("data", [{"act": "x"}, {"act": ""}, {"act": "choose", "shown": "a;b=c"}])
def test_a_form_that_says_something_else_is_refused(house: House, data: dict[str, str]) -> None:
    token = csrf(house.page("/opt-out"))
    refused = house.client.post("/opt-out", data={"csrf": token, **data}, headers=BROWSER)
    assert refused.status_code == 400 and cookie(house.client) is None


def test_a_no_to_one_kind_leaves_the_others(house: House) -> None:
    client, name = house.client, "eventlogging_opt_out_for"
    page = house.page("/opt-out")
    assert "<h3>Menus</h3>" in page and "Which menus help." in page and "90 days" in page
    press(client, "choose", shown=["Click", "Shown"], on=["Shown"])
    assert (cookie(client), cookie(client, name)) == (None, "Click")
    assert "but not for 1 kind of events" in house.page("/opt-out")
    press(client, "choose", shown=["Shown"], on=[])  # of a page that showed no more
    assert cookie(client) == "1" and cookie(client, name) is None, "nothing ticked is nothing"
    press(client, "choose", shown=["Click", "Shown"], on=["Click", "Shown"])
    assert cookie(client) is None and cookie(client, name) is None


def test_more_names_than_a_cookie_holds_are_a_no_to_everything(house: House) -> None:
    names = [f"A_rather_long_name_of_a_schema_{n:03}" for n in range(200)]
    press(house.client, "choose", shown=[*names, "Click"], on=["Click"])
    assert cookie(house.client) == "1"
    assert cookie(house.client, "eventlogging_opt_out_for") is None


def test_signals_of_the_browser_are_shown_and_win(house: House) -> None:
    for header in ("Sec-GPC", "DNT"):
        page = house.client.get("/opt-out", headers={header: "1", **BROWSER}).text
        assert "Nothing is recorded from this browser" in page
        assert "on, so it says no to everything" in page and "whatever you choose" in page


def test_the_switch_works_while_the_database_is_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("away")

    house.sign_in()
    monkeypatch.setattr(house.platform.database, "read", away)
    monkeypatch.setattr(house.platform.database, "write", away)
    assert "The list cannot be read right now" in house.page("/opt-out")
    press(house.client, "none")
    assert cookie(house.client) == "1"


# ---------------------------------------------------------------- schema by schema


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, (False, set())),
        ({"cookie": "eventlogging_opt_out_for=Click"}, (False, {"Click"})),
        ({"cookie": 'a=b; eventlogging_opt_out_for="Click:an/other"'},
         (False, {"Click", "an/other"})),
        ({"cookie": "eventlogging_opt_out_for=; eventlogging_opt_out_for=::"}, (False, set())),
        ({"cookie": "eventlogging_opt_out_for=A; eventlogging_opt_out=1"}, (True, {"A"})),
        ({"cookie": "eventlogging_opt_out_for=A", "dnt": "1"}, (True, {"A"})),
        ({"cookie": "eventlogging_opt_out_former=A"}, (False, set())),
    ],
)  # fmt: skip
def test_the_cookies_say_what_they_say(
    headers: dict[str, str], said: tuple[bool, set[str]]
) -> None:
    assert said_no(headers) == said


def test_a_kind_that_somebody_said_no_to_is_suppressed_alone(house: House) -> None:
    no = {"opted_out_of": frozenset({"Click"})}
    events = click(), click("Shown"), click(target=7), click("Shown", target=7)
    assert outcomes(house, *events, **no) == ["suppressed", "valid", "suppressed", "invalid"]
    # What names no known schema might be of that kind.
    assert outcomes(house, click("Clik"), {"event": {}}, 7, **no) == ["suppressed"] * 3
    assert outcomes(house, b'{"schema": "Click", "ev', **no) == ["suppressed"]
    assert outcomes(house, b'{"schema": "Click", "ev') == ["invalid"]


# ---------------------------------------------------------------- account by account


def account(house: House, method: str, id: str = ANN, **more: Any) -> TestResponse:
    return house.client.open(f"/v1/opt-out/{id}", method=method, headers=TOKEN, **more)


def test_an_account_says_no_asks_and_takes_it_back(house: House) -> None:
    assert account(house, "GET").json == {"opted_out": False, "since": None}
    said = account(house, "PUT")
    assert said.status_code == 200 and said.json["opted_out"]
    assert account(house, "PUT").json == account(house, "GET").json == said.json
    with house.platform.database.read() as connection:
        (row,) = connection.execute(sa.select(opt_out)).all()
    assert row.hash == house.platform.privacy_key.hash(ANN) and ANN not in str(row)
    assert account(house, "DELETE").json == {"opted_out": False, "since": None}
    assert account(house, "DELETE").status_code == 200
    assert account(house, "GET", "a/b%20c?x").status_code == 200
    assert account(house, "PUT", "x" * 501).status_code == 400
    assert account(house, "PUT", "%20").status_code == 400


def test_only_a_server_with_a_token_may_say_so(house: House) -> None:
    assert house.client.put(f"/v1/opt-out/{ANN}").status_code == 401
    made = {"Authorization": "Bearer evl_nobody"}
    assert house.client.get(f"/v1/opt-out/{ANN}", headers=made).status_code == 401


def test_an_account_that_opted_out_is_suppressed_wherever_its_id_is_private(house: House) -> None:
    account(house, "PUT")
    account(house, "PUT", "4711")
    events = (
        click(uid=ANN), click(uid="bob"), click(friends=["bob", ANN]), click(uid="4711"),
        click(uid=4711), click("Shown"),
    )  # fmt: skip
    no, yes = "suppressed", "valid"
    assert outcomes(house, *events) == [no, yes, no, no, no, yes]
    # Also where the event is refused, and where nobody knows what in it is private.
    refused = (
        click(uid=ANN, target=7), click(uid="bob", target=7), click("Clik", uid=ANN),
        click("Clik", uid="bob"), click("Clik", at=[{"who": 4711}]), {"a": ANN},
    )  # fmt: skip
    bad = "invalid"
    assert outcomes(house, *refused) == [no, bad, no, bad, no, no]
    account(house, "DELETE")
    assert outcomes(house, click(uid=ANN), click(uid=4711)) == [yes, no]


def test_nothing_of_an_account_that_opted_out_is_written_and_it_is_counted(house: House) -> None:
    account(house, "PUT")
    house.send(click(uid=ANN, target="secret-5521"), click(uid=ANN, target=["secret-5521"]))
    for path in house.config.var.rglob("*"):
        assert not path.is_file() or b"secret-5521" not in path.read_bytes(), path
    with house.platform.database.read() as connection:
        (line,) = lines_of_truth(connection, schema="Click")
    assert (line.sent, line.suppressed, line.residual) == (2, 2, 0)


def test_a_no_that_was_said_under_a_former_key_holds(database_url: str, tmp_path: Path) -> None:
    old = House(database_url, tmp_path / "var", privacy_key="old key")
    old.publish("Click", SCHEMA, privacy=PRIVACY)
    account(old, "PUT")
    old.close()
    house = House(
        database_url, tmp_path / "var", privacy_key="new key", privacy_keys_former="old key"
    )
    assert account(house, "GET").json["opted_out"]
    assert outcomes(house, click(uid=ANN), click(uid="bob")) == ["suppressed", "valid"]
    account(house, "DELETE")
    assert outcomes(house, click(uid=ANN)) == ["valid"]
    house.close()


def test_a_collector_hears_of_it_with_its_next_look_and_reads_all_only_then(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = RegistryCache(house.platform.database)
    registry.refresh()
    reads = []
    real = opt_outs.read_hashes
    monkeypatch.setattr(opt_outs, "read_hashes", lambda d: reads.append(1) or real(d))
    assert not registry.refresh() and reads == []
    schemas = registry.snapshot.schemas
    account(house, "PUT")
    assert registry.refresh() and len(registry.snapshot.opt_outs.hashes) == 1
    assert registry.snapshot.schemas is schemas, "the registry itself is not read again"
    held = registry.snapshot.opt_outs
    house.publish("Third", CLICK)
    reads.clear()
    assert registry.refresh() and registry.snapshot.opt_outs is held and reads == []
    account(house, "PUT")  # says nothing new
    assert not registry.refresh()


def test_many_that_are_slow_to_read_are_not_read_for_each_that_comes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = RegistryCache(house.platform.database)
    real = opt_outs.read_hashes

    def slow(database: Any) -> frozenset[str]:
        time.sleep(0.25)
        return real(database)

    monkeypatch.setattr(opt_outs, "read_hashes", slow)
    account(house, "PUT")
    registry.refresh()
    account(house, "PUT", "bob")
    assert not registry.refresh() and len(registry.snapshot.opt_outs.hashes) == 1
    time.sleep(2.6)
    assert registry.refresh() and len(registry.snapshot.opt_outs.hashes) == 2


def test_a_forwarder_gets_them_once(house: House) -> None:
    account(house, "PUT")
    house.platform.registry.refresh()
    snapshot = house.platform.registry.snapshot
    whole = json.loads(json.dumps(wire.to_json(snapshot)))
    first = wire.from_json(whole)
    assert first.opt_outs == snapshot.opt_outs
    again = wire.to_json(snapshot, first.opt_outs.counter)
    assert "hashes" not in again["opt_outs"]
    assert wire.from_json(again, first.opt_outs).opt_outs is first.opt_outs
    with pytest.raises(ValueError, match="nobody knows"):
        wire.from_json(again)


def test_a_key_of_another_installation_knows_nobody(house: House) -> None:
    account(house, "PUT")
    house.platform.registry.refresh()
    intake = Intake(house.config, PrivacyKey("another"))
    intake.use(house.platform.registry.snapshot)
    accepted = intake.accept_body(json.dumps(click(uid=ANN)).encode(), Context(clock.now_ms()))
    assert accepted.verdicts[0].outcome is Outcome.VALID
