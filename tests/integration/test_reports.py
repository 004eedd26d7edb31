"""The daily report: its figures, its mails, its pages, and when it goes out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from eventlogging import clock
from eventlogging.cli.main import cli
from eventlogging.jobs import claims
from eventlogging.jobs.not_yet import NotYet
from eventlogging.jobs.report_duties import digest_week, going_by, report_day
from eventlogging.jobs.runner import run_due
from eventlogging.jobs.table import Daily, Job
from eventlogging.ledger.reading import lines_of_truth
from eventlogging.people import subscriptions
from eventlogging.receipts import chain
from eventlogging.registry.change import change_settings
from eventlogging.reports import causes, stored
from eventlogging.reports.due import week_after
from eventlogging.reports.model import Report, from_dict
from eventlogging.reports.receipts import read_receipts
from eventlogging.reports.validity import compute
from eventlogging.retention import notices
from eventlogging.retention.policy import read_policies
from eventlogging.retention.standing import Standing, read_standing
from eventlogging.store.fixed import governance, mail, person, proposal
from tests.books import click
from tests.console import BROWSER, House

HOUR = 3_600_000
NOON = 1_795_305_600_000 + 12 * HOUR
DAY, NEXT, BEFORE, WEEK_BEFORE = "2026-11-22", "2026-11-23", "2026-11-21", "2026-11-15"
assert clock.iso(NOON) == f"{DAY}T12:00:00.000Z"
SECRET: dict[str, Any] = {
    "type": "object",
    "required": ["target"],
    "additionalProperties": False,
    "properties": {
        "target": {"type": "string"},
        "mail": {"type": "string"},
        "count": {"type": "integer"},
    },
}


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Move the clock to a moment, in milliseconds."""

    def move(ms: int) -> None:
        monkeypatch.setattr(clock, "offset_ms", 0)
        monkeypatch.setattr(clock, "offset_ms", ms - clock.now_ms())

    return move


@pytest.fixture
def house(database_url: str, tmp_path: Path, at: Callable[[int], None]) -> Iterator[House]:
    at(NOON)
    made = House(database_url, tmp_path / "var")
    made.publish("Click", privacy={"mail": "hmac"}, schema=SECRET)
    made.publish("Other", owners=["other@example.org", "Owner@example.org"])
    yield made
    made.close()


def bad(schema: str = "Click", **event: Any) -> dict[str, Any]:
    return {**click(schema=schema), "event": {"target": "a", **event}}


def fill(house: House) -> None:
    """A day with a bit of everything, the day before, and a week before."""
    once = click()
    house.send(
        once, once, click(), click(), bad(count="many"), bad(count="few", mail="ann@x.org"),
        bad(extra=1), click(schema="Nowhere"), click(7, schema="Other"), received=NOON,
    )  # fmt: skip
    house.send(click(), click(), received=NOON - 24 * HOUR)
    house.send(*(click() for _ in range(8)), received=NOON - 7 * 24 * HOUR)
    house.send(click(schema="Other"), received=NOON - 24 * HOUR)


def report(house: House, day: str = DAY) -> Report:
    platform = house.platform
    platform.registry.refresh()
    return compute(
        platform.database, platform.registry.snapshot, platform.log_folder, day,
        going=going_by(platform.database, week_after(day)),
        receipts=read_receipts(platform.config.var),
    )  # fmt: skip


def mails(house: House) -> dict[str, Any]:
    """Recipient → the row of their only mail."""
    with house.platform.database.read() as connection:
        rows = list(connection.execute(sa.select(mail).order_by(mail.c.recipient)).mappings())
    assert len({row["recipient"] for row in rows}) == len(rows)
    return {row["recipient"]: row for row in rows}


def subscribe(house: House, email: str, role: str | None = None, topic: str = "daily") -> None:
    with house.platform.database.write() as connection:
        subscriptions.subscribe(connection, email, topic)
        if role:
            connection.execute(
                sa.insert(person).values(
                    email=email, name="", role=role, state="active", created_at=""
                )
            )


# figures


def test_the_figures_are_those_of_the_ledger_and_the_tables(house: House) -> None:
    fill(house)
    found = report(house)
    with house.platform.database.read() as connection:
        lines = {line.schema: line for line in lines_of_truth(connection, start=DAY, end=NEXT)}
        rows = {
            table: connection.execute(
                sa.text(f"SELECT COUNT(*) FROM {table} WHERE received >= '{DAY}'")
            ).scalar()
            for table in ("Click_1", "Click_invalid", "unknown_invalid")
        }
    assert {one.name: one.line for one in found.active} == lines
    clicked = found.find("Click")
    assert clicked is not None
    assert (clicked.line.valid, clicked.line.duplicate) == (rows["Click_1"], 1)
    assert clicked.line.invalid == rows["Click_invalid"] == 3
    assert clicked.looked_at == 3
    assert found.total.residual == 0
    assert found.total.sent == 9
    assert (clicked.day_before.sent, clicked.week_before.sent) == (2, 8)
    assert found.history["valid"][-2:] == [3, 3]
    assert rows["unknown_invalid"] == 1


def test_causes_are_counted_by_code_and_path(house: House) -> None:
    fill(house)
    clicked = report(house).find("Click")
    assert clicked is not None
    causes = [(one.code, one.pointer, one.count) for one in clicked.causes]
    assert causes == [("type_mismatch", "/count", 2), ("undeclared_field", "", 1)]
    assert clicked.causes[0].expected == "a whole number"


def test_causes_are_counted_page_by_page(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causes, "_PAGE", 2)
    house.send(*(bad(count="x") for _ in range(7)), *(bad(extra=1) for _ in range(4)),
               received=NOON)  # fmt: skip
    house.send(bad(count="x"), received=NOON - 24 * HOUR)
    clicked = report(house).find("Click")
    assert clicked is not None
    assert [(one.pointer, one.count) for one in clicked.causes] == [("/count", 7), ("", 4)]
    assert clicked.looked_at == 11
    monkeypatch.setattr(causes, "MOST_ROWS", 3)
    newest = report(house).find("Click")
    assert newest is not None and newest.looked_at == 3 and newest.line.invalid == 11


def test_schemas_are_new_on_the_day_of_their_first_event(house: House) -> None:
    fill(house)
    assert report(house).new == ()
    assert report(house, BEFORE).new == ("Other",)
    assert report(house, WEEK_BEFORE).new == ("Click",)


def test_a_schema_that_had_events_a_week_before_and_none_now_is_silent(house: House) -> None:
    fill(house)
    house.send(click(schema="Other"), received=NOON - 7 * 24 * HOUR)
    assert report(house).silent == ()
    week_later = report(house, "2026-11-29")
    assert week_later.silent == ("Click", "Other")
    assert not week_later.active


def test_a_report_becomes_json_and_comes_back(house: House) -> None:
    fill(house)
    found = report(house)
    assert from_dict(json.loads(json.dumps(found.as_dict()))) == found


def test_a_stored_report_holds_no_value_of_an_event(house: House) -> None:
    fill(house)
    assert "many" not in json.dumps(report(house).as_dict())


def test_reviews_that_wait_and_events_that_grow_old_are_due(house: House) -> None:
    fill(house)
    with house.platform.database.write() as connection:
        connection.execute(
            sa.insert(proposal).values(
                schema="Click", version="1.1.0", body="{}", state="proposed", reviewer="rev@x.org",
                proposed_at="2026-11-20T00:00:00.000Z", proposed_by="ann@x.org",
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(governance).values(
                folder="purge", name="Click.toml", document='{"keep_days": 10}', updated_at=""
            )
        )
    counter = sa.text("UPDATE registry_counter SET value = value + 1")
    with house.platform.database.write() as connection:
        connection.execute(counter)
    due = report(house).due
    assert [one.kind for one in due] == ["review", "retention"]
    assert due[0].text == (
        "Click 1.1.0 waits for its review since 2026-11-20; it is the turn of rev@x.org"
    )
    assert due[1].text == ("Click: 8 stored events go by their rule, the first on 2026-11-26")
    assert notices.due(standing(house), DAY)[0].going.on == "2026-11-26"  # owners hear the same


def test_what_an_extension_keeps_is_not_due(house: House) -> None:
    fill(house)
    rule = {
        "keep_days": 10,
        "extension": {"keep_days": 60, "until": "2027-03-31", "reason": "x", "asked_by": "a@x.org"},
    }
    with house.platform.database.write() as connection:
        row = {"folder": "purge", "name": "Click.toml", "updated_at": ""}
        connection.execute(sa.insert(governance).values(**row, document=json.dumps(rule)))
    assert report(house).due == ()


def test_the_newest_receipt_goes_out_with_the_report(
    house: House, at: Callable[[int], None]
) -> None:
    fill(house)
    assert report(house).receipts.words == ""
    folder = chain.folder_of(house.config.var)
    chain.append(folder, "begin", {})
    newest = chain.append(folder, "purge", {"schema": "Click"})
    found = report(house)
    assert found.receipts.words == f"Receipts: 2, newest digest {newest.digest}"
    assert from_dict(json.loads(json.dumps(found.as_dict()))) == found
    at(NOON + 13 * HOUR)
    assert report_day(house.platform, DAY).outcome == "done"
    sent = mails(house)["owner@example.org"]
    assert f"Receipts: 2, newest digest {newest.digest}" in sent["text"]
    assert newest.digest in sent["html"]
    (folder / chain.FILE).write_text("nonsense\n")
    assert report(house).receipts.words == "Receipts cannot be trusted: receipt 1 cannot be read"


def standing(house: House) -> dict[str, Standing]:
    with house.platform.database.read() as connection:
        return read_standing(connection, read_policies(connection), DAY)


# when


def test_a_report_waits_for_everything_of_its_day(house: House, at: Callable[[int], None]) -> None:
    fill(house)
    house.accept(json.dumps([click()]).encode(), NOON)
    at(NOON + 13 * HOUR)
    job = Job("daily-report", Daily(0, 20), report_day)
    assert run_due(house.platform, [job]) == 0
    assert not mails(house)
    run = claims.read(house.platform.database, "daily-report", DAY)
    assert run is not None and run.finished_at is None
    house.load()
    assert run_due(house.platform, [job]) == 1
    assert mails(house)["owner@example.org"]["subject"].endswith("0 unexplained")
    assert run_due(house.platform, [job]) == 0


def test_events_of_the_next_day_are_not_waited_for(house: House, at: Callable[[int], None]) -> None:
    fill(house)
    at(NOON + 13 * HOUR)
    house.accept(json.dumps([click()]).encode(), NOON + 13 * HOUR)
    assert report_day(house.platform, DAY).outcome == "done"


def test_after_six_hours_it_goes_out_marked_incomplete_and_is_mended_later(
    house: House, at: Callable[[int], None]
) -> None:
    fill(house)
    house.accept(json.dumps([click()]).encode(), NOON)
    at(NOON + 17 * HOUR)
    with pytest.raises(NotYet):
        report_day(house.platform, DAY)
    at(NOON + 19 * HOUR)
    assert report_day(house.platform, DAY).outcome == "warning"
    sent = mails(house)["owner@example.org"]
    assert sent["subject"].endswith("0 unexplained, incomplete")
    assert "INCOMPLETE" in sent["text"] and "Incomplete" in sent["html"]
    house.load()
    at(NOON + 37 * HOUR)
    assert DAY in report_day(house.platform, NEXT).detail
    with house.platform.database.read() as connection:
        kept = stored.read(connection, DAY)
    assert kept is not None and kept.complete and kept.total.sent == 10


def test_of_a_day_that_is_not_over_the_figures_so_far_are_mailed_beside_the_report(
    house: House, at: Callable[[int], None]
) -> None:
    fill(house)
    with pytest.raises(NotYet, match="2 mails with the figures so far"):
        report_day(house.platform, DAY)
    with house.platform.database.read() as connection:
        assert stored.read(connection, DAY) is None
    at(NOON + 13 * HOUR)
    assert "2 mails queued" in report_day(house.platform, DAY).detail


def test_a_house_without_a_past_reports_none(house: House) -> None:
    result = report_day(house.platform, BEFORE)
    assert (result.outcome, result.detail) == ("done", f"nothing was ever received up to {BEFORE}")
    assert not mails(house)


# mails


def make(house: House, at: Callable[[int], None]) -> dict[str, Any]:
    at(NOON + 13 * HOUR)
    assert report_day(house.platform, DAY).outcome == "done"
    return mails(house)


def test_subscribers_get_everything_and_owners_their_part(
    house: House, at: Callable[[int], None]
) -> None:
    fill(house)
    subscribe(house, "sub@example.org", "viewer")
    with house.platform.database.write() as connection:
        connection.execute(
            sa.insert(governance).values(
                folder="alerts", name="default.toml", updated_at="",
                document='{"recipients": ["List@example.org"]}',
            )
        )  # fmt: skip
    sent = make(house, at)
    assert list(sent) == [
        *("list@example.org", "other@example.org", "owner@example.org", "sub@example.org"),
    ]
    assert sent["sub@example.org"]["subject"] == (f"{DAY}: 9 events, 62.5 % invalid, 0 unexplained")
    assert sent["sub@example.org"]["key"] == f"report:{DAY}:sub@example.org"
    assert "(unknown)" in sent["sub@example.org"]["text"]
    part = sent["other@example.org"]
    assert part["subject"].startswith(f"{DAY}: Other: 1 event, 100.0")
    assert "Click" not in part["text"] and "(unknown)" not in part["text"]
    assert "your schemas" in sent["owner@example.org"]["subject"]
    headers = json.loads(sent["sub@example.org"]["headers"])
    assert headers["List-Unsubscribe"].strip("<>") in sent["sub@example.org"]["text"]
    assert json.loads(part["headers"]) == {}


def test_a_report_is_mailed_once_however_often_it_is_made(
    house: House, at: Callable[[int], None]
) -> None:
    fill(house)
    make(house, at)
    again = make(house, at)
    assert len(again) == 2


def test_owners_whose_schemas_had_nothing_are_left_alone(
    house: House, at: Callable[[int], None]
) -> None:
    house.publish("Quiet", owners=["quiet@example.org"])
    fill(house)
    assert "quiet@example.org" not in make(house, at)


def test_owners_and_subscribers_whose_account_is_disabled_get_no_mail(
    house: House, at: Callable[[int], None]
) -> None:
    fill(house)
    subscribe(house, "gone@example.org", "viewer")
    with house.platform.database.write() as connection:
        connection.execute(sa.update(person).values(state="disabled"))
    assert list(make(house, at)) == ["other@example.org", "owner@example.org"]


def test_what_events_held_is_shown_to_those_who_may_read_it(
    house: House, at: Callable[[int], None]
) -> None:
    fill(house)
    subscribe(house, "analyst@example.org", "analyst")
    subscribe(house, "viewer@example.org", "viewer")
    sent = make(house, at)
    for who in ("analyst@example.org", "owner@example.org"):
        assert '"count": "few"' in sent[who]["text"]
        assert "few" in sent[who]["html"]
    for part in ("text", "html"):
        assert "few" not in sent["viewer@example.org"][part]
        assert "/count" in sent["viewer@example.org"][part]


def test_what_events_for_owners_alone_held_is_not_mailed_to_analysts(
    house: House, at: Callable[[int], None]
) -> None:
    fill(house)
    change_settings(house.platform.database, "Click", "test", readers="owners")
    subscribe(house, "analyst@example.org", "analyst")
    subscribe(house, "root@example.org", "admin")
    house.platform.registry.refresh()
    sent = make(house, at)
    for who in ("root@example.org", "owner@example.org"):
        assert '"count": "few"' in sent[who]["text"]
    for part in ("text", "html"):
        assert "few" not in sent["analyst@example.org"][part]
        assert "/count" in sent["analyst@example.org"][part]


def test_private_fields_are_masked_in_samples(house: House, at: Callable[[int], None]) -> None:
    fill(house)
    text = make(house, at)["owner@example.org"]["text"]
    assert '"mail": "(private)"' in text
    assert "ann@x.org" not in text


def test_a_field_that_became_private_later_is_masked_too(
    house: House, at: Callable[[int], None]
) -> None:
    fill(house)
    wider = {**SECRET, "properties": {**SECRET["properties"], "more": {"type": "string"}}}
    house.publish("Click", privacy={"mail": "hmac", "count": "drop"}, schema=wider)
    text = make(house, at)["owner@example.org"]["text"]
    assert "few" not in text and '"count": "(private)"' in text
    assert "found:    (private)" in text


def test_rows_that_could_not_be_sealed_show_no_values(
    house: House, at: Callable[[int], None]
) -> None:
    subscribe(house, "analyst@example.org", "analyst")
    house.send({"schema": "Nowhere", "event": {"secret": "hunter2"}}, received=NOON)
    text = make(house, at)["analyst@example.org"]["text"]
    assert "unknown_schema" in text
    assert "hunter2" not in text
    assert "its values are not shown" in text


def test_what_came_from_outside_is_escaped(house: House, at: Callable[[int], None]) -> None:
    hostile = "</pre><script>alert(1)</script>\n\nFree money: https://evil.example"
    house.send(bad(count=hostile), bad(**{hostile: 1}), received=NOON)
    sent = make(house, at)["owner@example.org"]
    assert "<script" not in sent["html"]
    assert "&lt;script&gt;" in sent["html"]
    assert "\nFree money" not in sent["text"]


def test_the_mail_has_its_chart_inside_and_nothing_from_elsewhere(
    house: House, at: Callable[[int], None]
) -> None:
    fill(house)
    sent = make(house, at)["owner@example.org"]
    assert 'src="cid:chart"' in sent["html"]
    assert list(json.loads(sent["images"])) == ["chart"]
    assert 'src="http' not in sent["html"]
    assert sent["html"].count("<a ") <= 3


# weeks


def test_a_digest_sums_the_week_up_to_sunday(house: House, at: Callable[[int], None]) -> None:
    fill(house)
    subscribe(house, "week@example.org", topic="weekly")
    at(NOON + 20 * HOUR)
    assert digest_week(house.platform, BEFORE).detail.startswith(f"{BEFORE} is no Sunday")
    result = digest_week(house.platform, DAY)
    assert result.outcome == "done"
    sent = mails(house)["week@example.org"]
    assert sent["subject"].startswith("2026-11-16 to 2026-11-22: 12 events")
    assert "Click" in sent["text"] and "Click" in sent["html"]
    assert "List-Unsubscribe" in sent["headers"]


# pages and command


def test_the_pages_of_reports_are_for_people_signed_in(house: House) -> None:
    for path in ("/reports", f"/reports/{DAY}", f"/reports/{DAY}.json", f"/reports/{DAY}.csv"):
        assert house.client.get(path, headers=BROWSER).status_code == 404
    house.sign_in()
    for path in ("/reports", f"/reports/{DAY}"):
        assert house.client.get(path, headers=BROWSER).status_code == 200
    for wrong in ("2026-11-23", "yesterday", "2026-1-1", "2026-11-22x"):
        assert house.client.get(f"/reports/{wrong}", headers=BROWSER).status_code == 404


def test_a_days_page_shows_what_went_out(house: House, at: Callable[[int], None]) -> None:
    fill(house)
    house.sign_in()
    assert "Computed now" in house.page(f"/reports/{DAY}")
    assert "Incomplete:" in house.page(f"/reports/{DAY}")
    make(house, at)
    page = house.page(f"/reports/{DAY}")
    assert "As it went out" in page and "Incomplete:" not in page
    assert "37.5\N{NO-BREAK SPACE}% valid on 2026-11-22" in page
    assert "few" in page
    assert "went out" in house.page("/reports")


def test_the_data_of_a_report_is_that_of_the_ledger(house: House) -> None:
    fill(house)
    house.sign_in()
    body = house.client.get(f"/reports/{DAY}.json").json
    assert body["total"]["sent"] == 9 and body["total"]["residual"] == 0
    answer = house.client.get(f"/reports/{DAY}.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    clicked = next(row for row in rows if row["schema"] == "Click")
    assert (clicked["sent"], clicked["invalid"], clicked["unexplained"]) == ("7", "3", "0")
    assert clicked["top_cause"] == "type_mismatch /count"


def test_a_viewer_sees_causes_without_samples(house: House) -> None:
    fill(house)
    house.sign_in()
    with house.platform.database.write() as connection:
        connection.execute(sa.update(person).values(role="viewer"))
    page = house.page(f"/reports/{DAY}")
    assert "/count" in page and "few" not in page
    body = house.client.get(f"/reports/{DAY}.json").json
    assert "few" not in json.dumps(body)
    assert "type_mismatch" in json.dumps(body)


def test_the_command_prints_a_report(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(house)
    monkeypatch.setenv("EVENTLOGGING_VAR", str(house.config.var))
    monkeypatch.setenv("EVENTLOGGING_DATABASE_URL", house.config.database_url)
    shown = CliRunner().invoke(cli, ["report", "--for", DAY])
    assert shown.exit_code == 0, shown.output
    assert "9 sent = 3 valid + 5 invalid + 1 duplicate · 0 unexplained" in shown.output
    assert "Click: 2 type_mismatch at /count, expected a whole number" in shown.output
    as_json = CliRunner().invoke(cli, ["report", "--for", DAY, "--json"])
    assert json.loads(as_json.output)["total"]["sent"] == 9
    assert CliRunner().invoke(cli, ["report", "--for", "2027-01-01"]).exit_code == 2
