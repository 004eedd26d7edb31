"""Days as texts: so many days from one, and how far two lie apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlogging import clock


@pytest.mark.parametrize(
    ("day", "days", "found"),
    [
        ("2026-11-22", 0, "2026-11-22"),
        ("2026-11-30", 1, "2026-12-01"),
        ("2026-03-01", -1, "2026-02-28"),
        ("2028-02-28", 1, "2028-02-29"),
        ("2026-12-31", 366, "2028-01-01"),
    ],
)
def test_a_day_is_moved_over_the_ends_of_months_and_years(day: str, days: int, found: str) -> None:
    assert clock.moved(day, days) == found
    assert clock.age(day, found) == days


@given(st.dates(), st.dates())
def test_the_age_of_a_day_is_how_far_it_is_moved_to_today(one: object, other: object) -> None:
    day, today = str(one), str(other)
    assert clock.moved(day, clock.age(day, today)) == today
    assert clock.age(today, day) == -clock.age(day, today)
