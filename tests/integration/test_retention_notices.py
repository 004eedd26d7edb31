"""Notices: owners hear 14, 7 and 1 days before, once each, what goes and what stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging.clock import moved
from eventlogging.jobs.notice_duties import tell_owners
from eventlogging.jobs.table import JOBS
from eventlogging.receipts import chain
from eventlogging.retention import extensions, holds
from eventlogging.store.fixed import governance, table_day
from tests.console import House
from tests.retention import OWNER, POST, REVIEWER, after, book, days_ago, mails, today, wish


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path / "var", public_url="https://events.example.org")
    made.publish()
    yield made
    made.close()


def tell(house: House) -> list[str]:
    """Run the job; return the subjects of the mails that are new."""
    before = len(mails(house))
    assert tell_owners(house.platform, "2026-11-22").outcome == "done"
    return [one.subject for one in mails(house)[before:]]


def rule(house: House, document: dict[str, Any]) -> None:
    with house.platform.database.write() as connection:
        row = {"folder": "purge", "name": "Click.toml", "updated_at": ""}
        connection.execute(sa.insert(governance).values(**row, document=json.dumps(document)))


def test_owners_are_told_14_7_and_1_days_before_and_once_each(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    book(house, {days_ago(76): 1200, days_ago(75): 5})
    assert tell(house) == []  # it goes in 15 days
    told = []
    for _ in range(14):
        after(monkeypatch, 1)
        told.append(tell(house))
        assert tell(house) == []
    assert told[0] == ["Click: the first events go in 14 days"]
    assert told[7] == ["Click: the first events go in 7 days"]
    assert told[13] == ["Click: the first events go tomorrow"]
    assert sum(map(len, told)) == 3


def test_the_mail_says_what_goes_what_stays_and_what_to_do(house: House) -> None:
    rule(house, {
        "scrub": {"keep": ["target"], "capsule": ["wiki"]},
        "aggregate": [{"name": "clicks_per_day", "per": "day", "capsule": ["browser"]}],
    })  # fmt: skip
    book(house, {days_ago(77): 1200})
    tell(house)
    (letter,) = mails(house, OWNER)
    text, on = letter.text, moved(days_ago(77), 91)
    assert text.startswith(f"1\N{THIN SPACE}200 events of Click go in 14 days, on {on}.")
    assert f"1\N{THIN SPACE}200 events of {days_ago(77)}." in text
    assert "Stripped events: 1 of 3 fields, without count" in text
    assert "Counts, for good: clicks_per_day" in text
    assert "What could stay" not in text
    assert "https://events.example.org/schemas/Click/retention" in text
    assert "https://events.example.org/schemas/Click/extension" in text
    for line in ("What goes", "What stays", "What to do", "schemas/Click/extension"):
        assert line in letter.html


def test_an_owner_who_keeps_nothing_hears_that_something_could_stay(house: House) -> None:
    book(house, {days_ago(77): 3})
    tell(house)
    (letter,) = mails(house, OWNER)
    assert "Nothing but the counts of the ledger." in letter.text
    assert "stripped events" in letter.text
    assert "aggregates" in letter.text


def test_a_mail_that_was_missed_goes_out_late(house: House) -> None:
    book(house, {days_ago(86): 3})
    assert tell(house) == ["Click: the first events go in 5 days"]


def test_only_the_first_going_is_told(house: House) -> None:
    book(house, {days_ago(100): (7, 7), days_ago(80): 3})
    assert tell(house) == []


def test_of_a_held_schema_nothing_is_announced(house: House) -> None:
    book(house, {days_ago(80): 3})
    folder = chain.folder_of(house.config.var)
    holds.place(house.platform.database, folder, "Click", "ann@example.org", "Case 17")
    assert tell(house) == []


def test_before_an_extension_ends_owners_hear_how_much_goes_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    book(house, {days_ago(n): 10 for n in range(1, 61)})
    database, folder = house.platform.database, chain.folder_of(house.config.var)
    asked = extensions.ask(database, wish(until=moved(today(), 60)), OWNER, [], POST)
    assert asked.extension is not None
    extensions.decide(database, asked.extension.id, REVIEWER, True, "Yes.", folder, POST)
    assert tell(house) == []
    after(monkeypatch, 47)
    # Of 60 days, those from 107 down to 77 days old are past their rule on the day after.
    assert tell(house) == ["Click: the longer keep ends in 14 days, and 310 events go"]
    after(monkeypatch, 7)
    assert len(tell(house)) == 1
    after(monkeypatch, 6)
    assert tell(house) == ["Click: the longer keep ends tomorrow, and 310 events go"]
    after(monkeypatch, 1)
    with database.write() as connection:  # the pass has done its work
        connection.execute(sa.update(table_day).values(rows_out=table_day.c.rows_in))
    assert tell(house) == []


def test_the_job_is_in_the_table() -> None:
    (job,) = [one for one in JOBS if one.name == "retention-notices"]
    assert str(job.trigger) == "daily at 07:10 UTC"
