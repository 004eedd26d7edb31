"""Metrics: what Prometheus and Graphite are told is what the ledger says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.console.app import create_app
from eventlogging.jobs import claims
from eventlogging.metrics.dashboards import dashboard, render_url
from eventlogging.metrics.figures import Reader
from eventlogging.metrics.graphite import Carbon as Address
from eventlogging.metrics.graphite import Sender
from eventlogging.platform import open_platform
from eventlogging.store.fixed import ledger
from tests.console import House
from tests.servers import Carbon, free_port, wait_until


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path / "var")
    made.publish()
    yield made
    made.close()


def send(house: House, good: int, bad: int) -> None:
    targets = ["a"] * good + [7] * bad
    house.send(*({"schema": "Click", "event": {"target": target}} for target in targets))


def exposed(house: House) -> dict[tuple[str, ...], float]:
    answer = house.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain")
    return {
        (sample.name.removeprefix("eventlogging_"), *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_prometheus_reads_what_the_ledger_says(house: House) -> None:
    send(house, 5, 2)
    found = exposed(house)
    assert found["events_total", "Click", "sent"] == 7
    assert found["events_total", "Click", "valid"] == 5
    assert found["events_total", "Click", "invalid"] == 2
    assert found["database_up",] == 1
    assert found["events_unexplained",] == found["log_waiting_bytes",] == found["lag_seconds",] == 0
    assert found["log_free_bytes",] > 0


def test_counters_only_grow_when_a_day_turns(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    send(house, 3, 0)
    reader = Reader(house.platform.database, house.platform.log_folder)
    before = {line.schema: line for line in reader.read().lines}
    for days in range(1, 5):
        monkeypatch.setattr(clock, "offset_ms", days * clock.DAY_MS)
        assert {line.schema: line for line in reader.read().lines} == before
    send(house, 1, 0)
    assert {line.schema: line.valid for line in reader.read().lines} == {"Click": 4}


def test_what_waits_and_what_is_unexplained_is_seen(house: House) -> None:
    house.accept(b'{"schema": "Click", "event": {"target": "a"}}')
    assert exposed(house)["log_waiting_bytes",] > 0
    house.load()
    with house.platform.database.write() as connection:
        connection.execute(sa.update(ledger).where(ledger.c.outcome == "sent").values(count=4))
    assert exposed(house)["events_unexplained",] == 3


def test_a_failed_job_is_seen_until_it_succeeds(house: House) -> None:
    database = house.platform.database
    for slot, outcome in (("2026-11-20", "done"), ("2026-11-21", "failed")):
        claim = claims.claim(database, "ledger-proof", slot)
        assert claim is not None
        claims.finish(database, claim, outcome, "")
    found = exposed(house)
    good = found["job_last_success_timestamp_seconds", "ledger-proof"]
    bad = found["job_last_failure_timestamp_seconds", "ledger-proof"]
    assert bad >= good > 0


def test_without_a_database_that_is_what_is_said(tmp_path: Path) -> None:
    nowhere = f"mysql+pymysql://root@127.0.0.1:{free_port()}/nothing"
    platform = open_platform(Config(var=tmp_path / "var", database_url=nowhere))
    answer = create_app(platform).test_client().get("/metrics")
    assert answer.status_code == 200
    assert "eventlogging_database_up 0.0" in answer.text
    assert "eventlogging_events" not in answer.text


@pytest.mark.timeout(180)
def test_graphite_holds_each_minute_of_the_ledger(
    house: House, carbon: Carbon, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = house.platform.database
    address = Address.of(f"127.0.0.1:{carbon.port}", "evl")
    sender = Sender(address, database, Reader(database, house.platform.log_folder))
    # In the past, for Graphite takes no points of the future.
    monkeypatch.setattr(clock, "offset_ms", -300_000)
    begin = clock.now_ms() // 60_000 * 60
    send(house, 5, 2)
    monkeypatch.setattr(clock, "offset_ms", -240_000)
    send(house, 4, 0)
    monkeypatch.setattr(clock, "offset_ms", -180_000)
    house.platform.registry.refresh()
    snapshot = house.platform.registry.snapshot
    assert sender.send(snapshot) == 0, "Carbon does not run yet, and nothing breaks"
    carbon.start()
    assert sender.send(snapshot) > 0, "what the outage held back is made good"
    minutes = [begin, begin + 60]

    def held(outcome: str) -> list[float | None]:
        points = carbon.points(f"evl.schema.Click.{outcome}", begin - 60, begin + 240)
        return [points.get(minute) for minute in minutes]

    wait_until(lambda: held("sent") == [7, 4], 30)
    assert held("valid") == [5, 4]
    assert held("invalid") == [2, 0]
    assert held("duplicate") == [0, 0]
    wait_until(lambda: bool(carbon.points("evl.lag_seconds", begin - 60, begin + 240)), 30)


def test_an_address_of_carbon_is_host_and_port() -> None:
    assert Address.of("graphite.example.org", "a") == Address("graphite.example.org", 2003, "a")
    assert Address.of("[::1]:2013", "a.") == Address("::1", 2013, "a")
    for wrong in ("host:port", ":2003", "host:0", "host:70000"):
        with pytest.raises(ValueError, match="port"):
            Address.of(wrong, "a")


def test_each_schema_has_a_chart_and_a_place_on_the_dashboard(house: House) -> None:
    house.platform.registry.refresh()
    schema = house.platform.registry.snapshot.schemas["Click"]
    url = render_url("http://graphite.example.org/", "evl", schema)
    assert url.startswith("http://graphite.example.org/render?target=alias")
    assert "evl.schema.Click.invalid" in url
    graphs = dashboard("evl", [schema])["graphs"]
    assert [graph[1]["title"] for graph in graphs] == ["Click", "Lag of the loader, seconds"]
