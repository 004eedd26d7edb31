"""The command `tail`: verdicts as they stand in the log, and those that follow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eventlogging import clock
from eventlogging.cli.tail import tail
from eventlogging.cli.verdicts import Follower
from tests.books import click, open_bench, settings
from tests.loading import Bench
from tests.servers import ROOT, wait_until

START = 1_790_000_000_000


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.chdir(tmp_path)
    made = open_bench(f"sqlite:///{tmp_path / 'books.db'}", tmp_path)
    yield made
    made.close()


def run(bench: Bench, *words: str, color: bool = False) -> Result:
    return CliRunner().invoke(tail, ["--once", *words], env=settings(bench), color=color)


def test_each_event_is_a_line(bench: Bench) -> None:
    event = click()
    bench.send(event, click(3), {"schema": "Nobody", "event": {}}, received=START)
    result = run(bench)
    good, bad, unknown, then = result.stdout.splitlines()
    assert good.split() == [clock.iso(START), "valid", "Click/1.0.0", event["id"]]
    assert bad.split()[1:3] == ["invalid", "Click/1.0.0"]
    assert bad.split()[-2:] == ["type_mismatch", "/target"]
    assert unknown.split()[1:5] == ["invalid", "(unknown)", "Nobody", "-"]
    assert "unknown_schema" in unknown
    assert then == "eventlogging ledger"
    assert "\x1b" not in result.stdout


def test_every_problem_is_named_by_its_pointer(bench: Bench) -> None:
    event = click(3)
    event["event"]["count"] = "many"
    bench.send(event)
    line = run(bench).stdout.splitlines()[0]
    assert "/target" in line and "/count" in line


def test_the_last_events_are_shown_in_order_across_segments(bench: Bench) -> None:
    other = bench.new_writer()
    for second in range(6):
        bench.writer, other = other, bench.writer  # two collectors take turns
        bench.send(click(str(second)), received=START + second * 1000)
    other.close()
    shown = run(bench, "-n", "4", "--json").stdout.splitlines()
    assert [json.loads(line)["received"] for line in shown] == [
        clock.iso(START + second * 1000) for second in range(2, 6)
    ]
    assert run(bench, "-n", "0", "--json").stdout == ""
    assert len(run(bench, "-n", "50", "--json").stdout.splitlines()) == 6


def test_since_start_shows_all(bench: Bench) -> None:
    for _ in range(30):
        bench.send(click())
    assert len(run(bench, "--json").stdout.splitlines()) == 10
    assert len(run(bench, "--json", "--since-start").stdout.splitlines()) == 30


def test_filters_leave_the_others_out(bench: Bench) -> None:
    bench.send(click(), click(schema="Other"), click(4, "Other"), {"schema": "Nobody", "event": {}})
    found = [json.loads(line) for line in run(bench, "--json", "--invalid").stdout.splitlines()]
    assert [line["code"] for line in found] == ["type_mismatch", "unknown_schema"]
    assert found[0]["errors"][0]["pointer"] == "/target"
    found = [
        json.loads(text)
        for text in run(bench, "--json", "--schema", "Other").stdout.split("\n")[:-1]
    ]
    assert [line["outcome"] for line in found] == ["valid", "invalid"]
    assert "Nobody" in run(bench, "--schema", "Nobody").stdout
    assert "Nobody" in run(bench, "--schema", "(unknown)", "--invalid").stdout


def test_the_outcome_is_coloured_on_a_terminal(bench: Bench) -> None:
    bench.send(click())
    assert "\x1b[" in run(bench, color=True).stdout


def test_a_text_from_outside_cannot_steer_the_terminal(bench: Bench) -> None:
    bench.send({"schema": "No\x1b[2J\r\nvalid", "event": {}})
    shown = run(bench, color=True).stdout.splitlines()
    assert len(shown) == 2
    assert "\x1b[2J" not in shown[0] and "\r" not in shown[0]


def test_a_batch_that_was_not_acknowledged_is_not_shown(bench: Bench) -> None:
    bench.send(click())
    bench.writer.close()
    (path,) = bench.folder.glob("*/*.jsonl")
    path.with_suffix(".synced").unlink()  # as if the writer had been killed
    with path.open("ab") as file:
        file.write(b'{"outcome":"valid","torn')
    assert len(run(bench, "--json").stdout.splitlines()) == 1


def test_an_empty_log_shows_nothing(bench: Bench, tmp_path: Path) -> None:
    environment = settings(bench) | {"EVENTLOGGING_VAR": str(tmp_path / "elsewhere")}
    result = CliRunner().invoke(tail, ["--once"], env=environment)
    assert (result.stdout, result.exit_code) == ("eventlogging ledger\n", 0)


def test_what_comes_later_and_in_new_segments_follows(bench: Bench) -> None:
    bench.send(click())
    follower = Follower(bench.folder, lambda _: True)
    assert len(follower.last(5)) == 1
    assert follower.new() == []
    bench.send(click(), click())
    assert len(follower.new()) == 2
    bench.writer.close()
    bench.writer = bench.new_writer()
    bench.send(click())
    assert len(follower.new()) == 1
    assert follower.new() == []


def test_a_day_that_is_retired_meanwhile_does_no_harm(bench: Bench) -> None:
    bench.send(click())
    follower = Follower(bench.folder, lambda _: True)
    assert len(follower.new()) == 1
    for path in bench.folder.glob("*/*"):
        path.unlink()
    assert follower.new() == []


def test_ctrl_c_ends_it_cleanly(bench: Bench, tmp_path: Path) -> None:
    bench.send(click())
    # As in a terminal: who starts us may have set that Ctrl-C is ignored, and children inherit it.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from eventlogging.cli.tail import tail; tail(standalone_mode=False)"
    )
    output = tmp_path / "shown.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", code, "--json"],
            env={**os.environ, **settings(bench), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.PIPE,
        )
    try:
        alive = lambda: process.poll() is None  # noqa: E731
        wait_until(lambda: output.read_bytes().count(b"\n") == 1, 20, alive)
        bench.send(click())
        wait_until(lambda: output.read_bytes().count(b"\n") == 2, 20, alive)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == 0
    assert b"Traceback" not in said
    assert b"waiting for events" in said


def test_a_probe_in_the_log_is_no_event(bench: Bench) -> None:
    bench.send(click())
    bench.writer.append([b'{"outcome":"probe"}\n'], {}, lambda _: None)
    bench.send(click())
    result = run(bench)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 3
