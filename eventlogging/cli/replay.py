"""The command `replay`: judge stored invalid events again after a schema was mended."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import datetime

import click

from eventlogging import config
from eventlogging.backup.locks import running
from eventlogging.cli.governance import reported, who
from eventlogging.cli.progress import bar
from eventlogging.errors import EventLoggingError
from eventlogging.ledger.sentence import grouped
from eventlogging.platform import open_platform
from eventlogging.review.replay import CODES, Plan, Wish, execute
from eventlogging.review.replay import plan as plan_of

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command(
    short_help="Judge stored invalid events again.",
    epilog="Example:  eventlogging replay NavigationTiming --dry-run",
)
@click.argument("schema")
@click.option("--code", type=click.Choice(sorted(CODES)), metavar="CODE",
              help="Only events refused with this code.")  # fmt: skip
@click.option("--since", type=_DAY, metavar="DAY", help="Only those received on or after it (UTC).")
@click.option("--until", type=_DAY, metavar="DAY", help="Only those received on or before it.")
@click.option("--dry-run", is_flag=True, help="Only say what would move (the default).")
@click.option("--execute", "checksum", metavar="CHECKSUM",
              help="Do what the dry run with this checksum said.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def replay(
    schema: str,
    code: str | None,
    since: datetime | None,
    until: datetime | None,
    dry_run: bool,
    checksum: str | None,
    as_json: bool,
) -> None:
    """Judge the stored invalid events of SCHEMA again, and store those that pass as valid.

    Each is judged by the version that it claims and by the newest of that major; where there is
    no such version, by the latest. What was refused for its sender, its id or its size stays. What
    was sent does not change; the ledger moves the event from invalid to valid, or to duplicate
    where it was sent again since.
    """
    if dry_run and checksum is not None:
        raise click.UsageError("either --dry-run or --execute CHECKSUM")
    if since is not None and until is not None and since > until:
        raise click.UsageError("--since lies after --until")
    wish = Wish(schema, code, _day(since), _day(until))
    with reported():
        platform = open_platform(config.load())
        with closing(platform.database), running(platform.config.var):
            with bar(wanted=not as_json) as progress:
                plan = plan_of(platform, wish, progress=progress)
            if checksum is None:
                _tell(plan, as_json)
                return
            if checksum != plan.checksum:
                raise EventLoggingError(
                    f"the checksum {checksum} is not that of what would move now; look again: "
                    f"{_command(wish)} --dry-run"
                )
            with bar(wanted=not as_json) as progress:
                done = execute(platform, plan, who("replay"), progress=progress)
    if as_json:
        click.echo(json.dumps({**plan.as_dict(), **vars(done)}))
        return
    click.echo(
        f"{grouped(done.valid)} events are valid now, {grouped(done.duplicate)} were duplicates, "
        f"{grouped(done.stays)} stay"
    )
    click.echo("eventlogging ledger --prove")


def _tell(plan: Plan, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(plan.as_dict()))
        return
    click.echo(f"{grouped(plan.passes)} of {grouped(plan.looked_at)} invalid events pass now")
    for version, number in sorted(plan.versions.items()):
        click.echo(f"  {grouped(number)} by version {version}")
    for reason, number in sorted(plan.stays.items(), key=lambda item: -item[1]):
        click.echo(f"  {grouped(number)} stay: {reason}")
    if plan.passes:
        click.echo(f"{_command(plan.wish)} --execute {plan.checksum}")
    else:
        click.echo(f"eventlogging tail --invalid --schema {plan.wish.schema}")


def _day(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%d") if moment is not None else None


def _command(wish: Wish) -> str:
    options = {"code": wish.code, "since": wish.since, "until": wish.until}
    words = [f"--{name} {value}" for name, value in options.items() if value is not None]
    return " ".join(["eventlogging replay", wish.schema, *words])
