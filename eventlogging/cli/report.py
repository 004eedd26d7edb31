"""The command `report`: a day's validity report in the terminal."""

from __future__ import annotations

import json
from datetime import datetime

import click

from eventlogging import clock, config
from eventlogging.cli.governance import reported
from eventlogging.cli.paint import harmless, paint, table
from eventlogging.errors import EventLoggingError
from eventlogging.jobs.report_duties import going_by
from eventlogging.jobs.table import last_day
from eventlogging.ledger.sentence import grouped, sentence
from eventlogging.platform import Platform, open_platform
from eventlogging.reports import stored
from eventlogging.reports.due import week_after
from eventlogging.reports.model import Report, most_frequent
from eventlogging.reports.receipts import read_receipts
from eventlogging.reports.validity import compute
from eventlogging.reports.words import change, share_invalid
from eventlogging.store.migrate import is_current

_HEAD = ("schema", "sent", "day before", "week before", "valid", "invalid", "invalid %")
_MOST_CAUSES = 10


@click.command(
    short_help="Show the validity report of a day.",
    epilog="Example:  eventlogging report --for 2026-11-21",
)
@click.option("--for", "day", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY",
              help="The day (UTC); default: yesterday.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def report(day: datetime | None, as_json: bool) -> None:
    """Show what was received on a day, whether it was right, and what is due.

    The report that went out, where there is one; else as things stand now. Samples of invalid
    events are on the page of the day.
    """
    now = clock.now_ms()
    wanted = day.strftime("%Y-%m-%d") if day is not None else last_day(now)
    if wanted > clock.day(now):
        raise click.UsageError(f"--for {wanted} lies in the future")
    with reported():
        platform = open_platform(config.load())
        found, is_stored = _read(platform, wanted)
        platform.database.close()
    if as_json:
        body = found.as_dict() | {"stored": is_stored, "total": found.total.as_dict()}
        click.echo(json.dumps(body, ensure_ascii=False))
    else:
        _tell(found, is_stored, platform.config.url)


def _read(platform: Platform, day: str) -> tuple[Report, bool]:
    if not is_current(platform.database):
        raise EventLoggingError(
            "the database has no ledger of this version yet; `eventlogging serve` makes it"
        )
    with platform.database.read() as connection:
        kept = stored.read(connection, day)
    if kept is not None:
        return kept, True
    platform.registry.refresh()
    try:
        snapshot = platform.registry.snapshot
        found = compute(
            platform.database, snapshot, platform.log_folder, day,
            going=going_by(platform.database, week_after(day)),
            receipts=read_receipts(platform.config.var),
        )  # fmt: skip
        return found, False
    except OSError as error:
        raise EventLoggingError(f"the log cannot be read: {error}") from error


def _tell(found: Report, is_stored: bool, url: str) -> None:
    made = f"as it went out at {found.made_at[:16].replace('T', ' ')} UTC" if is_stored else (
        "computed now: no report of this day is stored"
    )  # fmt: skip
    click.echo(f"{found.day}, {made}")
    truth, dot, unexplained = sentence(found.total).rpartition(" · ")
    told = paint(unexplained, "unexplained") if found.total.residual else unexplained
    click.echo(truth + dot + told)
    if not found.complete:
        click.echo(paint(f"incomplete: {found.note}", "warning"))
    if found.active:
        click.echo()
        rows = [
            [
                harmless(one.name),
                grouped(one.line.sent),
                change(one.line.sent, one.day_before.sent),
                change(one.line.sent, one.week_before.sent),
                grouped(one.line.valid),
                grouped(one.line.invalid),
                share_invalid(one.line),
            ]
            for one in found.active
        ]
        for line in table(_HEAD, rows):
            click.echo(line)
    sections = (("why events were invalid", _causes(found)), ("came and went", _moves(found)),
                ("due", [one.text for one in found.due]))  # fmt: skip
    for head, lines in sections:
        if lines:
            click.echo(f"\n{head}:")
        for line in lines:
            click.echo(f"  {harmless(line)}")
    click.echo()
    if found.receipts.words:
        click.echo(f"{harmless(found.receipts.words)}\n")
    click.echo(f"{url}/reports/{found.day}" if found.active else "eventlogging demo")


def _causes(found: Report) -> list[str]:
    return [
        f"{one.name}: {grouped(cause.count)} {cause.code}"
        + (f" at {cause.pointer}" if cause.pointer else "")
        + (f", expected {cause.expected}" if cause.expected else "")
        for one, cause in most_frequent(found.active, _MOST_CAUSES)
    ]


def _moves(found: Report) -> list[str]:
    return [f"{name} is new" for name in found.new] + [f"{name} is silent" for name in found.silent]
