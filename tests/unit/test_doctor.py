"""The doctor: each check on an installation that is well, and on one that is not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from eventlogging import clock
from eventlogging.cli.doctor import doctor
from eventlogging.config import Config
from eventlogging.doctor import clocks, databases, folders, loading, segments
from eventlogging.doctor.examine import examine
from eventlogging.doctor.finding import Finding, size, span, worst
from eventlogging.log.segment import new_name
from eventlogging.platform import open_platform
from eventlogging.store.database import Database
from eventlogging.store.fixed import ledger
from eventlogging.store.migrate import migrate
from tests.books import click, open_bench, platform_of
from tests.loading import Bench
from tests.schemas import registered
from tests.servers import ROOT, wait_until


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = open_bench(f"sqlite:///{tmp_path / 'books.db'}", tmp_path)
    yield made
    made.close()


@pytest.fixture
def well(config: Config) -> Config:
    """An installation that has been started once."""
    platform = open_platform(config)
    migrate(platform.database)
    platform.database.close()
    return config


def only(findings: Iterator[Finding]) -> Finding:
    (found,) = findings
    return found


def of(findings: list[Finding], check: str) -> list[Finding]:
    return [finding for finding in findings if finding.check == check]


def test_all_is_well_after_the_first_start(well: Config) -> None:
    findings = list(examine(well))
    assert [f for f in findings if f.level == "error"] == []
    assert {f.check for f in findings if f.level == "warning"} <= {"loaders"}
    assert all(finding.mend for finding in findings if finding.level != "ok")
    assert {
        *("data folder", "disk space", "secrets", "privacy key", "log", "torn tails"),
        *("governance", "clock", "database", "database settings", "migrations"),
        *("newest receipt", "loader lag"),
    } <= {finding.check for finding in findings}


def test_an_installation_that_was_never_started_says_so(config: Config) -> None:
    findings = list(examine(config))
    assert of(findings, "data folder")[0].level == "error"
    assert "does not exist" in of(findings, "data folder")[0].sentence
    assert of(findings, "database") == []
    assert not config.var.exists()


def test_a_data_folder_that_takes_no_files_is_an_error() -> None:
    found = only(folders.data_folder(Config(var=Path("/proc"))))
    assert found.level == "error"
    assert "takes no files" in found.sentence


@pytest.mark.parametrize(
    ("free", "total", "level"),
    [
        (50_000_000_000, 100_000_000_000, "ok"),
        (4_000_000_000, 100_000_000_000, "warning"),
        (900_000_000, 2_000_000_000, "warning"),
        (99_000_000, 1_000_000_000, "error"),
        (0, 0, "error"),
    ],
)
def test_little_room_on_the_disk_is_told(free: int, total: int, level: str) -> None:
    assert folders.judge_space(free, total).level == level


def test_a_secret_that_others_may_read_is_an_error(well: Config) -> None:
    key = well.var / "secrets" / "privacy.key"
    key.chmod(0o644)
    (found,) = [f for f in folders.secrets(well) if f.level == "error"]
    assert found.mend == f"chmod 600 {key}"


def test_secrets_in_files_of_the_environment_and_settings_are_looked_at(
    well: Config, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    token.chmod(0o640)
    settings = tmp_path / "eventlogging.toml"
    settings.write_text('session_key = "x"\n')
    settings.chmod(0o604)
    environment = {
        "EVENTLOGGING_ADMIN_TOKEN_FILE": str(token),
        "EVENTLOGGING_CONFIG": str(settings),
    }
    wrong = [f.sentence for f in folders.secrets(well, environment) if f.level == "error"]
    assert len(wrong) == 2
    settings.write_text('listen = "127.0.0.1:1"\n')
    assert len([f for f in folders.secrets(well, environment) if f.level == "error"]) == 1


def test_the_privacy_key_is_named_by_its_id_alone(well: Config) -> None:
    secret = (well.var / "secrets" / "privacy.key").read_text().strip()
    found = only(folders.privacy_key(well))
    assert found.level == "ok"
    assert secret not in found.sentence
    assert found.sentence != only(folders.privacy_key(replace(well, privacy_key="x"))).sentence


def test_an_empty_privacy_key_is_an_error(well: Config) -> None:
    (well.var / "secrets" / "privacy.key").write_text("")
    assert only(folders.privacy_key(well)).level == "error"


def test_broken_governance_is_told_by_file(well: Config, tmp_path: Path) -> None:
    (tmp_path / "schemas" / "Edit").mkdir(parents=True)
    (tmp_path / "schemas" / "Edit" / "1.0.0.json").write_text("{")
    found = list(folders.governance(replace(well, governance=tmp_path)))
    assert {f.level for f in found} == {"error"}
    assert "schemas/Edit/1.0.0.json:" in found[0].sentence
    assert only(folders.governance(replace(well, governance=tmp_path / "no"))).level == "error"


def test_governance_without_a_schema_is_a_warning(well: Config, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert only(folders.governance(replace(well, governance=tmp_path / "empty"))).level == "warning"


def test_segments_are_counted(bench: Bench) -> None:
    bench.send(click())
    found = only(segments.log_folder(platform_of(bench).config))
    assert (found.level, found.sentence[:33]) == ("ok", "1 segment of the log can be read,")


def test_a_segment_that_cannot_be_read_is_an_error(bench: Bench) -> None:
    day = bench.folder / "2026-11-22"
    day.mkdir(parents=True)
    (day / "030405678-00c0ffee.jsonl").mkdir()
    found = only(segments.log_folder(platform_of(bench).config))
    assert found.level == "error"
    assert "030405678-00c0ffee" in found.sentence


def test_a_log_folder_that_is_missing_is_an_error(config: Config) -> None:
    assert only(segments.log_folder(config)).level == "error"


def test_a_torn_tail_is_told_and_is_no_fault(bench: Bench) -> None:
    bench.send(click())
    bench.writer.close()
    (path,) = bench.folder.glob("*/*.jsonl")
    path.with_suffix(".synced").unlink()
    config = platform_of(bench).config
    assert only(segments.torn_tails(config)).sentence.endswith("left 1 segment behind")
    with path.open("ab") as file:
        file.write(b'{"outcome":"valid","torn')
    found = only(segments.torn_tails(config))
    assert found.level == "ok"
    assert "1 with a torn batch at the end" in found.sentence


def test_a_segment_in_use_without_its_synced_file_is_a_warning(bench: Bench) -> None:
    bench.send(click())
    next(bench.folder.glob("*/*.synced")).unlink()
    found = list(segments.torn_tails(platform_of(bench).config))
    assert found[0].level == "warning"


def test_a_segment_from_the_future_means_that_the_clock_jumps(bench: Bench) -> None:
    config = platform_of(bench).config
    assert list(segments.newest_segment(config)) == []
    path = bench.folder / f"{new_name(clock.now_ms() + 3_600_000)}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    found = only(segments.newest_segment(config))
    assert found.level == "warning"
    assert "clock jumps" in found.sentence


def test_a_receipt_from_the_future_means_that_the_clock_jumps(bench: Bench) -> None:
    config = platform_of(bench).config
    assert only(clocks.newest_receipt(config, bench.database)).sentence.startswith("nothing")
    bench.send(click())
    bench.loader.drain()
    assert only(clocks.newest_receipt(config, bench.database)).level == "ok"
    ahead = clock.minute(clock.now_ms() + 3 * clock.DAY_MS)
    with bench.database.write() as connection:
        connection.execute(sa.update(ledger).values(minute=ahead))
    found = only(clocks.newest_receipt(config, bench.database))
    assert found.level == "warning"
    assert "clock jumps" in found.sentence and "3 days from now" in found.sentence


def test_a_shifted_clock_is_a_warning(well: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(clocks.steady_clock(well)).level == "ok"
    monkeypatch.setenv("EVENTLOGGING_CLOCK_OFFSET", "86400")
    assert [f.level for f in clocks.steady_clock(well)] == ["warning", "ok"]


def test_a_clock_that_moves_against_time_is_a_warning(
    well: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = iter([0, 5_000])
    monkeypatch.setattr(clock, "now_ms", lambda: next(readings))
    found = only(clocks.steady_clock(well))
    assert found.level == "warning"
    assert "against time" in found.sentence


def test_a_database_that_does_not_answer_is_an_error_without_its_password(well: Config) -> None:
    url = "mysql+pymysql://ev:hush@127.0.0.1:9/ev"
    findings = list(examine(replace(well, database_url=url)))
    (found,) = of(findings, "database")
    assert found.level == "error"
    assert not [finding for finding in findings if "hush" in finding.sentence + finding.mend]
    assert of(findings, "migrations") == []


@pytest.mark.parametrize("url", ["oracle://x", "nonsense", "mysql+nodriver://x/y"])
def test_a_database_url_that_is_none_is_an_error(well: Config, url: str) -> None:
    (found,) = of(list(examine(replace(well, database_url=url))), "database")
    assert found.level == "error"


def test_a_database_of_an_older_form_is_an_error(well: Config, database_url: str) -> None:
    findings = list(examine(replace(well, database_url=database_url)))
    (found,) = of(findings, "migrations")
    assert (found.level, found.mend[:20]) == ("error", "`eventlogging serve`")
    assert of(findings, "loader lag") == []
    assert of(findings, "database settings")[0].level == "ok"


def test_a_database_of_a_newer_form_is_an_error(well: Config) -> None:
    database = Database(well.effective_database_url)
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    found = only(databases.migrated(well, database))
    database.close()
    assert found.level == "error"
    assert "newer" in found.sentence


def test_settings_that_do_not_fit_come_with_how_to_mend_them(
    well: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        databases, "unfit", lambda _: ["max_allowed_packet is 1; set max_allowed_packet=16M"]
    )
    database = Database(well.effective_database_url)
    found = only(databases.fitting(well, database))
    database.close()
    assert (found.sentence, found.mend) == (
        "max_allowed_packet is 1",
        "set max_allowed_packet=16M",
    )


@pytest.mark.parametrize(("age", "level"), [(1, "ok"), (300, "warning"), (7200, "error")])
def test_a_loader_that_lags_is_told(bench: Bench, age: int, level: str) -> None:
    bench.send(click(), received=clock.now_ms() - age * 1000)
    assert only(loading.loader_lag(platform_of(bench).config, bench.database)).level == level


def test_parked_events_are_told_with_their_reason(bench: Bench) -> None:
    bench.send(click(schema="Other"))
    bench.registry.know(registered())
    bench.loader.drain()
    parked, lag = loading.loader_lag(platform_of(bench).config, bench.database)
    assert (parked.level, lag.level) == ("warning", "ok")
    assert "1 event for (Other 1.0.0) parked since" in parked.sentence
    assert "publish that schema version" in parked.mend


def test_two_loaders_on_one_data_folder_are_told(tmp_path: Path) -> None:
    config = Config(var=tmp_path)
    idle = ["-c", "import time; print(flush=True); time.sleep(60)", "eventlogging", "loader"]
    processes = [
        subprocess.Popen(
            [sys.executable, *idle],
            env={"EVENTLOGGING_VAR": str(var)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        for var in (tmp_path, tmp_path, tmp_path / "another")
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        found = only(loading.loaders(config))
        assert found.level == "warning"
        assert "2 loaders work on this data folder" in found.sentence
        processes[0].kill()
        processes[0].wait(10)
        wait_until(lambda: only(loading.loaders(config)).level == "ok", 10)
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=10)
    assert "no loader" in only(loading.loaders(config)).sentence


def test_a_check_that_breaks_does_not_stop_the_others(
    well: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(folders.shutil, "disk_usage", broken)
    findings = list(examine(well))
    assert any("the disk is on fire" in f.sentence and f.level == "error" for f in findings)
    assert of(findings, "loader lag")


def test_the_command_prints_marks_and_how_to_mend(
    well: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = {"EVENTLOGGING_VAR": str(well.var), "EVENTLOGGING_GOVERNANCE": str(ROOT)}
    result = CliRunner().invoke(doctor, [], env=environment)
    assert result.exit_code == 0
    assert "✓ the fixed tables have the newest form" in result.stdout
    assert "✗" not in result.stdout
    (well.var / "secrets").chmod(0o755)
    result = CliRunner().invoke(doctor, [], env=environment)
    assert result.exit_code == 1
    assert "✗ others may read" in result.stdout
    assert f"  → chmod 700 {well.var / 'secrets'}" in result.stdout
    result = CliRunner().invoke(doctor, ["--json"], env=environment)
    found = json.loads(result.stdout)
    assert (found["level"], result.exit_code) == ("error", 1)


def test_a_wrong_setting_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(doctor, [], env={"EVENTLOGGING_LISTEN": "nowhere"})
    assert result.exit_code == 1
    assert "✗ EVENTLOGGING_LISTEN" in result.stdout


def test_sizes_and_spans_are_written_for_people() -> None:
    assert [size(n) for n in (0, 999, 1000, 1_440_000_000, 5e15)] == [
        *("0 bytes", "999 bytes", "1.0 kB", "1.4 GB", "5000.0 TB"),
    ]
    assert [span(n) for n in (3, 119, 600, 7200, 200_000)] == [
        *("3 s", "119 s", "10 min", "2 h", "2 days"),
    ]
    assert worst([]) == "ok"
