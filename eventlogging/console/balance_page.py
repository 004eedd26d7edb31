"""The page that closes the books: what clients attempted, what arrived, what joins the two."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, abort, render_template, request

from eventlogging.console import balance_view, snapshots, who
from eventlogging.console.parts import Parts
from eventlogging.event import UNKNOWN
from eventlogging.ledger.closing import Closing, summed
from eventlogging.reports.days import is_past_day


def register(app: Flask, parts: Parts) -> None:
    """Add the page and its CSV to the app."""
    pages = Blueprint("balance", __name__)

    @pages.get("/balance")
    def show() -> str | Response:
        return _show(parts)

    app.register_blueprint(pages)


def _show(parts: Parts) -> str | Response:
    who.require("see_live")
    schema, day = request.args.get("schema") or None, request.args.get("day") or None
    if schema not in (None, UNKNOWN) and snapshots.find(parts, str(schema)) is None:
        abort(404, f"No schema is named {schema!r}. The list of schemas shows all there are.")
    if day is not None and not is_past_day(day):
        abort(400, "day is a day up to today, such as 2026-11-22.")
    view = balance_view.read_view(parts, snapshots.newest(parts), schema, day)
    if request.args.get("format") == "csv":
        return _csv(view.closings, view.first, view.last)

    def link(**changed: str | None) -> str:
        asked = {"schema": schema, "day": day} | changed
        query = urlencode({key: value for key, value in asked.items() if value})
        return f"/balance?{query}" if query else "/balance"

    return render_template(
        "balance.html", view=view, schema=schema, day=day, link=link,
        is_alarm=balance_view.is_alarm,
    )  # fmt: skip


def _csv(closings: Sequence[Closing], first: str, last: str) -> Response:
    """Return a line per schema and day; the names of schemas are safe in spreadsheets."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(summed([]).as_dict())  # the names of its figures
    writer.writerows(one.as_dict().values() for one in closings)
    response = Response(text.getvalue(), content_type="text/csv; charset=utf-8")
    name = f"balance-{first}-{last}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
