"""The books closed from both sides: what clients attempted, and what arrived."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from eventlogging import clock
from eventlogging.alerts import episodes
from eventlogging.alerts.episode import Episode
from eventlogging.cli.main import cli
from eventlogging.doctor.reported import reported_by_clients
from eventlogging.ledger.closing import Closing, beyond, by_schema, read_closings, summed
from eventlogging.reports.model import from_dict
from eventlogging.reports.validity import compute
from eventlogging.store.fixed import client_count, ledger
from tests.console import BROWSER, House
from tests.integration.test_console_pages import check_clean
from tests.people import browser_of
from tests.retention import days_ago, today

KINDS = ("attempted", "sampled_out", "suppressed", "dropped", "sent")


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path / "var")
    made.publish(examples=[{"name": "a", "passes": True, "payload": {"target": "</script>"}}])
    yield made
    made.close()


def text(page: str) -> str:
    """What a page says, without its tags."""
    words = " ".join(re.sub(r"<[^>]+>", " ", page).replace("\N{THIN SPACE}", " ").split())
    return re.sub(r" ([.,:;)])", r"\1", words)


def said(house: House, day: str, schema: str = "Click", **counts: int) -> None:
    """Book what a client reported."""
    row = {"day": day, "schema": schema, "client": f"c-{uuid.uuid4()}"[:20]}
    with house.platform.database.write() as connection:
        figures = dict.fromkeys(KINDS, 0) | counts
        connection.execute(sa.insert(client_count).values(**row, **figures))


def came(house: House, day: str, schema: str = "Click", **outcomes: int) -> None:
    """Book what arrived."""
    key = {"minute": f"{day} 00:0{len(outcomes)}", "schema": schema, "version": "1.0.0"}
    rows = [
        {**key, "outcome": outcome, "reason": "", "count": count, "kept": 0}
        for outcome, count in outcomes.items()
    ]
    with house.platform.database.write() as connection:
        connection.execute(sa.insert(ledger), rows)


def closings(house: House, first: str, last: str) -> list[Closing]:
    with house.platform.database.read() as connection:
        return read_closings(connection, first, last)


def page_of(house: House, path: str = "/balance") -> str:
    if not hasattr(house, "viewer"):
        house.viewer = browser_of(house, "vi@example.org")  # type: ignore[attr-defined]
    answer = house.viewer.get(path, headers=BROWSER)  # type: ignore[attr-defined]
    assert answer.status_code == 200, answer.text
    page: str = answer.text
    check_clean(page)
    return page


def test_what_clients_attempted_is_accounted_for(house: House) -> None:
    said(house, today(), attempted=48_211, sent=40_000, sampled_out=8_000, suppressed=200,
         dropped=11)  # fmt: skip
    came(house, today(), sent=40_310, valid=40_000, invalid=5, duplicate=305)
    page = text(page_of(house))
    assert "All 48 211 attempted events are accounted for" in page
    assert (
        "48 211 attempted = 40 000 sent + 8 000 sampled out + 200 suppressed + 11 dropped "
        "+ 0 waiting"
    ) in page
    assert "40 310 sent = 40 000 valid + 5 invalid + 305 duplicates · 0 unexplained" in page
    assert (
        "40 000 reported as sent + 5 not reported by any client (other senders, or reports still "
        "to come) = 40 005 arrived from all senders, duplicates apart"
    ) in page


def test_what_waits_in_clients_is_said_and_never_guessed(house: House) -> None:
    said(house, today(), attempted=48_211, sent=48_199)
    came(house, today(), sent=48_199, valid=48_199)
    page = text(page_of(house))
    assert "Of 48 211 attempted, all but 12 are accounted for; 12 wait in clients" in page
    assert "48 199 sent + 12 waiting" in page


def test_what_was_attempted_before_is_no_waiting(house: House) -> None:
    said(house, days_ago(20), attempted=7)
    said(house, today(), attempted=10, sent=17)
    came(house, today(), sent=17, valid=17)
    page = text(page_of(house))
    assert "All 10 attempted events are accounted for" in page
    assert "10 attempted = 17 sent + 0 waiting − 7 attempted before" in page
    assert "Of 7 attempted" not in page
    wide = text(page_of(house, f"/balance?day={days_ago(20)}"))
    assert "Of 7 attempted, all but 7 are accounted for; 7 wait in clients" in wide


def test_more_reported_than_arrived_is_said_in_red(house: House) -> None:
    said(house, days_ago(1), attempted=100, sent=100)
    came(house, days_ago(1), sent=120, valid=97, duplicate=23)
    came(house, today(), sent=50, valid=50)  # of another sender, too late to explain it
    page = page_of(house)
    assert "<h1>3 events were acknowledged and did not arrive</h1>" in page
    assert "No other sender explains that: they were lost after the server had" in text(page)
    assert re.search(r'class="n alarm" data-label="Lost">3<', page)
    assert "100 reported as sent + 50 not reported" in text(page)
    assert "− 3 lost = 147 arrived" in text(page)
    [finding] = reported_by_clients(house.config, house.platform.database)
    assert finding.level == "warning"
    assert "3 events reported as sent and never arrived, of Click" in finding.sentence


def test_other_senders_of_another_schema_do_not_hide_a_loss(house: House) -> None:
    house.publish("Other")
    said(house, today(), attempted=5, sent=5)
    came(house, today(), sent=4, valid=4)
    came(house, today(), "Other", sent=900, valid=900)
    assert "1 event was acknowledged and did not arrive" in page_of(house)
    assert [one.overdrawn for one in by_schema(closings(house, today(), today()))] == [1, 0]


def test_reports_that_come_days_later_are_no_loss(house: House) -> None:
    came(house, days_ago(30), sent=10, valid=10)
    said(house, today(), attempted=10, sent=10)
    page = text(page_of(house))
    assert "All 10 attempted events are accounted for" in page
    assert "10 reported as sent − 10 that had arrived before = 0 arrived" in page
    [finding] = reported_by_clients(house.config, house.platform.database)
    assert finding.level == "ok"
    assert "all arrived" in finding.sentence


def test_what_waits_to_be_loaded_is_no_loss(house: House) -> None:
    said(house, today(), attempted=1, sent=1)
    house.accept(json.dumps([{"schema": "Click", "event": {"target": "a"}}]).encode())
    page = page_of(house)
    assert "did not arrive" not in page
    assert "Some of the log waits to be loaded, so 1 event" in text(page)
    [finding] = reported_by_clients(house.config, house.platform.database)
    assert (finding.level, "not all is loaded" in finding.sentence) == ("ok", True)
    house.load()
    assert "The 1 attempted event is accounted for" in page_of(house)


@pytest.mark.parametrize("rule", ["lag", "stored"])
def test_what_waits_in_the_log_of_another_host_is_no_loss(house: House, rule: str) -> None:
    said(house, today(), attempted=5, sent=5)
    came(house, today(), sent=4, valid=4)
    page = text(page_of(house))
    assert "or it waits in another host’s log" in page
    episode = Episode(0, rule, "", clock.iso(clock.now_ms()), 700.0, {"subject": "@host-b"})
    with house.platform.database.write() as connection:
        episodes.insert(connection, episode)
    page = text(page_of(house))
    assert "did not arrive" not in page
    assert "Some of the log waits to be loaded" in page


def test_an_unexplained_residual_heads_the_page(house: House) -> None:
    said(house, today(), attempted=1, sent=1)
    came(house, today(), sent=3, valid=1)
    assert "<h1>2 events are unexplained</h1>" in page_of(house)


def test_it_is_shown_by_schema_and_day_and_as_csv(house: House) -> None:
    house.publish("Other")
    for day in (days_ago(3), today()):
        said(house, day, attempted=5, sent=4, dropped=1)
        came(house, day, sent=4, valid=4)
        came(house, day, "Other", sent=2, valid=2)
    page = page_of(house)
    assert re.findall(r'scope="row"><a href="([^"]+)"', page) == [
        *("/balance?schema=Click", "/balance?schema=Other"),
        *(f"/balance?day={today()}", f"/balance?day={days_ago(3)}"),
    ]
    one = page_of(house, f"/balance?schema=Click&day={today()}")
    assert "The" not in re.findall(r"<h1>(.*?)</h1>", one)[0]
    assert "5 attempted = 4 sent + 1 dropped + 0 waiting" in text(one)
    viewer = house.viewer  # type: ignore[attr-defined]
    answer = viewer.get("/balance?format=csv&schema=Click")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["day"], row["attempted"], row["arrived"], row["overdrawn"]) for row in rows] == [
        (days_ago(3), "5", "4", "0"), (today(), "5", "4", "0")
    ]  # fmt: skip
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="balance-')
    empty = viewer.get("/balance?format=csv&schema=(unknown)").text
    assert empty.startswith("day,schema,attempted,")
    assert len(empty.splitlines()) == 1


def test_before_any_report_the_page_teaches(house: House) -> None:
    page = page_of(house)
    assert "No client has reported yet" in page
    assert "/eventlogging.js&#34;&gt;&lt;/script&gt;" in page
    assert "eventLog.log(&#34;Click&#34;, {&#34;target&#34;: &#34;&lt;\\/script&gt;&#34;});" in page
    said(house, days_ago(20), attempted=1, sent=1)
    assert "No client reported anything in 14 days" in page_of(house)
    [finding] = reported_by_clients(house.config, house.platform.database)
    assert finding.sentence == "no client reported anything in 14 days"


def test_it_is_for_people_who_are_signed_in(house: House) -> None:
    assert house.client.get("/balance", headers=BROWSER).status_code == 404
    assert "/balance" not in house.page("/")
    page_of(house)
    viewer = house.viewer  # type: ignore[attr-defined]
    for path, status in (("day=soon", 400), ("day=9999-01-01", 400), ("schema=No", 404)):
        assert viewer.get(f"/balance?{path}", headers=BROWSER).status_code == status
    came(house, today(), sent=1, valid=1)
    assert 'href="/balance"' in viewer.get("/", headers=BROWSER).text
    schema = viewer.get("/schemas/Click", headers=BROWSER).text
    assert 'href="/balance?schema=Click"' in schema
    assert 'href="/transparency/Click"' in schema


def test_a_parcel_closes_the_books_to_the_last_event(house: House) -> None:
    events = [{"schema": "Click", "event": {"target": "a"}, "id": str(n)} for n in range(3)]
    for counts in ({"attempted": 4, "dropped": 1}, {"sent": 3}):
        counters = {"id": str(uuid.uuid4()), "client": "js/1", "counts": {"Click": counts}}
        body = {"events": events, "counters": counters}
        house.accept(json.dumps(body).encode())
        house.load()
        events = []
    page = text(page_of(house))
    assert "All 4 attempted events are accounted for" in page
    assert "3 reported as sent + 0 not reported" in page


def test_the_daily_report_says_what_clients_count(house: House) -> None:
    def report() -> Any:
        snapshot = house.platform.registry.snapshot
        folder = house.config.var / "log"
        return compute(house.platform.database, snapshot, folder, today())

    house.platform.registry.refresh()
    assert report().clients_words == ""
    said(house, today(), attempted=9, sent=6)
    came(house, today(), sent=4, valid=4)
    found = report()
    assert found.clients_words == "Clients: 9 attempted, 6 reported as sent, 3 waiting"
    assert found.never_arrived == 2
    assert from_dict(json.loads(json.dumps(found.as_dict()))) == found
    assert found.part_of(["Other"]).clients_words == ""
    page = text(page_of(house, f"/reports/{today()}"))
    assert "Clients: 9 attempted" in page
    assert "2 events were reported as sent and never arrived" in page


def test_the_ledger_has_the_clients_by_day_for_programs(house: House) -> None:
    said(house, days_ago(1), attempted=5, sent=4)
    said(house, today(), attempted=2, sent=3)
    asked = f"/v1/ledger?start={days_ago(2)}&step="
    found = json.loads(house.client.get(f"{asked}day").text)
    days = [(one["day"], one["schema"], one["waiting"]) for one in found["clients_by_day"]]
    assert days == [(days_ago(1), "Click", 1), (today(), "Click", -1)]
    assert found["clients"]["Click"]["attempted"] == 7
    assert "clients_by_day" not in json.loads(house.client.get(f"{asked}hour").text)


def test_the_command_has_the_clients_by_day(house: House) -> None:
    said(house, days_ago(1), attempted=5, sent=4)
    said(house, today(), attempted=2, sent=3)
    env = {
        "EVENTLOGGING_VAR": str(house.config.var),
        "EVENTLOGGING_DATABASE_URL": house.config.database_url,
    }
    done = CliRunner().invoke(cli, ["ledger", "--by-day"], env=env)
    assert f"Click {days_ago(1)}" in done.output
    done = CliRunner().invoke(cli, ["ledger", "--by-day", "--json"], env=env)
    found = json.loads(done.output)
    assert found["clients"]["Click"]["attempted"] == 7
    assert [one["sent"] for one in found["clients_by_day"]] == [4, 3]


def test_one_schemas_waiting_is_not_hidden_by_what_another_settled(house: House) -> None:
    said(house, today(), "A", attempted=5)
    said(house, today(), "B", sent=5)
    whole = summed(closings(house, today(), today()))
    assert (whole.waiting, whole.earlier, whole.said.waiting) == (5, 5, 0)


def test_an_excess_is_told_once() -> None:
    assert beyond([(5, 3), (1, 3), (2, 4), (9, 9)]) == [0, 0, 2, 0]
    assert beyond([(0, 3)], opening=2) == [1]
    assert beyond([(0, 3)], opening=-9) == [3]
    assert beyond([]) == []
