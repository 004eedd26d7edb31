"""The arithmetic of the benchmarks; nothing here looks at a clock."""

from __future__ import annotations

import pytest

from benchmarks.figures import Figure, compare, figures_table, number, percentile, ratios, spread


def test_a_spread_is_median_least_and_greatest() -> None:
    found = spread([3.0, 1.0, 100.0])
    assert (found.median, found.low, found.high) == (3.0, 1.0, 100.0)
    assert spread([1.0, 2.0]).median == 1.5


def test_no_round_is_an_error_and_not_a_zero() -> None:
    with pytest.raises(ValueError, match="no round"):
        spread([])


def test_a_ratio_compares_within_a_round() -> None:
    assert ratios([10.0, 1.0], [20.0, 2.0]) == [0.5, 0.5], "a slow round is slow for both"


def test_rounds_that_one_side_lacks_are_an_error() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        ratios([1.0, 2.0], [1.0])


def test_the_median_ratio_is_not_the_ratio_of_the_medians() -> None:
    figure = compare("intake", "single", "req/s", [10, 20, 60], [10, 40, 30])
    assert figure.ratio is not None
    assert figure.ratio.median == 1.0
    assert figure.ours.median == 20


def test_a_percentile_is_a_value_that_occurred() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, p) for p in (50, 99, 100)] == [50.0, 99.0, 100.0]
    assert percentile([7.0], 50) == 7.0


def test_a_target_is_judged_by_the_median() -> None:
    assert compare("s", "n", "u", [1, 4, 9], [10, 10, 10], 0.4).reached is True
    assert compare("s", "n", "u", [3], [10], 0.4).reached is False
    assert compare("s", "n", "u", [3], [10], 0.4, at_most=True).reached is True
    assert compare("s", "n", "u", [3], [10]).reached is None


def test_a_measure_without_another_side_is_judged_by_itself() -> None:
    assert Figure("s", "lag", "ms", spread([5.0]), target=2.0, at_most=True).reached is False


def test_numbers_have_the_digits_that_are_worth_reading() -> None:
    assert [number(n) for n in (0.4567, 12.34, 123.4, 1234567.0)] == [
        "0.46", "12.3", "123", "1 234 567",
    ]  # fmt: skip


def test_the_table_says_ratio_target_and_whether_it_is_reached() -> None:
    lines = figures_table([compare("s", "single", "req/s", [40], [100], 0.4)]).splitlines()
    assert [cell.strip() for cell in lines[2].strip("|").split("|")] == [
        "single", "40.0", "100", "req/s", "0.40 (0.40–0.40)", "≥ 0.40", "✓",
    ]  # fmt: skip
    assert len({len(line) for line in lines}) == 1
