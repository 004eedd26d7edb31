"""The list of schemas: what each is, how it fares this week, and the same as CSV."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import Response, abort, render_template, request

from eventlogging import clock
from eventlogging.console import charts, snapshots, who
from eventlogging.console.line_view import share_text
from eventlogging.console.parts import Parts
from eventlogging.console.shell import owns
from eventlogging.registry.model import RegisteredSchema
from eventlogging.store.fixed import ledger

DAYS = 7
_MOST_ROWS = 100
_STATES = ("published", "deprecated", "retired")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Spark:
    """A bar per day of the week, oldest first, as heights of the highest from 0 to 20."""

    heights: tuple[int, ...]
    invalid: tuple[int, ...]
    sentence: str


@dataclass(frozen=True)
class Line:
    """One schema of the list: its settings, and what was judged in the last 7 days."""

    schema: RegisteredSchema
    is_mine: bool
    valid: tuple[int, ...]  # a number per day, today's last
    invalid: tuple[int, ...]

    @property
    def judged(self) -> int:
        """How many events were found valid or invalid."""
        return sum(self.valid) + sum(self.invalid)

    @property
    def share(self) -> float | None:
        """Which share of them was valid; None where there were none."""
        return sum(self.valid) / self.judged if self.judged else None

    @property
    def share_text(self) -> str:
        """The same in words."""
        return share_text(sum(self.valid), self.judged)

    @property
    def spark(self) -> Spark:
        """The week as a small drawing."""
        totals = [good + bad for good, bad in zip(self.valid, self.invalid, strict=True)]
        highest = max(totals) or 1
        heights = tuple(-(-20 * number // highest) for number in totals)
        invalid = tuple(-(-20 * number // highest) for number in self.invalid)
        return Spark(heights, invalid, ", ".join(map(str, totals)))


_Key = Callable[[Line], Any]
# column → (its word, key to sort by, whether the largest comes first)
_SORTS: Mapping[str, tuple[str, _Key, bool]] = {
    "name": ("Schema", lambda line: line.schema.name.casefold(), False),
    "owner": ("Owner", lambda line: line.schema.owners[:1], False),
    "latest": ("Latest", lambda line: line.schema.versions[line.schema.latest].version, True),
    "events": ("7 days", lambda line: line.judged, True),
    "valid": ("Valid", lambda line: (line.share is None, line.share or 0), False),
    "sampling": ("Sampled", lambda line: line.schema.sampling_rate, False),
    "kept": ("Raw kept", lambda line: line.schema.keep_days, False),
}
_NUMBERS = frozenset({"latest", "valid", "sampling", "kept"})


@dataclass(frozen=True)
class Asked:
    """What the address asks for."""

    q: str
    state: str
    mine: bool
    sort: str
    after: str

    def link(self, **changed: Any) -> str:
        """Return the list's address with some of it changed; paging begins anew."""
        values = {"q": self.q, "state": self.state, "mine": "1" if self.mine else "",
                  "sort": "" if self.sort == "name" else self.sort}  # fmt: skip
        query = urlencode({k: v for k, v in (values | changed).items() if v})
        return f"/schemas?{query}" if query else "/schemas"


def show(parts: Parts) -> str | Response:
    """Return the list that the address asks for: a page, or CSV."""
    asked = _asked()
    snapshot = snapshots.newest(parts)
    person = who.current()
    with parts.database.read() as connection:
        figures = _figures(connection)
    lines = [
        Line(schema, owns(schema.owners, person), *figures.get(name, _NONE))
        for name, schema in snapshot.schemas.items()
        if _matches(schema, asked)
    ]
    lines = [line for line in lines if line.is_mine or not asked.mine]
    _, key, backwards = _SORTS[asked.sort]
    lines.sort(key=lambda line: line.schema.name)
    lines.sort(key=key, reverse=backwards)
    if request.args.get("format") == "csv":
        return _csv(lines)
    mine = [] if asked.mine else [line for line in lines if line.is_mine]
    others = [line for line in lines if asked.mine or not line.is_mine]
    names = [line.schema.name for line in others]
    first = names.index(asked.after) + 1 if asked.after in names else 0
    if first:
        mine = []
    shown = others[first : first + _MOST_ROWS]
    more = len(others) > first + _MOST_ROWS
    return render_template(
        "schemas.html", asked=asked, mine=mine[:_MOST_ROWS], others=shown, found=len(lines),
        total=len(snapshot.schemas), first=not first, states=_STATES, percent=charts.percent,
        sorts={column: word for column, (word, _, _) in _SORTS.items()}, numbers=_NUMBERS,
        backwards={column for column, (_, _, is_so) in _SORTS.items() if is_so},
        owns_any=any(owns(s.owners, person) for s in snapshot.schemas.values()),
        following=asked.link(after=shown[-1].schema.name) if more else None,
    )  # fmt: skip


_NONE = ((0,) * DAYS, (0,) * DAYS)


def _asked() -> Asked:
    sort, state = request.args.get("sort", "name"), request.args.get("state", "")
    if sort not in _SORTS:
        abort(400, f"sort is one of {', '.join(_SORTS)}.")
    if state and state not in _STATES:
        abort(400, f"state is one of {', '.join(_STATES)}.")
    return Asked(
        q=request.args.get("q", "").strip()[:100],
        state=state,
        mine=request.args.get("mine", "") in ("1", "true"),
        sort=sort,
        after=request.args.get("after", ""),
    )


def _matches(schema: RegisteredSchema, asked: Asked) -> bool:
    said = f"{schema.name} {schema.title} {' '.join(schema.owners)}"
    return asked.q.casefold() in said.casefold() and asked.state in ("", schema.state)


def _figures(connection: sa.Connection) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return schema → its valid and its invalid events by day."""
    days = charts.steps_until("day", clock.now_ms(), DAYS)
    c = ledger.c
    day = sa.func.substr(c.minute, 1, 10)
    query = (
        sa.select(c.schema, day, c.outcome, sa.func.sum(c["count"]))
        .where(c.minute >= days[0], c.outcome.in_(charts.JUDGED))
        .group_by(c.schema, day, c.outcome)
    )
    found: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for schema, when, outcome, count in connection.execute(query):
        found[schema][outcome, when] = int(count)
    return {
        schema: (
            tuple(counts.get(("valid", when), 0) for when in days),
            tuple(counts.get(("invalid", when), 0) for when in days),
        )
        for schema, counts in found.items()
    }


def _csv(lines: Sequence[Line]) -> Response:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ["schema", "title", "owners", "latest", "state", "valid_7_days", "invalid_7_days",
         "sampling_rate", "sampling_unit", "keep_days"]
    )  # fmt: skip
    for line in lines:
        schema = line.schema
        writer.writerow(
            [schema.name, _plain(schema.title), _plain(" ".join(schema.owners)), schema.latest,
             schema.state, sum(line.valid), sum(line.invalid), schema.sampling_rate,
             schema.sampling_unit, schema.keep_days]
        )  # fmt: skip
    response = Response(text.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="schemas.csv"'
    return response


def _plain(text: str) -> str:
    """Return a text that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
