"""The pages: which address shows what, and the words and forms that all of them share."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    jsonify,
    render_template,
    request,
)
from markupsafe import Markup, escape

from eventlogging import clock
from eventlogging.console import (
    aggregate_charts,
    aggregates,
    alert_pages,
    alert_rules_page,
    balance_page,
    charts,
    client_file,
    draft_pages,
    erasures_page,
    error_pages,
    explore,
    extension_pages,
    invitation_page,
    jobs_page,
    lifecycle_page,
    line_view,
    live,
    my_data,
    openapi,
    opt_out_api,
    opt_out_page,
    outbox_page,
    people_area,
    report_pages,
    retention_page,
    retention_rules_page,
    review_pages,
    rows,
    sampling_page,
    schema_list,
    shell,
    sign_in,
    snapshots,
    transparency_page,
    who,
)
from eventlogging.console.overview import BARS, SORTS, read_overview, two_days
from eventlogging.console.parts import Parts
from eventlogging.console.refusals import read_refusals
from eventlogging.console.schema_page import read_schema_page
from eventlogging.event import UNKNOWN
from eventlogging.ledger.sentence import grouped
from eventlogging.loader.prepare import UNKNOWN_TABLE
from eventlogging.registry.model import RegisteredSchema


def register(app: Flask, parts: Parts) -> None:
    """Add the pages, sign-in and the data API to the app."""
    app.jinja_options = {**app.jinja_options, "trim_blocks": True, "lstrip_blocks": True}
    sign_in.register(app, parts)
    shell.register(app, parts)
    alert_pages.register(app, parts)
    people_area.register(app, parts)
    app.register_blueprint(_blueprint(parts))
    app.register_blueprint(rows.blueprint(parts))
    aggregates.register(app, parts)
    live.register(app, parts)
    sampling_page.register(app, parts)
    alert_rules_page.register(app, parts)
    retention_rules_page.register(app, parts)
    retention_page.register(app, parts)
    extension_pages.register(app, parts)
    explore.register(app, parts)
    outbox_page.register(app, parts)
    erasures_page.register(app, parts)
    jobs_page.register(app, parts)
    report_pages.register(app, parts)
    invitation_page.register(app, parts)
    lifecycle_page.register(app, parts)
    draft_pages.register(app, parts)
    review_pages.register(app, parts)
    client_file.register(app, parts)
    opt_out_page.register(app, parts)
    opt_out_api.register(app, parts)
    my_data.register(app, parts)
    balance_page.register(app, parts)
    transparency_page.register(app, parts)
    error_pages.register(app)
    app.add_template_filter(grouped, "grouped")
    app.add_template_filter(_minute, "minute")
    app.add_template_global(aggregate_charts.figure, "figure")
    app.add_template_filter(_with_code, "with_code")
    app.add_template_global(line_view.share_text, "share_text")


def _blueprint(parts: Parts) -> Blueprint:
    pages = Blueprint("pages", __name__, static_folder="static", static_url_path="/static")

    @pages.get("/")
    def overview() -> str | Response:
        return _spec() if "spec" in request.args else _overview(parts)

    @pages.get("/schemas")
    def schemas() -> str | Response:
        return schema_list.show(parts)

    @pages.get("/schemas/<path:name>")
    def schema(name: str) -> str:
        return _schema(parts, name.strip("/"))

    return pages


def _spec() -> Response:
    """The API's description; open to tools on any page, as all that it describes is public."""
    response = jsonify(openapi.document(current_app))
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def _overview(parts: Parts) -> str:
    day = request.args.get("day") or None
    if day is not None and not _is_past_day(day):
        abort(400, "day is a day up to today, such as 2026-11-22.")
    sort = request.args.get("sort", "sent")
    if sort not in SORTS:
        abort(400, f"sort is one of {', '.join(SORTS)}.")
    snapshot = snapshots.newest(parts)
    step = request.args.get("by", "hour")
    if step not in BARS:
        abort(400, f"by is one of {', '.join(BARS)}.")
    view = read_overview(parts, snapshot, day, sort, step)
    return render_template(
        "overview.html", view=view, sort=sort, asked_day=day, schemas=len(snapshot.schemas)
    )


def _schema(parts: Parts, name: str) -> str:
    if name == UNKNOWN:
        return _unknown(parts)
    known = snapshots.find(parts, name)
    if known is None:
        abort(404, f"No schema is named {name!r}. The list of schemas shows all there are.")
    page = read_schema_page(parts, known, _compared(known))
    return render_template(
        "schema.html",
        page=page,
        schema=known,
        percent=charts.percent,
        aggregate_view=aggregate_charts.read_view(parts, page.policy, request.args),
    )


def _compared(schema: RegisteredSchema) -> tuple[str, str] | None:
    """Return the two versions that the address asks to compare."""
    old, new = request.args.get("from", ""), request.args.get("to", "")
    if not old and not new:
        return None
    for version in (old, new):
        if version not in schema.versions:
            abort(400, f"from and to are two of its versions: {', '.join(schema.versions)}.")
    return old, new


def _unknown(parts: Parts) -> str:
    """The events that name no registered schema have no schema's page, and reasons all the same."""
    with parts.database.read() as connection:
        days = two_days(connection, UNKNOWN)
    refusals = None
    if who.allowed("see_live"):
        refusals = read_refusals(parts.database, UNKNOWN_TABLE, values=who.allowed("read_refused"))
    return render_template("unknown.html", days=days, refusals=refusals, name=UNKNOWN)


def _is_past_day(text: str) -> bool:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return False
    return text == day.isoformat() and "1970-01-02" <= text <= clock.day(clock.now_ms())


def _minute(iso: Any) -> str:
    """Return an ISO time as people read it: `2026-11-22 03:04`, in UTC."""
    return str(iso)[:16].replace("T", " ")


def _with_code(text: str) -> Markup:
    """Return a sentence with what stands in backticks as code, all of it escaped."""
    parts = [escape(part) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup().join(
        Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts)
    )
