"""Put the rows of a day into the cells of one aggregate, with bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any

from eventlogging.retention.aggregates.cell import Cell, by_text
from eventlogging.retention.aggregates.rows import RATE, Source
from eventlogging.retention.aggregates.values import Row, Taker, counted_by, number, told_apart
from eventlogging.retention.policy import Aggregate
from eventlogging.sampling import LEAST_RATE

MOST_CELLS = 50_000  # of a day
_MOST_SKETCHES = 100_000
More = Mapping[str, Any] | None


class Grouping:
    """The cells of a day, over all tables. `people`: private fields, which tell people apart.

    A day has at most so many cells; what comes after them is counted in one cell of all others.
    """

    def __init__(self, aggregate: Aggregate, people: Collection[str]) -> None:
        self.aggregate = aggregate
        self.events = 0
        self._people = people
        self._cells: dict[str, Cell] = {}
        self._other: Cell | None = None
        sketches = len(aggregate.quantiles) + len(aggregate.distinct)
        self._most = min(MOST_CELLS, _MOST_SKETCHES // max(1, sketches))

    @property
    def cells(self) -> list[Cell]:
        """What was counted."""
        return [*self._cells.values(), *([self._other] if self._other else [])]

    def adder(self, source: Source) -> Callable[[Sequence[Row], Sequence[More]], None]:
        """Return what adds rows of a table, each with its event_more."""
        a, takers = self.aggregate, source.takers
        names = (*a.capsule, *a.fields)
        by = [(name, takers[name].take) for name in names]
        key_of = _key([takers[name] for name in names])
        sums = [_number(takers[pointer]) for pointer in a.sum]
        spreads = [_number(takers[pointer]) for pointer in a.quantiles]
        distinct = [_text(takers[pointer]) for pointer in a.distinct]
        known: dict[Any, Cell] = {}  # what columns hold → cell

        def cell_of(row: Row, more: More) -> Cell:
            return self._cell({name: counted_by(take(row, more)) for name, take in by})

        def add(rows: Sequence[Row], mores: Sequence[More]) -> None:
            self.events += len(rows)
            for row, more in zip(rows, mores, strict=True):
                if more is None and key_of is not None:
                    key = key_of(row)
                    cell = known.get(key)
                    if cell is None:
                        cell = cell_of(row, None)
                        if len(known) < 2 * self._most:
                            known[key] = cell
                else:
                    cell = cell_of(row, more)
                rate = row[RATE]
                # As intake has it; rows from before it had a floor would outweigh all others.
                rate = max(rate, LEAST_RATE) if 0 < rate <= 1 else 1.0
                cell.events += 1
                cell.count += 1 / rate
                for total, of in zip(cell.sums.values(), sums, strict=True):
                    if (value := of(row, more)) is not None and total is not None:
                        total.add(value, 1 / rate)
                for spread, of in zip(cell.spreads.values(), spreads, strict=True):
                    if (value := of(row, more)) is not None and spread is not None:
                        spread.add(value, rate)
                for counter, text_of in zip(cell.distinct.values(), distinct, strict=True):
                    if (text := text_of(row, more)) is not None and counter is not None:
                        counter.sketch.update(text)

        return add

    def _cell(self, by: Mapping[str, Any]) -> Cell:
        text = by_text(by)
        cell = self._cells.get(text)
        if cell is not None:
            return cell
        if len(self._cells) < self._most:
            cell = self._cells[text] = Cell.empty(by, self.aggregate, self._people)
            return cell
        if self._other is None:
            self._other = Cell.empty(None, self.aggregate, self._people)
            self._other.is_beyond = True
        return self._other


def _key(takers: Sequence[Taker]) -> Callable[[Row], Any] | None:
    """Return what tells rows without event_more apart by their columns; None: that cannot be."""
    if not all(taker.is_plain for taker in takers):
        return None
    places = [taker.index for taker in takers if taker.index is not None]
    return itemgetter(*places) if places else lambda row: None


def _number(taker: Taker) -> Callable[[Row, More], int | float | None]:
    take, place = taker.take, taker.number_index
    if place is None:
        return lambda row, more: number(take(row, more))
    return lambda row, more: row[place] if more is None else number(take(row, more))


def _text(taker: Taker) -> Callable[[Row, More], str | None]:
    take, place = taker.take, taker.text_index

    def text_of(row: Row, more: More) -> str | None:
        value = row[place] if place is not None and more is None else take(row, more)
        return None if value is None else told_apart(value)

    return text_of
