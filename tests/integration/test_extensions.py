"""Extensions: asked for by an owner, decided by somebody else, ended on their day or before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging.clock import moved
from eventlogging.people import subscriptions
from eventlogging.receipts import chain
from eventlogging.registry import audit
from eventlogging.retention import extensions
from eventlogging.retention.extension_record import find, find_all
from eventlogging.retention.extensions import Outcome
from eventlogging.retention.policy import read_policies
from eventlogging.retention.standing import goes_on
from eventlogging.retention.wish import Wish
from eventlogging.store.fixed import extension
from tests.console import House
from tests.retention import (
    OWNER,
    POST,
    REVIEWER,
    after,
    days_ago,
    mails,
    receipts_of,
    today,
    wish,
)


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path / "var")
    made.publish()
    yield made
    made.close()


def ask(house: House, asked: Wish | None = None, who: str = OWNER) -> Outcome:
    return extensions.ask(house.platform.database, asked or wish(), who, [REVIEWER], POST)


def decide(house: House, id: int, who: str = REVIEWER, *, granted: bool = True) -> Outcome:
    folder = chain.folder_of(house.config.var)
    words = "Worth it." if granted else "Counts would do."
    return extensions.decide(house.platform.database, id, who, granted, words, folder, POST)


def end(house: House, id: int, words: str = "The study is over.") -> Outcome:
    folder = chain.folder_of(house.config.var)
    return extensions.end(house.platform.database, id, REVIEWER, words, folder, POST)


def number(outcome: Outcome) -> int:
    assert outcome.extension is not None
    return outcome.extension.id


def goes(house: House, day: str) -> str:
    with house.platform.database.read() as connection:
        return goes_on(read_policies(connection).of("Click"), day)


def test_a_granted_extension_holds_to_its_end_and_not_a_day_longer(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, day = wish(), days_ago(60)
    done = ask(house, asked)
    assert done.done
    assert goes(house, day) == moved(day, 91)  # asking alone changes nothing
    assert decide(house, number(done)).done
    assert goes(house, day) == moved(asked.until, 1)
    assert goes(house, days_ago(61)) == moved(days_ago(61), 91)  # a day that it does not name
    with house.platform.database.read() as connection:
        policy = read_policies(connection).of("Click")
    assert not policy.is_due(day, asked.until)
    assert policy.is_due(day, moved(asked.until, 1))


def test_events_go_when_they_are_as_old_as_asked_even_before_the_end(house: House) -> None:
    asked = wish(keep_days=100, until=moved(today(), 120))
    assert decide(house, number(ask(house, asked))).done
    assert goes(house, days_ago(60)) == moved(days_ago(60), 101)


def test_a_reviewer_reads_what_is_asked_and_why(house: House) -> None:
    ask(house)
    (letter,) = mails(house)
    assert letter.recipient == REVIEWER
    assert letter.subject == "Click: owner@example.org asks to keep events for 180 days"
    assert "> The study of clicks runs for four more months." in letter.text
    assert "> It follows single visits" in letter.text
    assert "Grant or refuse it: https://events.example.org/extensions/1" in letter.text
    assert 'href="https://events.example.org/extensions/1"' in letter.html


def test_asking_twice_is_asking_once(house: House) -> None:
    assert number(ask(house)) == number(ask(house))
    assert len(mails(house)) == 1


def test_a_grant_is_told_to_all_concerned_with_a_receipt_and_an_audit(house: House) -> None:
    with house.platform.database.write() as connection:
        subscriptions.subscribe(connection, "fan@example.org", "schema:Click")
    id = number(ask(house))
    done = decide(house, id)
    assert done.extension is not None
    assert (done.extension.state, done.extension.decided_by) == ("granted", REVIEWER)
    told = {one.recipient: one for one in mails(house) if "are kept" in one.subject}
    assert set(told) == {OWNER, "fan@example.org"}
    assert "> Worth it." in told[OWNER].text
    assert "Unsubscribe" in told["fan@example.org"].text
    assert "List-Unsubscribe" in told["fan@example.org"].headers
    (receipt,) = receipts_of(house, "extension")
    assert (receipt["act"], receipt["schemas"], receipt["keep_days"]) == ("granted", ["Click"], 180)
    assert "@" not in str(receipt)
    with house.platform.database.read() as connection:
        acts = [one.action for one in audit.entries(connection, subject="Click", limit=2)]
    assert acts == ["extension.grant", "extension.ask"]


def test_a_refusal_says_what_may_stay_instead(house: House) -> None:
    done = decide(house, number(ask(house)), granted=False)
    assert done.extension is not None
    assert done.extension.state == "refused"
    (letter,) = mails(house, OWNER)
    assert "> Counts would do." in letter.text
    assert "https://events.example.org/schemas/Click/retention" in letter.text
    assert receipts_of(house, "extension") == []
    assert goes(house, days_ago(60)) == moved(days_ago(60), 91)


def test_nobody_decides_on_their_own_wish(house: House) -> None:
    id = number(ask(house))
    done = decide(house, id, OWNER.upper())
    assert [one.text for one in done.problems] == [
        "You asked for this yourself; somebody else decides on it."
    ]


def test_deciding_what_was_withdrawn_meanwhile_says_so(house: House) -> None:
    id = number(ask(house))
    assert extensions.withdraw(house.platform.database, id, OWNER).done
    done = decide(house, id)
    assert not done.done
    assert [one.text for one in done.problems] == [
        "It was withdrawn by owner@example.org meanwhile, so there is nothing to decide."
    ]
    again = extensions.withdraw(house.platform.database, id, OWNER)
    assert not again.done
    assert receipts_of(house, "extension") == []


def test_deciding_twice_keeps_the_first_decision(house: House) -> None:
    id = number(ask(house))
    decide(house, id, granted=False)
    done = decide(house, id, "rita@example.org")
    assert "It was refused by rex@example.org meanwhile" in done.problems[0].text
    assert not extensions.withdraw(house.platform.database, id, OWNER).done


def test_only_who_asked_withdraws(house: House) -> None:
    done = extensions.withdraw(house.platform.database, number(ask(house)), "eve@example.org")
    assert "Only owner@example.org" in done.problems[0].text


def test_a_decision_needs_words(house: House) -> None:
    folder = chain.folder_of(house.config.var)
    id = number(ask(house))
    done = extensions.decide(house.platform.database, id, REVIEWER, True, " ", folder, POST)
    assert [one.field for one in done.problems] == ["words"]


def test_what_waited_too_long_cannot_be_granted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = number(ask(house))
    after(monkeypatch, 95)
    done = decide(house, id)
    assert [one.field for one in done.problems] == ["last_day"]
    assert "are gone" in done.problems[0].text
    assert decide(house, id, granted=False).done


def test_a_granted_one_is_ended_early_and_today_is_its_last_day(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = number(ask(house))
    assert not end(house, id).done  # not granted yet
    decide(house, id)
    after(monkeypatch, 45)
    day = wish().first_day
    assert not end(house, id, " ").done
    done = end(house, id)
    assert done.extension is not None
    assert done.extension.wish.until == today()
    assert "Ended early" in done.extension.decision
    with house.platform.database.read() as connection:
        policy = read_policies(connection).of("Click")
    assert not policy.is_due(moved(day, -45), today())
    assert policy.is_due(moved(day, -45), moved(today(), 1))
    assert not end(house, id).done
    assert any("the longer keep ends today" in one.subject for one in mails(house, OWNER))
    assert [one["act"] for one in receipts_of(house, "extension")] == ["granted", "ended"]


def test_a_restore_forgets_no_grant_and_no_end(house: House) -> None:
    id = number(ask(house))
    decide(house, id)
    database, folder = house.platform.database, chain.folder_of(house.config.var)
    with database.write() as connection:
        connection.execute(sa.update(extension).values(state="asked"))
    assert len(extensions.replay(database, chain.read(folder))) == 1
    with database.write() as connection:
        connection.execute(sa.delete(extension))  # the backup is older than the wish
    assert len(extensions.replay(database, chain.read(folder))) == 1
    assert extensions.replay(database, chain.read(folder)) == []
    assert goes(house, days_ago(60)) == moved(wish().until, 1)
    with database.read() as connection:
        (again,) = find_all(connection)
    end(house, again.id)
    with database.write() as connection:
        connection.execute(sa.update(extension).values(until=wish().until))
    extensions.replay(database, chain.read(folder))
    with database.read() as connection:
        found = find(connection, again.id)
    assert found is not None
    assert found.wish.until == today()


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"schemas": ()}, "schemas", "at least one"),
    ({"schemas": ("Clack",)}, "schemas", "No schema is named 'Clack'"),
    ({"keep_days": 366}, "keep_days", "longer than 365 days"),
    ({"keep_days": 90}, "keep_days", "kept for 90 days anyway"),
    ({"first_day": "2026-02-30"}, "first_day", "a day such as"),
    ({"until": ""}, "until", "a day such as"),
    ({"reason": " "}, "reason", "Say what"),
    ({"why_not_less": ""}, "why_not_less", "neither stripped events nor counts"),
    ({"reason": "x" * 5000}, "reason", "more than 4000 characters"),
]


@pytest.mark.parametrize(("change", "field", "text"), WRONG)
def test_a_wish_is_refused_in_the_words_of_the_person(
    house: House, change: dict[str, Any], field: str, text: str
) -> None:
    done = ask(house, wish(**change))
    assert not done.done
    assert [one.field for one in done.problems] == [field]
    assert text in done.problems[0].text
    assert mails(house) == []


def test_dates_that_make_no_sense_are_refused(house: House) -> None:
    now = today()
    cases = [
        ({"until": now}, "until", "after today"),
        ({"until": moved(now, 367)}, "until", "within a year"),
        ({"first_day": now, "last_day": days_ago(3)}, "last_day", "before the first"),
        ({"first_day": days_ago(400), "last_day": days_ago(300)}, "last_day", "are gone"),
        ({"until": moved(now, 20)}, "until", "It would change nothing"),
    ]
    for change, field, text in cases:
        done = ask(house, replace(wish(), **change))  # type: ignore[arg-type]
        assert [one.field for one in done.problems] == [field], change
        assert text in done.problems[0].text


def test_only_owners_and_admins_ask(house: House) -> None:
    done = ask(house, who="eve@example.org")
    assert "you do not own Click" in done.problems[0].text
    allowed = extensions.ask(
        house.platform.database, wish(), "root@example.org", [], POST, is_admin=True
    )
    assert allowed.done
