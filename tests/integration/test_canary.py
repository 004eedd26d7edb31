"""The opt-out canary against a real server: nothing of who said no is anywhere, or it is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.collector import routes
from eventlogging.config import Config
from eventlogging.jobs import verify_duties
from eventlogging.platform import Platform, open_platform
from eventlogging.registry.model import RegisteredSchema
from eventlogging.store.fixed import ledger
from eventlogging.verify import canary, sending
from eventlogging.verify.sending import WAYS, Nobody, Target
from tests.console import House
from tests.servers import Server

# Twelve forms of events in each way of saying no, and in the ways of headers two things more.
HEADERS = len(WAYS) - 1  # the other one says it in the body
REQUESTS = 12 * len(WAYS) + 2 * HEADERS  # dialogs and broken bodies say no by headers alone
MORE = 2 * len(WAYS)  # arrays and parcels have two events
# What a server does that forgets the cookie on one of its routes.
CARELESS = """
from eventlogging.collector import app

real = app.Collector._beacon

async def careless(self, scope, headers, receive):
    without = {name: value for name, value in headers.items() if name != "cookie"}
    return await real(self, scope, without, receive)

app.Collector._beacon = careless
"""


@contextmanager
def opened(server: Server) -> Iterator[Platform]:
    """The platform of a server that runs, as its jobs process has it."""
    url = server.environment.get("EVENTLOGGING_DATABASE_URL", "")
    config = Config(var=server.var, database_url=url, listen=f"127.0.0.1:{server.port}")
    platform = open_platform(config)
    try:
        yield platform
    finally:
        platform.database.close()


def schema_of(platform: Platform) -> RegisteredSchema:
    found = canary.public_schema(platform)
    assert found is not None
    return found


def in_use_since_yesterday(platform: Platform) -> None:
    minute = clock.minute(clock.now_ms() - 2 * clock.DAY_MS)
    with platform.database.write() as connection:
        for outcome in ("sent", "valid"):
            connection.execute(
                sa.insert(ledger).values(
                    minute=minute, schema="Click", version="1.0.0", outcome=outcome, reason="",
                    count=1, kept=0,
                )
            )  # fmt: skip


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_nothing_of_who_opted_out_is_anywhere(
    new_server: Callable[..., Server], kind: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("mariadb_url") if kind == "mariadb" else ""
    server = new_server(**({"EVENTLOGGING_DATABASE_URL": url} if url else {}))
    with opened(server) as platform:
        in_use_since_yesterday(platform)
        result = verify_duties.fly_canary(platform, clock.day(clock.now_ms() - clock.DAY_MS))
        assert result.outcome == "done", result.detail
        assert f"{REQUESTS + MORE} events" in result.detail
        assert f"{REQUESTS} requests" in result.detail

        # The proof that the search finds something: the same from somebody who did not say no.
        somebody, schema = Nobody(), schema_of(platform)
        since_ms, since = clock.now_ms(), time.time() - 5
        target = canary.target_of(platform, schema)
        for one in sending.requests_of(somebody, target, server.url, opted_out=False):
            sending.send(server.url, one)
        server.command("ledger", "--wait", "60")
        found = " ".join(canary.search(platform, somebody, since_ms, since))
        assert f"the table {schema.invalid_table}" in found or f"{schema.stem}_1" in found
        assert f"the file {server.var / 'log'}" in found
        assert kind == "mariadb" or "eventlogging.db" in found


@pytest.mark.timeout(240)
def test_a_route_that_forgets_the_cookie_is_found(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(CARELESS)
    server = new_server(PYTHONPATH=str(tmp_path))
    with opened(server) as platform:
        flight = canary.fly(platform, schema_of(platform), server.url, wait_seconds=5)
    assert not flight.is_clean
    assert flight.refused == ()
    assert flight.sent - flight.suppressed == 4, "by GET and by POST, with either cookie"
    assert any("the file" in where and "/log/" in where for where in flight.found)
    assert any("the table" in where for where in flight.found)
    assert "there is something in the table" in flight.sentence


def test_a_server_that_refuses_is_told_of(tmp_path: Path) -> None:
    house = House("", tmp_path / "var")
    house.publish()
    flight = canary.fly(
        house.platform, schema_of(house.platform), "http://127.0.0.1:1", wait_seconds=0
    )
    house.close()
    assert not flight.is_clean
    assert len(flight.refused) == REQUESTS - HEADERS, "no dialog without a token"
    assert (
        "a route could not be tried: POST capsule with cookie: ConnectionError" in flight.sentence
    )


def test_it_begins_on_the_day_after_the_first_event(tmp_path: Path) -> None:
    house = House("", tmp_path / "var", listen="127.0.0.1:1")
    today = clock.day(clock.now_ms())
    yesterday = clock.day(clock.now_ms() - clock.DAY_MS)
    assert "begins later" in verify_duties.fly_canary(house.platform, today).detail
    house.send({"schema": "Nobody"})
    assert "begins later" in verify_duties.fly_canary(house.platform, yesterday).detail
    result = verify_duties.fly_canary(house.platform, today)
    assert (result.outcome, result.detail[:18]) == ("done", "nothing to try yet")
    house.publish(producers="token")
    assert verify_duties.fly_canary(house.platform, today).detail == result.detail
    house.publish("Open")
    result = verify_duties.fly_canary(house.platform, today)
    assert result.outcome == "warning"
    assert "no server answers at http://127.0.0.1:1" in result.detail
    house.close()


def test_every_route_that_takes_events_is_tried() -> None:
    """A new route of the intake must be tried as well, or be named here as none of persons."""
    target = Target("Click", "1.0.0", "target", "Dialog")
    tried = {
        one.path.partition("?")[0]
        for one in sending.requests_of(Nobody(), target, "http://127.0.0.1:1")
    }
    tried |= {"/wsapi/interaction_data", "/wsapi/session_context"}
    of_machines = {"/healthz", "/readyz", "/v1/_test/events"}
    of_machines |= {"/v1/forward", "/v1/forward/registry", "/v1/edge"}
    assert set(routes.METHODS) <= tried | of_machines


def test_this_hosts_own_server_is_asked_first() -> None:
    config = Config(listen="0.0.0.0:9000", public_url="https://events.example.org/")
    assert verify_duties.addresses(config) == [
        "http://127.0.0.1:9000", "https://events.example.org",
    ]  # fmt: skip
    assert verify_duties.addresses(replace(config, listen="[::]:9000", public_url="")) == [
        "http://[::1]:9000", "http://[::]:9000",
    ]  # fmt: skip
