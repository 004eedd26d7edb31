"""Aggregates as the API gives them and the page shows them, and the job that makes them."""

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from eventlogging.cli.job import job as job_command
from eventlogging.jobs.aggregate_duties import compute_aggregates
from eventlogging.jobs.table import JOBS
from eventlogging.retention.aggregates import read
from eventlogging.retention.aggregates.measures import Spread
from eventlogging.retention.policy import Policies, read_policies
from eventlogging.store.fixed import governance
from tests.aggregates import days_ago, store
from tests.console import BROWSER, CLICK, House

PURGE = {
    "keep_days": 90,
    "aggregate": [
        {
            "name": "clicks", "per": "day", "capsule": ["wiki"], "fields": ["target"],
            "sum": ["count"], "quantiles": ["/at/x"], "distinct": ["user"],
        },
        {"name": "all", "per": "day"},
    ],
}  # fmt: skip
SCHEMA = {**CLICK, "properties": {**CLICK["properties"], "user": {"type": "string"}}}
DAY = days_ago(2)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(f"sqlite:///{tmp_path / 'eventlogging.db'}", tmp_path / "var")
    house.publish(schema=SCHEMA, privacy={"user": "hmac"})
    yield house
    house.close()


def declare(house: House, rule: Any = PURGE, schema: str = "Click") -> None:
    name = f"{schema}.toml"
    with house.platform.database.write() as connection:
        connection.execute(sa.delete(governance).where(governance.c.name == name))
        connection.execute(
            sa.insert(governance).values(
                folder="purge", name=name, document=json.dumps(rule), updated_at="2026"
            )
        )


def fill(house: House, days: int = 1) -> None:
    house.platform.registry.refresh()
    schema = house.platform.registry.snapshot.schemas["Click"]
    for back in range(2, 2 + days):
        events: list[Any] = [
            ({"target": "=a", "count": n, "at": {"x": n / 8}, "user": f"k:{n}"}, {"wiki": "enwiki"})
            for n in range(40)
        ]
        events += [({"target": "rare"}, {"wiki": None})] * 3
        store(house.platform.database, schema, days_ago(back), events)
    result = compute_aggregates(house.platform, "")
    assert result.outcome == "done"


def policies_of(house: House) -> Policies:
    with house.platform.database.read() as connection:
        return read_policies(connection)


def get(house: House, query: str = "", name: str = "Click") -> Any:
    return house.client.get(f"/v1/aggregates/{name}?{query}")


def test_anyone_gets_the_cells_with_their_bounds_and_what_is_left_out(house: House) -> None:
    declare(house)
    fill(house)
    answer = get(house, f"aggregate=clicks&start={DAY}&end={days_ago(1)}")
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    body = answer.json
    (cell,) = body["cells"]
    assert cell["period"] == DAY
    assert cell["by"] == {"wiki": "enwiki", "target": "=a"}
    assert (cell["events"], cell["count"]) == (40, 40)
    assert cell["sum"] == {"count": {"total": 780, "count": 40, "events": 40}}
    assert cell["quantiles"]["/at/x"] == {
        "p25": 1.125, "p50": 2.375, "p75": 3.625, "p95": 4.625, "p99": 4.875,
        "rank_error": 0.0, "count": 40, "events": 40,
    }  # fmt: skip
    assert cell["distinct"]["user"]["low"] <= 40 <= cell["distinct"]["user"]["high"]
    assert body["suppressed"] == {"cells": 1, "events": 3}
    assert "fewer than 10 people or events" in body["note"]
    assert (body["min_cell"], body["days"]) == (10, {"computed": 1, "final": 0})
    assert (body["per"], body["start"], body["end"]) == ("day", DAY, days_ago(1))


def test_csv_and_ndjson_say_the_same(house: House) -> None:
    declare(house)
    fill(house, days=3)
    days = f"start={days_ago(9)}&aggregate=clicks"
    cells = get(house, days).json["cells"]
    lines = get(house, f"{days}&format=ndjson")
    assert lines.mimetype == "application/x-ndjson"
    assert [json.loads(line) for line in lines.text.splitlines()] == cells
    table = get(house, f"{days}&format=csv")
    assert table.headers["X-Suppressed-Events"] == "9"
    assert table.headers["Content-Disposition"] == 'attachment; filename="Click_clicks.csv"'
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["period"] for row in rows] == [cell["period"] for cell in cells]
    assert rows[0]["target"] == "'=a"  # no formula
    assert rows[0]["/at/x.p95"] == "4.625"
    assert rows[0]["count.sum"] == "780"
    assert rows[0]["wiki"] == "enwiki"


def test_no_heading_of_csv_is_a_formula(house: House) -> None:
    kinds = {"+n": "number", "-q": "number", "@id": "string", "=by": "string"}
    schema = {"type": "object", "properties": {n: {"type": kind} for n, kind in kinds.items()}}
    house.publish("Odd", schema)
    one = {"name": "odd", "per": "day", "fields": ["=by"], "sum": ["+n"], "quantiles": ["-q"],
           "distinct": ["@id"]}  # fmt: skip
    declare(house, {"aggregate": [one]}, "Odd")
    (headings,) = csv.reader(io.StringIO(get(house, "format=csv", "Odd").text))
    for heading in ("'=by", "'+n.sum", "'-q.p50", "'@id.distinct"):
        assert heading in headings
    assert not [one for one in headings if one.startswith(("=", "+", "-", "@"))]


def test_cells_are_put_together_by_what_is_asked_for(house: House) -> None:
    declare(house)
    house.platform.registry.refresh()
    schema = house.platform.registry.snapshot.schemas["Click"]
    sizes = {("a", "enwiki"): 20, ("b", "enwiki"): 15, ("b", "dewiki"): 12, ("c", "dewiki"): 4}
    for (target, wiki), number in sizes.items():
        events = [({"target": target, "count": 2, "at": {"x": number}}, {"wiki": wiki})] * number
        store(house.platform.database, schema, DAY, events)
    compute_aggregates(house.platform, "")
    asked = f"aggregate=clicks&start={DAY}&end={DAY}"
    for by, expected in (
        ("wiki", {("enwiki",): 35, ("dewiki",): 12}),
        ("target", {("a",): 20, ("b",): 27}),
        ("target,wiki", {key: number for key, number in sizes.items() if number >= 10}),
        ("(all)", {(): 47}),
    ):
        body = get(house, f"{asked}&by={by}").json
        counted = {tuple(c["by"][n] for n in by.split(",") if n != "(all)"): c["events"]
                   for c in body["cells"]}  # fmt: skip
        assert counted == expected
        assert body["suppressed"] == {"cells": 1, "events": 4}
    (cell,) = body["cells"]
    assert cell["sum"]["count"]["total"] == 94
    assert cell["quantiles"]["/at/x"]["p25"] == 12
    header = get(house, f"{asked}&by=wiki&format=csv").text.split(",events", 1)[0]
    assert header == "period,wiki"
    page = house.page("/schemas/Click?aggregate=clicks&measure=count&by=wiki")
    assert "Events per day, by wiki" in page
    assert "by=wiki" in page


def test_weeks_are_whole_weeks(house: House) -> None:
    declare(house)
    fill(house, days=9)
    body = get(house, f"aggregate=all&per=week&start={DAY}&end={DAY}").json
    monday, next_monday = date.fromisoformat(body["start"]), date.fromisoformat(body["end"])
    assert (monday.weekday(), (next_monday - monday).days) == (0, 7)
    (cell,) = body["cells"]
    assert cell["by"] == {}
    assert cell["events"] == 43 * body["periods"][body["start"]]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("aggregate=clicks&per=hour", "per is one of day, week, month, not 'hour'"),
        ("aggregate=clicks&format=xml", "format is one of json, csv, ndjson, not 'xml'"),
        ("aggregate=clicks&start=yesterday", "start is a day such as 2026-11-22"),
        ("aggregate=clicks&end=2026-11-22T00:00Z", "end is a day such as 2026-11-22"),
        ("aggregate=clicks&start=2026-11-22&end=2026-11-21", "start lies after end"),
        ("aggregate=clicks&start=2020-01-01", "at most 400 days"),
        ("aggregate=clicks&by=host", "by is some of wiki, target, separated by commas, or (all)"),
        ("", "say which aggregate you mean: one of clicks, all"),
    ],
)
def test_wrong_parameters_are_told_in_words(house: House, query: str, words: str) -> None:
    declare(house)
    answer = get(house, query)
    assert answer.status_code == 400
    assert answer.json["code"] == "bad_parameter"
    assert words in answer.text


def test_what_does_not_exist_is_not_found(house: House) -> None:
    answer = get(house, name="Nothing")
    assert (answer.status_code, answer.json["code"]) == (404, "unknown_schema")
    answer = get(house)
    assert (answer.status_code, answer.json["code"]) == (404, "unknown_aggregate")
    assert "purge/README.md" in answer.text
    declare(house)
    answer = get(house, "aggregate=click")
    assert (answer.status_code, answer.json["code"]) == (404, "unknown_aggregate")
    assert "there are clicks, all" in answer.text


def test_the_only_aggregate_needs_no_name(house: House) -> None:
    declare(house, {"aggregate": [{"name": "all", "per": "day"}]})
    fill(house)
    assert [cell["events"] for cell in get(house).json["cells"]] == [43]


def test_the_page_teaches_then_waits_then_shows(house: House) -> None:
    page = house.page("/schemas/Click")
    assert "None is declared" in page
    assert "[[aggregate]]" in page
    declare(house)
    page = house.page("/schemas/Click")
    assert "Not computed yet" in page
    assert "aggregate.js" not in page
    fill(house, days=4)
    page = house.page("/schemas/Click")
    assert "aggregate.js" in page
    assert "uplot.min.js" in page
    assert "/at/x per day: p50, p75, p95" in page
    assert 'data-value="4.625"' in page
    page = house.page("/schemas/Click?aggregate=clicks&measure=count&step=week")
    assert "Events per week, by wiki, target" in page
    assert "enwiki · =a" in page
    page = house.page("/schemas/Click?aggregate=clicks&measure=count")
    assert "rare" not in page.partition('id="aggregates"')[2].partition("</section>")[0]
    page = house.page("/schemas/Click?aggregate=clicks&measure=distinct:user")
    assert "Different user per day" in page
    page = house.page("/schemas/Click?aggregate=all&measure=distinct:user")
    assert "Events per day" in page


def test_of_the_chosen_cell_alone_the_measures_are_loaded(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(house)
    house.platform.registry.refresh()
    schema = house.platform.registry.snapshot.schemas["Click"]
    for back in (2, 3):
        events: list[Any] = [
            ({"target": f"t{n % 20}", "at": {"x": n}}, {"wiki": "enwiki"}) for n in range(300)
        ]
        store(house.platform.database, schema, days_ago(back), events)
    compute_aggregates(house.platform, "")
    policy = policies_of(house).of("Click")
    days = "clicks", days_ago(9), days_ago(1)
    with house.platform.database.read() as connection:
        (clicks,) = [one for one in policy.aggregates if one.name == days[0]]
        for per in ("day", "week"):
            span = (*days[1:], per)
            every = read.cells(connection, "Click", clicks, *span, only=("/at/x",)).cells
            by = {"wiki": "enwiki", "target": "t7"}
            expected = [cell for cell in every if cell.by == by]
            assert read.one_cell(connection, "Click", clicks, *span, by, "/at/x") == expected
            assert expected
    loaded: list[Any] = []
    spread = Spread.load
    monkeypatch.setattr(Spread, "load", lambda *of: loaded.append(of) or spread(*of))
    chart = "/schemas/Click?aggregate=clicks&measure=quantiles:/at/x"
    page = house.page(chart)
    assert len(loaded) == 40
    (cell,) = [
        value
        for value, words in re.findall(r'<option value="(\w{32})"[^>]*>([^<]*)', page)
        if words.strip() == "enwiki · t7"
    ]
    loaded.clear()
    assert "/at/x of enwiki · t7 per day" in house.page(f"{chart}&cell={cell}")
    assert len(loaded) == 2


def test_a_chart_that_there_is_not_is_a_wrong_address(house: House) -> None:
    declare(house)
    for query in ("aggregate=x", "measure=x", "step=hour"):
        answer = house.client.get(f"/schemas/Click?{query}", headers=BROWSER)
        assert answer.status_code == 400
        assert "is one of" in answer.text


def test_the_job_computes_each_day_once(house: House) -> None:
    declare(house)
    fill(house, days=3)
    assert compute_aggregates(house.platform, DAY).detail == (
        "no day of an aggregate was new or had changed"
    )
    job = next(job for job in JOBS if job.name == "aggregates")
    assert str(job.trigger) == "daily at 01:30 UTC"
    house.platform.registry.refresh()
    schema = house.platform.registry.snapshot.schemas["Click"]
    store(house.platform.database, schema, DAY, [({"target": "b"}, {})] * 12)
    environment = {
        "EVENTLOGGING_VAR": str(house.config.var),
        "EVENTLOGGING_DATABASE_URL": str(house.config.database_url),
    }
    run = CliRunner().invoke(job_command, ["run", "aggregates"], env=environment)
    assert run.exit_code == 0, run.output
    assert "computed 2 days of aggregates, 4 cells" in run.output
