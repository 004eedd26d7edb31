"""Read aggregates: days, or weeks and months put together from them, small cells left out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from eventlogging.clock import moved
from eventlogging.errors import EventLoggingError
from eventlogging.ledger.sentence import grouped
from eventlogging.retention.aggregates import stored
from eventlogging.retention.aggregates.cell import Cell, Suppressed, by_text, fold
from eventlogging.retention.aggregates.measures import RANKS, Estimate
from eventlogging.retention.aggregates.periods import period_of, whole
from eventlogging.retention.policy import Aggregate
from eventlogging.schema.walk import tokens_of

OTHER = "(other)"
_INT64 = 2**63  # no JSON that we write holds integers beyond
_ENVELOPE = ("wiki", "host", "browser", "os")


class TooMuch(EventLoggingError):
    """Raised where more is asked for than one answer may hold."""


@dataclass(frozen=True)
class Shown:
    """A cell as it may be shown. `period`: its first day; `by`: None for all small cells together.

    `sums` has total, weighted count and events that had the field; `quantiles` p25 to p99,
    `rank_error`, count and events; None where fewer than the least cell had it.
    """

    period: str
    by: Mapping[str, Any] | None
    events: int
    count: float
    sums: Mapping[str, Mapping[str, float] | None]
    quantiles: Mapping[str, Mapping[str, float] | None]
    distinct: Mapping[str, Estimate | None]
    merged: int = 0  # cells, where it is the one of all small ones

    def as_dict(self) -> dict[str, Any]:
        """Return it as the API answers it."""
        found: dict[str, Any] = {
            "period": self.period,
            "by": OTHER if self.by is None else dict(self.by),
            "events": self.events,
            "count": self.count,
        }
        if self.sums:
            found["sum"] = {name: dict(one) if one else None for name, one in self.sums.items()}
        if self.quantiles:
            found["quantiles"] = {
                n: dict(one) if one else None for n, one in self.quantiles.items()
            }
        if self.distinct:
            found["distinct"] = {
                name: {"estimate": e.estimate, "low": e.low, "high": e.high} if e else None
                for name, e in self.distinct.items()
            }
        return found


@dataclass(frozen=True)
class Figures:
    """What an aggregate says of a span of days, [start, end).

    `days`: those of them that are computed; `final`: those whose raw rows are gone or may go.
    """

    start: str
    end: str
    per: str
    cells: list[Shown]
    suppressed: Suppressed
    note: str
    days: int
    final: int
    computed_at: str | None = None
    periods: Mapping[str, int] = field(default_factory=dict)  # period → days computed in it


def label(name: str) -> str:
    """Return what is counted by or measured as people call it: a top-level field by its name."""
    tokens = tokens_of(name)
    return tokens[0] if len(tokens) == 1 and tokens[0] not in _ENVELOPE else name


def cells(
    connection: sa.Connection,
    schema: str,
    aggregate: Aggregate,
    start: str,
    end: str,
    per: str = "day",
    *,
    most: int = 20_000,
    by: Collection[str] | None = None,
    only: Collection[str] | None = None,
) -> Figures:
    """Return the cells of whole periods from start to before end, none below the least.

    `by`: put together what may be shown, so that it is counted by these alone (labels; none of
    them: all together). Small cells stay out, that nobody can subtract.
    `only`: give no measures but those of these fields (labels), which is quicker.
    Raises TooMuch where more than `most` stored cells would have to be read.
    """
    start, end = whole(start, end, per)
    last = moved(end, -1)
    number = stored.number_of_cells(connection, schema, aggregate.name, start, last)
    if number > most:
        raise TooMuch(
            f"{grouped(number)} cells lie in these days, and one answer takes {grouped(most)}: "
            "ask for fewer days"
        )
    if only is not None:
        measured = (*aggregate.sum, *aggregate.quantiles, *aggregate.distinct)
        only = [pointer for pointer in measured if label(pointer) in only]
    shown: list[Shown] = []
    order = (*aggregate.capsule, *aggregate.fields)
    suppressed = Suppressed()
    is_beyond = False
    stored_cells = stored.read_cells(connection, schema, aggregate.name, start, last, only)
    for period, found, left_out in _periods(stored_cells, per):
        folded = fold(found, aggregate.min_cell, left_out)
        suppressed += folded.suppressed
        is_beyond = is_beyond or any(cell.is_beyond for cell in found)
        if by is not None:
            folded.cells[:] = _coarser(folded.cells, by)
        folded.cells.sort(key=_order)
        shown += (_shown(period, cell, order) for cell in folded.cells)
    states = [
        (day, state)
        for (name, day), state in stored.states(connection, schema).items()
        if name == aggregate.name and start <= day <= last
    ]
    in_period: dict[str, int] = {}
    for day, _ in sorted(states):
        period = period_of(day, per)
        in_period[period] = in_period.get(period, 0) + 1
    return Figures(
        start, end, per, shown, suppressed,
        _note(aggregate, suppressed, any(c.by is None for c in shown), is_beyond=is_beyond),
        len(states), sum(state.final for _, state in states),
        max((state.computed_at for _, state in states), default=None), in_period,
    )  # fmt: skip


def one_cell(
    connection: sa.Connection,
    schema: str,
    aggregate: Aggregate,
    start: str,
    end: str,
    per: str,
    by: Mapping[str, Any],
    field: str,
) -> list[Shown]:
    """Return one cell as `cells` does, with the measures of one field; no other is loaded.

    `by` is what it is counted by, and `field` what is measured, both by label. Whether a cell is
    large enough to be shown depends on nothing but itself.
    """
    start, end = whole(start, end, per)
    last = moved(end, -1)
    there = stored.counted_by(connection, schema, aggregate.name, start, last)
    keys = [key for key, found in there.items() if {label(n): v for n, v in found.items()} == by]
    measured = (*aggregate.sum, *aggregate.quantiles, *aggregate.distinct)
    only = [pointer for pointer in measured if label(pointer) == field]
    found = stored.read_cells(
        connection, schema, aggregate.name, start, last, only, keys=keys
    )  # fmt: skip
    order = (*aggregate.capsule, *aggregate.fields)
    return [
        _shown(period, cell, order)
        for period, each, _ in _periods(found, per)
        for cell in fold(each, aggregate.min_cell).cells
        if cell.by is not None
    ]


def _periods(
    found: Iterable[tuple[str, Cell | Suppressed]], per: str
) -> Iterator[tuple[str, list[Cell], Suppressed]]:
    for period, of_period in groupby(found, lambda pair: period_of(pair[0], per)):
        merged: dict[str | None, Cell] = {}
        suppressed = Suppressed()
        for _, cell in of_period:
            if isinstance(cell, Suppressed):
                suppressed += cell
                continue
            key = None if cell.by is None else by_text(cell.by)
            if key in merged:
                merged[key].merge(cell)
            else:
                merged[key] = cell
        yield period, list(merged.values()), suppressed


def _coarser(cells: Sequence[Cell], labels: Collection[str]) -> list[Cell]:
    found: dict[str, Cell] = {}
    for cell in cells:
        by = None
        if cell.by is not None or not labels:
            by = {name: value for name, value in (cell.by or {}).items() if label(name) in labels}
        key = OTHER if by is None else by_text(by)
        found.setdefault(key, Cell(by)).merge(cell)
    return list(found.values())


def _order(cell: Cell) -> tuple[bool, float, str]:
    return cell.by is None, -cell.count, "" if cell.by is None else by_text(cell.by)


def _shown(period: str, cell: Cell, order: Sequence[str]) -> Shown:
    by = cell.by
    if by is not None:  # a day of an earlier definition may be counted by something else
        by = {label(name): by[name] for name in dict.fromkeys((*order, *by)) if name in by}
    sums = {
        label(name): None
        if one is None
        else {"total": tidy(one.total), "count": tidy(one.count), "events": one.events}
        for name, one in cell.sums.items()
    }
    quantiles: dict[str, Mapping[str, float] | None] = {}
    for name, spread in cell.spreads.items():
        values = spread.quantiles(list(RANKS.values())) if spread else []
        quantiles[label(name)] = {
            **{rank: tidy(v) for rank, v in zip(RANKS, values, strict=True) if v is not None},
            "rank_error": round(spread.rank_error, 4),
            "count": tidy(spread.count), "events": spread.events,
        } if spread else None  # fmt: skip
    distinct = {
        label(name): Estimate(*(round(n, 1) for n in (e.estimate, e.low, e.high))) if e else None
        for name, e in ((n, one.estimate if one else None) for n, one in cell.distinct.items())
    }
    return Shown(period, by, cell.events, tidy(cell.count), sums, quantiles, distinct, cell.merged)


def tidy(value: float) -> float:
    """Return a figure without what adding up left behind: 30.000000000000004 is 30."""
    value = float(f"{value:.12g}")
    return int(value) if value.is_integer() and abs(value) < _INT64 else value


def _note(aggregate: Aggregate, suppressed: Suppressed, has_other: bool, *, is_beyond: bool) -> str:
    """Return in words what is not shown by itself, and why; empty where all is."""
    least = f"fewer than {aggregate.min_cell} people or events"
    said = []
    if has_other:
        said.append(f"{OTHER} puts together the cells that stand for {least}.")
    if suppressed.events:
        number, events_number = grouped(suppressed.cells), grouped(suppressed.events)
        cells = "1 cell stands" if suppressed.cells == 1 else f"{number} cells stand"
        events = "1 event is" if suppressed.events == 1 else f"{events_number} events are"
        said.append(f"{cells} for {least}, even together; their {events} not shown.")
    if is_beyond:
        said.append(f"A day had more cells than are kept; the later ones are in {OTHER}.")
    return " ".join(said)
