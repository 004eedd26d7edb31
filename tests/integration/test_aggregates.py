"""Aggregates: right against exact figures, recomputed until raw is gone, small cells left out."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.retention import aggregates
from eventlogging.retention.aggregates import compute, group, stored
from eventlogging.retention.aggregates.measures import RANKS
from eventlogging.retention.aggregates.settle import settle
from eventlogging.retention.policy import Aggregate, Policies, Policy
from eventlogging.store.database import Database
from eventlogging.store.fixed import aggregate_cell, aggregate_day
from eventlogging.store.migrate import migrate
from tests.aggregates import days_ago, erase, figures, purge, store
from tests.schemas import CLICK, registered

SPEED = Aggregate(
    "speed", ("wiki",), ("/target",), sum=("/count",), quantiles=("/ratio",), distinct=("/user",)
)
PRIVATE = {"/user": "hmac"}
SCHEMA = registered(privacy=PRIVATE)
DAY = days_ago(3)


class World:
    """A database with one schema, and what the duties are given of a platform."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        migrate(self.database)
        self.snapshot: Any = None
        self.registry = self
        self.know(SCHEMA)

    def know(self, schema: Any) -> None:
        self.schema = schema
        self.snapshot = type("Snapshot", (), {"schemas": {schema.name: schema}})

    def refresh(self) -> bool:
        return True

    def compute(self, *wanted: Aggregate) -> aggregates.Computed:
        policies = Policies(Policy(""), {self.schema.name: policy(*wanted)})
        done = aggregates.compute_due(self, policies, clock.now_ms())  # type: ignore[arg-type]
        assert not done.failed
        return done


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.database.close()


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[World]:
    made = World(f"sqlite:///{tmp_path / 'eventlogging.db'}")
    yield made
    made.database.close()


def policy(*wanted: Aggregate) -> Policy:
    return Policy("Click", aggregates=wanted)


def click(target: str = "a", wiki: str | None = "enwiki", rate: float = 1.0, **more: Any) -> Any:
    return {"target": target, **more}, {"wiki": wiki, "sample_rate": rate}


def rank_of(values: list[float], value: float) -> tuple[float, float]:
    """The share of values below one, and up to it."""
    below = sum(1 for one in values if one < value)
    upto = sum(1 for one in values if one <= value)
    return below / len(values), upto / len(values)


# right


def test_100_000_values_are_as_exact_figures_say(lite: World) -> None:
    random.seed(7)
    values = [random.lognormvariate(7, 0.6) for _ in range(100_000)]
    events = [
        click(count=at % 1000, ratio=value, user=f"key:{at % 30_000}")
        for at, value in enumerate(values)
    ]
    store(lite.database, SCHEMA, DAY, events)
    assert lite.compute(SPEED) == aggregates.Computed(1, 1)
    (cell,) = figures(lite.database, SPEED, DAY).cells
    assert (cell.by, cell.events, cell.count) == ({"wiki": "enwiki", "target": "a"}, 10**5, 10**5)
    assert cell.sums["count"] == {
        "total": sum(at % 1000 for at in range(100_000)), "count": 100_000, "events": 100_000,
    }  # fmt: skip
    people = cell.distinct["user"]
    assert people is not None
    assert abs(people.estimate - 30_000) < 0.03 * 30_000
    assert people.low < 30_000 < people.high
    spread = cell.quantiles["ratio"]
    assert spread is not None
    error = spread["rank_error"]
    assert 0 < error < 0.007
    for name, rank in RANKS.items():
        below, upto = rank_of(values, spread[name])
        assert below - error <= rank <= upto + error, name


def test_figures_of_few_values_are_exact(world: World) -> None:
    events = [click(count=n, ratio=n + 0.5, user=f"u{n % 12}") for n in range(1, 21)]
    store(world.database, SCHEMA, DAY, [*events, click(), click(ratio=7)])
    world.compute(SPEED)
    (cell,) = figures(world.database, SPEED, DAY).cells
    assert cell.events == 22
    assert cell.sums["count"] == {"total": 210, "count": 20, "events": 20}
    assert cell.quantiles["ratio"] == {
        "p25": 6.5, "p50": 10.5, "p75": 15.5, "p95": 19.5, "p99": 20.5,
        "rank_error": 0.0, "count": 21, "events": 21,
    }  # fmt: skip
    people = cell.distinct["user"]
    assert people is not None
    assert round(people.estimate) == 12


def test_each_event_weighs_what_its_sample_rate_says(world: World) -> None:
    often = [click(count=1, ratio=float(n) + 0.25, rate=0.1) for n in range(30)]
    seldom = [click(count=10, ratio=1000.5, rate=1.0) for _ in range(100)]
    store(world.database, SCHEMA, DAY, [*often, *seldom])
    world.compute(SPEED)
    (cell,) = figures(world.database, SPEED, DAY).cells
    assert (cell.events, cell.count) == (130, 400)
    assert cell.sums["count"] == {"total": 300 + 1000, "count": 400, "events": 130}
    spread = cell.quantiles["ratio"]
    assert spread is not None
    # Three quarters of what happened are the 30 events of the low rate.
    assert (spread["p25"], spread["p50"], spread["p75"]) == (9.25, 19.25, 29.25)
    assert spread["p95"] == 1000.5


def test_weights_stay_exact_over_days_of_different_rates(world: World) -> None:
    days = [days_ago(n) for n in (9, 8, 7)]
    for day, rate in zip(days, (1.0, 0.5, 0.01), strict=True):
        store(world.database, SCHEMA, day, [click(ratio=rate + 0.001, rate=rate)] * 20)
    world.compute(SPEED)
    found = figures(world.database, SPEED, days[0], days_ago(6), "month").cells
    assert sum(cell.count for cell in found) == 20 + 40 + 2000


def test_weeks_and_months_put_together_are_as_if_from_raw(world: World) -> None:
    days = ["2026-10-26", "2026-10-31", "2026-11-01", "2026-11-02"]  # Monday … Monday
    random.seed(3)
    by_day = {
        day: [
            click(
                random.choice("ab"), count=random.randrange(100), ratio=random.random(),
                user=f"u{random.randrange(40)}", rate=random.choice((1.0, 0.5)),
            )
            for _ in range(300)
        ]
        for day in days
    }  # fmt: skip
    for day, events in by_day.items():
        store(world.database, SCHEMA, day, events)
    world.compute(SPEED)
    for per, parts in (
        ("week", {"2026-10-26": days[:3], "2026-11-02": days[3:]}),
        ("month", {"2026-10-01": days[:2], "2026-11-01": days[2:]}),
    ):
        found = figures(world.database, SPEED, "2026-10-30", "2026-11-03", per)
        assert found.days == 4
        assert dict(found.periods) == {period: len(held) for period, held in parts.items()}
        assert len(found.cells) == 4
        for cell in found.cells:
            assert cell.by is not None
            raw = [
                (payload, capsule)
                for day in parts[cell.period]
                for payload, capsule in by_day[day]
                if payload["target"] == cell.by["target"]
            ]
            weights = [1 / capsule["sample_rate"] for _, capsule in raw]
            assert (cell.events, cell.count) == (len(raw), sum(weights))
            total = sum(p["count"] / c["sample_rate"] for p, c in raw)
            assert cell.sums["count"] == {
                "total": total, "count": sum(weights), "events": len(raw),
            }  # fmt: skip
            people = cell.distinct["user"]
            assert people is not None
            assert round(people.estimate) == len({p["user"] for p, _ in raw})
            assert cell.quantiles["ratio"] is not None
            pairs = sorted((p["ratio"], 1 / c["sample_rate"]) for p, c in raw)
            for name, rank in RANKS.items():
                value = cell.quantiles["ratio"][name]
                below = sum(w for v, w in pairs if v < value) / sum(weights)
                upto = sum(w for v, w in pairs if v <= value) / sum(weights)
                assert below - 0.007 <= rank <= upto + 0.007


def test_two_majors_count_together_and_a_field_that_one_lacks_is_null(world: World) -> None:
    second = {
        **CLICK,
        "required": [],
        "properties": {
            "target": {"type": "integer"}, "count": {"type": "number"}, "mode": {"type": "boolean"},
        },
    }  # fmt: skip
    schema = registered(documents={"1.0.0": CLICK, "2.0.0": second})
    world.know(schema)
    store(world.database, schema, DAY, [click("1", count=2)] * 12)
    newer = [({"target": 1, "count": 2.5, "mode": True}, {"wiki": "enwiki"})] * 11
    store(world.database, schema, DAY, newer, major=2)
    both = Aggregate("both", ("wiki",), ("/target", "/mode"), ("/count",), ("/count",))
    world.compute(both)
    found = figures(world.database, both, DAY).cells
    assert [(cell.by, cell.events) for cell in found] == [
        ({"wiki": "enwiki", "target": "1", "mode": None}, 12),
        ({"wiki": "enwiki", "target": 1, "mode": True}, 11),
    ]
    assert [cell.sums["count"]["total"] for cell in found] == [24, 27.5]  # type: ignore[index]
    everything = Aggregate("everything", sum=("/count",))
    world.compute(everything)
    (cell,) = figures(world.database, everything, DAY).cells
    assert (cell.by, cell.events) == ({}, 23)
    assert cell.sums["count"] == {"total": 51.5, "count": 23, "events": 23}


def test_what_a_column_could_not_hold_is_counted_as_it_was_sent(world: World) -> None:
    document = {
        "type": "object",
        "properties": {
            "page": {"type": "object", "properties": {"size": {"type": "integer"}}},
            "label": {"type": "string", "maxLength": 3},
            "map": {"type": "object"},
        },
    }
    schema = registered(documents={"1.0.0": document})
    world.know(schema)
    events = [
        *[{"page": {"size": 3.0}, "label": "long one", "map": {"b": 1, "a": [1]}}] * 10,
        *[{"page": {"size": 3}, "label": "long two", "map": {"a": [1], "b": 1}, "undeclared": 1}]
        * 10,
        *[{"page": {}, "label": None, "map": {}}, {}] * 10,
    ]
    store(world.database, schema, DAY, [(event, {}) for event in events])
    by = Aggregate("by", fields=("/label", "/map", "/undeclared", "/page/size"))
    inside = Aggregate("inside", fields=("/map/b", "/page"), sum=("/page/size",))
    world.compute(by, inside)
    found = figures(world.database, by, DAY).cells
    values = {tuple(cell.by.values()): cell.events for cell in found if cell.by is not None}
    assert values == {
        ("long one", '{"a":[1],"b":1}', None, 3): 10,
        ("long two", '{"a":[1],"b":1}', 1, 3): 10,
        (None, "{}", None, None): 10,
        (None, None, None, None): 10,
    }
    found = figures(world.database, inside, DAY).cells
    assert {tuple(cell.by.values()): cell.events for cell in found if cell.by is not None} == {
        (1, '{"size":3.0}'): 10,
        (1, '{"size":3}'): 10,
        (None, "{}"): 10,
        (None, None): 10,
    }
    assert [cell.sums["/page/size"] for cell in found if cell.sums["/page/size"]] == [
        {"total": 30, "count": 10, "events": 10},
        {"total": 30, "count": 10, "events": 10},
    ]


def test_navigation_timing_by_day_browser_and_host(world: World) -> None:
    timing = Aggregate(
        "speed_per_day", ("browser", "host"), quantiles=("/responseStart", "/loadEventEnd")
    )
    document = {
        "type": "object",
        "properties": {
            "responseStart": {"type": "integer"},
            "loadEventEnd": {"type": "integer"},
        },
    }
    schema = registered("NavigationTiming", {"1.0.0": document})
    world.know(schema)
    random.seed(11)
    raw: dict[tuple[str, str], list[int]] = {}
    events = []
    for _ in range(4000):
        place = (random.choice(("Firefox", "Chrome")), random.choice(("en.example", "de.example")))
        load = int(random.lognormvariate(7, 0.5))
        raw.setdefault(place, []).append(load)
        capsule = {"user_agent_browser": place[0], "host": place[1]}
        events.append(({"responseStart": load // 3, "loadEventEnd": load}, capsule))
    store(world.database, schema, DAY, events)
    world.compute(timing)
    found = figures(world.database, timing, DAY, schema="NavigationTiming").cells
    assert len(found) == 4
    for cell in found:
        assert cell.by is not None
        values = sorted(raw[cell.by["browser"], cell.by["host"]])
        spread = cell.quantiles["loadEventEnd"]
        assert spread is not None
        assert spread["events"] == cell.events == len(values)
        for name, rank in RANKS.items():
            below, upto = rank_of([float(one) for one in values], spread[name])
            assert below - spread["rank_error"] <= rank <= upto + spread["rank_error"]


def test_account_creations_by_day_wiki_and_host(world: World) -> None:
    accounts = Aggregate("accounts_per_day", ("wiki", "host"), ("/isSelfMade",))
    document = {"type": "object", "properties": {"isSelfMade": {"type": "boolean"}}}
    schema = registered("ServerSideAccountCreation", {"1.0.0": document})
    world.know(schema)
    expected = {("enwiki", "a.example", True): 25, ("dewiki", None, False): 12}
    for (wiki, host, is_self), number in expected.items():
        events = [({"isSelfMade": is_self}, {"wiki": wiki, "host": host})] * number
        store(world.database, schema, DAY, events)
    world.compute(accounts)
    found = figures(world.database, accounts, DAY, schema=schema.name).cells
    assert {tuple(cell.by.values()): cell.events for cell in found if cell.by} == expected


def test_a_day_with_more_cells_than_it_may_have_counts_the_rest_together(
    lite: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "MOST_CELLS", 3)
    events = [click(f"t{n}", ratio=n) for n in range(5) for _ in range(10)]
    store(lite.database, SCHEMA, DAY, events)
    lite.compute(SPEED)
    found = figures(lite.database, SPEED, DAY)
    assert [(cell.by is None, cell.events) for cell in found.cells] == [
        *[(False, 10)] * 3,
        (True, 20),
    ]
    assert "more cells than are kept" in found.note


# until raw is gone


def test_late_data_is_counted_until_raw_is_gone_and_not_after(world: World) -> None:
    store(world.database, SCHEMA, DAY, [click(count=1)] * 20)
    assert world.compute(SPEED).days == 1
    assert world.compute(SPEED).days == 0
    store(world.database, SCHEMA, DAY, [click(count=1)] * 5)
    assert world.compute(SPEED).days == 1
    assert [cell.events for cell in figures(world.database, SPEED, DAY).cells] == [25]
    store(world.database, SCHEMA, DAY, [click(count=1)] * 5)
    assert settle(world.database, SCHEMA, policy(SPEED), DAY) == 1
    assert [cell.events for cell in figures(world.database, SPEED, DAY).cells] == [30]
    store(world.database, SCHEMA, DAY, [click(count=1)] * 7)
    assert world.compute(SPEED).days == 0
    purge(world.database, "Click_1", DAY)
    assert world.compute(SPEED).days == 0
    assert settle(world.database, SCHEMA, policy(SPEED), DAY) == 1
    found = figures(world.database, SPEED, DAY)
    assert ([cell.events for cell in found.cells], found.days, found.final) == ([30], 1, 1)


def test_a_changed_definition_is_computed_anew_while_raw_lives(world: World) -> None:
    store(world.database, SCHEMA, DAY, [click(count=n) for n in range(20)])
    store(world.database, SCHEMA, days_ago(5), [click()] * 20)
    world.compute(SPEED)
    settle(world.database, SCHEMA, policy(SPEED), days_ago(5))
    changed = Aggregate("speed", ("wiki",), quantiles=("/count",))
    assert world.compute(changed) == aggregates.Computed(1, 1)
    (cell,) = figures(world.database, changed, DAY).cells
    assert cell.by == {"wiki": "enwiki"}
    assert cell.quantiles["count"] is not None
    # The day that is final stays as it was counted.
    (cell,) = figures(world.database, changed, days_ago(5)).cells
    assert cell.by == {"wiki": "enwiki", "target": "a"}


def test_an_aggregate_that_nobody_asks_for_any_more_keeps_its_final_days_alone(
    world: World,
) -> None:
    for day in (DAY, days_ago(5)):
        store(world.database, SCHEMA, day, [click()] * 20)
    world.compute(SPEED)
    settle(world.database, SCHEMA, policy(SPEED), days_ago(5))
    world.compute()
    assert figures(world.database, SPEED, DAY).cells == []
    assert len(figures(world.database, SPEED, days_ago(5)).cells) == 1
    world.compute(SPEED)
    assert len(figures(world.database, SPEED, DAY).cells) == 1


def test_an_aggregate_declared_while_raw_goes_is_not_computed_from_its_rest(
    world: World,
) -> None:
    ids = store(world.database, SCHEMA, DAY, [click()] * 40)
    settle(world.database, SCHEMA, policy(), DAY)
    erase(world.database, "Click_1", DAY, ids[:15])  # the purge was interrupted here
    assert world.compute(SPEED).days == 0
    assert settle(world.database, SCHEMA, policy(SPEED), DAY) == 0
    assert figures(world.database, SPEED, DAY).days == 0


def test_erased_rows_lower_the_figures_while_raw_lives(world: World) -> None:
    ids = store(world.database, SCHEMA, DAY, [click(count=1, user=f"u{n}") for n in range(30)])
    world.compute(SPEED)
    erase(world.database, "Click_1", DAY, ids[:10])
    assert world.compute(SPEED).days == 1
    (cell,) = figures(world.database, SPEED, DAY).cells
    assert cell.sums["count"] == {"total": 20, "count": 20, "events": 20}
    assert cell.distinct["user"] is not None
    assert round(cell.distinct["user"].estimate) == 20
    erase(world.database, "Click_1", DAY, ids[10:])
    world.compute(SPEED)
    assert figures(world.database, SPEED, DAY).cells == []


def test_today_is_not_computed_before_it_is_over(lite: World) -> None:
    store(lite.database, SCHEMA, days_ago(0), [click()] * 20)
    assert lite.compute(SPEED).days == 0


def test_rows_that_come_while_a_day_is_settled_are_counted(
    lite: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(lite.database, SCHEMA, DAY, [click()] * 20)
    real = compute.compute_day
    late = iter([[click()] * 5, [click()] * 6, []])

    def meanwhile(*args: Any) -> aggregates.Computed:
        done = real(*args)
        if events := next(late):
            store(lite.database, SCHEMA, DAY, events)
        return done

    module = sys.modules["eventlogging.retention.aggregates.settle"]  # its function hides it
    monkeypatch.setattr(module, "compute_day", meanwhile)
    settle(lite.database, SCHEMA, policy(SPEED), DAY)
    assert [cell.events for cell in figures(lite.database, SPEED, DAY).cells] == [31]


# small cells


def test_small_cells_are_put_together_when_raw_goes(world: World) -> None:
    sizes = {"large": 30, "s1": 4, "s2": 5, "s3": 3}
    events = [
        click(target, count=2, ratio=0.5) for target, number in sizes.items() for _ in range(number)
    ]
    store(world.database, SCHEMA, DAY, events)
    world.compute(SPEED)
    before = figures(world.database, SPEED, DAY)
    assert settle(world.database, SCHEMA, policy(SPEED), DAY) == 2
    after = figures(world.database, SPEED, DAY)
    assert before.cells == after.cells
    assert [(cell.by, cell.events) for cell in after.cells] == [
        ({"wiki": "enwiki", "target": "large"}, 30),
        (None, 12),
    ]
    assert after.cells[1].sums["count"] == {"total": 24, "count": 12, "events": 12}
    assert after.cells[1].merged == 3
    assert "(other)" in after.note
    with world.database.read() as connection:
        kept = connection.execute(sa.select(aggregate_cell.c.by)).scalars().all()
    assert not any("s1" in by or "s3" in by for by in kept)


def test_what_is_small_even_together_is_kept_as_a_number_alone(world: World) -> None:
    events = [click("large")] * 30 + [click("s1", count=5)] * 4 + [click("s2", count=5)] * 2
    store(world.database, SCHEMA, DAY, events)
    world.compute(SPEED)
    before = figures(world.database, SPEED, DAY)
    settle(world.database, SCHEMA, policy(SPEED), DAY)
    after = figures(world.database, SPEED, DAY)
    for found in (before, after):
        assert [cell.events for cell in found.cells] == [30]
        assert (found.suppressed.cells, found.suppressed.events) == (2, 6)
        assert "their 6 events are not shown" in found.note
    with world.database.read() as connection:
        rows = connection.execute(sa.select(aggregate_cell)).mappings().all()
    (row,) = [row for row in rows if row["cell"] == stored.SUPPRESSED]
    assert (row["events"], row["measures"]) == (6, '{"merged":2}')
    assert len(rows) == 2


def test_many_events_of_few_people_are_a_small_cell(world: World) -> None:
    few = [click("few", user=f"key:{n % 3}") for n in range(50)]
    many = [click("many", user=f"key:{n}") for n in range(50)]
    store(world.database, SCHEMA, DAY, [*few, *many])
    world.compute(SPEED)
    found = figures(world.database, SPEED, DAY)
    assert [cell.by["target"] for cell in found.cells if cell.by] == ["many"]
    assert found.suppressed.events == 50


def test_a_sum_or_quantile_of_few_events_is_left_out_of_a_large_cell(world: World) -> None:
    store(world.database, SCHEMA, DAY, [*[click()] * 40, *[click(count=1, ratio=0.5)] * 9])
    world.compute(SPEED)
    settle(world.database, SCHEMA, policy(SPEED), DAY)
    (cell,) = figures(world.database, SPEED, DAY).cells
    assert (cell.events, cell.sums["count"], cell.quantiles["ratio"]) == (49, None, None)
    with world.database.read() as connection:
        (measures,) = connection.execute(sa.select(aggregate_cell.c.measures)).scalars()
    assert '"sum":{"/count":null},"quantiles":{"/ratio":null}' in measures


def test_days_that_are_small_alone_may_be_shown_as_a_week_while_raw_lives(world: World) -> None:
    for day in ("2026-11-02", "2026-11-03"):
        store(world.database, SCHEMA, day, [click()] * 6)
    world.compute(SPEED)
    assert figures(world.database, SPEED, "2026-11-02", "2026-11-04").cells == []
    (week,) = figures(world.database, SPEED, "2026-11-02", per="week").cells
    assert week.events == 12


# faults


def test_computing_twice_at_once_leaves_one_day_of_cells(mariadb_url: str) -> None:
    world = World(mariadb_url)
    store(world.database, SCHEMA, DAY, [click(f"t{n % 7}") for n in range(700)])
    errors: list[BaseException] = []

    def again() -> None:
        try:
            for _ in range(5):
                with world.database.write() as connection:
                    connection.execute(sa.update(aggregate_day).values(source=""))
                world.compute(SPEED)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=again) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    world.compute(SPEED)
    found = figures(world.database, SPEED, DAY).cells
    assert [cell.events for cell in found] == [100] * 7
    world.database.close()


KILLED = """
import sys
from tests.integration.test_aggregates import *
world = World(sys.argv[1])
print("begun", flush=True)
while True:
    with world.database.write() as connection:
        connection.execute(sa.update(aggregate_day).where(aggregate_day.c.final.is_(False))
                           .values(source=""))
    world.compute(SPEED)
"""


def test_a_killed_computation_leaves_the_day_as_it_was_or_as_it_is_to_be(
    database_url: str,
) -> None:
    world = World(database_url)
    store(world.database, SCHEMA, DAY, [click(f"t{n % 40}", ratio=n) for n in range(2000)])
    world.compute(SPEED)
    for number in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, database_url],
            stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent.parent,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(0.05 + 0.06 * number)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        found = figures(world.database, SPEED, DAY)
        assert [cell.events for cell in found.cells] == [50] * 40
    world.compute(SPEED)
    assert settle(world.database, SCHEMA, policy(SPEED), DAY) == 40
    world.database.close()


def test_a_schema_in_trouble_does_not_hinder_the_others(
    lite: World, caplog: pytest.LogCaptureFixture
) -> None:
    store(lite.database, SCHEMA, DAY, [click()] * 20)
    store(lite.database, SCHEMA, days_ago(4), [click()] * 20)
    with lite.database.write() as connection:
        connection.execute(sa.text("UPDATE Click_1 SET event_more = 'no JSON' WHERE dt >= :d"),
                           {"d": DAY})  # fmt: skip
    policies = Policies(Policy(""), {"Click": policy(SPEED)})
    done = aggregates.compute_due(lite, policies, clock.now_ms())  # type: ignore[arg-type]
    assert (done.days, len(done.failed)) == (1, 1)
    assert done.failed[0].startswith(f"Click of {DAY}: ")


def test_odd_sample_rates_neither_break_nor_multiply_the_sketches(lite: World) -> None:
    rates = [0.5 + n / 1000 for n in range(100)]
    events = [click(ratio=0.5, rate=rate) for rate in rates]
    store(lite.database, SCHEMA, DAY, [*events, *[click(ratio=0.5, rate=0.0)] * 3])
    lite.compute(SPEED)
    (cell,) = figures(lite.database, SPEED, DAY).cells
    assert math.isclose(cell.count, sum(1 / rate for rate in rates) + 3)
    assert cell.quantiles["ratio"] is not None
    assert cell.quantiles["ratio"]["p50"] == 0.5


def test_sums_and_weights_beyond_all_numbers_are_settled_and_shown(world: World) -> None:
    wanted = Aggregate("huge", sum=("/ratio",), quantiles=("/ratio",), min_cell=2)
    events = [click(ratio=1.7e308, rate=3e-308)] * 12
    store(world.database, SCHEMA, DAY, events)
    world.compute(wanted)
    (cell,) = figures(world.database, wanted, DAY).cells
    assert cell.count == 12e6
    assert orjson.loads(orjson.dumps(cell.as_dict()))["sum"]["ratio"]["total"] > 1.7e308
    assert settle(world.database, SCHEMA, policy(wanted), DAY) == 1
    assert len(figures(world.database, wanted, DAY, per="month").cells) == 1


def test_more_cells_than_one_answer_takes_are_refused(
    lite: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eventlogging.retention.aggregates import read

    store(lite.database, SCHEMA, DAY, [click(f"t{n}") for n in range(5)])
    lite.compute(SPEED)
    with lite.database.read() as connection, pytest.raises(read.TooMuch, match="fewer days"):
        read.cells(connection, "Click", SPEED, DAY, DAY, most=4)
