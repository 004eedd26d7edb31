"""Charts for mails: pictures of the size asked for, small, and never broken by what they show."""

from __future__ import annotations

import io
import threading
from typing import Any

import pytest
from PIL import Image

from eventlogging.charts.bars import day_bars
from eventlogging.charts.time_chart import Series, time_chart

START = 1_795_305_600_000  # 2026-11-22
MINUTE = 60_000
DAYS = [f"2026-11-{day:02}" for day in range(8, 22)]
HOSTILE = "a $\\frac{1$ \x00\n<b>\u202e" + "x" * 500
RED, TEAL = (216, 0, 29), (15, 118, 110)


def points(count: int = 120, step: int = MINUTE) -> list[tuple[int, float]]:
    return [(START + at * step, float(at % 50)) for at in range(count)]


def picture(png: bytes) -> Image.Image:
    opened = Image.open(io.BytesIO(png))
    opened.load()
    return opened


def colours(png: bytes) -> dict[tuple[int, ...], int]:
    found = picture(png).convert("RGB").getcolors(100_000)
    assert found is not None
    return {colour: count for count, colour in found}  # type: ignore[misc]


def near(png: bytes, wanted: tuple[int, int, int]) -> int:
    """How many pixels have about that colour."""
    return sum(
        count
        for colour, count in colours(png).items()
        if all(abs(one - other) <= 12 for one, other in zip(colour, wanted, strict=True))
    )


def test_a_chart_is_sharp_and_small() -> None:
    png = time_chart([Series("events", points())], title="Events", unit="events/s")
    assert picture(png).size == (1200, 520)
    assert len(png) < 40_000
    month = [Series(name, points(720, 60 * MINUTE)) for name in ("a", "b", "c")]
    assert len(time_chart(month, title="A month", unit="events")) < 40_000


def test_bars_are_sharp_and_small() -> None:
    png = day_bars(DAYS, {"valid": range(14), "invalid": [3] * 14}, title="Events by day")
    assert picture(png).size == (1200, 440)
    assert len(png) < 40_000


def test_a_threshold_is_drawn_in_red_and_lies_inside_the_chart() -> None:
    plain = time_chart([Series("events", points())], title="t", unit="u")
    marked = time_chart([Series("events", points())], title="t", unit="u", threshold=(200, "limit"))
    assert near(plain, RED) == 0
    assert near(marked, RED) > 500


def test_each_outcome_has_its_colour() -> None:
    assert near(day_bars(DAYS, {"valid": [5] * 14}, title="t"), TEAL) > 50_000
    assert near(day_bars(DAYS, {"invalid": [5] * 14}, title="t"), TEAL) == 0


@pytest.mark.parametrize(
    "series",
    [[], [Series("a", [])], [Series("a", [(START, 5.0)])], [Series("a", [(START, 0.0)] * 3)]],
    ids=["none", "empty", "one point", "all zero"],
)
def test_little_data_gives_a_chart_all_the_same(series: list[Series]) -> None:
    png = time_chart(series, title="t", unit="u", threshold=(1, "l"), marks=[(START, "m")])
    assert picture(png).size == (1200, 520)


def test_days_without_an_event_give_a_chart_all_the_same() -> None:
    assert picture(day_bars(DAYS, {}, title="t")).size == (1200, 440)
    assert picture(day_bars(["2026-11-22"], {"valid": [0]}, title="t")).size == (1200, 440)


def test_texts_from_outside_are_drawn_as_they_are() -> None:
    png = time_chart(
        [Series(HOSTILE, points()), Series("b", points())],
        title=HOSTILE, unit=HOSTILE, threshold=(3, HOSTILE), marks=[(START, HOSTILE)],
    )  # fmt: skip
    assert picture(png).size == (1200, 520)


@pytest.mark.parametrize("wrong", [{"valid": [1]}, {"nonsense": [1] * 14}])
def test_wrong_values_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="outcome"):
        day_bars(DAYS, wrong, title="t")


def test_many_threads_draw_the_same_picture() -> None:
    def draw() -> bytes:
        return time_chart([Series("events", points())], title="Events", unit="u")

    wanted, found = draw(), []
    threads = [threading.Thread(target=lambda: found.append(draw())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [wanted] * 6
