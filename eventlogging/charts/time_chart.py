"""Lines over time, with a threshold and marks: the picture of a rate in a mail."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import matplotlib.dates as dates
from matplotlib.ticker import FixedLocator, FuncFormatter

from eventlogging import clock
from eventlogging.charts.canvas import Canvas, plain
from eventlogging.charts.colours import ACCENT, ALARM, COLOURS, INK, QUIET
from eventlogging.charts.draw import Series

_DEFAULTS = (ACCENT, COLOURS["valid"], COLOURS["invalid"], COLOURS["duplicate"])
_MINUTE = 60_000
_STEPS = tuple(
    n * _MINUTE
    for n in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080, 20160, 43200)
)
_MOST_TICKS = 7
_SMALL = 7.8
_GAP = 2.5  # times the usual distance of points: beyond it the line is broken


def time_chart(
    series: Sequence[Series],
    *,
    title: str,
    unit: str,
    threshold: tuple[float, str] | None = None,
    marks: Sequence[tuple[int, str]] = (),
    width: int = 600,
    height: int = 260,
) -> bytes:
    """Return a PNG of twice `width` × `height` pixels; time runs left to right in UTC.

    `threshold` is a level with its label; `marks` are moments (milliseconds) with a word each.
    Values begin at zero. No point at all gives an empty chart that says so.
    """
    canvas = Canvas(title, unit, width, height)
    axes = canvas.axes
    points = [point for one in series for point in one.points]
    highest = max([value for _, value in points] + ([threshold[0]] if threshold else []), default=0)
    canvas.top(highest)
    colours = [_colour(one, at) for at, one in enumerate(series)]
    for one, colour in zip(series, colours, strict=True):
        moments, values = _with_gaps(one.points)
        marker = "o" if len(one.points) == 1 else ""
        axes.plot(moments, values, color=colour, linewidth=1.8, marker=marker, markersize=4,
                  solid_capstyle="round")  # fmt: skip
        if len(series) == 1 and values:
            axes.fill_between(moments, values, color=colour, alpha=0.12, linewidth=0)
    if len(series) > 1:
        canvas.legend([(one.label, c) for one, c in zip(series, colours, strict=True)])
    if not points:
        axes.text(0.5, 0.5, "nothing was counted", transform=axes.transAxes, ha="center",
                  va="center", color=QUIET, fontsize=_SMALL)  # fmt: skip
        axes.set_xticks([])
        return canvas.png()
    moments_shown = [at for at, _ in points] + [at for at, _ in marks]
    first, last = min(moments_shown), max(moments_shown)
    _time_axis(canvas, first, max(last, first + _MINUTE))
    if threshold is not None:
        _threshold(canvas, *threshold)
    for at, word in marks:
        _mark(canvas, at, word)
    return canvas.png()


def _colour(one: Series, at: int) -> str:
    return COLOURS.get(one.colour, one.colour) or _DEFAULTS[at % len(_DEFAULTS)]


def _with_gaps(points: Sequence[tuple[int, float]]) -> tuple[list[float], list[float]]:
    """Return times and values to plot, broken where points are missing."""
    steps = sorted(b - a for (a, _), (b, _) in pairwise(points))
    usual = steps[len(steps) // 2] if steps else 0
    moments: list[float] = []
    values: list[float] = []
    before = None
    for at, value in points:
        if before is not None and usual and at - before > _GAP * usual:
            moments.append(_day_number(before))
            values.append(float("nan"))
        moments.append(_day_number(at))
        values.append(value)
        before = at
    return moments, values


def _day_number(ms: int) -> float:
    return float(dates.date2num(clock.from_ms(ms)))


def _time_axis(canvas: Canvas, first: int, last: int) -> None:
    """Put round UTC times below: hours and minutes within a day, days beyond."""
    span = last - first
    step = next((one for one in _STEPS if span / one <= _MOST_TICKS), _STEPS[-1])
    start = -(-first // step) * step
    ticks = list(range(start, last + 1, step))
    by_day = step >= clock.DAY_MS
    names = {
        _day_number(at): clock.day(at)[5:]
        if by_day
        else (clock.minute(at)[5:10] if at % clock.DAY_MS == 0 else clock.minute(at)[11:])
        for at in ticks
    }
    axes = canvas.axes
    axes.set_xlim(_day_number(first), _day_number(last))
    axes.xaxis.set_major_locator(FixedLocator(list(names)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: names.get(value, "")))
    day = clock.day(first) if clock.day(first) == clock.day(last) else (
        f"{clock.day(first)} to {clock.day(last)}"
    )  # fmt: skip
    canvas.say(f"{day} UTC", canvas.width - 14, canvas.height - 46, colour=QUIET, align="right")


def _threshold(canvas: Canvas, level: float, label: str) -> None:
    axes = canvas.axes
    axes.axhline(level, color=ALARM, linewidth=1.1, linestyle=(0, (5, 3)))
    axes.annotate(
        plain(label), (0, level), xycoords=("axes fraction", "data"), xytext=(3, 3),
        textcoords="offset points", color=ALARM, fontsize=_SMALL, parse_math=False, va="bottom",
    )  # fmt: skip


def _mark(canvas: Canvas, at: int, word: str) -> None:
    axes = canvas.axes
    axes.axvline(_day_number(at), color=INK, linewidth=1, linestyle=(0, (1, 2)))
    low, high = axes.get_xlim()
    on_left = _day_number(at) > low + 0.7 * (high - low)
    axes.annotate(
        plain(word), (_day_number(at), 1), xycoords=("data", "axes fraction"),
        xytext=(-4 if on_left else 4, -2), textcoords="offset points", color=INK, fontsize=_SMALL,
        ha="right" if on_left else "left", va="top", parse_math=False,
        bbox={"facecolor": "#ffffffcc", "edgecolor": "none", "pad": 1},
    )  # fmt: skip
