"""Fixtures: fresh databases on real servers, settings in a folder of the test's own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlogging.config import Config
from tests.servers import Carbon, MariaDB, Server
from tests.summary import tell, told

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """One private MariaDB for the whole run. Absent: skipped at home, a failure in CI."""
    if not MariaDB.is_installed():
        if os.environ.get("CI"):
            pytest.fail("MariaDB is not installed; bin/test installs it")
        pytest.skip("MariaDB is not installed; bin/test installs it")
    server = MariaDB(tmp_path_factory.mktemp("m"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mariadb_url(mariadb: MariaDB) -> str:
    """A fresh, empty database on MariaDB."""
    return mariadb.new_database(f"test_{next(_numbers)}")


@pytest.fixture(params=["sqlite", "mariadb"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh, empty database, once on each kind of server."""
    if request.param == "mariadb":
        return str(request.getfixturevalue("mariadb_url"))
    return f"sqlite:///{tmp_path / 'eventlogging.db'}"


@pytest.fixture
def carbon(tmp_path: Path) -> Iterator[Carbon]:
    """A Carbon of the test's own, not started yet. Absent: skipped at home, a failure in CI."""
    if not Carbon.is_installed():
        if os.environ.get("CI"):
            pytest.fail("Carbon is not installed; bin/test installs it")
        pytest.skip("Carbon is not installed; bin/test installs it")
    made = Carbon(tmp_path / "carbon")
    yield made
    made.stop()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Settings with a data folder of the test's own."""
    return Config(var=tmp_path / "var", governance=Path(__file__).parent.parent)


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts EventLogging servers, and ends them with the test."""
    servers: list[Server] = []

    def start(**environment: str) -> Server:
        server = Server(tmp_path / f"var{len(servers)}", environment)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        if server.is_alive():
            server.kill()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker beside others hands its lines over to who writes the summary."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["lines"] = told(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    tell(node.config, *getattr(node, "workeroutput", {}).get("lines", []))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if lines := told(config):
        terminalreporter.section("conformance with JSON Schema")
        for line in lines:
            terminalreporter.write_line(line)
