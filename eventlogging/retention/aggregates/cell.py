"""A cell: the events of a time that share what is counted by, and what is measured of them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from eventlogging.retention.aggregates.measures import Distinct, Spread, Sum, finite
from eventlogging.retention.policy import Aggregate

OTHER, SUPPRESSED = "(other)", "(suppressed)"  # what the cells of no single value are stored under
_Measure = TypeVar("_Measure", Sum, Spread, Distinct)


class Cell:
    """Counts of a cell. `by` is None for the cell of all others, of which `merged` counts how many.

    `by` has envelope fields by name, payload fields by JSON pointer. A measure is None where too
    few events had it. `is_beyond`: holds what came after a day had as many cells as it may.
    """

    __slots__ = ("by", "count", "distinct", "events", "is_beyond", "merged", "spreads", "sums")

    def __init__(self, by: Mapping[str, Any] | None) -> None:
        self.by = by
        self.events, self.count, self.merged, self.is_beyond = 0, 0.0, 0, False
        self.sums: dict[str, Sum | None] = {}
        self.spreads: dict[str, Spread | None] = {}
        self.distinct: dict[str, Distinct | None] = {}

    @classmethod
    def empty(
        cls, by: Mapping[str, Any] | None, aggregate: Aggregate, people: Collection[str]
    ) -> Cell:
        """Return a cell for what an aggregate asks for; `people`: fields that tell them apart."""
        made = cls(by)
        made.sums = {pointer: Sum() for pointer in aggregate.sum}
        made.spreads = {pointer: Spread() for pointer in aggregate.quantiles}
        made.distinct = {
            pointer: Distinct(is_people=pointer in people) for pointer in aggregate.distinct
        }
        return made

    @property
    def key(self) -> str:
        """What it is stored under."""
        return OTHER if self.by is None else digest(by_text(self.by))

    @property
    def people(self) -> int | None:
        """The most people that a field tells apart; None where none does."""
        told = [round(d.estimate.estimate) for d in self.distinct.values() if d and d.is_people]
        return max(told, default=0) or None

    @property
    def stands_for(self) -> int:
        """How many people, or where nothing tells them apart, events it stands for."""
        people = self.people
        return self.events if people is None else people

    def merge(self, other: Cell) -> None:
        """Add all of another cell."""
        self.events += other.events
        self.count = finite(self.count + other.count)
        self.is_beyond = self.is_beyond or other.is_beyond
        self.merged += other.merged if other.by is None else 0
        _merge(self.sums, other.sums, Sum)
        _merge(self.spreads, other.spreads, Spread)
        _merge(self.distinct, other.distinct, Distinct)

    def trim(self, least: int) -> bool:
        """Leave out sums and quantiles that fewer events had; whether there were any."""
        sums = {p: m if m and m.events >= least else None for p, m in self.sums.items()}
        spreads = {p: m if m and m.events >= least else None for p, m in self.spreads.items()}
        is_less = sums != self.sums or spreads != self.spreads
        self.sums, self.spreads = sums, spreads
        return is_less

    def dump(self) -> str:
        """Return its measures as JSON."""
        content: dict[str, Any] = {
            "sum": {p: m.dump() if m else None for p, m in self.sums.items()},
            "quantiles": {p: m.dump() if m else None for p, m in self.spreads.items()},
            "distinct": {p: m.dump() if m else None for p, m in self.distinct.items()},
        }
        if self.by is None:
            content |= {"merged": self.merged, "beyond": self.is_beyond}
        return orjson.dumps(content).decode()

    @classmethod
    def load(
        cls, by: str, events: int, count: float, measures: str,
        *, is_other: bool, only: Collection[str] | None = None,
    ) -> Cell:  # fmt: skip
        """Return a cell from what is stored of it.

        `only`: leave out measures of other fields, those that tell people apart excepted.
        """
        content = orjson.loads(measures)
        if only is not None:
            for kind in ("sum", "quantiles", "distinct"):
                content[kind] = {
                    p: m for p, m in content[kind].items()
                    if p in only or (kind == "distinct" and m and m["people"])
                }  # fmt: skip
        made = cls(None if is_other else orjson.loads(by))
        made.events, made.count = int(events), finite(float(count))
        made.merged, made.is_beyond = content.get("merged", 0), content.get("beyond", False)
        made.sums = {p: Sum.load(m) if m else None for p, m in content["sum"].items()}
        made.spreads = {p: Spread.load(m) if m else None for p, m in content["quantiles"].items()}
        made.distinct = {p: Distinct.load(m) if m else None for p, m in content["distinct"].items()}
        return made


def by_text(by: Mapping[str, Any]) -> str:
    """Return what is counted by, and its values, as JSON in one order."""
    return orjson.dumps(by, option=orjson.OPT_SORT_KEYS).decode()


def digest(text: str) -> str:
    """Return the key of a cell."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Suppressed:
    """What is not shown: so many cells, of which nothing is known but their events."""

    cells: int = 0
    events: int = 0

    def __add__(self, other: Suppressed) -> Suppressed:
        return Suppressed(self.cells + other.cells, self.events + other.events)


@dataclass(frozen=True)
class Folded:
    """Cells that are large enough, the one of all others among them and last."""

    cells: list[Cell]
    trimmed: list[Cell]  # of them, those that lost a measure
    small: list[Cell]  # those that went into the other one
    suppressed: Suppressed


def fold(cells: Iterable[Cell], least: int, suppressed: Suppressed | None = None) -> Folded:
    """Put the cells that stand for fewer than `least` into one; leave that out if it does, too."""
    large: list[Cell] = []
    small: list[Cell] = []
    other = Cell(None)
    for cell in cells:
        if cell.by is None:
            other.merge(cell)
        elif cell.stands_for < least:
            small.append(cell)
            other.merge(cell)
            other.merged += 1
        else:
            large.append(cell)
    suppressed = suppressed or Suppressed()
    if other.events and other.stands_for >= least:
        large.append(other)
    elif other.events:
        suppressed += Suppressed(other.merged, other.events)
    trimmed = [cell for cell in large if cell.trim(least)]
    return Folded(large, trimmed, small, suppressed)


def _merge(
    into: dict[str, _Measure | None], other: Mapping[str, _Measure | None], kind: type[_Measure]
) -> None:
    for pointer, measure in other.items():
        if measure is None:
            into.setdefault(pointer, None)
            continue
        mine = into.get(pointer)
        if mine is None:
            mine = into[pointer] = kind()
        mine.merge(measure)
