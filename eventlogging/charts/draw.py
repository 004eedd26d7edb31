"""Draw a chart: what it takes is loaded with the first one, for few processes draw any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Series:
    """A line: points of (milliseconds since the epoch, value), in order of time.

    `colour` is an outcome (`valid`, `invalid` …), `#rrggbb`, or empty: the next of a few.
    """

    label: str
    points: Sequence[tuple[int, float]]
    colour: str = ""


def time_chart(series: Sequence[Series], **how: Any) -> bytes:
    """Return a PNG of lines over time; see `charts.time_chart`."""
    from eventlogging.charts import time_chart as module

    return module.time_chart(series, **how)


def day_bars(days: Sequence[str], values: Mapping[str, Sequence[int]], **how: Any) -> bytes:
    """Return a PNG of bars by day; see `charts.bars`."""
    from eventlogging.charts import bars

    return bars.day_bars(days, values, **how)
