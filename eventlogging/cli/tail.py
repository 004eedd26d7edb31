"""The command `tail`: every event's verdict as it enters the log."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path

import click

from eventlogging import clock, config
from eventlogging.cli.governance import reported
from eventlogging.cli.paint import harmless, paint
from eventlogging.cli.verdicts import Follower, Line
from eventlogging.errors import EventLoggingError
from eventlogging.event import Outcome

_LOOK_SECONDS = 0.2


@click.command(
    short_help="Watch each event's verdict as it arrives.",
    epilog="Example:  eventlogging tail --invalid --schema NavigationTiming",
)
@click.option("-n", "--lines", "number", default=10, show_default=True, type=click.IntRange(0),
              help="Show so many of the last events first.")  # fmt: skip
@click.option("--since-start", is_flag=True, help="Show all that the log still has first.")
@click.option("--schema", help="Events of this schema alone; (unknown) for events of none.")
@click.option("--invalid", is_flag=True, help="Refused events alone.")
@click.option("--once", is_flag=True, help="End when all there is has been shown.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def tail(
    number: int, since_start: bool, schema: str | None, invalid: bool, once: bool, as_json: bool
) -> None:
    """Show a line per event: when, what became of it, of which schema, and why not.

    An event that came with a test key is marked: it is in no table and no sum.

    Reads the log alone, so it works without the database. What only the loader can see, a
    duplicate, is still valid here. Ctrl-C ends it.
    """

    def wanted(line: Line) -> bool:
        if invalid and line.outcome != Outcome.INVALID:
            return False
        return schema is None or schema in (line.schema, line.claimed)

    with reported():
        folder = config.load().var / "log"
        follower = Follower(folder, wanted)
        try:
            _show(follower.all() if since_start else follower.last(number), as_json)
            if not once:
                _announce(folder)
            while not once:
                time.sleep(_LOOK_SECONDS)
                _show(follower.new(), as_json)
        except KeyboardInterrupt:
            click.echo(err=True)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise EventLoggingError(f"the log cannot be read: {error}") from error
    if not as_json:
        click.echo("eventlogging ledger")


def _announce(folder: Path) -> None:
    click.echo(f"waiting for events in {folder.resolve()}; Ctrl-C ends", err=True)


def _show(lines: Iterable[Line], as_json: bool) -> None:
    for line in lines:
        if as_json:
            content = line.as_dict() | {"received": clock.iso(line.received)}
            click.echo(json.dumps(content, ensure_ascii=False))
        else:
            click.echo(_text(line))


def _text(line: Line) -> str:
    """One line: `2026-11-22T03:04:05.678Z invalid  Name/1.0.0 <id> type_mismatch /duration`."""
    # An event of no schema says what it was meant to be, not only that it is unknown.
    name = line.schema if line.claimed in (line.schema, "") else f"{line.schema} {line.claimed}"
    parts = [
        clock.iso(line.received),
        paint(f"{line.outcome.replace('_', ' '):<11}", line.outcome),
        harmless(f"{name}/{line.version}" if line.version else name),
        harmless(line.id or "-"),
    ]
    if line.outcome == Outcome.INVALID:
        parts.append(paint(line.code, "invalid"))
        parts += [harmless(problem.get("pointer") or "(event)") for problem in line.problems]
    elif line.code:
        parts.append(line.code)
    if line.test_key:
        parts.append(harmless(f"[test key {line.test_key}]"))
    return " ".join(parts)
