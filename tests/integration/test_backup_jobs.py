"""The jobs of backups: made each night, checked each month, put back for practice twice a year."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from eventlogging import clock
from eventlogging.backup import locks, model
from eventlogging.backup.make import make
from eventlogging.cli.job import job as job_command
from eventlogging.doctor import backups as doctor
from eventlogging.jobs.backup_duties import back_up, check_backups, practise
from eventlogging.jobs.duties import Result
from eventlogging.jobs.not_yet import NotYet
from eventlogging.jobs.runner import run_due
from eventlogging.jobs.table import JOBS, Job, Monthly, watched
from eventlogging.store.fixed import table_day
from tests.console import House

EACH = tuple(range(1, 13))


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path / "var")
    made.publish()
    yield made
    made.close()


@pytest.fixture
def move(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move the clock by so many days."""
    return lambda days: monkeypatch.setattr(clock, "offset_ms", int(days * clock.DAY_MS))


def click(target: Any = "a") -> dict[str, Any]:
    return {"schema": "Click", "event": {"target": target}}


def found(house: House) -> list[model.Backup]:
    return model.find_all(model.folder_of(house.config.var))


# when


def test_a_monthly_job_is_due_on_its_day() -> None:
    monthly = Monthly(EACH, 1, 5, 30)
    assert monthly.due(ms("2026-11-01 05:30")) == ["2026-11-01"]
    assert monthly.due(ms("2026-11-01 05:29")) == ["2026-10-01"]
    assert monthly.due(ms("2026-11-30 23:00")) == ["2026-11-01"]
    assert monthly.due(ms("2027-01-01 00:00")) == ["2026-12-01"]
    assert clock.iso(monthly.due_at("2026-11-01")) == "2026-11-01T05:30:00.000Z"
    assert clock.iso(monthly.next_at(ms("2026-12-01 05:30"))) == "2027-01-01T05:30:00.000Z"
    assert str(monthly) == "each month on day 1 at 05:30 UTC"


def test_a_half_yearly_job_is_due_in_its_months_alone() -> None:
    twice = Monthly((1, 7), 2, 5, 30)
    assert twice.due(ms("2026-11-22 00:00")) == ["2026-07-02"]
    assert twice.due(ms("2027-01-02 05:29")) == ["2026-07-02"]
    assert twice.due(ms("2027-01-02 05:30")) == ["2027-01-02"]
    assert clock.iso(twice.next_at(ms("2026-11-22 00:00"))) == "2027-01-02T05:30:00.000Z"
    assert str(twice) == "on day 2 of January and July at 05:30 UTC"


def test_a_monthly_job_runs_once_a_month(house: House, move: Callable[[float], None]) -> None:
    days: list[str] = []

    def duty(_platform: Any, day: str) -> Result:
        days.append(day)
        return Result("done", "as told")

    job = Job("spy", Monthly(EACH, 1, 0, 0), duty)
    for later in range(0, 70, 5):
        move(later)
        run_due(house.platform, [job])
    assert len(days) in (3, 4)
    assert len(set(days)) == len(days)
    assert all(day.endswith("-01") for day in days)


def test_alerts_watch_the_monthly_jobs_too() -> None:
    now = ms("2026-11-22 12:00")
    known = {name: (slot, since) for name, slot, since in watched(now)}
    slot, since = known["restore-drill"]
    assert slot.startswith("2026-07-02")
    assert since == ms("2026-07-02 05:30")
    assert {"backup", "backup-check"} <= known.keys()


# what they do


def test_each_night_a_backup_is_made(house: House) -> None:
    house.send(click())
    result = back_up(house.platform, "2026-11-21")
    assert result.outcome == "done"
    assert "1 rows of events" in result.detail
    assert len(found(house)) == 1


def test_none_is_made_where_none_is_wanted(database_url: str, tmp_path: Path) -> None:
    house = House(database_url, tmp_path / "var", backup_keep_days=0)
    assert back_up(house.platform, "2026-11-21").outcome == "done"
    assert found(house) == []
    house.close()


def test_a_backup_that_cannot_be_made_has_failed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model, "write_json", full)
    result = back_up(house.platform, "2026-11-21")
    assert (result.outcome, "No space left" in result.detail) == ("failed", True)


def test_a_backup_waits_for_another_one(house: House) -> None:
    folder = model.folder_of(house.config.var)
    with locks.locked(folder), pytest.raises(NotYet, match="at work"):
        back_up(house.platform, "2026-11-21")


def test_what_is_wrong_with_a_backup_is_told_each_month(house: House) -> None:
    assert check_backups(house.platform, "2026-11-01").detail == "no backup lies on this host"
    house.send(click())
    backup = make(house.platform, model.folder_of(house.config.var))
    assert check_backups(house.platform, "2026-11-01").outcome == "done"
    (backup.folder / "governance/schemas/Click/1.0.0.json").write_text("{}")
    result = check_backups(house.platform, "2026-11-01")
    assert result.outcome == "warning"
    assert "1.0.0.json has 2 bytes" in result.detail


def test_the_newest_backup_is_put_back_for_practice(house: House) -> None:
    assert practise(house.platform, "2026-07-02").detail == "no backup lies on this host"
    house.send(click(), click(), click(5))
    backup = make(house.platform, model.folder_of(house.config.var))
    house.send(click())
    result = practise(house.platform, "2026-07-02")
    assert result.outcome == "done", result.detail
    assert result.detail.startswith(f"{backup.name} can be put back: ")
    assert "3 rows" in result.detail
    left = [path.name for path in backup.folder.parent.iterdir()]
    assert sorted(left) == [".lock", backup.name]
    if house.platform.database.dialect.name == "mysql":
        with house.platform.database.read() as connection:
            names = connection.exec_driver_sql("SHOW DATABASES").scalars().all()
        assert not [name for name in names if name.endswith("_drill")]


def test_a_backup_whose_books_do_not_hold_would_not_do(house: House) -> None:
    house.send(click())
    with house.platform.database.write() as connection:
        connection.execute(sa.update(table_day).values(rows_in=5))
    make(house.platform, model.folder_of(house.config.var))
    result = practise(house.platform, "2026-07-02")
    assert result.outcome == "warning"
    assert "would not do" in result.detail
    assert "Click_1 holds 1 rows, and the manifest says 5" in result.detail


def test_without_the_right_to_a_scratch_database_the_drill_says_so(
    mariadb_url: str, tmp_path: Path
) -> None:
    house = House(mariadb_url, tmp_path / "var")
    name = mariadb_url.rpartition("/")[2]
    with house.platform.database.ddl() as connection:
        connection.exec_driver_sql("CREATE USER 'narrow'@'127.0.0.1'")
        connection.exec_driver_sql(f"GRANT ALL ON `{name}`.* TO 'narrow'@'127.0.0.1'")
    url = sa.engine.make_url(mariadb_url).set(username="narrow")
    other = House(url.render_as_string(hide_password=False), tmp_path / "var")
    try:
        assert back_up(other.platform, "2026-07-02").outcome == "done"
        result = practise(other.platform, "2026-07-02")
        assert result.outcome == "warning"
        assert f"GRANT ALL ON `{name}_drill`.*" in result.detail
    finally:
        other.close()
        with house.platform.database.ddl() as connection:
            connection.exec_driver_sql("DROP USER 'narrow'@'127.0.0.1'")
        house.close()


def test_a_scratch_database_that_is_not_ours_is_left_alone(
    mariadb_url: str, tmp_path: Path
) -> None:
    house = House(mariadb_url, tmp_path / "var")
    name = f"{mariadb_url.rpartition('/')[2]}_drill"
    with house.platform.database.ddl() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    back_up(house.platform, "2026-07-02")
    result = practise(house.platform, "2026-07-02")
    assert (result.outcome, "not left from a drill" in result.detail) == ("failed", True)
    with house.platform.database.ddl() as connection:
        connection.exec_driver_sql(f"CREATE TABLE {name}.restore_drill_mark (id INT)")
    assert practise(house.platform, "2026-07-02").outcome == "done"
    house.close()


def test_a_drill_by_hand_is_for_the_last_day_that_it_was_due_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTLOGGING_VAR", str(house.config.var))
    monkeypatch.setenv("EVENTLOGGING_DATABASE_URL", house.config.database_url)
    done = CliRunner().invoke(job_command, ["run", "restore-drill", "--json"])
    assert done.exit_code == 0, done.output
    trigger = next(job for job in JOBS if job.name == "restore-drill").trigger
    assert json.loads(done.output)["last_run"]["for"].startswith(trigger.due(clock.now_ms())[0])


# the doctor


def test_the_doctor_looks_at_the_age_of_backups(
    house: House, move: Callable[[float], None]
) -> None:
    def levels() -> list[str]:
        return [finding.level for finding in doctor.backups(house.config)]

    assert levels() == ["ok"]
    make(house.platform, model.folder_of(house.config.var))
    assert levels() == ["ok"]
    move(4)
    assert levels() == ["warning"]
    move(16)
    assert levels() == ["error"]


def test_the_doctor_wants_the_log_to_reach_back_to_the_backups(tmp_path: Path) -> None:
    house = House(f"sqlite:///{tmp_path / 'e.db'}", tmp_path / "var",
                  log_keep_days=5, backup_keep_days=7)  # fmt: skip
    [finding, _] = doctor.backups(house.config)
    assert finding.level == "warning"
    assert "leaves a gap" in finding.sentence
    house.close()


def test_the_doctor_names_a_restore_that_was_interrupted(house: House) -> None:
    assert list(doctor.restore(house.config)) == []
    locks.write_marker(house.config.var, {"backup": "/b", "checksum": "abc"})
    [finding] = doctor.restore(house.config)
    assert finding.level == "error"
    assert "eventlogging restore /b --execute abc" in finding.mend
