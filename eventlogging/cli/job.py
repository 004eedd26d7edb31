"""The commands `job list` and `job run`: what runs by the clock, and running it by hand."""

from __future__ import annotations

import json
import sys
from datetime import datetime

import click

from eventlogging import clock, config
from eventlogging.backup.locks import running
from eventlogging.cli.governance import reported
from eventlogging.cli.opening import opened
from eventlogging.cli.paint import harmless, paint
from eventlogging.errors import EventLoggingError
from eventlogging.jobs import claims
from eventlogging.jobs.claims import Run
from eventlogging.jobs.not_yet import NotYet
from eventlogging.jobs.runner import perform
from eventlogging.jobs.table import JOBS, Every, Job, Monthly, last_day
from eventlogging.platform import open_platform
from eventlogging.store.migrate import migrate

_COLOURS = {"done": "ok", "warning": "warning", "failed": "error"}


@click.group("job", short_help="List the jobs, or run one by hand.")
def job() -> None:
    """List the jobs that run by the clock, or run one of them by hand."""


@job.command("list", epilog="Example:  eventlogging job list --json")
@click.option("--json", "as_json", is_flag=True, help="Print the jobs as JSON.")
def list_jobs(as_json: bool) -> None:
    """List all jobs: when each is due, what it does, how its last run went."""
    with reported(), opened() as database:
        migrate(database)
        runs = claims.last_runs(database)
    if as_json:
        content = [_as_dict(known, runs.get(known.name)) for known in JOBS]
        click.echo(json.dumps(content, ensure_ascii=False))
        return
    wide = max(len(known.name) for known in JOBS)
    for known in JOBS:
        click.echo(f"{known.name:<{wide}}  {known.trigger}  {known.purpose}")
        click.echo(f"{'':<{wide}}  {_last(runs.get(known.name))}")
    click.echo(f"eventlogging job run {JOBS[0].name}")


@job.command("run", epilog="Example:  eventlogging job run ledger-proof --for 2026-11-22")
@click.argument("name", type=click.Choice([known.name for known in JOBS]))
@click.option("--for", "day", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY",
              help="The day it is for (UTC), of a daily job; default: yesterday.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def run_job(name: str, day: datetime | None, as_json: bool) -> None:
    """Run the job NAME now, even where it has run for that day or moment before.

    Exit code 0: done; 1: it failed, found something wrong, or is running already.
    """
    known = next(known for known in JOBS if known.name == name)
    now = clock.now_ms()
    if day is not None and isinstance(known.trigger, Every):
        raise click.UsageError(f"{name} runs {known.trigger}, for the present; leave --for out")
    wanted = day.strftime("%Y-%m-%d") if day is not None else last_day(now)
    if isinstance(known.trigger, Every) or (isinstance(known.trigger, Monthly) and day is None):
        wanted = known.trigger.due(now)[-1]
    if wanted[:10] > clock.day(now):
        raise click.UsageError(f"--for {wanted} lies in the future")
    with reported():
        platform = open_platform(config.load())
        with running(platform.config.var):
            migrate(platform.database)
            claim = claims.claim(platform.database, name, known.slot(wanted), again=True)
            if claim is None:
                raise EventLoggingError(
                    f"{name} for {wanted} is running already; see eventlogging job list"
                )
            try:
                perform(platform, known, claim)
            except NotYet as error:
                raise EventLoggingError(f"{name} for {wanted} has to wait: {error}") from error
            run = claims.read(platform.database, name, known.slot(wanted))
        platform.database.close()
    if as_json:
        click.echo(json.dumps(_as_dict(known, run), ensure_ascii=False))
    else:
        click.echo(f"{name} {_last(run)}")
        click.echo("eventlogging job list")
    sys.exit(0 if run is not None and run.outcome == "done" else 1)


def _last(run: Run | None) -> str:
    if run is None:
        return "has not run yet"
    if run.outcome is None:
        return f"for {run.slot}: running since {run.started_at}"
    detail = "\n  ".join(harmless(line) for line in run.detail.splitlines())
    return f"for {run.slot}: {paint(run.outcome, _COLOURS[run.outcome])}, {detail}"


def _as_dict(known: Job, run: Run | None) -> dict[str, object]:
    last = None
    if run is not None:
        last = {
            "for": run.slot,
            "started_at": run.started_at,
            "finished_at": run.finished_at,
            "outcome": run.outcome,
            "detail": run.detail,
        }
    return {
        "name": known.name,
        "when": str(known.trigger),
        "purpose": known.purpose,
        "last_run": last,
    }
