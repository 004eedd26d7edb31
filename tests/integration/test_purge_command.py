"""The command `purge`: a plan with a checksum first, and nothing that the plan did not say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eventlogging.cli.purge import purge
from eventlogging.jobs import retention_duties
from tests.console import House
from tests.purging import Past, ago


@pytest.fixture
def past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Past]:
    house = House(f"sqlite:///{tmp_path / 'events.db'}", tmp_path / "var")
    monkeypatch.chdir(tmp_path)
    made = Past(house, monkeypatch)
    made.go(-120)
    house.publish("Click")
    house.publish("Other")
    yield made
    made.go(0)
    house.close()


def command(past: Past, *words: str) -> Result:
    settings = {
        "EVENTLOGGING_VAR": str(past.house.config.var),
        "EVENTLOGGING_DATABASE_URL": past.platform.database.url,
    }
    return CliRunner().invoke(purge, words, env=settings)


def checksum(past: Past, *words: str) -> str:
    return str(json.loads(command(past, "--dry-run", "--json", *words).stdout)["checksum"])


def test_a_dry_run_says_what_would_go_and_deletes_nothing(past: Past) -> None:
    past.clicks(-95, 1200)
    past.clicks(-93, 30)
    past.clicks(0)
    said = command(past, "--dry-run")
    assert said.exit_code == 0, said.output
    assert "1 230 rows of 1 table" in said.stdout.replace("\u202f", " ").replace("\u2009", " ")
    (row,) = [line for line in said.stdout.splitlines() if line.startswith("Click_1")]
    assert f"valid events are deleted  1 230  {ago(95)} – {ago(93)} (2)  {ago(90)}" in row.replace(
        "\u202f", " "
    ).replace("\u2009", " ")
    assert "No pass was ever made here." in said.stdout
    last = said.stdout.splitlines()[-1]
    assert last == f"eventlogging purge --execute {checksum(past)}"
    assert past.days_of("Click_1")[ago(95)] == 1200


def test_the_checksum_is_the_same_as_long_as_the_same_would_go(past: Past) -> None:
    past.clicks(-95)
    past.clicks(0)
    first = checksum(past)
    past.clicks(0.01)
    assert checksum(past) == first
    past.clicks(-95, 1)
    past.go(0)
    assert checksum(past) != first


def test_what_the_plan_said_goes_when_its_checksum_is_quoted(past: Past) -> None:
    past.clicks(-95)
    past.clicks(0, 2)
    done = command(past, "--execute", checksum(past))
    assert done.exit_code == 0, done.output
    assert "3 rows gone" in done.stdout
    assert past.days_of("Click_1") == {ago(0): 2}
    again = command(past, "--dry-run")
    assert again.stdout.splitlines()[0].endswith("nothing is due")
    assert f"The last pass was on {ago(0)}, 0 days ago." in again.stdout


def test_a_stale_checksum_is_refused_and_the_new_plan_named(past: Past) -> None:
    past.clicks(-95)
    past.go(0)
    stale = checksum(past)
    past.clicks(-94)
    past.go(0)
    refused = command(past, "--execute", stale)
    assert refused.exit_code == 1
    assert "something else would go by now" in refused.stderr
    assert "eventlogging purge --dry-run" in refused.stderr
    assert list(past.days_of("Click_1").values()) == [3, 3]


def test_one_schema_alone_goes(past: Past) -> None:
    past.clicks(-95)
    past.clicks(-95, schema="Other")
    past.go(0)
    sum_of_one = checksum(past, "--schema", "Click")
    assert command(past, "--execute", sum_of_one).exit_code == 1, "of all, another plan"
    done = command(past, "--execute", sum_of_one, "--schema", "Click", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["rows"] == 3
    assert past.days_of("Click_1") == {}
    assert list(past.days_of("Other_1").values()) == [3]


def test_by_hand_it_goes_on_after_a_long_outage_and_says_how_long_it_was(past: Past) -> None:
    past.clicks(-95)
    past.go(-30)
    retention_duties.forget_events(past.platform, ago(1))
    past.go(0)
    said = command(past, "--dry-run")
    assert f"The last pass was on {ago(30)}, 30 days ago. Is the clock right?" in said.stdout
    assert command(past, "--execute", checksum(past)).exit_code == 0
    assert past.days_of("Click_1") == {}


@pytest.mark.parametrize("words", [(), ("--dry-run", "--execute", "abc"), ("--schema", "Click")])
def test_wrong_use_exits_with_2(past: Past, words: tuple[str, ...]) -> None:
    assert command(past, *words).exit_code == 2


def test_an_unknown_schema_is_named(past: Past) -> None:
    refused = command(past, "--dry-run", "--schema", "Clack")
    assert refused.exit_code == 1
    assert "no schema 'Clack' is registered" in refused.stderr
