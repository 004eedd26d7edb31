"""The command `demo`: fill a running platform with realistic events, right and wrong ones."""

from __future__ import annotations

import json
import random
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, replace
from typing import Any

import click

from eventlogging import config
from eventlogging.cli.campaign import Plan, Report, Tally, send_all
from eventlogging.cli.paint import table
from eventlogging.cli.traffic import in_order, parcels
from eventlogging.errors import EventLoggingError, GovernanceError
from eventlogging.event import UNKNOWN
from eventlogging.governance.model import SchemaFolder
from eventlogging.governance.read import read_governance
from eventlogging.registry import tokens
from eventlogging.store.database import Database
from eventlogging.store.migrate import is_current

NEXT = "eventlogging ledger"
_KNOWN_SECONDS = 1.5  # collectors hear of a new token within a second


@click.command(
    short_help="Send realistic demo events.",
    epilog="Example:  eventlogging demo --events 5000 --rate 200",
)
@click.option("--url", help="Address of the collector; default: the one in the settings.")
@click.option("--events", default=2000, show_default=True, type=click.IntRange(1),
              help="How many events to send.")  # fmt: skip
@click.option("--rate", default=0.0, show_default=True, type=click.FloatRange(0),
              help="Events per second; 0: as fast as the collector takes them.")  # fmt: skip
@click.option("--seed", type=int, help="The same seed gives the same events, ids and times aside.")
@click.option("--batch", default=20, show_default=True, type=click.IntRange(1, 2000),
              help="Events in one request.")  # fmt: skip
@click.option("--connections", default=4, show_default=True, type=click.IntRange(1, 64),
              help="Requests under way at the same time.")  # fmt: skip
@click.option("--token", help="Token for schemas that only servers may send; "
              "default: the admin token in the settings, or one made for this run.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def demo(
    url: str | None,
    events: int,
    rate: float,
    seed: int | None,
    batch: int,
    connections: int,
    token: str | None,
    as_json: bool,
) -> None:
    """Send realistic events for the schemas in the governance folder.

    One in a hundred is wrong in some way, and one in a hundred is sent twice: the first kind must
    be refused, the second counted as a duplicate. Both show in the ledger.
    """
    try:
        settings = config.load()
        plan = Plan(
            url=(url or settings.url).rstrip("/"),
            token=token if token is not None else settings.admin_token,
            batch=batch, connections=connections, rate=rate,
        )  # fmt: skip
        folders = _folders(settings)
        seed = random.randrange(2**32) if seed is None else seed  # noqa: S311 - no secret
        names = frozenset(folder.name for folder in folders)
        with ExitStack() as stack:
            guarded = [folder.name for folder in folders if folder.producers == "token"]
            if guarded and not plan.token:
                own = stack.enter_context(_own_token(settings)) if token is None else ""
                plan = replace(plan, token=own)
                if not own:
                    left_out = ", ".join(guarded)
                    click.echo(f"left out, for want of a token (--token): {left_out}", err=True)
                    folders = [folder for folder in folders if folder.name not in guarded]
            step = stack.enter_context(_progress(events, shown=sys.stderr.isatty() and not as_json))
            report = send_all(
                parcels(folders, seed), events, plan,
                known=lambda name: name if name in names else UNKNOWN,
                say=lambda text: click.echo(text, err=True),
                step=step,
            )  # fmt: skip
    except EventLoggingError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(_as_dict(report, seed)) if as_json else _table(report, seed))
    if report.failure:
        raise click.ClickException(report.failure)
    if not as_json:
        click.echo(NEXT)


def _folders(settings: config.Config) -> list[SchemaFolder]:
    try:
        schemas = read_governance(settings.governance).schemas.values()
    except GovernanceError as error:
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        raise EventLoggingError(f"{error.problems[0]}{more}; see `eventlogging check`") from error
    folders = in_order(schemas)
    if not folders:
        raise EventLoggingError(
            f"no schema in {settings.governance / 'schemas'}; make the starter set with "
            "`eventlogging init DIR` and set EVENTLOGGING_GOVERNANCE to it"
        )
    return folders


@contextmanager
def _own_token(settings: config.Config) -> Iterator[str]:
    """A token for this run, for schemas that only servers may send; it is gone afterwards.

    Empty where this machine does not hold the collector's registry.
    """
    database = Database(settings.effective_database_url)
    name = f"demo {secrets.token_hex(4)}"
    try:
        if not is_current(database):
            yield ""
            return
        secret = tokens.create(database, name, ["produce"], 1, "demo")
        try:
            time.sleep(_KNOWN_SECONDS)
            yield secret
        finally:
            tokens.revoke(database, name, "demo")
    finally:
        database.close()


@contextmanager
def _progress(events: int, *, shown: bool) -> Iterator[Any]:
    bar: Any = nullcontext()
    if shown:
        bar = click.progressbar(length=events, label="sending", file=sys.stderr)
    with bar as live:
        yield live.update if live is not None else lambda _: None


def _table(report: Report, seed: int) -> str:
    rows = [
        (name, *map(_grouped, (tally.sent, tally.accepted, tally.refused)))
        for name, tally in [*_by_size(report), ("all", report.total())]
    ]
    lines = [
        *table(("schema", "sent", "accepted", "refused"), rows),
        "",
        f"{_grouped(report.retries)} of them were retries on purpose: same id, same content; "
        "the ledger counts them as duplicates.",
    ]
    if report.sampled_out or report.suppressed:
        lines.append(
            f"Of the accepted, {_grouped(report.sampled_out)} were sampled out "
            f"and {_grouped(report.suppressed)} suppressed."
        )
    speed = report.total().sent / report.seconds if report.seconds else 0
    lines.append(f"{report.seconds:.1f} s, {_grouped(round(speed))} events/s, --seed {seed}")
    return "\n".join(lines)


def _by_size(report: Report) -> list[tuple[str, Tally]]:
    return sorted(report.schemas.items(), key=lambda item: (-item[1].sent, item[0]))


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", "\N{THIN SPACE}")


def _as_dict(report: Report, seed: int) -> dict[str, Any]:
    return {
        **asdict(report.total()),
        "retries": report.retries,
        "sampled_out": report.sampled_out,
        "suppressed": report.suppressed,
        "seconds": round(report.seconds, 3),
        "seed": seed,
        "schemas": {name: asdict(tally) for name, tally in _by_size(report)},
    }
