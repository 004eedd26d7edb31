"""Bars by day, stacked by outcome: the picture of the last two weeks in a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.ticker import FixedLocator, FuncFormatter

from eventlogging.charts.canvas import Canvas
from eventlogging.charts.colours import COLOURS, QUIET, WORDS

_WIDE = 0.72  # of the room that each bar has
_SMALL = 7.8
_LABEL_PIXELS = 42


def day_bars(
    days: Sequence[str],
    values: Mapping[str, Sequence[int]],
    *,
    title: str,
    width: int = 600,
    height: int = 220,
) -> bytes:
    """Return a PNG of twice `width` × `height` pixels: a bar for each day, oldest first.

    `values` maps an outcome to its count on each of `days`; outcomes stack in the order of the
    line of truth, and those that never occurred are left out. Raises ValueError where a list has
    another length than `days`, or an outcome is not known.
    """
    unknown = values.keys() - COLOURS.keys()
    if unknown:
        raise ValueError(f"not an outcome: {', '.join(sorted(unknown))}")
    if any(len(counts) != len(days) for counts in values.values()):
        raise ValueError("each outcome has one count for each day")
    canvas = Canvas(title, "events a day", width, height)
    axes = canvas.axes
    shown = [kind for kind in COLOURS if any(values.get(kind, ()))]
    below = [0] * len(days)
    for kind in shown:
        counts = [max(0, count) for count in values[kind]]
        axes.bar(range(len(days)), counts, _WIDE, bottom=below, color=COLOURS[kind], linewidth=0)
        below = [one + more for one, more in zip(below, counts, strict=True)]
    canvas.top(max(below, default=0))
    canvas.legend([(WORDS.get(kind, kind), COLOURS[kind]) for kind in shown])
    if not shown:
        axes.text(0.5, 0.5, "no event in these days", transform=axes.transAxes, ha="center",
                  va="center", color=QUIET, fontsize=_SMALL)  # fmt: skip
    axes.set_xlim(-0.6, max(len(days) - 0.4, 0.6))
    every = max(1, -(-len(days) * _LABEL_PIXELS // max(1, width - 66)))
    # The last day is always named: it is the one that the report is about.
    named = [at for at in range(len(days)) if (len(days) - 1 - at) % every == 0]
    axes.xaxis.set_major_locator(FixedLocator(named))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _name(days, value)))
    return canvas.png()


def _name(days: Sequence[str], value: float) -> str:
    at = round(value)
    return days[at][5:] if 0 <= at < len(days) else ""
