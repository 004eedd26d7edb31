"""The commands `retention …`: what is kept how long, holds, extensions, and the proof of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from eventlogging import clock
from eventlogging.cli.governance import reported
from eventlogging.cli.governance import who as caller
from eventlogging.cli.opening import opened_platform
from eventlogging.cli.paint import harmless, paint, table
from eventlogging.cli.verify import verify
from eventlogging.console import retention_view
from eventlogging.console.retention_view import View
from eventlogging.errors import EventLoggingError
from eventlogging.ledger.sentence import grouped
from eventlogging.platform import Platform
from eventlogging.receipts import chain
from eventlogging.receipts.chain import BrokenChain
from eventlogging.retention import holds
from eventlogging.retention.extension_record import Extension, find_all
from eventlogging.retention.holds import Outcome
from eventlogging.retention.words import days, span

_HEAD = ("schema", "keep", "oldest day", "events", "next go", "events go", "")
_COLOURS = {"valid": "ok", "pending": "warning", "invalid": "error", "suppressed": "suppressed"}


@click.group("retention", short_help="What is kept how long; holds, extensions, verify.")
def retention() -> None:
    """Show what is kept how long and why, hold a schema, list extensions, verify all of it."""


retention.add_command(verify)


@retention.command("status", epilog="Example:  eventlogging retention status --json")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(as_json: bool) -> None:
    """Show of each schema what is stored since when, and what goes next."""
    with _platform() as platform:
        platform.registry.refresh()
        view = retention_view.read_view(platform, platform.registry.snapshot)
    if as_json:
        click.echo(json.dumps(retention_view.as_dict(view), ensure_ascii=False))
    else:
        _tell(view)


@retention.command("hold", epilog='Example:  eventlogging retention hold Clicks --reason "Case 17"')
@click.argument("schema")
@click.option("--reason", required=True, help="Why; the audit keeps it, no stranger sees it.")
def hold(schema: str, reason: str) -> None:
    """Keep all of SCHEMA on legal grounds: nothing of it goes until the hold is lifted."""
    with _platform() as platform:
        folder = chain.folder_of(platform.config.var)
        done = holds.place(platform.database, folder, schema, caller("retention hold"), reason)
    _said(done, f"{schema} is held: nothing of it goes.", f"{schema} is held already.")
    click.echo(f"eventlogging retention lift {schema}")


@retention.command("lift", epilog="Example:  eventlogging retention lift Clicks")
@click.argument("schema")
def lift(schema: str) -> None:
    """End the hold of SCHEMA; what became due meanwhile goes at the next pass."""
    with _platform() as platform:
        folder = chain.folder_of(platform.config.var)
        done = holds.lift(platform.database, folder, schema, caller("retention lift"))
    _said(done, f"The hold of {schema} is lifted.", f"{schema} is not held.")
    click.echo("eventlogging purge --dry-run")


@retention.command("extensions", epilog="Example:  eventlogging retention extensions --json")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def extensions(as_json: bool) -> None:
    """List what people asked to keep longer, the newest first."""
    with _platform() as platform:
        url, today = platform.config.url, clock.day(clock.now_ms())
        with platform.database.read() as connection:
            found = find_all(connection)
    if as_json:
        click.echo(json.dumps([_as_dict(one, today) for one in found], ensure_ascii=False))
        return
    if not found:
        click.echo("Nobody asked to keep anything longer.")
    for one in found:
        w = one.wish
        click.echo(
            f"{one.id}  {harmless(one.label)}: events of {span((w.first_day, w.last_day))} for "
            f"{days(w.keep_days)}, until {w.until}; {_state(one, today)}"
        )
        click.echo(f"   {harmless(' '.join(w.reason.split()))}")
    click.echo(f"{url}/extensions")


@contextmanager
def _platform() -> Iterator[Platform]:
    with reported(), opened_platform() as platform:
        try:
            yield platform
        except (BrokenChain, OSError) as error:
            raise EventLoggingError(f"the receipts cannot be written: {error}") from error


def _said(done: Outcome, changed: str, same: str) -> None:
    for problem in done.problems:
        click.echo(harmless(problem), err=True)
    if done.problems:
        sys.exit(1)
    click.echo(harmless(changed if done.changed else same))


def _tell(view: View) -> None:
    rows = []
    for row in view.rows:
        notes = ["held"] if row.policy.held else []
        notes += [f"extended until {one.until}" for one in row.extensions]
        going = row.next
        rows.append([
            harmless(row.schema), days(row.policy.keep_days), row.standing.oldest or "–",
            grouped(row.standing.rows), going.on if going else "–",
            grouped(going.rows) if going else "–", ", ".join(notes),
        ])  # fmt: skip
    for line in table(_HEAD, rows) if rows else ():
        click.echo(line.rstrip())
    click.echo()
    click.echo(f"last pass: {_pass(view)}")
    for label, one in (("certificate", view.certificate), ("opt-out canary", view.canary)):
        when = f" {one.at[:16].replace('T', ' ')} UTC," if one.at else ""
        click.echo(f"{label}:{when} {paint(one.words, _COLOURS[one.kind])}")
    made = view.receipts
    if made.trouble:
        click.echo(paint(f"receipts cannot be trusted: {harmless(made.trouble)}", "error"))
    elif made.number:
        click.echo(f"receipts: {grouped(made.number)}, newest digest {made.digest}")
    click.echo("eventlogging retention verify")


def _pass(view: View) -> str:
    last = view.last_pass
    if last is None:
        return "none yet"
    gone = (last.rows or {}).items()
    parts = [f"{grouped(number)} rows {word}" for word, number in gone if number]
    parts += [f"{days(last.days)} of the log deleted"] if last.days else []
    if last.rows is None:
        parts.insert(0, "by another host, whose receipts say what went")
    when = f"{last.at[:16].replace('T', ' ')} UTC"
    return f"{when}, {', '.join(parts) or 'nothing was due'}"


def _state(one: Extension, today: str) -> str:
    if one.state == "granted":
        return "in force" if one.holds(today) else "over"
    return "waits for a decision" if one.state == "asked" else one.state


def _as_dict(one: Extension, today: str) -> dict[str, Any]:
    values = {name: value for name, value in vars(one).items() if name != "wish"}
    return {**values, **vars(one.wish), "in_force": one.holds(today)}
