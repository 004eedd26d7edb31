"""`eventlogging collect`: the lines of an edge log become events, each once, whatever happens."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlogging import clock
from eventlogging.cli.verdicts import Follower
from eventlogging.ledger.lag import read_lag
from tests.edge import Edge, line, query
from tests.intake_server import EXAMPLE, good
from tests.servers import wait_until


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    made = Edge(tmp_path)
    yield made
    made.platform.database.close()


def plain(**more: object) -> dict[str, object]:
    """An event that names no id."""
    return {"schema": "NavigationTiming", "event": EXAMPLE, **more}


def test_lines_become_events_at_the_time_the_edge_took_them(edge: Edge) -> None:
    at = clock.now_ms() // 1000 * 1000 - 3_600_000
    edge.write(line(good(wiki="Zürich"), at=at), line(good(), 2, at=at + 60_000))
    totals = edge.collect()
    assert (totals.lines, totals.rest) == (2, 0)
    assert edge.ledger() == {"sent": 2, "valid": 2}
    rows = edge.rows()
    assert {str(row["received"])[:19] for row in rows} == {
        clock.sql_time(at)[:19], clock.sql_time(at + 60_000)[:19]
    }  # fmt: skip
    assert {row["user_agent_browser"] for row in rows} == {"Firefox"}
    assert {row["wiki"] for row in rows} == {"Zürich", None}
    minutes = edge.query("SELECT minute FROM ledger WHERE outcome = 'sent' ORDER BY minute")
    assert [row["minute"] for row in minutes] == [clock.minute(at), clock.minute(at + 60_000)]


def test_no_address_is_kept(edge: Edge) -> None:
    edge.write(line(), line(query({"schema": "Nobody"})), "10.9.8.7 is no line of this format\n")
    edge.collect()
    assert edge.ledger() == {"sent": 3, "valid": 1, "invalid": 2}
    assert b"10.9.8.7" not in edge.kept_bytes()


def test_a_log_is_read_on_from_where_it_was_left(edge: Edge) -> None:
    edge.write(line(), line()[:-9])
    assert edge.collect().rest > 0
    edge.write(line()[-9:], line())
    totals = edge.collect()
    assert (totals.lines, totals.rest) == (2, 0)
    assert edge.collect().lines == 0
    assert edge.ledger() == {"sent": 3, "valid": 3}


def test_an_event_without_an_id_gets_the_same_at_every_reading(edge: Edge) -> None:
    at = clock.now_ms() - 5000
    edge.write(*(line(plain(), number, at) for number in range(3)))
    edge.collect()
    edge.state.unlink()
    edge.write(line(plain(), 3, at))  # so that the chunk is another one
    edge.collect()
    assert len(edge.rows()) == 4
    assert edge.ledger() == {"sent": 7, "valid": 4, "duplicate": 3}


def test_without_a_number_the_place_in_the_file_makes_the_id(edge: Edge) -> None:
    at = clock.iso(clock.now_ms() - 5000)
    edge.write(*(f"{query(plain())}\t{at}\n" for _ in range(3)))
    edge.collect(format="%q\t%t")
    edge.state.unlink()
    edge.write(f"{query(plain())}\t{at}\n")
    edge.collect(format="%q\t%t")
    assert edge.ledger() == {"sent": 7, "valid": 4, "duplicate": 3}


def test_a_whole_log_read_again_counts_nothing_twice(edge: Edge) -> None:
    edge.write(*(line(number=number) for number in range(3000)))
    edge.collect()
    edge.state.unlink()
    assert edge.collect().lines == 3000
    assert edge.ledger() == {"sent": 3000, "valid": 3000}


def test_a_packed_log_is_the_log_it_was(edge: Edge, tmp_path: Path) -> None:
    edge.write(*(line(number=number) for number in range(2000)))
    edge.collect()
    packed = tmp_path / "access.log.1.gz"
    packed.write_bytes(gzip.compress(edge.log.read_bytes()))
    edge.state.unlink()
    assert edge.collect(packed).lines == 2000
    assert edge.ledger() == {"sent": 2000, "valid": 2000}


def test_a_packed_log_that_is_cut_off_gives_what_it_holds(edge: Edge, tmp_path: Path) -> None:
    packed = tmp_path / "old.gz"
    text = "".join(line(number=number) for number in range(50_000)).encode()
    packed.write_bytes(gzip.compress(text, 1)[:-20_000])
    with pytest.raises(OSError, match="cannot be unpacked"):
        edge.collect(packed)
    assert edge.ledger()["valid"] > 10_000


def test_hostile_lines_are_booked_and_harm_no_other(edge: Edge) -> None:
    bad = [
        line("?%7B"), line("-"), line("?"), line(query([])), line(query(7)), line("?%ff%fe"),
        line("?%7B%22a%22%3A%00%7D"), line("?" + "%5B" * 3000), line(query(plain(id=5))),
        line("?" + "x" * 1_000_000), "\0\0\0\n", "é" * 50 + "\n", b"\xff\xfe\n", " \x1e% %\n",
        line(query({"schema": "NavigationTiming", "event": {"action": "view"}})),
    ]  # fmt: skip
    edge.write(line(), *bad, "\n", "   \n", line())
    totals = edge.collect()
    assert totals.lines == len(bad) + 2
    assert edge.ledger() == {"sent": len(bad) + 2, "valid": 2, "invalid": len(bad)}


def test_wrong_times_are_the_time_of_reading(edge: Edge) -> None:
    now = clock.now_ms()
    for wrong in ("2013-01-19T23:16:38", "2093-01-19T23:16:38", "soon", "-", "9" * 40):
        edge.write(f"{query(good())} edge 1 {wrong} - Agent\n")
    edge.collect()
    assert all(str(row["received"]) >= clock.sql_time(now)[:19] for row in edge.rows())
    assert edge.ledger() == {"sent": 5, "valid": 5}


def test_an_array_in_a_query_is_several_events(edge: Edge) -> None:
    edge.write(line(query([good(), plain(), plain()])))
    edge.collect()
    edge.state.unlink()
    edge.write(line())
    edge.collect()
    assert edge.ledger() == {"sent": 7, "valid": 4, "duplicate": 3}


def test_who_said_no_is_counted_and_nothing_of_it_written(edge: Edge) -> None:
    format = '%q %t "%{dnt}s" "%{gpc}s" "%{cookie}s" "%u"'
    at = clock.iso(clock.now_ms())
    said = [
        ("1", "-", "-"), ("-", "1", "-"), ("-", "-", "1"), ("-", "-", "yes"),
        ("-", "-", "a=b; eventlogging_opt_out=1; c=d"), ("0", "-", "eventlogging_opt_out=all"),
        ("-", "-", "eventlogging_opt_out_for=NavigationTiming"),
    ]  # fmt: skip
    fine = [("-", "-", "-"), ("0", "0", "0"), ("", "", ""), ("-", "-", "eventlogging_opt_out=0")]
    for n, (dnt, gpc, cookie) in enumerate([*said, *fine]):
        event = good(wiki=f"said{n}no" if n < len(said) else "fine")
        edge.write(f'{query(event)} {at} "{dnt}" "{gpc}" "{cookie}" "Agent"\n')
    edge.collect(format=format)
    assert edge.ledger() == {"sent": 11, "valid": 4, "suppressed": 7}
    kept = edge.kept_bytes()
    assert b"fine" in kept
    assert not [n for n in range(len(said)) if f"said{n}no".encode() in kept]


def test_the_page_that_sent_an_event_may_be_named(edge: Edge) -> None:
    edge.write(f'{query(good())} "https://shop.example.org"\n')
    edge.collect(format='%q "%{http_origin}s"')
    assert [row["host"] for row in edge.rows()] == ["shop.example.org"]


def wait_for(totals: object, lines: int) -> None:
    wait_until(lambda: totals.lines >= lines, 20)  # type: ignore[attr-defined]


def test_a_follower_goes_through_rotations(edge: Edge, tmp_path: Path) -> None:
    edge.write(line())
    with edge.following() as totals:
        wait_for(totals, 1)
        edge.write(line(), line()[:-5])
        wait_for(totals, 2)
        old = tmp_path / "access.log.1"
        edge.log.rename(old)
        edge.write(line()[-5:], line(), path=old)  # the server has not noticed yet
        wait_for(totals, 4)
        edge.log.touch()
        time.sleep(0.6)
        edge.write(line(), path=old)  # nor now, though the new file is there
        wait_for(totals, 5)
        edge.write(line())
        wait_for(totals, 6)
        edge.log.rename(tmp_path / "access.log.2")
        edge.write(line())
        wait_for(totals, 7)
    assert edge.ledger() == {"sent": 7, "valid": 7}
    assert not edge.notes


def test_a_follower_notices_that_its_file_was_emptied(edge: Edge) -> None:
    edge.write(line(), line())
    with edge.following() as totals:
        wait_for(totals, 2)
        os.truncate(edge.log, 0)
        edge.write(line())
        wait_for(totals, 3)
        os.truncate(edge.log, 0)
        edge.write(line(), line(), line())  # longer than before
        wait_for(totals, 6)
    assert edge.ledger() == {"sent": 6, "valid": 6}
    assert len(edge.notes) == 2


def test_what_was_rotated_in_between_is_read_first(edge: Edge, tmp_path: Path) -> None:
    edge.write(line(), line())
    edge.collect()
    edge.write(line())
    packed = tmp_path / "access.log.2.gz"
    packed.write_bytes(gzip.compress(edge.log.read_bytes()))
    edge.log.unlink()
    edge.write(line(), line(), path=tmp_path / "access.log.1")
    edge.write(line()[:-1])
    for age, name in enumerate(("access.log", "access.log.1", "access.log.2.gz")):
        moment = time.time() - age * 100
        os.utime(tmp_path / name, (moment, moment))
    assert edge.collect().lines == 3
    edge.write("\n")
    assert edge.collect().lines == 1
    assert edge.ledger() == {"sent": 6, "valid": 6}
    assert not edge.notes


def test_a_file_that_vanished_unread_is_told(edge: Edge, tmp_path: Path) -> None:
    edge.write(line())
    edge.collect()
    edge.log.rename(tmp_path / "elsewhere")
    edge.write(line(number=2))
    assert edge.collect().lines == 1
    assert "collect --from FILE" in edge.notes[0]


@pytest.mark.timeout(240)
def test_killed_in_mid_file_and_started_again_each_line_counts_once(edge: Edge) -> None:
    count = 40_000
    at = clock.now_ms() - 60_000
    edge.write(*(line(plain() if n % 3 else "?%7B", n, at + n) for n in range(count)))
    size = edge.log.stat().st_size
    for share in (0.05, 0.2, 0.4):
        process = subprocess.Popen(edge.words(), env=edge.environment, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while _offset(edge) < share * size and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 0 < _offset(edge) < size
    last = edge.command("--json")
    assert last.returncode == 0, last.stderr
    assert 0 < json.loads(last.stdout)["lines"] < count
    invalid = len(range(0, count, 3))
    assert edge.ledger() == {"sent": count, "valid": count - invalid, "invalid": invalid}
    assert len(edge.rows()) == count - invalid


def _offset(edge: Edge) -> int:
    return int(json.loads(edge.state.read_text())["offset"]) if edge.state.exists() else 0


def test_a_chunk_that_was_acknowledged_and_not_noted_counts_once(edge: Edge) -> None:
    edge.write(*(line(number=n) for n in range(3000)))
    edge.collect()
    state = json.loads(edge.state.read_text())
    size = edge.log.stat().st_size
    # As it stands between the acknowledgement of a chunk that time closed, and the note of it.
    edge.state.unlink()
    middle = edge.log.read_bytes().index(b"\n", size // 4) + 1
    edge.state.write_text(json.dumps({**state, "offset": 0, "border": middle}))
    edge.collect()
    edge.state.write_text(json.dumps({**state, "offset": 0, "border": middle}))
    edge.collect()
    found = edge.ledger()
    # The first reading cut elsewhere: what it read is known by its ids.
    assert found["valid"] == 3000
    assert found["sent"] == 3000 + found["duplicate"] < 6000


def test_a_disk_that_keeps_nothing_leaves_the_place_as_it_is(edge: Edge) -> None:
    edge.write(line())
    log = edge.platform.log_folder
    log.rmdir()
    log.write_text("no folder")
    assert edge.command().returncode == 1
    log.unlink()
    log.mkdir()
    assert edge.command().returncode == 0
    assert edge.ledger() == {"sent": 1, "valid": 1}


def test_the_command_says_what_it_read_and_what_is_next(edge: Edge) -> None:
    edge.write(line(), line("?%7B"), line()[:-3])
    done = edge.command()
    assert done.returncode == 0, done.stderr
    assert "2 lines: 1 valid · 1 invalid" in done.stdout
    assert "The last line is not complete yet" in done.stdout
    assert done.stdout.splitlines()[-1] == "eventlogging ledger --wait 30"


def test_a_log_of_another_format_is_told(edge: Edge) -> None:
    edge.write(line().replace(" ", "\t"), line().replace(" ", "\t"))
    done = edge.command()
    assert "2 lines: 0 valid · 2 invalid" in done.stdout
    assert "Does --format say what a line holds?" in done.stdout
    edge.write(line())
    assert "--format" not in edge.command().stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--format", "%q %z"], "%z"),
        (["--from", "/nowhere/log"], "no such file"),
        (["--follow", "--from", "x.gz"], "packed"),
    ],
)
def test_wrong_use_is_told_and_is_exit_code_2(edge: Edge, words: list[str], says: str) -> None:
    edge.write(line())
    done = edge.command(*words)
    assert done.returncode == 2
    assert says in done.stderr


def test_a_broken_state_is_told(edge: Edge) -> None:
    edge.write(line())
    edge.state.write_text("{")
    done = edge.command()
    assert done.returncode == 1
    assert "is no state of a log" in done.stderr


def test_two_do_not_read_the_same_log(edge: Edge) -> None:
    edge.write(line())
    first = subprocess.Popen(edge.words("--follow"), env=edge.environment)
    try:
        wait_until(lambda: _offset(edge) > 0, 30)
        second = edge.command()
        assert second.returncode == 1
        assert "another" in second.stderr
    finally:
        first.terminate()
        assert first.wait(20) == 0
    assert edge.ledger() == {"sent": 1, "valid": 1}


def test_the_log_is_as_old_as_its_reading_and_can_be_watched(edge: Edge) -> None:
    edge.write(line(at=clock.now_ms() - 20 * clock.DAY_MS), line("?%7B"))
    edge.collect()
    with edge.platform.database.read() as connection:
        lag = read_lag(connection, edge.platform.log_folder)
    assert lag.age_seconds is not None
    assert lag.age_seconds < 60
    shown = Follower(edge.platform.log_folder, lambda _: True).all()
    assert [one.outcome for one in shown] == ["valid", "invalid"]
