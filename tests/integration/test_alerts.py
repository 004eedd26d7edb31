"""Alerts from the ledger to the mail: told once with the cause, closed by themselves."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.alerts import episodes
from eventlogging.alerts import rules as alert_rules
from eventlogging.alerts.episode import Episode
from eventlogging.console import alert_pages
from eventlogging.governance.read import read_governance
from eventlogging.jobs import alert_duties, claims
from eventlogging.jobs.runner import run_due
from eventlogging.jobs.table import JOBS, look_at_alerts
from eventlogging.mail.letter import Letter, of_row
from eventlogging.people import subscriptions
from eventlogging.platform import open_platform
from eventlogging.registry import audit
from eventlogging.registry.change import change_settings
from eventlogging.store.fixed import (
    alert_episode,
    governance,
    ledger,
    mail,
    person,
    webhook_call,
)
from tests.console import BROWSER, House, csrf
from tests.people import add_person

ROOT = Path(__file__).parents[2]
MINUTE = 60_000
OWNER, LIST, FAN = "owner@example.org", "list@example.org", "fan@example.org"
THROUGHPUT = {"above_per_second": 1, "window_minutes": 1, "rearm_below_per_second": 0.5}
INVALID = {
    "above_percent": 10,
    "window_minutes": 5,
    "at_least_events": 4,
    "rearm_below_percent": 5,
}


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path / "var", public_url="https://events.example.org")
    made.publish()
    yield made
    made.close()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], int]:
    """Stand so many minutes after a fixed whole hour."""
    now = clock.now_ms()
    start = now - now % (60 * MINUTE) + 60 * MINUTE

    def stand(minutes: float) -> int:
        target = start + round(minutes * MINUTE)
        clock.offset_ms = 0
        monkeypatch.setattr(clock, "offset_ms", target - clock.now_ms())
        return target

    return stand


@pytest.fixture(autouse=True)
def templates_can_be_used(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """A fault in a template is logged and gives a plain mail; ours have none."""
    yield
    meant = "faulty_template" in request.node.name
    said = "\n".join(record.getMessage() for record in caplog.get_records("call"))
    assert ("cannot be used" in said) == meant
    assert "the alert goes out without" not in said


def rules(house: House, *, schema: str = "", **tables: Any) -> None:
    """Put rules in force, and the templates of the starter set."""
    held = {
        key: document
        for key, document in read_governance(ROOT).documents.items()
        if key[0] == "alerts" and key[1].startswith("emails/")
    }
    name = f"{schema}.toml" if schema else "default.toml"
    held["alerts", name] = {"recipients": [LIST], **tables}
    with house.platform.database.write() as connection:
        connection.execute(sa.delete(governance).where(governance.c.folder == "alerts"))
        rows = [
            {"folder": f, "name": n, "document": json.dumps(d), "updated_at": ""}
            for (f, n), d in held.items()
        ]
        connection.execute(sa.insert(governance), rows)


def look(house: House) -> str:
    result = look_at_alerts(house.platform, "")
    assert result.outcome == "done"
    return result.detail


def mails(house: House, recipient: str | None = None) -> list[Letter]:
    with house.platform.database.read() as connection:
        query = sa.select(mail).order_by(mail.c.id)
        found = [of_row(row) for row in connection.execute(query).mappings()]
    return [one for one in found if recipient in (None, one.recipient)]


def all_episodes(house: House) -> list[Episode]:
    with house.platform.database.read() as connection:
        ids = connection.execute(sa.select(alert_episode.c.id).order_by(alert_episode.c.id))
        found = [episodes.by_id(connection, id) for id in ids.scalars()]
    return [one for one in found if one is not None]


def clicks(number: int, **event: Any) -> list[dict[str, Any]]:
    return [{"schema": "Click", "event": {"target": "a", **event}} for _ in range(number)]


def book(house: House, schema: str, count: int, at_ms: int, outcome: str = "valid") -> None:
    """Put counts into the ledger as the loader does, for weeks that no test lives through."""
    with house.platform.database.write() as connection:
        for what in (outcome, "sent"):
            connection.execute(
                sa.insert(ledger).values(
                    minute=clock.minute(at_ms), schema=schema, version="1.0.0", outcome=what,
                    reason="", count=count, kept=0,
                )
            )  # fmt: skip


# a burst


def test_a_burst_gives_one_mail_with_a_graph_and_one_closing_notice(
    house: House, at: Callable[[float], int]
) -> None:
    rules(house, throughput=THROUGHPUT)
    at(0.5)
    house.send(*clicks(90))
    at(1.1)
    assert "opened: Click: 1.5 events/s" in look(house)
    look(house)
    at(1.8)
    assert look(house) == "1 going on"
    assert sorted(one.recipient for one in mails(house)) == [LIST, OWNER]
    (letter,) = mails(house, OWNER)
    assert letter.subject.startswith("Click: 1.5 events/s since ")
    assert letter.images["chart"].startswith(b"\x89PNG")
    assert "cid:chart" in letter.html
    assert "The limit is 1 a second" in letter.text
    assert "Click: 1.5 a second, 100.0 % of all" in letter.text
    assert "version Click 1.0.0: 100 %, was 0 %" in letter.text
    assert "You get this because you own Click." in letter.text
    at(2.1)
    assert "over: Click" in look(house)
    look(house)
    closing = mails(house, OWNER)[1:]
    assert [one.subject for one in closing] == ["Over: Click: the rate is below the limit again"]
    assert len(mails(house)) == 4
    at(3.1)
    house.send(*clicks(90))
    at(4.1)
    assert "opened" in look(house), "it is told again once it was below the limit"


def test_all_together_are_told_of_only_where_no_schema_alone_explains_it(
    house: House, at: Callable[[float], int]
) -> None:
    house.publish("Other")
    rules(house, throughput=THROUGHPUT)
    at(0.5)
    house.send(*clicks(45), *({**one, "schema": "Other"} for one in clicks(45)))
    at(1.1)
    assert "opened: All events together: 1.5 events/s" in look(house)
    assert {one.recipient for one in mails(house)} == {OWNER, LIST}, "owners of what caused it too"
    (letter,) = mails(house, LIST)
    assert "Click: 0.8 a second, 50.0 % of all" in letter.text


def test_what_opens_at_the_same_moment_is_one_mail_for_a_person(
    house: House, at: Callable[[float], int]
) -> None:
    house.publish("Other", owners=["other@example.org"])
    rules(house, throughput=THROUGHPUT)
    at(0.5)
    house.send(*clicks(90), *({**one, "schema": "Other"} for one in clicks(90)))
    at(1.1)
    look(house)
    (letter,) = mails(house, LIST)
    assert letter.subject.startswith("2 alerts: Click: 1.5 events/s")
    assert set(letter.images) == {"chart0", "chart1"}
    assert [len(mails(house, who)) for who in (OWNER, "other@example.org")] == [1, 1]
    at(2.1)
    look(house)
    assert [len(mails(house, who)) for who in (LIST, OWNER)] == [2, 2]
    assert ", and 1 more alert is over" in mails(house, LIST)[1].subject


# invalid events


def test_the_mail_about_invalid_events_carries_the_fix(
    house: House, at: Callable[[float], int]
) -> None:
    rules(house, invalid=INVALID)
    at(-30)
    house.send(*clicks(10))
    at(1.5)
    broken = [{"schema": "Click", "event": {"target": "abc" * n, "count": "7"}} for n in (3, 1, 5)]
    house.send(*clicks(5), *broken)
    at(2.1)
    look(house)
    (letter,) = mails(house, OWNER)
    assert re.fullmatch(
        r"Click: 38 % invalid since ..:02 UTC, was 0 % \(type_mismatch at /count\)", letter.subject
    )
    assert '"target": "abc"' in letter.text, "the smallest"
    assert '"count": "7"  ← here' in letter.text
    assert "1. Change the code: send a whole number at /count" in letter.text
    assert "2. Change the schema: /count: allow string beside integer." in letter.text
    assert "That is 2.0.0, a major version; 3 of 3 stored invalid events would pass" in letter.text
    assert "<b style" in letter.html
    (other,) = mails(house, LIST)
    assert "abc" not in other.text + other.html, "a list may have anybody on it"
    assert "send a whole number at /count" in other.text


def test_values_of_events_for_owners_alone_are_mailed_to_owners_and_admins(
    house: House, at: Callable[[float], int]
) -> None:
    change_settings(house.platform.database, "Click", "test", readers="owners")
    rules(house, invalid=INVALID)
    for email, role in (("an@example.org", "analyst"), ("root@example.org", "admin")):
        add_person(house, email, role)
        with house.platform.database.write() as connection:
            assert subscriptions.subscribe(connection, email, "alerts")
    at(-30)
    house.send(*clicks(10))
    at(1.5)
    house.send({"schema": "Click", "event": {"target": "abc", "count": "7"}}, *clicks(5))
    at(2.1)
    look(house)
    for email in (OWNER, "root@example.org"):
        assert '"target": "abc"' in mails(house, email)[0].text
    (kept_out,) = mails(house, "an@example.org")
    assert "abc" not in kept_out.text + kept_out.html


def test_private_values_and_unsealed_events_are_never_in_a_mail(
    house: House, at: Callable[[float], int]
) -> None:
    house.publish("Secret", owners=[OWNER], privacy={"target": "hmac"})
    rules(house, invalid=INVALID)
    at(1.5)
    event = {"target": "Ada Lovelace", "count": "x"}
    house.send(*({"schema": "Secret", "event": event} for _ in range(4)))
    house.send(*({"schema": "Secret", "event": "Ada Lovelace"} for _ in range(4)))
    at(2.1)
    look(house)
    (letter,) = mails(house, OWNER)
    assert '"target": "(private)"' in letter.text
    assert "Ada" not in letter.text + letter.html


# silence, and a loader that stands still


def test_a_schema_that_stops_is_noticed_by_its_own_weeks(
    house: House, at: Callable[[float], int]
) -> None:
    rules(house, rhythm={"weeks": 3, "at_least_events": 50})
    house.publish("Rare")
    now = at(60)
    for week in (1, 2, 3):
        book(house, "Click", 60, now - 7 * clock.DAY_MS * week - 30 * MINUTE)
        book(house, "Rare", 2, now - 7 * clock.DAY_MS * week - 30 * MINUTE)
    look(house)
    (letter,) = mails(house, OWNER)
    assert letter.subject == "Click: no valid event for 60 min"
    assert "In the same 60 min of past weeks there were 60." in letter.text
    assert letter.images
    at(61)
    house.send(*clicks(1))
    at(62.1)
    assert "over: Click" in look(house)


def test_a_schema_with_a_rule_of_its_own_is_silent_by_it(
    house: House, at: Callable[[float], int]
) -> None:
    rules(house, schema="Click", silent={"after_minutes": 10})
    at(0)
    look(house)
    assert not mails(house), "it has not begun yet"
    house.send(*clicks(1))
    at(9)
    look(house)
    assert not mails(house)
    at(12)
    look(house)
    assert mails(house, OWNER)[0].subject == "Click: no valid event for 10 min"


def test_what_waits_in_the_log_is_no_silence(house: House, at: Callable[[float], int]) -> None:
    rules(house, schema="Click", silent={"after_minutes": 10})
    at(0)
    house.send(*clicks(1))
    now = at(9)
    house.accept(json.dumps(clicks(1)).encode(), now)
    at(30)
    look(house)
    assert not mails(house)


def test_a_loader_that_stands_still_is_noticed_while_intake_is_healthy(
    house: House, at: Callable[[float], int]
) -> None:
    stored = {
        "below_percent": 50,
        "window_minutes": 2,
        "at_least_bytes": 1000,
        "rearm_above_percent": 90,
    }
    rules(house, stored=stored, lag={"above_seconds": 300, "rearm_below_seconds": 60})
    for minute in range(3):
        now = at(minute)
        house.send(*clicks(20), received=now)
        alert_duties.look_at_host(house.platform, "")
    assert not mails(house)
    for minute in range(3, 6):
        now = at(minute)
        house.accept(json.dumps(clicks(20)).encode(), now)
        alert_duties.look_at_host(house.platform, "")
    (letter,) = mails(house, LIST)
    assert letter.subject.startswith("Stored below accepted on ")
    assert "Intake looks healthy; the loader stands still" in letter.text
    at(9)
    alert_duties.look_at_host(house.platform, "")
    assert mails(house, LIST)[1].subject.startswith("Events wait for 6 min to be stored on ")
    house.load()
    for minute in range(10, 14):
        at(minute)
        alert_duties.look_at_host(house.platform, "")
    assert all(not one.is_open for one in all_episodes(house))


def test_an_unusual_hour_is_told_of_against_the_same_hour_of_past_weeks(
    house: House, at: Callable[[float], int]
) -> None:
    rules(house, volume={"weeks": 6, "deviations": 6, "at_least_events": 500})
    now = at(65)
    for week, count in enumerate((1000, 1010, 9000, 990, 1005), start=1):
        book(house, "Click", count, now - 7 * clock.DAY_MS * week - 30 * MINUTE)
    book(house, "Click", 3000, now - 30 * MINUTE)
    at(64)
    look(house)
    assert not mails(house), "looked at each quarter of an hour"
    at(65)
    look(house)
    (letter,) = mails(house, OWNER)
    assert re.fullmatch(
        "Click: 3 000 events in the hour from ..:00 UTC, usual are 1 005", letter.subject
    )
    at(125)
    assert "over: Click" in look(house)


def test_disk_and_database_are_looked_at(house: House, at: Callable[[float], int]) -> None:
    rules(
        house,
        disk={"below_gigabytes": 10**6, "rearm_above_gigabytes": 10**6},
        database={"above_percent": 0, "rearm_below_percent": 0},
    )
    at(0)
    look(house)
    alert_duties.look_at_host(house.platform, "")
    facts = [one.subject for one in mails(house, LIST)]
    assert facts[0].startswith("Database: ") and "in use" in facts[0]
    assert facts[1].startswith("Only ") and "GB free on the disk of the log on " in facts[1]


def test_unexplained_events_are_told_of(house: House, at: Callable[[float], int]) -> None:
    rules(house, unexplained={"above_events": 0, "window_minutes": 60})
    now = at(0)
    house.send(*clicks(3), received=now)
    at(5)
    look(house)
    assert not mails(house)
    with house.platform.database.write() as connection:
        connection.execute(
            sa.update(ledger).where(ledger.c.outcome == "valid").values(count=1)
        )  # fmt: skip
    look(house)
    (letter,) = mails(house)
    assert letter.subject == "2 events are unexplained"
    assert "Click: 2" in letter.text


def test_a_job_that_fails_is_told_of_until_it_succeeds(
    house: House, at: Callable[[float], int]
) -> None:
    rules(house, jobs={"late_minutes": 60})
    at(0)
    database = house.platform.database
    run = claims.claim(database, "ledger-proof", "2026-01-01")
    assert run is not None
    claims.finish(database, run, "failed", "the sky fell")
    look(house)
    (letter,) = mails(house, LIST)
    assert letter.subject == "Job ledger-proof failed"
    assert "the sky fell" in letter.text
    at(1)
    run = claims.claim(database, "ledger-proof", "2026-01-02")
    assert run is not None
    claims.finish(database, run, "done", "")
    assert "over: Job ledger-proof failed" in look(house)


def test_a_job_is_late_only_while_somebody_could_have_run_it(
    house: House, at: Callable[[float], int]
) -> None:
    rules(house, jobs={"late_minutes": 5})
    at(0)
    look(house)
    assert not mails(house), "the platform was off when it was due"
    alerts = [job for job in JOBS if job.name == "alerts"]
    for minute in range(1, 9):
        at(minute)
        assert run_due(house.platform, alerts) == 1
        assert run_due(house.platform, alerts) == 0
    found = {one.subject for one in mails(house, LIST)}
    assert any("late" in subject for subject in found)


def finished(
    house: House, job: str, outcome: str, detail: str = "", slot: str = "2026-01-01@here"
) -> None:
    run = claims.claim(house.platform.database, job, slot, again=True)
    assert run is not None
    claims.finish(house.platform.database, run, outcome, detail)


def test_the_jobs_of_proof_are_those_that_the_rule_is_about() -> None:
    assert {alert_rules.VERIFY, alert_rules.CANARY} <= {job.name for job in JOBS}


def test_a_certificate_with_findings_is_told_of_once_with_the_command(
    house: House, at: Callable[[float], int]
) -> None:
    rules(house, jobs={"late_minutes": 60}, certificate={"after_days": 2})
    at(0)
    finished(house, "retention-verify", "failed", "Click_1: events of 2020-01-01")
    assert "opened: Something is kept that no rule explains" in look(house)
    (letter,) = mails(house, LIST)
    assert letter.subject == "Something is kept that no rule explains"
    for text in (letter.text, letter.html):
        assert "Click_1: events of 2020-01-01" in text
        assert "of 2026-01-01 on here" in text
        assert "eventlogging retention verify" in text
    at(1)
    finished(house, "retention-verify", "done")
    assert "over: Something is kept that no rule explains" in look(house)
    assert "The certificate is clean again" in mails(house, LIST)[-1].subject


def test_a_canary_that_was_kept_is_told_of(house: House, at: Callable[[float], int]) -> None:
    rules(house, certificate={"after_days": 2})
    at(0)
    finished(house, "retention-verify", "done")
    finished(house, "opt-out-canary", "failed", "there is something in the table Click_1")
    look(house)
    (letter,) = mails(house, LIST)
    assert letter.subject == "The opt-out canary failed"
    assert "something in the table Click_1" in letter.text
    assert "eventlogging job run opt-out-canary" in letter.text


def test_a_certificate_that_is_not_made_is_told_of(
    house: House, at: Callable[[float], int]
) -> None:
    rules(house, certificate={"after_days": 2})
    at(0)
    finished(house, "retention-verify", "done")
    assert "0 going on" in look(house)
    days = 3 * 24 * 60
    at(days)
    assert "0 going on" in look(house), "the platform was off, and has just begun to look"
    looked(house, at, days, days + 55)
    at(days + 59)
    assert "0 going on" in look(house)
    at(days + 60)
    assert "opened: No certificate for 3 days" in look(house)
    assert "eventlogging retention verify" in mails(house, LIST)[0].text
    finished(house, "retention-verify", "done", slot="2026-01-04@here")
    at(days + 61)
    assert "over: No certificate for 3 days" in look(house)


def looked(house: House, at: Callable[[float], int], first: int, last: int) -> None:
    """Alerts were looked at from one minute to another; a look now and then took longer."""
    for minute in range(first, last + 1, 5):
        finished(house, "alerts", "done", slot=clock.minute(at(minute)))


def test_a_break_in_which_nobody_looked_begins_the_time_anew(
    house: House, at: Callable[[float], int]
) -> None:
    rules(house, certificate={"after_days": 1})
    at(0)
    finished(house, "retention-verify", "done")
    days = 3 * 24 * 60
    looked(house, at, days - 23 * 60, days - 22 * 60)
    at(days)
    assert "0 going on" in look(house), "it was off for 22 hours"
    looked(house, at, days, days + 30)
    at(days + 30)
    assert "0 going on" in look(house)
    looked(house, at, days + 30, days + 60)
    at(days + 60)
    assert "opened: No certificate for 3 days" in look(house)


# what people do about it


def opened(house: House, at: Callable[[float], int]) -> Episode:
    rules(house, throughput={**THROUGHPUT, "rearm_below_per_second": 0.001})
    at(0.5)
    house.send(*clicks(90))
    at(1.1)
    look(house)
    return all_episodes(house)[0]


def keep_going(house: House, at: Callable[[float], int], minutes: float) -> None:
    """Look again while the rate is in between."""
    at(minutes - 0.5)
    house.send(*clicks(6))
    at(minutes + 0.1)
    look(house)


def link(letter: Letter, act: str) -> str:
    found = re.search(rf"https://events.example.org(/alerts/{act}/\S+)", letter.text)
    assert found is not None, letter.text
    return found[1]


def test_a_snooze_quiets_and_ends(house: House, at: Callable[[float], int]) -> None:
    episode = opened(house, at)
    before = len(mails(house))
    with house.platform.database.write() as connection:
        assert episodes.snooze(connection, episode, OWNER, "1h")
    keep_going(house, at, 30)
    assert len(mails(house)) == before
    keep_going(house, at, 62)
    still = mails(house)[before:]
    assert [one.subject[:30] for one in still] == ["Still: Click: 0.1 events/s sin"] * 2
    keep_going(house, at, 63)
    assert len(mails(house)) == before + len(still)


def test_a_snooze_outlasts_its_episode(house: House, at: Callable[[float], int]) -> None:
    episode = opened(house, at)
    with house.platform.database.write() as connection:
        assert episodes.snooze(connection, episode, OWNER, "1h")
    at(5)
    look(house)
    before = len(mails(house))
    house.send(*clicks(90))
    at(6.1)
    look(house)
    assert [one.is_open for one in all_episodes(house)] == [False, True]
    assert len(mails(house)) == before


def test_who_is_told_at_a_snoozes_end_is_told_when_it_is_over(
    house: House, at: Callable[[float], int]
) -> None:
    episode = opened(house, at)
    with house.platform.database.write() as connection:
        assert episodes.snooze(connection, episode, OWNER, "1h")
        subscriptions.subscribe(connection, FAN, "alerts")
    keep_going(house, at, 62)
    assert [one.subject[:6] for one in mails(house, FAN)] == ["Still:"]
    at(70)
    look(house)
    assert [one.subject[:5] for one in mails(house, FAN)] == ["Still", "Over:"]


def test_an_alert_whose_rule_is_gone_ends_without_claiming_that_all_is_well(
    house: House, at: Callable[[float], int]
) -> None:
    opened(house, at)
    rules(house)
    look(house)
    assert mails(house, OWNER)[1].subject == (
        "Over: Click: not judged by the rule throughput any more"
    )


def test_when_nobody_acts_for_a_day_the_other_owners_are_told(
    house: House, at: Callable[[float], int]
) -> None:
    with house.platform.database.write() as connection:
        connection.execute(
            sa.insert(person).values(
                email="admin@example.org", name="A", role="admin", state="active", created_at=""
            )
        )
    opened(house, at)
    before = len(mails(house))
    keep_going(house, at, 24 * 60 + 2)
    told = mails(house)[before:]
    assert {one.recipient for one in told} == {OWNER, "admin@example.org"}
    assert "nobody acted" in told[0].text
    keep_going(house, at, 24 * 60 + 3)
    assert len(mails(house)) == before + 2


def test_an_acknowledged_alert_is_not_told_again(house: House, at: Callable[[float], int]) -> None:
    episode = opened(house, at)
    with house.platform.database.write() as connection:
        assert episodes.acknowledge(connection, episode, OWNER)
        assert not episodes.acknowledge(connection, replace(episode), FAN)
    before = len(mails(house))
    keep_going(house, at, 24 * 60 + 2)
    assert len(mails(house)) == before


def test_subscribers_are_told_and_can_end_it(house: House, at: Callable[[float], int]) -> None:
    with house.platform.database.write() as connection:
        subscriptions.subscribe(connection, FAN, "schema:Click")
        subscriptions.subscribe(connection, OWNER, "alerts")
    opened(house, at)
    (letter,) = mails(house, FAN)
    assert letter.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = letter.headers["List-Unsubscribe"].strip("<>").removeprefix("https://events.example.org")
    assert path in letter.text
    assert len(mails(house, OWNER)) == 1, "an owner who subscribed is told once"
    answer = house.app.test_client().post(path, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    with house.platform.database.read() as connection:
        assert subscriptions.topics_of(connection, FAN) == []


def test_two_machines_that_look_at_once_open_one_episode(
    house: House, at: Callable[[float], int], tmp_path: Path
) -> None:
    rules(house, throughput=THROUGHPUT)
    at(0.5)
    house.send(*clicks(90))
    at(1.1)
    ready = threading.Barrier(4)
    said: list[str] = []

    def machine(number: int) -> None:
        settings = replace(house.config, var=tmp_path / f"machine{number}", session_key="k")
        platform = open_platform(settings)
        ready.wait(20)
        said.append(look_at_alerts(platform, "").detail)
        platform.database.close()

    threads = [threading.Thread(target=machine, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(said) == 4
    assert len(all_episodes(house)) == 1
    assert sorted(one.recipient for one in mails(house)) == [LIST, OWNER]


# the pages


def test_a_link_in_a_mail_acknowledges_without_signing_in(
    house: House, at: Callable[[float], int]
) -> None:
    opened(house, at)
    (letter,) = mails(house, OWNER)
    anybody = house.app.test_client()
    path = link(letter, "acknowledge")
    assert "I look into it" in anybody.get(path, headers=BROWSER).text
    assert all_episodes(house)[0].acknowledged_at is None, "scanners look at links"
    assert "You look into it" in anybody.post(path, headers=BROWSER).text
    episode = all_episodes(house)[0]
    assert episode.acknowledged_by == OWNER
    other = link(mails(house, LIST)[0], "acknowledge")
    assert f"It is {OWNER}" in anybody.post(other, headers=BROWSER).text
    with house.platform.database.read() as connection:
        (entry,) = audit.entries(connection, subject="throughput:Click")
    assert (entry.who, entry.action) == (OWNER, "alert.acknowledge")


def test_a_link_in_a_mail_snoozes(house: House, at: Callable[[float], int]) -> None:
    opened(house, at)
    path = link(mails(house, OWNER)[0], "snooze")
    anybody = house.app.test_client()
    assert anybody.get(path, headers=BROWSER).text.count("<button") >= 3
    assert anybody.post(path, data={"act": "for ever"}, headers=BROWSER).status_code == 400
    page = anybody.post(path, data={"act": "7d"}, headers=BROWSER).text
    assert "Nobody is told until" in page
    until = all_episodes(house)[0].snoozed_until
    assert until is not None and until > clock.iso(clock.now_ms() + 6 * clock.DAY_MS)
    at(10)
    look(house)
    assert "It is over" in anybody.post(path, data={"act": "1h"}, headers=BROWSER).text


def test_links_cannot_be_made_up(house: House, at: Callable[[float], int]) -> None:
    opened(house, at)
    path = link(mails(house, OWNER)[0], "acknowledge")
    anybody = house.app.test_client()
    for wrong in (path[:-2], path + "x", "/alerts/acknowledge/x.y", "/alerts/delete/x"):
        assert anybody.post(wrong, headers=BROWSER).status_code in (404, 405)
    assert all_episodes(house)[0].acknowledged_at is None


def test_the_page_shows_what_goes_on_and_lets_people_act(
    house: House, at: Callable[[float], int]
) -> None:
    assert house.client.get("/alerts", headers=BROWSER).status_code == 404, "strangers"
    house.sign_in()
    page = house.page("/alerts")
    assert "No alert is open" in page
    assert "No rule is in force" in page
    episode = opened(house, at)
    page = house.page("/alerts")
    assert "<h1>Click: 1.5 events/s since" in page
    assert "more than 1 events a second over 1 min" in page
    token = csrf(page)
    path = f"/alerts/{episode.id}"
    assert house.client.post(path, data={"act": "acknowledge"}).status_code == 400
    assert house.client.post(path, data={"csrf": token, "act": "acknowledge"}).status_code == 303
    assert "operator@localhost looks into it" in house.page("/alerts")
    house.client.post(path, data={"csrf": token, "act": "1d"})
    assert "<h2>Snoozed</h2>" in house.page("/alerts")
    at(10)
    look(house)
    assert "Closed within two weeks" in house.page("/alerts")
    assert house.client.post("/alerts/99", data={"csrf": token}).status_code == 404


def test_a_schemas_page_can_say_what_would_raise_an_alert(
    house: House, at: Callable[[float], int]
) -> None:
    opened(house, at)
    with house.platform.database.read() as connection:
        found = alert_pages.alerts_of_schema(connection, "Click")
        other = alert_pages.alerts_of_schema(connection, "Other")
    assert [row.state for row in found.now] == ["open"]
    assert [one.kind for one in found.rules] == ["throughput"]
    assert not other.now and not other.lately


def test_a_faulty_template_does_not_lose_the_alert(
    house: House, at: Callable[[float], int]
) -> None:
    rules(house, throughput=THROUGHPUT)
    with house.platform.database.write() as connection:
        connection.execute(
            sa.update(governance)
            .where(governance.c.name == "emails/throughput.txt")
            .values(document=json.dumps("{{ ''.__class__.__mro__[1].__subclasses__() }}"))
        )
    at(0.5)
    house.send(*clicks(90))
    at(1.1)
    look(house)
    (letter,) = mails(house, OWNER)
    assert "Click: 1.5 events/s" in letter.text and "subclasses" not in letter.text
    assert link(letter, "acknowledge")


def test_webhooks_are_queued_when_it_opens_and_when_it_is_over(
    house: House, at: Callable[[float], int]
) -> None:
    rules(house, throughput=THROUGHPUT, webhooks=["https://chat.example.org/a"])
    at(0.5)
    house.send(*clicks(90))
    at(1.1)
    look(house)
    look(house)
    at(2.1)
    look(house)
    with house.platform.database.read() as connection:
        bodies = list(connection.execute(sa.select(webhook_call.c.body)).scalars())
    assert [json.loads(body)["event"] for body in bodies] == ["alert.opened", "alert.closed"]
    assert json.loads(bodies[0])["text"].startswith("Click: 1.5 events/s")
