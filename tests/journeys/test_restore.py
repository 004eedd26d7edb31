"""An operator makes a backup of a running server, loses the database, and gets everything back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.servers import Server


@pytest.fixture(params=["sqlite", "mariadb"])
def server(request: pytest.FixtureRequest, new_server: Callable[..., Server]) -> Server:
    if request.param == "sqlite":
        return new_server()
    return new_server(EVENTLOGGING_DATABASE_URL=request.getfixturevalue("mariadb_url"))


def proven(server: Server) -> dict[str, Any]:
    shown = server.command("ledger", "--wait", "30", "--prove", "--json")
    return dict(json.loads(shown.stdout))


def test_a_running_server_is_backed_up_and_put_back(server: Server) -> None:
    server.command("demo", "--url", server.url, "--events", "300", "--seed", "7")
    proven(server)
    made = json.loads(server.command("backup", "--json").stdout)
    server.command("demo", "--url", server.url, "--events", "200", "--seed", "8")
    before = proven(server)
    assert made["rows"] > 0
    refused = server.command("restore", "newest", "--execute", "0", check=False)
    assert refused.returncode == 1
    assert "stop web, loader and jobs" in refused.stderr
    server.stop()
    shown = json.loads(server.command("restore", "newest", "--json").stdout)
    assert shown["log"]["bytes"] > 0
    server.command("restore", "newest", "--execute", shown["checksum"])
    server.start()
    after = proven(server)
    assert after["proof"]["holds"]
    assert after["total"] == before["total"]
    assert after["proof"]["checked"]["rows"] == before["proof"]["checked"]["rows"]
    server.stop()
