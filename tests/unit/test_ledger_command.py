"""The command `ledger`, on a bench that has really loaded something."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from eventlogging.cli.ledger import ledger
from tests.books import click, open_bench, settings
from tests.loading import Bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.chdir(tmp_path)
    made = open_bench(f"sqlite:///{tmp_path / 'books.db'}", tmp_path)
    yield made
    made.close()


def run(bench: Bench, *words: str, color: bool = False) -> Result:
    return CliRunner().invoke(ledger, words, env=settings(bench), color=color)


def fill(bench: Bench) -> None:
    good = click()
    bench.send(good, click(3), click("b", "Other"), {"schema": "Nobody", "event": {}})
    bench.send(good)
    bench.loader.drain()


def test_the_line_of_truth_stands_at_the_top(bench: Bench) -> None:
    fill(bench)
    result = run(bench)
    lines = result.stdout.splitlines()
    assert lines[0] == "5 sent = 2 valid + 2 invalid + 1 duplicate · 0 unexplained"
    head = "schema sent valid invalid duplicate sampled out suppressed pending unexplained"
    assert " ".join(lines[2].split()) == head
    assert [line.split() for line in lines[3:6]] == [
        ["(unknown)", "1", "0", "1", "0", "0", "0", "0", "0"],
        ["Click", "3", "1", "1", "1", "0", "0", "0", "0"],
        ["Other", "1", "1", "0", "0", "0", "0", "0", "0"],
    ]
    assert "0 bytes of the log wait to be loaded" in result.stdout
    assert lines[-1].startswith("eventlogging ")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout


def test_a_span_without_events_is_told_calmly(bench: Bench) -> None:
    fill(bench)
    result = run(bench, "--end", "2020-01-01")
    assert result.stdout.splitlines()[0] == "0 sent = 0 valid · 0 unexplained"
    assert result.exit_code == 0


def test_one_schema_and_a_span_can_be_asked_for(bench: Bench) -> None:
    fill(bench)
    found = json.loads(run(bench, "--schema", "Click", "--start", "2020-01-01", "--json").stdout)
    assert list(found["schemas"]) == ["Click"]
    assert found["schemas"]["Click"]["sent"] == 3
    assert found["schemas"]["Click"]["reasons"] == {"type_mismatch": 1}
    assert found["total"]["residual"] == 0
    assert found["waiting"]["bytes"] == 0


@pytest.mark.parametrize(
    "words", [("--start", "yesterday"), ("--end", "2026-13-01"), ("--wait", "-1")]
)
def test_wrong_use_exits_with_2(bench: Bench, words: tuple[str, ...]) -> None:
    assert run(bench, *words).exit_code == 2


def test_a_start_behind_its_end_is_wrong_use(bench: Bench) -> None:
    result = run(bench, "--start", "2026-11-22T03:04+02:00", "--end", "2026-11-22 01:04")
    assert result.exit_code == 2
    assert "--start 2026-11-22 01:04" in result.stderr


def test_a_database_without_tables_is_told_with_what_to_do(bench: Bench, tmp_path: Path) -> None:
    environment = settings(bench) | {"EVENTLOGGING_DATABASE_URL": f"sqlite:///{tmp_path}/new.db"}
    result = CliRunner().invoke(ledger, [], env=environment)
    assert result.exit_code == 1
    assert "eventlogging serve" in result.stderr


def test_the_proof_says_what_was_counted(bench: Bench) -> None:
    fill(bench)
    result = run(bench, "--prove")
    assert result.exit_code == 0
    assert "the books hold: counted 4 rows in " in result.stdout


def test_a_lost_row_makes_the_proof_exit_with_1(bench: Bench) -> None:
    fill(bench)
    with bench.database.write() as connection:
        connection.execute(sa.text("DELETE FROM Click_1"))
    result = run(bench, "--prove")
    assert result.exit_code == 1
    assert "holds 0, and its book says 1" in result.stdout
    assert result.stdout.splitlines()[-1] == "eventlogging doctor"
    found = run(bench, "--prove", "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["proof"]["holds"] is False


def test_what_is_unexplained_is_red_on_a_terminal(bench: Bench) -> None:
    fill(bench)
    with bench.database.write() as connection:
        connection.execute(sa.text("UPDATE ledger SET count = count + 1 WHERE outcome = 'sent'"))
    shown = run(bench, color=True).stdout
    assert "\x1b[" in shown.splitlines()[0]
    assert "unexplained" in shown.splitlines()[0]


def test_wait_ends_once_the_loader_is_done(bench: Bench) -> None:
    bench.send(click())
    loading = threading.Timer(0.5, bench.loader.drain)
    loading.start()
    result = run(bench, "--wait", "20")
    loading.join()
    assert result.exit_code == 0
    assert result.stdout.startswith("1 sent = 1 valid ·")


def test_wait_gives_up_and_says_what_still_waits(bench: Bench) -> None:
    bench.send(click())
    result = run(bench, "--wait", "0.2")
    assert result.exit_code == 1
    assert "not all was loaded within 0.2 s" in result.stderr
    assert "bytes of the log wait" in result.stderr
