"""Sums and counts stay numbers that JSON and databases hold, whatever is added up."""

from __future__ import annotations

import sys

import orjson
import pytest

from eventlogging.retention.aggregates.cell import Cell
from eventlogging.retention.aggregates.measures import Spread, Sum, finite
from eventlogging.retention.aggregates.read import tidy

MOST = sys.float_info.max


@pytest.mark.parametrize("value", [1.7e308, -1.7e308])
def test_a_sum_beyond_all_numbers_stays_at_the_last_one(value: float) -> None:
    one, other = Sum(), Sum()
    for made in (one, other):
        for _ in range(3):
            made.add(value, 1e6)
    one.merge(other)
    again = Sum.load(orjson.loads(orjson.dumps(one.dump())))
    assert again.total == (MOST if value > 0 else -MOST)
    assert (again.count, again.events) == (6e6, 6)


def test_a_sum_that_was_stored_as_infinite_is_read_as_the_largest_number() -> None:
    made = Sum.load([None, None, 3])
    assert (made.total, made.count, made.events) == (MOST, MOST, 3)
    measures = '{"sum":{"/ratio":[null,3e306,3]},"quantiles":{},"distinct":{}}'
    cell = Cell.load("{}", 3, float("inf"), measures, is_other=False)
    cell.merge(Cell.load("{}", 3, float("inf"), measures, is_other=False))
    assert cell.count == MOST
    assert orjson.loads(cell.dump())["sum"]["/ratio"] == [MOST, 6e306, 6]


def test_quantiles_of_a_rate_below_all_rates_are_still_told() -> None:
    spread = Spread()
    for n in range(20):
        spread.add(float(n), 3e-308)
    other = Spread.load(orjson.loads(orjson.dumps(spread.dump())))
    spread.merge(other)
    assert spread.count == MOST
    assert spread.quantiles([0.5]) == [9.0]


def test_a_figure_is_a_number_that_json_holds() -> None:
    for value in (MOST, -MOST, 1e20, 2.0**63):
        assert orjson.loads(orjson.dumps(tidy(value))) == tidy(value)
    assert (tidy(30.000000000000004), repr(tidy(3.0))) == (30, "3")
    assert finite(12.5) == 12.5
