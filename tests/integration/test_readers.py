"""Events of a schema with `readers = "owners"`: shown to its owners and admins, and nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from eventlogging import clock
from eventlogging.governance.read import read_governance
from eventlogging.registry import audit, tokens
from eventlogging.registry.apply import apply
from eventlogging.registry.change import change_settings
from eventlogging.review import roster
from eventlogging.store.fixed import test_event as tests_of_keys
from tests.console import BROWSER, CLICK, TOKEN, House
from tests.forms import Form
from tests.people import add_person, browser_of, signed_in

ROOT = Path(__file__).parents[2]
OWNER = "owner@example.org"
VALID, REFUSED, TESTED = "held-by-a-valid-one", "held-by-a-refused-one", "held-by-a-test"
ROLES = ("stranger", "viewer", "analyst", "reviewer", "owner", "admin")
INSIDE = ("owner", "admin")
DATA = ("/v1/data/Click", "/v1/data/Click/invalid")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A schema for owners alone and one for analysts, each with events that hold known words."""
    made = House("", tmp_path_factory.mktemp("readers") / "var")
    made.publish(readers="owners")
    made.publish("Open", CLICK)
    for name in ("Click", "Open"):
        made.send(
            {"schema": name, "event": {"target": VALID, "count": 900}},
            {"schema": name, "event": {"target": REFUSED, "count": "many"}},
        )
    for email, role in ((OWNER, "viewer"), ("admin@example.org", "admin"),
                        ("analyst@example.org", "analyst"), ("viewer@example.org", "viewer"),
                        ("reviewer@example.org", "viewer")):  # fmt: skip
        add_person(made, email, role)
    reviewer = "reviewer@example.org"
    assert not roster.add(made.platform.database, reviewer, reviewer, ["*"], reviewer)
    with made.platform.database.write() as connection:
        connection.execute(
            sa.insert(tests_of_keys).values(
                segment="s", offset=0, index=0,
                key_name="a laptop", schema="Click", version="1.0.0", outcome="valid", code="",
                errors="[]", event=json.dumps({"target": TESTED}),
                received=clock.iso(clock.now_ms()),
            )
        )  # fmt: skip
    yield made
    made.close()


def browser(house: House, role: str) -> FlaskClient:
    if role == "stranger":
        return house.app.test_client()
    return signed_in(house, f"{role}@example.org")


def bearer(house: House, scope: str, name: str) -> dict[str, str]:
    secret = tokens.create(house.platform.database, name, [scope], None, "test")
    return {"Authorization": f"Bearer {secret}"}


def holds(text: str) -> set[str]:
    return {word for word in (VALID, REFUSED, TESTED) if word in text}


@pytest.mark.parametrize("role", ROLES)
def test_the_data_api_gives_single_events_to_owners_and_admins(house: House, role: str) -> None:
    for path in DATA:
        for form in ("ndjson", "json", "csv"):
            answer = browser(house, role).get(f"{path}?format={form}")
            if role in INSIDE:
                assert answer.status_code == 200, path
                assert holds(answer.text), path
            else:
                assert answer.status_code == (401 if role == "stranger" else 403), path
                assert not holds(answer.text)


@pytest.mark.parametrize("role", ["viewer", "analyst", "reviewer"])
def test_who_is_refused_reads_why_and_whom_to_ask(house: House, role: str) -> None:
    for path in DATA:
        said = browser(house, role).get(path).json
        assert said is not None
        assert said["code"] == "forbidden"
        (text,) = said["problems"]
        assert 'Click says readers = "owners"' in text
        assert f"Ask {OWNER}." in text
        assert f"You are signed in as {role}@example.org" in text


def test_other_schemas_are_read_as_before(house: House) -> None:
    analyst, reviewer = browser(house, "analyst"), browser(house, "reviewer")
    assert holds(analyst.get("/v1/data/Open").text) == {VALID}
    assert holds(reviewer.get("/v1/data/Open/invalid").text) == {REFUSED}
    assert analyst.get("/explore/Open", headers=BROWSER).status_code == 200


def test_of_tokens_only_those_of_admins_open_them(house: House) -> None:
    read, admin = bearer(house, "read", "r"), bearer(house, "admin", "a")
    propose = bearer(house, "propose", "p")
    client = house.app.test_client()
    for path in DATA:
        refused = client.get(path, headers=read)
        assert refused.status_code == 403
        assert 'scope="admin"' in refused.headers["WWW-Authenticate"]
        (text,) = (refused.json or {})["problems"]
        assert text.startswith("this token lacks the scope 'admin': Click says")
        assert OWNER in text
        assert client.get(path, headers=propose).status_code == 403
        for headers in (admin, TOKEN):
            opened = client.get(path, headers=headers)
            assert opened.status_code == 200
            assert holds(opened.text)
        assert client.get(path.replace("Click", "Open"), headers=read).status_code == 200
    assert client.get("/v1/data/Nope", headers=read).status_code == 404
    assert client.get("/v1/data/(unknown)/invalid", headers=read).status_code == 200


def test_a_read_token_is_not_widened_by_an_admins_session(house: House) -> None:
    headers = bearer(house, "read", "beside")
    assert browser(house, "admin").get("/v1/data/Click", headers=headers).status_code == 403


@pytest.mark.parametrize("role", ROLES)
def test_explore_shows_them_to_owners_and_admins(house: House, role: str) -> None:
    client = browser(house, role)
    for query in ("", "?download=csv", "?download=ndjson"):
        answer = client.get(f"/explore/Click{query}", headers=BROWSER)
        if role in INSIDE:
            assert answer.status_code == 200
            assert VALID in answer.text
        else:
            assert answer.status_code == (404 if role == "stranger" else 403)
            assert not holds(answer.text)
            assert role == "stranger" or OWNER in answer.text
    if role != "stranger":
        listed = client.get("/explore", headers=BROWSER).text
        assert ('href="/explore/Click"' in listed) == (role in INSIDE)
        assert ('href="/explore/Open"' in listed) == (role in ("analyst", "owner", "admin"))


@pytest.mark.parametrize("role", ROLES)
def test_the_schemas_page_shows_refused_values_to_owners_and_admins(
    house: House, role: str
) -> None:
    page = browser(house, role).get("/schemas/Click", headers=BROWSER).text
    assert holds(page) == ({REFUSED} if role in INSIDE else set())
    assert ('href="/explore/Click"' in page) == (role in INSIDE)
    assert ('href="/v1/data/Click' in page) == (role in INSIDE)
    assert "its owners and admins alone" in page
    assert "type_mismatch" in page, "what was refused, and how often, is for all"
    if role in ("viewer", "analyst", "reviewer"):
        assert "What the events hold is shown to its owners and admins alone." in page


@pytest.mark.parametrize("role", ROLES)
def test_the_live_tail_shows_values_to_owners_and_admins(house: House, role: str) -> None:
    client = browser(house, role)
    for query in ("", "?only=refused", "?seen=x"):
        answer = client.get(f"/schemas/Click/live{query}", headers=BROWSER)
        if role == "stranger":
            assert answer.status_code == 404
            continue
        assert "type_mismatch" in answer.text, "verdicts are for all who are signed in"
        shown = {REFUSED} if "refused" in query else {VALID, REFUSED, TESTED}
        assert holds(answer.text) == (shown if role in INSIDE else set())
    if role == "analyst":
        open_ = client.get("/schemas/Open/live", headers=BROWSER).text
        assert holds(open_) == {VALID, REFUSED}


@pytest.mark.parametrize("role", ["viewer", "analyst", "reviewer", "owner", "admin"])
def test_a_dry_run_shows_samples_to_owners_and_admins(house: House, role: str) -> None:
    client = browser(house, role)
    form = Form(client.get("/drafts/new?schema=Click", headers=BROWSER).text, "editor")
    answer = form.send(client, "dry-run", r1_maximum="10")
    assert "Of 2 events of the last 7 days, 1 now valid would be refused" in answer.text
    assert (VALID in answer.text) == (role in INSIDE)
    if role not in INSIDE:
        assert "Samples are shown to its owners and admins alone." in answer.text


@pytest.mark.parametrize("role", ["viewer", "analyst", "reviewer", "owner", "admin"])
def test_a_review_shows_samples_to_owners_and_admins(house: House, role: str) -> None:
    narrower = {**CLICK, "properties": {**CLICK["properties"], "count": {"maximum": 10}}}
    body: dict[str, Any] = {"schema": narrower, "examples": {"pass": [{"target": "a"}]}}
    asked = house.client.post("/v1/schemas/Click", json=body, headers=TOKEN)
    number = (asked.json or {})["proposal"]
    client = browser(house, role)
    run = client.get(f"/reviews/{number}/dry-run", headers=BROWSER)
    assert run.status_code == 200
    assert (VALID in run.text) == (role in INSIDE)
    cost = client.get(f"/reviews/{number}/privacy", headers=BROWSER)
    assert cost.status_code == 200
    assert not holds(cost.text), "it measures, and shows no value to anybody"


@pytest.mark.parametrize("role", ["viewer", "analyst", "reviewer", "owner", "admin"])
def test_the_daily_report_shows_samples_to_owners_and_admins(house: House, role: str) -> None:
    today = clock.day(clock.now_ms())
    page = browser(house, role).get(f"/reports/{today}", headers=BROWSER)
    assert page.status_code == 200
    own = {"viewer": 0, "analyst": 1, "reviewer": 1, "owner": 2, "admin": 2}[role]
    assert page.text.count(REFUSED) == own, "Open's own for analysts and reviewers"


@pytest.mark.parametrize("role", ["stranger", "viewer", "analyst"])
def test_counts_are_for_all_as_before(house: House, role: str) -> None:
    client = browser(house, role)
    said = client.get("/v1/ledger?schema=Click").json
    assert said is not None
    for path in ("/v1/schemas/Click", "/v1/config", "/v1/retention", "/transparency/Click"):
        assert client.get(path, headers=BROWSER).status_code == 200, path


def test_a_change_is_in_force_at_once_and_in_the_audit(tmp_path: Path) -> None:
    house = House("", tmp_path / "var")
    house.publish()
    house.send({"schema": "Click", "event": {"target": VALID}})
    analyst = browser_of(house, "an@example.org", "analyst")
    assert analyst.get("/v1/data/Click").status_code == 200
    change_settings(house.platform.database, "Click", OWNER, readers="owners")
    house.platform.registry.refresh()
    assert analyst.get("/v1/data/Click").status_code == 403
    change_settings(house.platform.database, "Click", OWNER, readers="analysts")
    house.platform.registry.refresh()
    assert analyst.get("/v1/data/Click").status_code == 200
    with house.platform.database.read() as connection:
        found = [e for e in audit.entries(connection, subject="Click") if e.action == "settings"]
    assert [entry.detail["readers"] for entry in found] == [
        {"old": "owners", "new": "analysts"}, {"old": "analysts", "new": "owners"},
    ]  # fmt: skip
    house.close()


def test_the_form_says_it_and_keeps_it(house: House) -> None:
    client = browser(house, "owner")
    form = Form(client.get("/drafts/new?schema=Click", headers=BROWSER).text, "editor")
    assert form.fields["s-readers"] == "owners"
    fresh = Form(client.get("/drafts/new?schema=Fresh", headers=BROWSER).text, "editor")
    assert fresh.fields["s-readers"] == "analysts"
    checked = fresh.send(client, "check", s_readers="everybody")
    assert "Readers is &#39;analysts&#39; or &#39;owners&#39;, not" in checked.text


def test_documents_of_the_dialog_begin_restricted(tmp_path: Path) -> None:
    house = House("", tmp_path / "var")
    apply(house.platform.database, read_governance(ROOT), "ops")
    house.platform.registry.refresh()
    path = "/v1/data/DialogInteraction"
    assert browser_of(house, "an@example.org", "analyst").get(path).status_code == 403
    owner = browser_of(house, "identity@example.org")
    assert owner.get(path).status_code == 200
    house.close()
