"""The command `ledger`: what became of every event sent, and the proof of it."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from eventlogging import clock, config
from eventlogging.cli.governance import reported
from eventlogging.cli.opening import opened
from eventlogging.cli.paint import harmless, paint, table
from eventlogging.errors import EventLoggingError
from eventlogging.ledger import clients
from eventlogging.ledger.clients import Balance
from eventlogging.ledger.lag import Lag, read_lag
from eventlogging.ledger.proof import Proof, prove
from eventlogging.ledger.reading import LineOfTruth, by_reason, lines_of_truth, total
from eventlogging.ledger.sentence import grouped, sentence
from eventlogging.store.database import Database
from eventlogging.store.migrate import is_current

_FIGURES = (
    *("sent", "valid", "invalid", "duplicate", "sampled_out", "suppressed", "pending"),
    "residual",
)
_HEAD = ("schema", *(name.replace("_", " ") for name in _FIGURES[:-1]), "unexplained")
_SAID = (*clients.KINDS, "waiting")
_SAID_HEAD = ("schema", *(name.replace("_", " ") for name in _SAID))
_LOOK_SECONDS = 0.1


class Moment(click.ParamType[str]):
    """A day or a time, as the minute that the ledger writes; UTC where it names no zone."""

    name = "day or time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            moment = datetime.fromisoformat(str(value).strip().replace(" ", "T"))
            moment = moment.replace(tzinfo=moment.tzinfo or UTC)
            return clock.minute(int(moment.timestamp() * 1000))
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a day or a time such as 2026-11-22 or 2026-11-22T03:04")


@click.command(
    short_help="Show what became of every event; --prove it.",
    epilog="Example:  eventlogging ledger --prove --wait 10",
)
@click.option("--schema", help="One schema alone; (unknown) for events of none.")
@click.option("--start", type=Moment(), help="Received from this day or time on (UTC).")
@click.option("--end", type=Moment(), help="Received before this day or time (UTC).")
@click.option("--wait", type=click.FloatRange(0), metavar="SECONDS",
              help="First wait until all of the log is loaded, at most so long.")  # fmt: skip
@click.option("--prove", "to_prove", is_flag=True,
              help="Count every table against its book; exit 1 where they differ.")  # fmt: skip
@click.option("--by-day", is_flag=True,
              help="Show what clients counted of themselves by day, too.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def ledger(
    schema: str | None,
    start: str | None,
    end: str | None,
    wait: float | None,
    to_prove: bool,
    by_day: bool,
    as_json: bool,
) -> None:
    """Show, per schema, what was sent and what became of it.

    Exit code 0; 1 where the proof does not hold, or not all was loaded within --wait.
    """
    if start is not None and end is not None and start >= end:
        raise click.UsageError(f"--start {start} does not lie before --end {end}")
    span = {"start": start, "end": end, "schema": schema}
    with reported(), opened(only_reads=True) as database:
        _check(database)
        folder = config.load().var / "log"
        late = wait is not None and not _wait(database, folder, wait)
        with database.read() as connection:
            lines = lines_of_truth(connection, **span)
            reasons = by_reason(connection, **span)
            reported_by_clients = clients.balances(connection, start=start, end=end, schema=schema)
            days = []
            if by_day:
                days = clients.balances(
                    connection, start=start, end=end, schema=schema, by_day=True
                )
        lag = _lag(database, folder)
        proof = prove(database) if to_prove else None
    if as_json:
        found = _as_dict(lines, reasons, lag, proof)
        found["clients"] = {one.schema: one.as_dict() for one in reported_by_clients}
        if by_day:
            found["clients_by_day"] = [one.as_dict() for one in days]
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        _tell(lines, lag, proof, days or reported_by_clients)
    if late:
        click.echo(f"not all was loaded within {wait:g} s: {_waiting(lag)}", err=True)
    sys.exit(1 if late or (proof is not None and not proof.holds) else 0)


def _check(database: Database) -> None:
    if not is_current(database):
        raise EventLoggingError(
            "the database has no ledger of this version yet; `eventlogging serve` makes it"
        )


def _lag(database: Database, folder: Path) -> Lag:
    try:
        with database.read() as connection:
            return read_lag(connection, folder)
    except OSError as error:
        raise EventLoggingError(f"the log cannot be read: {error}") from error


def _wait(database: Database, folder: Path, seconds: float) -> bool:
    """Wait until all is loaded; return whether it is."""
    deadline = time.monotonic() + seconds
    while not _lag(database, folder).is_loaded:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def _tell(lines: list[LineOfTruth], lag: Lag, proof: Proof | None, said: list[Balance]) -> None:
    whole = total(lines)
    text = sentence(whole)
    if whole.residual:
        told, dot, unexplained = text.rpartition(" · ")
        text = told + dot + paint(unexplained, "unexplained")
    click.echo(text)
    if lines:
        click.echo()
        rows = [
            [harmless(line.schema), *(grouped(getattr(line, name)) for name in _FIGURES)]
            for line in lines
        ]
        for number, row in enumerate(table(_HEAD, rows)):
            fault = number and lines[number - 1].residual
            click.echo(paint(row, "unexplained") if fault else row)
    if said:
        click.echo()
        click.echo("What clients counted of themselves, as of their last reports:")
        # By day, the day stands behind the schema.
        rows = [
            [
                f"{harmless(one.schema)} {one.day}".rstrip(),
                *(grouped(getattr(one, k)) for k in _SAID),
            ]
            for one in said
        ]
        for row in table(_SAID_HEAD, rows):
            click.echo(row)
    click.echo()
    click.echo(_waiting(lag))
    for parked in lag.parked:
        click.echo(f"  {harmless(parked.table)}: {harmless(parked.reason)}")
    if proof is not None:
        click.echo(_proven(proof))
        for wrong in proof.discrepancies:
            click.echo(paint(f"  {wrong}", "unexplained"))
    click.echo(_next(whole, lag, proof))


def _waiting(lag: Lag) -> str:
    if lag.is_loaded:
        return "0 bytes of the log wait to be loaded"
    text = f"{grouped(lag.bytes)} bytes of the log wait to be loaded"
    if lag.age_seconds is not None:
        text += f", the oldest for {grouped(round(lag.age_seconds))} s"
    if lag.parked:
        names = ", ".join(harmless(table.table) for table in lag.parked)
        text += f"; {grouped(lag.parked_lines)} events wait for their tables: {names}"
    return text


def _proven(proof: Proof) -> str:
    numbers = {name: grouped(number) for name, number in proof.checked.items()}
    checked = (
        f"{numbers['rows']} rows in {numbers['tables']} tables{_stripped(numbers)} over "
        f"{numbers['days']} days of tables, and the sums of {numbers['schemas']} schemas"
    )
    if proof.holds:
        return f"the books hold: counted {checked}"
    differ = "1 difference" if len(proof.discrepancies) == 1 else (
        f"{grouped(len(proof.discrepancies))} differences"
    )  # fmt: skip
    return f"the books do not hold, {differ}: counted {checked}"


def _stripped(numbers: dict[str, str]) -> str:
    number = numbers.get("stripped")
    return f", {number} of them stripped tables," if number else ""


def _next(whole: LineOfTruth, lag: Lag, proof: Proof | None) -> str:
    if not whole.sent:
        return "eventlogging demo"
    if not lag.is_loaded or (proof is not None and not proof.holds):
        return "eventlogging doctor"
    if whole.invalid and proof is not None:
        return "eventlogging tail --invalid"
    return "eventlogging ledger --prove" if proof is None else "eventlogging tail"


def _as_dict(
    lines: list[LineOfTruth],
    reasons: dict[str, dict[str, int]],
    lag: Lag,
    proof: Proof | None,
) -> dict[str, Any]:
    whole = total(lines)
    return {
        "sentence": sentence(whole),
        "total": _figures(whole),
        "schemas": {
            line.schema: _figures(line) | {"reasons": reasons.get(line.schema, {})}
            for line in lines
        },
        "waiting": lag.as_dict(),
        "proof": proof.as_dict() if proof is not None else None,
    }


def _figures(line: LineOfTruth) -> dict[str, int]:
    return {name: number for name, number in line.as_dict().items() if name != "schema"}
