"""The pages of reports: each day's validity report, as a page, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from flask import Blueprint, Flask, Response, abort, jsonify, render_template

from eventlogging import clock
from eventlogging.clock import moved
from eventlogging.console import charts, snapshots, who
from eventlogging.console.charts import Chart
from eventlogging.console.line_view import LineView
from eventlogging.console.parts import Parts
from eventlogging.jobs.report_duties import going_by
from eventlogging.reports import stored
from eventlogging.reports.causes import Sample, SampleKey, read_samples
from eventlogging.reports.days import end_ms, is_past_day, last_days
from eventlogging.reports.due import week_after
from eventlogging.reports.model import KINDS, Report, SchemaDay, most_frequent
from eventlogging.reports.receipts import read_receipts
from eventlogging.reports.render import heading
from eventlogging.reports.stored import Kept
from eventlogging.reports.table import csv_rows
from eventlogging.reports.validity import compute, read_days
from eventlogging.reports.words import change, share_invalid

_LISTED_DAYS = 30
_MOST_CAUSES = 50
_COLUMNS = {**{kind: charts.WORDS[kind] for kind in KINDS}, "residual": "Unexplained"}
_ALWAYS = frozenset({"valid", "invalid", "residual"})


@dataclass(frozen=True)
class Line:
    """A day in the list, with its line of truth and the report that is stored of it, if any."""

    view: LineView
    kept: Kept | None


@dataclass(frozen=True)
class View:
    """A day's report as its page shows it."""

    report: Report
    is_stored: bool
    heading: str
    truth: LineView
    chart: Chart
    active: tuple[SchemaDay, ...]
    causes: list[dict[str, Any]]
    silent: list[SchemaDay]
    before: str
    after: str | None

    @property
    def columns(self) -> dict[str, str]:
        """What became of events, as columns of the table; what happened to none is left out."""
        total = self.report.total
        return {
            kind: word for kind, word in _COLUMNS.items() if kind in _ALWAYS or getattr(total, kind)
        }


def register(app: Flask, parts: Parts) -> None:
    """Add the pages to the app."""
    pages = Blueprint("reports", __name__)

    @pages.get("/reports")
    def days() -> str:
        return _days(parts)

    @pages.get("/reports/<day>")
    def day(day: str) -> str:
        return _day(parts, day)

    @pages.get("/reports/<day>.json")
    def as_json(day: str) -> Response:
        return _json(parts, day)

    @pages.get("/reports/<day>.csv")
    def as_csv(day: str) -> Response:
        return _csv(parts, day)

    app.register_blueprint(pages)


def _days(parts: Parts) -> str:
    who.require("see_live")
    today = clock.day(clock.now_ms())
    with parts.database.read() as connection:
        kept = {one.day: one for one in stored.kept_days(connection, 2 * _LISTED_DAYS)}
        lines = read_days(connection, last_days(today, _LISTED_DAYS))
    found = [Line(LineView(day, day, line), kept.get(day)) for day, line in lines.items()]
    found = [one for one in found if one.view.line.sent or one.kept]
    return render_template("reports.html", lines=found[::-1], today=today)


def _day(parts: Parts, day: str) -> str:
    report, is_stored, samples = _read(parts, day)
    with parts.database.read() as connection:
        chart = charts.read_volume(
            connection, "day", end_ms(day) - 1, len(report.days), title="Events by day"
        )
    causes = [
        {
            "one": one,
            "cause": cause,
            "sample": samples.get((one.name, cause.code, cause.pointer)),
            "readable": _readable(parts)(one.name),
        }
        for one, cause in most_frequent(report.active, _MOST_CAUSES)
    ]
    after = moved(day, 1)
    view = View(
        report=report,
        is_stored=is_stored,
        heading=heading(report),
        truth=LineView(day, day, report.total),
        chart=chart,
        active=report.active,
        causes=causes,
        silent=[one for one in report.schemas if one.name in report.silent],
        before=moved(day, -1),
        after=after if is_past_day(after) else None,
    )
    return render_template("report.html", view=view, share_invalid=share_invalid, change=change)


def _json(parts: Parts, day: str) -> Response:
    report, is_stored, samples = _read(parts, day)
    body = report.as_dict() | {"stored": is_stored, "total": report.total.as_dict()}
    for one in body["schemas"]:
        one["line"]["residual"] = _residual(report, one["line"]["schema"])
        for cause in one["causes"]:
            del cause["place"]
            sample = samples.get((one["line"]["schema"], cause["code"], cause["pointer"]))
            cause["sample"] = asdict(sample) if sample else None
    return jsonify(body)


def _residual(report: Report, name: str) -> int:
    found = report.find(name)
    return found.line.residual if found else 0


def _csv(parts: Parts, day: str) -> Response:
    report, _, _ = _read(parts, day, samples=False)
    text = io.StringIO()
    csv.writer(text).writerows(csv_rows(report))
    response = Response(text.getvalue(), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="report-{report.day}.csv"'
    return response


def _read(
    parts: Parts, day: str, *, samples: bool = True
) -> tuple[Report, bool, Mapping[SampleKey, Sample]]:
    """Return a day's report, whether it is a stored one, and the samples one may see."""
    who.require("see_live")
    if not is_past_day(day):
        abort(404, "A report is of a day up to today, such as 2026-11-22.")
    snapshot = snapshots.newest(parts)
    with parts.database.read() as connection:
        report = stored.read(connection, day)
    is_stored = report is not None
    if report is None:
        report = compute(
            parts.database, snapshot, parts.config.var / "log", day,
            going=going_by(parts.database, week_after(day)),
            receipts=read_receipts(parts.config.var),
        )  # fmt: skip
    if not samples:
        return report, is_stored, {}
    return report, is_stored, read_samples(parts.database, snapshot, report, _readable(parts))


def _readable(parts: Parts) -> Callable[[str], bool]:
    """Return which schemas' refused events who looks may read."""
    schemas = parts.registry.snapshot.schemas
    return lambda name: who.allowed("read_refused", schemas.get(name))
