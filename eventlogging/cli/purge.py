"""The command `purge`: say what would go now, and, with its checksum quoted, let it go."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import click

from eventlogging import clock, config
from eventlogging.backup.locks import running
from eventlogging.cli.governance import reported
from eventlogging.cli.paint import harmless, paint, table
from eventlogging.clock import age
from eventlogging.errors import EventLoggingError
from eventlogging.jobs.retention_duties import carry_out, look_after_stripped, plan_of
from eventlogging.ledger.sentence import grouped
from eventlogging.platform import Platform, open_platform
from eventlogging.receipts.chain import BrokenChain
from eventlogging.retention import safety
from eventlogging.retention.passes import Outcome
from eventlogging.retention.plan import TABLES, Plan, Step
from eventlogging.retention.policy import FIRST_DAY, LAST_DAY
from eventlogging.store.migrate import is_current

_WORDS = {
    "purge": "valid events are deleted",
    "scrub": "valid events are stripped, then deleted",
    "invalid": "refused events are deleted",
    "unsealed": "refused events that could not be sealed are deleted",
    "scrubbed": "stripped events are deleted",
    "log": "days of the log are deleted",
    "blank": "lines of the log that could not be sealed are blanked",
    "backup": "backups are deleted",
    "export": "exports are deleted",
}
_HEAD = ("table", "what happens", "rows", "days", "stays from")


@click.command(
    "purge",
    short_help="Show what is older than purge/ says, and delete it.",
    epilog="Example:  eventlogging purge --dry-run --schema NavigationTiming",
)
@click.option("--dry-run", is_flag=True, help="Say what would go now, and delete nothing.")
@click.option("--execute", "checksum", metavar="CHECKSUM",
              help="Delete it; the checksum is the one that --dry-run printed.")  # fmt: skip
@click.option("--schema", help="One schema alone; (unknown) for events of none.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan, or what was done, as JSON.")
def purge(dry_run: bool, checksum: str | None, schema: str | None, as_json: bool) -> None:
    """Delete, strip and blank what is older than the rules of purge/ allow.

    The same happens each night by itself. By hand it also does when the clock was far off or the
    platform was: somebody has read the plan. Exit code 0; 1 where something of it had to stay, or
    where something else would go by now than the checksum says.
    """
    if dry_run == (checksum is not None):
        raise click.UsageError("say either --dry-run, or --execute with the checksum it prints")
    with reported():
        platform = open_platform(config.load())
        try:
            if not is_current(platform.database):
                raise EventLoggingError(
                    "the database has no tables of this version yet; `eventlogging serve` makes "
                    "them"
                )
            _check_schema(platform, schema)
            plan = _plan(platform, schema)
            if checksum is None:
                _tell(platform, plan, schema, as_json)
                return
            if plan.checksum != checksum:
                raise EventLoggingError(
                    f"something else would go by now than {checksum} says: "
                    f"{_sum(plan)}. See it: {_command('--dry-run', schema)}"
                )
            outcome = _execute(platform, plan)
        finally:
            platform.database.close()
    _tell_done(outcome, schema, as_json)
    sys.exit(1 if outcome.deferred else 0)


def _check_schema(platform: Platform, schema: str | None) -> None:
    platform.registry.refresh()
    known = platform.registry.snapshot.schemas
    if schema is not None and schema not in known and schema != "(unknown)":
        raise EventLoggingError(f"no schema {harmless(schema)!r} is registered")


def _plan(platform: Platform, schema: str | None) -> Plan:
    try:
        return plan_of(platform, clock.now_ms(), schema=schema)
    except OSError as error:
        raise EventLoggingError(f"the log cannot be read: {error}") from error


def _execute(platform: Platform, plan: Plan) -> Outcome:
    bar_of_rows = click.progressbar(
        length=max(plan.rows, 1), label="deleting", file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    )  # fmt: skip
    try:
        with running(platform.config.var), bar_of_rows as bar:
            outcome = carry_out(platform, plan, progress=bar.update)
        after = look_after_stripped(platform, plan.today)
    except OSError as error:
        raise EventLoggingError(f"not all is done: {error}") from error
    except BrokenChain as error:
        raise EventLoggingError(f"the receipts cannot be added to: {error}") from error
    return replace(outcome, deferred=(*outcome.deferred, *after.deferred))


def _tell(platform: Platform, plan: Plan, schema: str | None, as_json: bool) -> None:
    last = _last_pass(platform)
    if as_json:
        click.echo(json.dumps(plan.as_dict() | {"last_pass": last}, ensure_ascii=False))
        return
    click.echo(f"{plan.today}: {_sum(plan)}")
    if plan.steps:
        click.echo()
        for line in table(_HEAD, [_row(step) for step in plan.steps]):
            click.echo(line.rstrip())
        click.echo()
    if last is None:
        click.echo("No pass was ever made here.")
    else:
        days = age(last[:10], plan.today)
        text = f"The last pass was on {last[:10]}, {abs(days)} days {'ago' if days >= 0 else 'on'}."
        far = abs(days) > safety.MOST_DAYS
        click.echo(paint(f"{text} Is the clock right?", "warning") if far else text)
    if plan.steps:
        click.echo(_command(f"--execute {plan.checksum}", schema))
    else:
        click.echo("eventlogging retention verify")


def _last_pass(platform: Platform) -> str | None:
    try:
        return safety.last_pass(platform)
    except BrokenChain as error:
        raise EventLoggingError(f"the receipts cannot be read: {error}") from error


def _tell_done(outcome: Outcome, schema: str | None, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(outcome.as_dict(), ensure_ascii=False))
        return
    click.echo(f"{outcome.today}: {outcome.sentence}")
    for sentence in outcome.deferred:
        click.echo(paint(f"  {harmless(sentence)}", "warning"))
    again = _command("--dry-run", schema)
    click.echo(again if outcome.deferred else "eventlogging retention verify")


def _sum(plan: Plan) -> str:
    if not plan.steps:
        return "nothing is due"
    rows = sum(step.rows or 0 for step in plan.steps if step.kind in TABLES)
    tables = len({step.table for step in plan.steps if step.kind in TABLES})
    parts = [f"{_counted(rows, 'row')} of {_counted(tables, 'table')}"] if tables else []
    for step in plan.steps:
        if step.kind not in TABLES:
            days = _counted(len(step.days), "day")
            number = _counted(step.rows, "line") if step.rows else days
            parts.append(f"{number} of the {step.table}")
    return f"{', '.join(parts)} would go"


def _counted(number: int, what: str) -> str:
    return f"{grouped(number)} {what}" if number == 1 else f"{grouped(number)} {what}s"


def _row(step: Step) -> list[str]:
    days = step.days
    span = days[0] if len(days) == 1 else f"{days[0]} – {days[-1]} ({len(days)})" if days else "all"
    cut = {FIRST_DAY: "", LAST_DAY: "none"}.get(step.cut_off, step.cut_off)
    rows = grouped(step.rows) if step.rows is not None else ""
    return [step.table, _WORDS[step.kind], rows, span, cut]


def _command(option: str, schema: str | None) -> str:
    named = f" --schema '{harmless(schema)}'" if schema is not None else ""
    return f"eventlogging purge {option}{named}"
