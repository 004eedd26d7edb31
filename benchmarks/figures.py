"""The arithmetic and the tables of the benchmarks: medians, ratios by round, targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Spread:
    """What several rounds gave: the median, and the least and greatest."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.low)}–{number(self.high)})"


def spread(values: Sequence[float]) -> Spread:
    """Return median, least and greatest; raises ValueError where there is no value."""
    if not values:
        raise ValueError("no round was measured")
    return Spread(median(values), min(values), max(values))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return our value over theirs, round by round: what slows both down cancels out."""
    return [our / their for our, their in zip(ours, theirs, strict=True)]


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the least value that `percent` per cent of the values do not exceed."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)  # rounded up
    return ordered[max(int(rank), 1) - 1]


@dataclass(frozen=True, slots=True)
class Figure:
    """One ratio, or one measure that stands for itself where `theirs` is None.

    `target` is the least that is wanted, or the most where `at_most`.
    """

    section: str
    name: str
    unit: str
    ours: Spread
    theirs: Spread | None = None
    ratio: Spread | None = None
    target: float | None = None
    at_most: bool = False

    @property
    def value(self) -> Spread:
        """What the target speaks of: the ratio, or the measure where there is no ratio."""
        return self.ratio or self.ours

    @property
    def reached(self) -> bool | None:
        """Whether the median reaches the target; None where there is none."""
        if self.target is None:
            return None
        reached = self.value.median
        return reached <= self.target if self.at_most else reached >= self.target

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "reached": self.reached}


def compare(
    section: str,
    name: str,
    unit: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    target: float | None = None,
    *,
    at_most: bool = False,
) -> Figure:
    """Return the ratio of ours to theirs, measured in the same rounds."""
    return Figure(
        section, name, unit, spread(ours), spread(theirs), spread(ratios(ours, theirs)),
        target, at_most,
    )  # fmt: skip


def number(value: float) -> str:
    """Return a number with as many digits as are worth reading."""
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def figures_table(figures: Sequence[Figure]) -> str:
    """Return the ratios as a Markdown table."""
    rows = [["", "ours", "the other", "unit", "ratio, median (min–max)", "target", ""]]
    for figure in figures:
        target = ""
        if figure.target is not None:
            target = f"{'≤' if figure.at_most else '≥'} {number(figure.target)}"
        mark = {None: "", True: "✓", False: "✗"}[figure.reached]
        theirs = number(figure.theirs.median) if figure.theirs else ""
        ours = number(figure.ours.median) if figure.theirs else str(figure.ours)
        rows.append([figure.name, ours, theirs, figure.unit, str(figure.ratio or ""), target, mark])
    return table(rows)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of text as a Markdown table; the first row is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
