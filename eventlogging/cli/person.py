"""The commands `person find`, `export` and `erase`: what there is of one person, and its end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from eventlogging.cli.governance import reported, who
from eventlogging.cli.opening import opened_platform
from eventlogging.errors import EventLoggingError
from eventlogging.ledger.sentence import grouped
from eventlogging.platform import Platform
from eventlogging.retention import aggregates, erasure
from eventlogging.retention import person as persons
from eventlogging.retention.erasure_book import DONE, Erasure
from eventlogging.retention.person import Found

_IDS = click.argument("ids", nargs=-1, required=True, metavar="ID…")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group("person", short_help="Find, export or erase one person.")
def person() -> None:
    """Find, export or erase one person, by the device or user ids that the events came with.

    An id is hashed with each privacy key in use, and is neither kept nor logged. Your shell may
    keep it in its history.
    """


@person.command("find", epilog="Example:  eventlogging person find 41d9a7e0")
@_IDS
@_JSON
def find(ids: tuple[str, ...], as_json: bool) -> None:
    """Count what there is of the person with these IDs, in tables, log and texts."""
    with reported(), _opened() as platform:
        found = _find(platform, ids)
    if as_json:
        click.echo(json.dumps(found.as_dict(), ensure_ascii=False))
        return
    _show(found)
    if not found.is_empty:
        click.echo("See it: eventlogging person export ID… > person.json")


@person.command("export", epilog="Example:  eventlogging person export 41d9a7e0 > person.json")
@_IDS
def export(ids: tuple[str, ...]) -> None:
    """Print all that there is of the person with these IDs, as one JSON document."""
    with reported(), _opened() as platform:
        document = persons.export(platform, ids)
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))


@person.command("erase", epilog="Example:  eventlogging person erase 41d9a7e0 --dry-run")
@_IDS
@click.option("--dry-run", is_flag=True, help="Print what would go and a checksum; the default.")
@click.option("--execute", "checksum", metavar="CHECKSUM",
              help="Erase, as the dry run with this checksum said.")  # fmt: skip
@_JSON
def erase(ids: tuple[str, ...], dry_run: bool, checksum: str | None, as_json: bool) -> None:
    """Erase the person with these IDs: rows, stripped rows, lines of the log; there is a receipt.

    Without --execute nothing is changed. Exit code 1 where the checksum is of another plan.
    """
    if dry_run and checksum is not None:
        raise click.UsageError("--dry-run and --execute exclude each other")
    with reported(), _opened() as platform:
        found = _find(platform, ids)
        meant = persons.identity(platform, ids)
        planned = _checksum(meant.hashes, found)
        if checksum is None:
            _plan(found, planned, as_json)
            return
        if checksum != planned:
            raise EventLoggingError(
                f"the checksum of what would go is {planned} now and not {checksum}; "
                "look again with eventlogging person erase ID… --dry-run"
            )

        def recompute(schema: str, days: Sequence[str]) -> None:
            aggregates.recompute(platform, schema, days)

        wish = erasure.ask(platform, ids, who("person erase"))
        plain = sorted(meant.plain)
        after = erasure.carry_out(platform, wish, plain=plain, recompute=recompute)
    if as_json:
        click.echo(json.dumps(after.as_dict(), ensure_ascii=False))
        return
    _report(after)


@contextmanager
def _opened() -> Iterator[Platform]:
    with opened_platform() as platform:
        try:
            yield platform
        except OSError as error:
            raise EventLoggingError(f"the log or the receipts cannot be used: {error}") from error


def _find(platform: Platform, ids: Sequence[str]) -> Found:
    meant = persons.identity(platform, ids)
    return persons.find(platform, meant.hashes, sorted(meant.plain))


def _checksum(hashes: Sequence[str], found: Found) -> str:
    """Name the person and the tables; not the counts, for events go on arriving."""
    content = [sorted(hashes), sorted(found.tables), sorted(found.held)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _plan(found: Found, checksum: str, as_json: bool) -> None:
    if as_json:
        plan = found.as_dict() | {"checksum": checksum}
        click.echo(json.dumps(plan, ensure_ascii=False))
        return
    _show(found)
    click.echo(f"checksum {checksum}")
    click.echo(f"Erase all this: eventlogging person erase ID… --execute {checksum}")


def _show(found: Found) -> None:
    if found.is_empty:
        click.echo("There is nothing of this person.")
    for table, rows in sorted(found.tables.items()):
        click.echo(f"{table:<40} {grouped(rows):>12} rows")
    for table, rows in sorted(found.held.items()):
        click.echo(f"{table:<40} {grouped(rows):>12} rows, which a legal hold keeps")
    if found.log_lines:
        click.echo(f"{'log of this host':<40} {grouped(found.log_lines):>12} lines")
    if found.log_waiting:
        click.echo(f"{'log, in no table yet':<40} {grouped(found.log_waiting):>12} lines")
    for place, texts in sorted(found.texts.items()):
        click.echo(f"{place:<40} {grouped(texts):>12} texts")
    for sentence in found.out_of_reach:
        click.echo(f"out of reach: {sentence}")


def _report(after: Erasure) -> None:
    for table, rows in sorted(after.detail.get("tables", {}).items()):
        click.echo(f"{table:<40} {grouped(rows):>12} rows erased")
    lines = after.detail.get("log_lines", 0)
    click.echo(f"{'log of this host':<40} {grouped(lines):>12} lines blanked")
    for sentence in after.detail.get("out_of_reach", ()):
        click.echo(f"out of reach: {sentence}")
    if after.state == DONE:
        click.echo(f"done; receipt {after.detail['receipt']}")
        return
    for sentence in after.waits:
        click.echo(f"waits: {sentence}")
    click.echo("The job erasures goes on with it: eventlogging job run erasures")
