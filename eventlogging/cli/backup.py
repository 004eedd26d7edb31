"""The commands of backups: make one, list them, check them."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path

import click

from eventlogging import config
from eventlogging.backup import locks, model
from eventlogging.backup.check import check as problems_of
from eventlogging.backup.copies import copies_of
from eventlogging.backup.make import make
from eventlogging.backup.model import BackupError
from eventlogging.cli.governance import reported
from eventlogging.cli.paint import paint, table
from eventlogging.cli.progress import bar
from eventlogging.ledger.sentence import grouped
from eventlogging.platform import Platform, open_platform

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(
    "backup",
    invoke_without_command=True,
    short_help="Make a backup, list or check them.",
    epilog="Example:  eventlogging backup --to /mnt/backups",
)
@click.option("--to", "folder", type=_FOLDER, metavar="DIR",
              help="Folder to put it into; default: backups in the data folder.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
@click.pass_context
def backup(context: click.Context, folder: Path | None, as_json: bool) -> None:
    """Make a backup of database and governance while events come in.

    Secrets are not in it: neither the keys in the data folder nor those of stripped tables.
    """
    if context.invoked_subcommand is not None:
        return
    with reported():
        platform = open_platform(config.load())
        with closing(platform.database), locks.running(platform.config.var):
            try:
                with bar(wanted=not as_json) as progress:
                    made = make(platform, folder or _own(platform), progress=progress)
            except OSError as error:
                raise BackupError(f"the backup cannot be written: {error}") from error
    if as_json:
        click.echo(json.dumps(made.as_dict()))
        return
    click.echo(f"{made.folder}")
    click.echo(f"{grouped(made.figures.total)} rows of events, {_size(made.bytes)}")
    click.echo(f"eventlogging backup check {model.named(made, _own(platform))}")


@backup.command("list", epilog="Example:  eventlogging backup list --json")
@click.option("--from", "folder", type=_FOLDER, metavar="DIR", help="Folder they lie in.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_backups(folder: Path | None, as_json: bool) -> None:
    """List the backups, the oldest first."""
    with reported():
        own = model.folder_of(config.load().var)
        found = model.find_all(folder or own)
    if as_json:
        click.echo(json.dumps([one.as_dict() for one in found]))
        return
    if not found:
        click.echo("There is no backup yet.")
        click.echo("eventlogging backup")
        return
    rows = [
        [
            one.name,
            one.database or "?",
            grouped(one.figures.total) if not one.problem else "?",
            _size(one.bytes),
            one.problem or f"up to {one.figures.newest or 'nothing'}",
        ]
        for one in found
    ]
    for number, row in enumerate(table(("backup", "database", "rows", "size", ""), rows)):
        broken = number and found[number - 1].problem
        click.echo(paint(row, "error") if broken else row)
    sound = [one for one in found if not one.problem]
    if sound:
        click.echo(f"eventlogging restore {model.named(sound[-1], own)} --dry-run")
    else:
        click.echo("eventlogging backup")


@backup.command("check", epilog="Example:  eventlogging backup check newest")
@click.argument("name", metavar="[BACKUP]", default="newest")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def check_backup(name: str, as_json: bool) -> None:
    """Check a backup: its files against their checksums, and the copy to its end.

    BACKUP is a name that `backup list` shows, or its folder; default: the newest. Exit code 1
    where something is wrong.
    """
    with reported():
        platform = open_platform(config.load())
        with closing(platform.database):
            found = model.find(_own(platform), name)
            same = found.database == platform.database.dialect.name
            problems = problems_of(found, copies_of(platform.database) if same else None)
    if as_json:
        click.echo(json.dumps({**found.as_dict(), "problems": problems}))
    elif problems:
        for problem in problems:
            click.echo(paint(f"{found.name}: {problem}", "error"), err=True)
    else:
        files = len(found.manifest["files"])
        click.echo(f"{found.name} is sound: {files} files are what their checksums say.")
        click.echo(f"eventlogging restore {model.named(found, _own(platform))} --dry-run")
    sys.exit(1 if problems else 0)


def _own(platform: Platform) -> Path:
    return model.folder_of(platform.config.var)


def _size(count: int) -> str:
    if count < 1_000_000:
        return f"{count / 1000:.0f} kB"
    return f"{grouped(count // 1_000_000)} MB"
