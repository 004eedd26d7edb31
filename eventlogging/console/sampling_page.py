"""The page on which a schema's owner changes its sampling, and sees beforehand what that does."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Flask, redirect, render_template, request, url_for

from eventlogging import clock
from eventlogging.console import charts, sign_in, who
from eventlogging.console.charts import Mark, percent, sampling_words
from eventlogging.console.line_view import label_count
from eventlogging.console.parts import Parts
from eventlogging.console.schema_address import page_of_namesake, schema_or_404
from eventlogging.errors import SchemaRefused, StoreUnavailable
from eventlogging.ledger.reading import lines_of_truth, total
from eventlogging.ledger.sentence import grouped
from eventlogging.registry.change import change_settings
from eventlogging.registry.model import RegisteredSchema
from eventlogging.registry.settings import UNITS
from eventlogging.store.fixed import audit

_DAYS = 7
_LEAST_MS = charts.HOUR_MS  # a shorter time says nothing about a day
_MOST_CHANGES = 20
_MOST_CHARS = 40


@dataclass(frozen=True)
class Precision:
    """How exactly something can be counted in a day, now and then."""

    what: str
    now: float
    then: float

    @property
    def now_text(self) -> str:
        """The relative error of such a count today, in words."""
        return error_text(self.now)

    @property
    def then_text(self) -> str:
        """The same with the new rate."""
        return error_text(self.then)


@dataclass(frozen=True)
class Effect:
    """What a change of rate will do, from what came in `since` (ISO minute, UTC).

    `now` and `then` are rows per day; `then` is None where nothing is sampled now, so that nobody
    knows.
    """

    rate: float
    unit: str
    since: str
    now: float
    then: float | None
    precision: Sequence[Precision]
    changes: bool

    @property
    def rows_text(self) -> str:
        """The change of rows per day in a sentence."""
        now = f"{_round(self.now)} rows per day"
        if self.then is None:
            return f"{now} now; nothing is sampled, so how many there will be is not known."
        if not self.now:
            return "No valid event came in this time, so there is nothing to reckon from."
        return f"{now} now, about {_round(self.then)} then."


def register(app: Flask, parts: Parts) -> None:
    """Add the page to the app."""
    pages = Blueprint("sampling", __name__)

    @pages.get("/schemas/<path:name>/sampling")
    def show(name: str) -> Any:
        namesake = page_of_namesake(parts, name, "sampling")
        if namesake is not None:
            return namesake
        schema = _schema(parts, name)
        return _page(parts, schema, request.args.get("rate"), request.args.get("unit"))

    @pages.post("/schemas/<path:name>/sampling")
    def change(name: str) -> Any:
        return _change(parts, _schema(parts, name))

    app.register_blueprint(pages)


def _schema(parts: Parts, name: str) -> RegisteredSchema:
    schema = schema_or_404(parts, name)
    who.require("change_settings", schema)
    return schema


def _change(parts: Parts, schema: RegisteredSchema) -> Any:
    sign_in.check_csrf()
    person = who.require("change_settings", schema)
    text, unit = request.form.get("rate", ""), request.form.get("unit", "")
    rate, problem = read_rate(text)
    if rate is None or unit not in UNITS:
        return _page(parts, schema, text, unit, problem or _no_unit()), 400
    if request.form.get("standing") != _standing(schema):
        now = f"{percent(schema.sampling_rate)} of {schema.sampling_unit}s"
        said = f"Somebody changed it meanwhile to {now}. Nothing was saved; look at it once more."
        return _page(parts, schema, text, unit, said), 409
    try:
        change_settings(
            parts.database, schema.name, person.email, sampling={"rate": rate, "unit": unit}
        )
    except SchemaRefused as error:
        return _page(parts, schema, text, unit, " ".join(error.problems)), 400
    with suppress(StoreUnavailable):  # what is written is written; the next look will see it
        parts.registry.refresh()
    return redirect(url_for("sampling.show", name=schema.name, saved="1"), 303)


def _page(
    parts: Parts,
    schema: RegisteredSchema,
    text: str | None,
    unit: str | None,
    problem: str | None = None,
) -> str:
    rate = schema.sampling_rate
    if text is not None:
        read, wrong = read_rate(text)
        problem = problem or wrong
        rate = schema.sampling_rate if read is None else read
    if unit is not None and unit not in UNITS:
        problem = problem or _no_unit()
    chosen = unit if unit in UNITS else schema.sampling_unit
    with parts.database.read() as connection:
        changes = _changes(connection, schema.name)
        effect = _effect(connection, schema, rate, chosen, changes)
    return render_template(
        "sampling.html", schema=schema, effect=effect, problem=problem, changes=changes[::-1],
        text=f"{schema.sampling_rate * 100:.10g}" if text is None else text[:_MOST_CHARS],
        units=UNITS, percent=percent, saved=bool(request.args.get("saved")),
        standing=_standing(schema),
    )  # fmt: skip


def read_rate(text: str) -> tuple[float | None, str | None]:
    """Return a percentage as a rate from 0 to 1, or what is wrong with it."""
    wrong = f"The rate is a percentage from 0 to 100, such as 12.5, not “{text[:_MOST_CHARS]}”."
    plain = text.strip().removesuffix("%").strip().replace(",", ".")
    try:
        value = float(plain)
    except ValueError:
        return None, wrong
    if not plain[-1:].isdigit() or not 0 <= value <= 100:
        return None, wrong
    return round(value / 100, 12), None


def _no_unit() -> str:
    return f"The unit is one of {', '.join(UNITS)}."


def _standing(schema: RegisteredSchema) -> str:
    """Return the sampling in force as one text, by which a form knows what it started from."""
    return f"{schema.sampling_rate!r} {schema.sampling_unit}"


def _changes(connection: sa.Connection, name: str) -> list[Mark]:
    """Return the last changes of sampling, oldest first."""
    c = audit.c
    query = (
        sa.select(c.at, c.who, c.detail)
        .where(c.subject == name, c.action == "settings", c.detail.like('%"sampling%'))
        .order_by(c.id.desc())
        .limit(_MOST_CHANGES)
    )
    marks = []
    for at, author, detail in connection.execute(query):
        words = sampling_words(json.loads(detail))
        if words:
            marks.append(Mark(at, author, words))
    return marks[::-1]


def _effect(
    connection: sa.Connection,
    schema: RegisteredSchema,
    rate: float,
    unit: str,
    changes: Sequence[Mark],
) -> Effect:
    now = clock.now_ms()
    since = now - _DAYS * clock.DAY_MS
    last = int(changes[-1].seconds * 1000) if changes else 0
    # What came under another rate says nothing about this one, unless there is nothing else.
    if since < last < now - _LEAST_MS:
        since = last
    first = _first_minute(connection, schema.name, since)
    begins = max(since, first) if first is not None else since
    days = max(now - begins, _LEAST_MS) / clock.DAY_MS
    line = total(
        lines_of_truth(connection, start=clock.minute(since), schema=schema.name)
    )  # fmt: skip
    rows = line.valid / days
    old = schema.sampling_rate
    then = rows * rate / old if old else None
    if not rate:
        then = 0.0
    return Effect(
        rate=rate,
        unit=unit,
        since=clock.iso(begins),
        now=rows,
        then=then,
        precision=_precision(rows, then) if rows and then is not None else (),
        changes=(rate, unit) != (old, schema.sampling_unit),
    )


def _first_minute(connection: sa.Connection, name: str, since: int) -> int | None:
    """Return when the first event of this time came, in milliseconds: a schema may be young."""
    lines = charts.read_volume(
        connection, "hour", clock.now_ms(), _DAYS * 24 + 1, schema=name, kinds=("valid",)
    )  # fmt: skip
    had = [bar.start * 1000 for bar in lines.bars if any(bar.counts)]
    return max(had[0], since) if had else None


def _precision(now: float, then: float) -> list[Precision]:
    parts = (
        ("all of a day’s events", 1),
        ("something that one event in 100 shows", 100),
        ("something that one event in 10\N{THIN SPACE}000 shows", 10_000),
    )
    return [Precision(what, now / part, then / part) for what, part in parts]


def error_text(count: float) -> str:
    """Return the relative error of a count of events, 1/√n, in words."""
    if count < 1:
        return "less than one event: nothing to count"
    error = 100 / math.sqrt(count)
    shown = f"{error:.1f}" if error >= 0.1 else "0.1"
    less = "under " if error < 0.1 else "± "
    return f"{less}{shown}\N{NO-BREAK SPACE}% ({label_count(round(count), 'event', 'events')})"


def _round(rows: float) -> str:
    return grouped(round(rows)) if rows >= 1 or not rows else "fewer than one"
