"""A newcomer's first minutes: serve, demo, ledger; then the same while processes are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging.store.database import Database
from tests.servers import ROOT, Server, wait_until

EVENTS = 20_000


def environment(kind: str, request: pytest.FixtureRequest) -> dict[str, str]:
    if kind == "sqlite":
        return {}
    return {"EVENTLOGGING_DATABASE_URL": str(request.getfixturevalue("mariadb_url"))}


def database_of(server: Server) -> Database:
    url = server.environment.get("EVENTLOGGING_DATABASE_URL")
    return Database(url or f"sqlite:///{server.var / 'eventlogging.db'}")


def rows_by_kind(server: Server) -> tuple[int, int]:
    """Count all rows of valid and of invalid events in the tables themselves."""
    database = database_of(server)
    valid = invalid = 0
    with database.read() as connection:
        days = connection.execute(sa.text("SELECT DISTINCT table_name FROM table_day"))
        for (table,) in list(days):
            number = connection.execute(sa.text(f"SELECT COUNT(*) FROM `{table}`")).scalar()
            if table.endswith("_invalid"):
                invalid += int(number or 0)
            else:
                valid += int(number or 0)
    database.close()
    return valid, invalid


def totals(server: Server) -> dict[str, Any]:
    answer = server.command("ledger", "--wait", "60", "--prove", "--json", check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    total: dict[str, Any] = json.loads(answer.stdout)["total"]
    return total


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_the_ledger_and_the_tables_agree_after_a_demo(
    kind: str, new_server: Callable[..., Server], request: pytest.FixtureRequest
) -> None:
    server = new_server(**environment(kind, request))
    server.command("demo", "--events", str(EVENTS), "--url", server.url)
    total = totals(server)
    assert total["sent"] == EVENTS
    assert (total["invalid"], total["duplicate"]) == (EVENTS // 100, EVENTS // 100)
    assert total["residual"] == total["pending"] == 0
    assert rows_by_kind(server) == (total["valid"], total["invalid"])
    assert server.stop() == 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_children_killed_at_random_are_restarted_and_cost_nothing(
    kind: str, new_server: Callable[..., Server], request: pytest.FixtureRequest
) -> None:
    server = new_server(**environment(kind, request))
    demo = subprocess.Popen(
        [sys.executable, "-m", "eventlogging.cli.main", "demo", "--url", server.url]
        + ["--events", "12000", "--rate", "1000", "--json"],
        env=server.environment, cwd=ROOT, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    kills = 0
    while demo.poll() is None and kills < 12:
        time.sleep(random.uniform(0.3, 1.0))
        for child in random.sample(server.children(), 1):
            os.kill(child, signal.SIGKILL)
            kills += 1
    report = json.loads(demo.communicate(timeout=120)[0])
    assert demo.returncode == 0
    total = totals(server)
    accepted = sum(schema["accepted"] for schema in report["schemas"].values())
    # A retry of a killed request may add a duplicate, never another row.
    assert total["valid"] + report["retries"] == accepted
    assert total["residual"] == 0
    assert rows_by_kind(server)[0] == total["valid"]


@pytest.mark.timeout(120)
def test_bad_governance_stops_the_start_with_every_problem_and_changes_nothing(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "schemas" / "Broken"
    folder.mkdir(parents=True)
    (folder / "schema.toml").write_text('title = "x"\nsampling = 5\n')
    (folder / "1.0.0.json").write_text('{"type": "object",\n "properties": 5}')
    server = Server(tmp_path / "var", {"EVENTLOGGING_GOVERNANCE": str(tmp_path)})
    answer = server.command("serve", check=False)
    assert answer.returncode == 1
    assert "schemas/Broken/schema.toml:2:" in answer.stderr
    assert "schemas/Broken/1.0.0.json:2:" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.timeout(120)
def test_children_end_with_their_supervisor_however_it_ends(
    new_server: Callable[..., Server],
) -> None:
    server = new_server()
    children = server.children()
    assert len(children) == 3
    assert server._process is not None
    server._process.kill()
    server._process.wait(10)
    wait_until(lambda: not any(map(lives, children)), 30)


def lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
