"""The public page on retention, its JSON, the form of holds, and the commands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from eventlogging.cli.main import cli
from eventlogging.clock import moved
from eventlogging.jobs import claims
from eventlogging.receipts import chain
from eventlogging.retention import extensions, holds
from eventlogging.store.fixed import governance
from tests.console import BROWSER, House
from tests.people import browser_of
from tests.retention import OWNER, POST, REVIEWER, after, book, days_ago, today, wish


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(f"sqlite:///{tmp_path / 'e.db'}", tmp_path / "var")
    made.publish()
    yield made
    made.close()


def text(page: str) -> str:
    """What a page says, without its tags."""
    words = " ".join(re.sub(r"<[^>]+>", " ", page).replace("\N{THIN SPACE}", " ").split())
    return re.sub(r" ([.,:;])", r"\1", words)


def grant(house: House) -> None:
    database, folder = house.platform.database, chain.folder_of(house.config.var)
    asked = extensions.ask(database, wish(), OWNER, [], POST)
    assert asked.extension is not None
    done = extensions.decide(database, asked.extension.id, REVIEWER, True, "Yes.", folder, POST)
    assert done.done


def hold(house: House) -> None:
    folder = chain.folder_of(house.config.var)
    holds.place(house.platform.database, folder, "Click", "ann@example.org", "Case 17")


def run(house: House, job: str, outcome: str, slot: str = "2026-11-21") -> None:
    claim = claims.claim(house.platform.database, job, slot)
    assert claim is not None
    claims.finish(house.platform.database, claim, outcome, "the detail")


def test_anybody_reads_what_is_kept_how_long_and_what_remains(house: House) -> None:
    rule = {"keep_days": 60, "scrub": {"keep": ["target"]},
            "aggregate": [{"name": "per_day", "per": "day", "capsule": ["browser"]}]}  # fmt: skip
    with house.platform.database.write() as connection:
        row = {"folder": "purge", "name": "Click.toml", "updated_at": ""}
        connection.execute(sa.insert(governance).values(**row, document=json.dumps(rule)))
    book(house, {days_ago(50): 1200, days_ago(3): 5})
    said = text(house.page("/retention"))
    assert "Events are kept for 90 days, and then they go" in said
    assert "60 days Stripped events: 1 of 3 fields" in said
    assert "per_day (counts by browser)" in said
    assert f"1 205 since {days_ago(50)}" in said
    assert f"1 200 events in 11 days {moved(days_ago(50), 61)}" in said


def test_without_a_rule_nothing_of_single_events_remains(house: House) -> None:
    said = text(house.page("/retention"))
    assert "Click 90 days Nothing of single events. 0 nothing is stored" in said
    assert "No schema is held." in said
    assert "No receipt is written yet" in said
    assert said.count("has not run yet") == 3


def test_an_extension_is_public_with_its_reason_and_without_its_asker(house: House) -> None:
    grant(house)
    page = house.page("/retention")
    said = text(page)
    assert f"events of {days_ago(60)} to {days_ago(1)} for 180 days, up to and with" in said
    assert "Why: The study of clicks runs for four more months." in said
    assert OWNER not in page
    assert REVIEWER not in page
    viewer = browser_of(house, "vi@example.org")
    assert f"Asked for by {OWNER}" in text(viewer.get("/retention", headers=BROWSER).text)


def test_a_hold_is_public_and_its_reason_is_not(house: House) -> None:
    book(house, {days_ago(200): 3})
    hold(house)
    page = house.page("/retention")
    assert "Click: nothing of it is deleted until that ends." in text(page)
    assert "nothing, while it is held" in text(page)
    viewer = browser_of(house, "vi@example.org").get("/retention", headers=BROWSER).text
    for seen in (page, viewer, json.dumps(house.client.get("/v1/retention").json)):
        assert "Case 17" not in seen
        assert "ann@example.org" not in seen
    admin = browser_of(house, "root@example.org", "admin").get("/retention", headers=BROWSER).text
    assert "Case 17" in admin


def test_the_last_pass_and_its_proof_are_public(house: House) -> None:
    folder = chain.folder_of(house.config.var)
    chain.append(folder, "begin", {})
    chain.append(folder, "purge", {"rows_before": 900, "rows_after": 0})
    chain.append(folder, "pass", {"rows": 900})
    run(house, "retention", "done")
    chain.append(folder, "purge", {"rows_before": 4000, "rows_after": 1000})
    chain.append(folder, "scrub", {"rows_before": 70, "rows_after": 0})
    chain.append(folder, "log", {"what": "retired", "days": ["2026-01-01", "2026-01-02"]})
    newest = chain.append(folder, "pass", {"rows": 3070})
    run(house, "retention-verify", "done")
    run(house, "opt-out-canary", "failed")
    page = house.page("/retention")
    said = text(page)
    assert "3 000 events deleted, 70 events stripped, 2 days of the log deleted" in said
    assert "found nothing wrong," in said
    assert "found something wrong," in said
    assert newest.digest in said
    assert "the detail" not in page
    found: Any = house.client.get("/v1/retention").json
    assert found["last_pass"]["rows"] == {"deleted": 3000, "stripped": 70}
    assert found["checks"]["retention-verify"]["outcome"] == "done"
    assert found["receipts"] == {"number": 7, "newest_digest": newest.digest, "trouble": ""}
    (folder / chain.FILE).write_text("nonsense\n")
    assert "The receipts cannot be trusted: receipt 1 cannot be read." in text(
        house.page("/retention")
    )


def test_why_a_schema_is_held_stands_in_the_audit_for_admins_alone(house: House) -> None:
    hold(house)
    people = {
        "admin": browser_of(house, "root@example.org", "admin"),
        "analyst": browser_of(house, "ana@example.org", "analyst"),
        "reviewer": browser_of(house, REVIEWER, reviewer=True),
    }
    for role, client in people.items():
        page = client.get("/audit", headers=BROWSER).text
        assert "placed a legal hold" in page
        assert ("Case 17" in page) is (role == "admin")


def night(folder: Path, *, rows: int, log_days: int, tables: bool = True) -> None:
    """What a night leaves: first this host's log, an hour later the tables."""
    if log_days:
        days = [days_ago(20 + back) for back in range(log_days)]
        chain.append(folder, "log", {"what": "retired", "days": days})
    chain.append(folder, "pass", {"kinds": ["blank", "log"], "rows": 0})
    if tables:
        chain.append(folder, "purge", {"rows_before": rows, "rows_after": 0})
        chain.append(folder, "pass", {"kinds": ["backup", "invalid", "purge"], "rows": rows})


def test_a_day_of_the_log_that_went_an_hour_before_the_tables_is_part_of_the_pass(
    house: House,
) -> None:
    folder = chain.folder_of(house.config.var)
    night(folder, rows=900, log_days=0)
    run(house, "retention", "done")
    night(folder, rows=30, log_days=1)
    assert "30 events deleted, 1 day of the log deleted" in text(house.page("/retention"))
    night(folder, rows=0, log_days=2, tables=False)
    found: Any = house.client.get("/v1/retention").json
    assert (found["last_pass"]["rows"], found["last_pass"]["log_days"]) == ({"deleted": 30}, 1)


def test_a_pass_that_another_host_did_is_not_taken_for_one_of_this_log(
    house: House, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = chain.folder_of(house.config.var)
    assert "The last pass has not run yet" in text(house.page("/retention"))
    night(folder, rows=900, log_days=0)
    night(folder, rows=0, log_days=1, tables=False)
    after(monkeypatch, 1)
    run(house, "retention", "done")
    said = text(house.page("/retention"))
    assert "by another host, whose receipts say what went; 1 day of this host’s log" in said
    found: Any = house.client.get("/v1/retention").json
    assert (found["last_pass"]["rows"], found["last_pass"]["log_days"]) == (None, 1)
    assert "by another host, whose receipts say what went, 1 day" in command("status")


@pytest.mark.parametrize("job", ["retention-verify", "opt-out-canary"])
def test_what_one_host_found_is_not_hidden_by_another(house: House, command: Any, job: str) -> None:
    run(house, job, "failed", "2026-11-20@host-z")
    run(house, job, "failed", "2026-11-21@host-a")
    run(house, job, "done", "2026-11-21@host-b")
    assert "found something wrong," in text(house.page("/retention"))
    found: Any = house.client.get("/v1/retention").json
    assert found["checks"][job]["outcome"] == "failed"
    assert "found something wrong" in command("status")
    run(house, job, "done", "2026-11-22@host-a")
    assert "found nothing wrong," in text(house.page("/retention"))


def test_the_json_says_what_the_page_says(house: House) -> None:
    grant(house)
    book(house, {days_ago(80): 3, days_ago(50): 4})
    answer = house.client.get("/v1/retention")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    found: Any = answer.json
    assert found["default"] == {"keep_days": 90, "invalid_keep_days": 30, "unsealed_keep_days": 7}
    (click,) = found["schemas"]
    assert click["next"] == {"on": moved(days_ago(80), 91), "rows": 3}
    assert click["extensions"][0]["reason"] == wish().reason
    assert (click["held"], click["rows"], click["remains"]) == (False, 7, [])
    assert "@" not in answer.text


def test_an_admin_holds_a_schema_and_lifts_it(house: House) -> None:
    admin = browser_of(house, "root@example.org", "admin")
    data = {"csrf": "the-token", "schema": "Click", "act": "place", "reason": "Case 17"}
    assert admin.post("/retention/holds", data=data).status_code == 303
    assert "Case 17" in admin.get("/retention", headers=BROWSER).text
    assert admin.post("/retention/holds", data={**data, "act": "lift"}).status_code == 303
    assert "No schema is held." in text(admin.get("/retention", headers=BROWSER).text)


def test_what_is_wrong_with_a_hold_is_said(house: House) -> None:
    admin = browser_of(house, "root@example.org", "admin")
    data = {"csrf": "the-token", "schema": "Click", "act": "place", "reason": " "}
    answer = admin.post("/retention/holds", data=data, headers=BROWSER)
    assert answer.status_code == 400
    assert "Say why" in answer.text
    unknown = admin.post("/retention/holds", data={**data, "schema": "Clack", "reason": "x"})
    assert unknown.status_code == 400
    assert admin.post("/retention/holds", data={**data, "act": "x"}).status_code == 400
    assert admin.post("/retention/holds", data={**data, "csrf": "x"}).status_code == 400


def test_only_admins_hold(house: House) -> None:
    data = {"csrf": "the-token", "schema": "Click", "act": "place", "reason": "Case 17"}
    assert house.client.post("/retention/holds", data=data).status_code == 404
    owner = browser_of(house, OWNER, "analyst", reviewer=True)
    assert owner.post("/retention/holds", data=data).status_code == 403
    assert "Hold a schema" not in owner.get("/retention", headers=BROWSER).text


@pytest.fixture
def command(house: House, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("EVENTLOGGING_VAR", str(house.config.var))
    monkeypatch.setenv("EVENTLOGGING_DATABASE_URL", house.config.database_url)

    def call(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(cli, ["retention", *words])
        assert done.exit_code == code, done.output
        return done.output.replace("\N{THIN SPACE}", " ")

    return call


def test_the_command_shows_how_things_stand(house: House, command: Any) -> None:
    book(house, {days_ago(80): 1200})
    grant(house)
    said = command("status")
    assert f"Click   90 days  {days_ago(80)}   1 200  {moved(days_ago(80), 91)}      1 200" in said
    assert f"extended until {wish().until}" in said
    assert "last pass: none yet" in said
    assert "certificate: has not run yet" in said
    assert said.splitlines()[-1] == "eventlogging retention verify"
    assert json.loads(command("status", "--json"))["schemas"][0]["rows"] == 1200


def test_a_hold_by_command_says_so_and_does_it_once(house: House, command: Any) -> None:
    said = command("hold", "Click", "--reason", "Case 17")
    assert said == "Click is held: nothing of it goes.\neventlogging retention lift Click\n"
    assert "Click is held already." in command("hold", "Click", "--reason", "Case 18")
    assert "held" in command("status")
    assert "The hold of Click is lifted." in command("lift", "Click")
    assert "Click is not held." in command("lift", "Click")
    assert "No schema is named 'Clack'" in command("hold", "Clack", "--reason", "x", code=1)


def test_the_command_lists_extensions(house: House, command: Any) -> None:
    assert "Nobody asked to keep anything longer." in command("extensions")
    grant(house)
    said = command("extensions")
    assert f"for 180 days, until {wish().until}; in force" in said
    (one,) = json.loads(command("extensions", "--json"))
    assert (one["schemas"], one["state"], one["in_force"]) == (["Click"], "granted", True)
    assert one["first_day"] <= today()
