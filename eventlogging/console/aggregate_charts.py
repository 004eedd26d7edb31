"""The aggregates of a schema on its page: a line chart of one measure, chosen by the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import sqlalchemy as sa
from flask import abort

from eventlogging import clock
from eventlogging.clock import moved
from eventlogging.console.aggregate_request import SPANS
from eventlogging.console.parts import Parts
from eventlogging.retention.aggregates import read
from eventlogging.retention.aggregates.cell import by_text, digest
from eventlogging.retention.aggregates.periods import PERIODS, period_after, period_of
from eventlogging.retention.aggregates.read import OTHER, Figures, Shown, TooMuch
from eventlogging.retention.policy import Aggregate, Policy

COUNT = "count"
_LINES = ("p50", "p75", "p95")
_MOST_LINES = 6
_MOST_CHOICES = 50
_MOST_CELLS = 10_000  # a page is read in a moment


@dataclass(frozen=True)
class Line:
    """One line of the chart: what it is called, and a figure per period (None: there is none)."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Choice:
    """One of a list to choose from: its value in the address, and its words."""

    value: str
    words: str
    is_chosen: bool


@dataclass(frozen=True)
class AggregateView:
    """What the page says of a schema's aggregates.

    `declared` is empty where there are none; `lines` where nothing is computed yet, or nothing
    may be shown. `periods` are days, each with its start in seconds since the epoch.
    """

    declared: Sequence[Choice] = ()
    measures: Sequence[Choice] = ()
    steps: Sequence[Choice] = ()
    cells: Sequence[Choice] = ()
    by: Sequence[Choice] = ()
    title: str = ""
    periods: Sequence[tuple[str, int]] = ()
    lines: Sequence[Line] = ()
    notes: Sequence[str] = ()
    queries: Mapping[str, str] = field(default_factory=dict)
    is_computed: bool = False


def read_view(parts: Parts, policy: Policy, arguments: Mapping[str, str]) -> AggregateView:
    """Return the chart that the address asks for. Aborts with 400 where it asks for none there is.

    `policy` is that of the schema; `arguments`: aggregate, measure (`count`, or
    `quantiles:loadEventEnd`), step, by, cell.
    """
    schema, declared = policy.schema, policy.aggregates
    if not declared:
        return AggregateView()
    names = [one.name for one in declared]
    aggregate = declared[_chosen("aggregate", arguments, names, names[0])]
    offered = _measures(aggregate)
    measure = offered[_chosen("measure", arguments, offered, _usual(aggregate))]
    per = PERIODS[_chosen("step", arguments, PERIODS, PERIODS[0])]
    is_spread = measure.startswith("quantiles:")
    dimensions = [read.label(name) for name in (*aggregate.capsule, *aggregate.fields)]
    by = arguments.get("by", "")
    if is_spread or by not in dimensions:
        by = ""  # another aggregate is counted by other things
    view = _choices(names, aggregate, offered, measure, per)
    if not is_spread and len(dimensions) > 1:
        view["by"] = [Choice("", "each cell", not by), *(Choice(n, n, n == by) for n in dimensions)]
    kind, _, name = measure.partition(":")
    end = clock.day(clock.now_ms())
    days = moved(end, -SPANS[per][0]), end, per
    wanted = arguments.get("cell", "")
    try:
        with parts.database.read() as connection:
            figures = read.cells(
                connection, schema, aggregate, *days,
                most=_MOST_CELLS, by=(by,) if by else None, only=() if is_spread else (name,),
            )  # fmt: skip
            held = _by_key(figures.cells)
            if is_spread and wanted not in held:
                wanted = ""  # no cell was chosen, or one without events in these days
                whole = read.cells(connection, schema, aggregate, *days, by=(), only=(name,))
                held[""] = whole.cells
            elif is_spread:
                held[wanted] = _measured(connection, schema, aggregate, days, held[wanted], name)
    except TooMuch:
        text = "There are too many cells to draw here; the API gives them for fewer days."
        return AggregateView(**view, notes=[text], is_computed=True)
    first = min((cell.period for cell in figures.cells), default="")
    periods = [one for one in _periods(figures) if one[0] >= first]
    if is_spread:
        drawn = _spread(held, wanted, name, periods, per)
    else:
        title = _title(aggregate, kind, name, per, by)
        drawn = _counts(held, kind, name, periods) | {"title": title}
    if not any(value is not None for line in drawn["lines"] for value in line.values):
        drawn["lines"] = []
    drawn["notes"] += [figures.note] if figures.note else []
    query = {"aggregate": aggregate.name, "per": per, "start": figures.start,
             "end": figures.end} | ({"by": by} if by else {})  # fmt: skip
    address = f"/v1/aggregates/{quote(schema)}?{urlencode(query)}"
    return AggregateView(
        **view, **drawn, periods=periods, is_computed=figures.days > 0,
        queries={"JSON": address, "CSV": f"{address}&format=csv"},
    )  # fmt: skip


def _measured(
    connection: sa.Connection, schema: str, aggregate: Aggregate, days: tuple[str, str, str],
    cells: Sequence[Shown], name: str,
) -> list[Shown]:  # fmt: skip
    """Return the cells of one key again, with the measures of a field."""
    by = cells[0].by
    if by is not None:
        return read.one_cell(connection, schema, aggregate, *days, by, name)
    each = read.cells(connection, schema, aggregate, *days, only=(name,)).cells
    return [cell for cell in each if cell.by is None]


def _spread(
    held: dict[str, list[Shown]], wanted: str, name: str,
    periods: Sequence[tuple[str, int]], per: str,
) -> dict[str, Any]:  # fmt: skip
    """Return p50, p75 and p95 of one cell, or of all together, and the cells to choose from."""
    of = held[wanted]
    keys = [key for key in held if key][:_MOST_CHOICES]
    choices = [Choice(key, words_of(held[key][0]), key == wanted) for key in keys]
    about = f" of {words_of(of[0])}" if wanted else ""
    return {
        "lines": [Line(rank, _course(periods, of, name, rank)) for rank in _LINES],
        "cells": [Choice("", "all together", not wanted), *choices] if len(choices) > 1 else [],
        "title": f"{name}{about} per {per}: {', '.join(_LINES)}",
        "notes": _bounds(of, name, "quantiles"),
    }


def _counts(
    held: dict[str, list[Shown]], kind: str, name: str, periods: Sequence[tuple[str, int]]
) -> dict[str, Any]:
    """Return a count, sum or number of different values of the largest cells."""
    top = list(held.values())[:_MOST_LINES]
    notes = _bounds([cell for cells in top for cell in cells], name, kind)
    if len(held) > _MOST_LINES:
        notes.append(f"The {_MOST_LINES} largest of {len(held)} cells; the API has them all.")
    lines = [Line(words_of(cells[0]), _course(periods, cells, name, kind)) for cells in top]
    return {"lines": lines, "notes": notes}


def _chosen(name: str, arguments: Mapping[str, str], offered: Sequence[str], usual: str) -> int:
    wanted = arguments.get(name) or usual
    # Another aggregate lacks the measure that was chosen for the last one.
    if wanted not in offered and name == "measure" and ":" in wanted:
        wanted = usual
    if wanted not in offered:
        abort(400, f"{name} is one of {', '.join(offered)}.")
    return list(offered).index(wanted)


def _measures(aggregate: Aggregate) -> list[str]:
    return [
        COUNT,
        *(f"sum:{read.label(pointer)}" for pointer in aggregate.sum),
        *(f"quantiles:{read.label(pointer)}" for pointer in aggregate.quantiles),
        *(f"distinct:{read.label(pointer)}" for pointer in aggregate.distinct),
    ]


def _usual(aggregate: Aggregate) -> str:
    pointers = aggregate.quantiles
    return f"quantiles:{read.label(pointers[-1])}" if pointers else COUNT


def _choices(
    names: Sequence[str], aggregate: Aggregate, measures: Sequence[str], measure: str, per: str
) -> dict[str, Any]:
    words = {"sum": "sum of", "quantiles": "quantiles of", "distinct": "different"}
    return {
        "declared": [Choice(name, name, name == aggregate.name) for name in names],
        "measures": [
            Choice(one, " ".join([words.get(k, "events"), n]).strip(), one == measure)
            for one in measures
            for k, _, n in [one.partition(":")]
        ],
        "steps": [Choice(one, one, one == per) for one in PERIODS],
    }


def _periods(figures: Figures) -> list[tuple[str, int]]:
    found = []
    period = period_of(figures.start, figures.per)
    while period < figures.end:
        moment = datetime.fromisoformat(period).replace(tzinfo=UTC)
        found.append((period, int(moment.timestamp())))
        period = period_after(period, figures.per)
    return found


def _by_key(cells: Sequence[Shown]) -> dict[str, list[Shown]]:
    """Return key → its cells, the largest over all periods first, the other ones last."""
    found: dict[str, list[Shown]] = {}
    for cell in cells:
        found.setdefault(_key(cell), []).append(cell)
    size = {key: sum(cell.count for cell in cells) for key, cells in found.items()}
    order = sorted(found, key=lambda key: (found[key][0].by is None, -size[key], key))
    return {key: found[key] for key in order}


def _key(cell: Shown) -> str:
    return OTHER if cell.by is None else digest(by_text(cell.by))


def _course(
    periods: Sequence[tuple[str, int]], cells: Sequence[Shown], name: str, what: str
) -> list[float | None]:
    values = {cell.period: _value(cell, name, what) for cell in cells}
    return [values.get(period) for period, _ in periods]


def _value(cell: Shown, name: str, what: str) -> float | None:
    if what == COUNT:
        return cell.count
    if what == "sum":
        return (cell.sums.get(name) or {}).get("total")
    if what == "distinct":
        found = cell.distinct.get(name)
        return found.estimate if found else None
    return (cell.quantiles.get(name) or {}).get(what)


def words_of(cell: Shown) -> str:
    """Return the values that a cell is counted by, in words."""
    if cell.by is None:
        return OTHER
    return " · ".join(_words(name, value) for name, value in cell.by.items()) or "all events"


def _words(name: str, value: Any) -> str:
    if isinstance(value, str) and value:
        return value if len(value) <= 40 else f"{value[:39]}…"
    if value is None:
        return f"no {name}"
    if isinstance(value, bool):
        return name if value else f"not {name}"
    return f"{name} {value}"


def figure(value: float | None) -> str:
    """Return a figure as people read it: `1 234.5`; a dash where there is none."""
    if value is None:
        return "–"
    text = f"{value:,.1f}".removesuffix(".0")
    return text.replace(",", "\N{THIN SPACE}")


def _title(aggregate: Aggregate, kind: str, name: str, per: str, by: str) -> str:
    by = by or ", ".join(map(read.label, (*aggregate.capsule, *aggregate.fields)))
    what = {"sum": f"Sum of {name}", "distinct": f"Different {name}"}.get(kind, "Events")
    return f"{what} per {per}{f', by {by}' if by else ''}"


def _bounds(cells: Sequence[Shown], name: str, kind: str) -> list[str]:
    """Return how sure the figures are, in words."""
    if kind == "quantiles":
        errors = [float(q["rank_error"]) for c in cells if (q := c.quantiles.get(name))]
        error = 100 * max(errors, default=0.0)
        return [f"p95 lies between the true p{95 - error:.1f} and p{95 + error:.1f} with 99 % "
                "certainty, the others likewise."] if error else []  # fmt: skip
    if kind == "distinct":
        found = [d for c in cells if (d := c.distinct.get(name)) and d.estimate >= 1]
        error = max((100 * (d.high - d.low) / 2 / d.estimate for d in found), default=0.0)
        return [f"Right within {error:.1f} % with 95 % certainty."] if error >= 0.1 else []
    return []
