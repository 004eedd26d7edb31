"""The command `restore`: put a backup in the place of the database, and forget again."""

from __future__ import annotations

import json
from contextlib import closing

import click

from eventlogging import config
from eventlogging.backup import model
from eventlogging.backup.model import BackupError
from eventlogging.backup.restore import Look, look, words
from eventlogging.backup.restore import restore as put_back
from eventlogging.cli.forget_again import purge, replay
from eventlogging.cli.governance import reported
from eventlogging.cli.progress import bar
from eventlogging.ledger.sentence import grouped
from eventlogging.platform import open_platform


@click.command(
    short_help="Put a backup in the place of the database.",
    epilog="Example:  eventlogging restore newest --dry-run",
)
@click.argument("name", metavar="BACKUP")
@click.option("--dry-run", is_flag=True, help="Only say what would be replaced (the default).")
@click.option("--execute", "checksum", metavar="CHECKSUM",
              help="Do what the dry run with this checksum said.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def restore(name: str, dry_run: bool, checksum: str | None, as_json: bool) -> None:
    """Replace the database by a backup; the loader then brings back what the log still has.

    BACKUP is a name that `backup list` shows, its folder, or `newest`. EventLogging must be
    stopped. What was erased or purged since the backup is forgotten again before anything can
    start. A restore that is interrupted is run again.
    """
    if dry_run and checksum is not None:
        raise click.UsageError("either --dry-run or --execute CHECKSUM")
    with reported():
        platform = open_platform(config.load())
        with closing(platform.database), bar(wanted=not as_json) as progress:
            backup = model.find(model.folder_of(platform.config.var), name)
            if checksum is None:
                _tell(look(platform, backup), as_json)
                return
            try:
                done = put_back(
                    platform, backup, checksum, replay=replay, purge=purge, progress=progress
                )
            except OSError as error:
                raise BackupError(
                    f"the restore was interrupted: {error}; mend that and run it again"
                ) from error
    if not done.decisions_kept:
        click.echo(
            "warning: the replaced database could not be read, or was begun anew: who opted out "
            "since the backup is tracked again, so send those accounts once more (PUT "
            "/v1/opt-out/…); and months of stripped tables get new keys", err=True,
        )  # fmt: skip
    if as_json:
        click.echo(json.dumps({**backup.as_dict(), "erased": done.erased, "purged": done.purged,
                               "decisions_kept": done.decisions_kept}))  # fmt: skip
        return
    click.echo(f"{backup.name} is in place: {grouped(backup.figures.total)} rows of events.")
    click.echo(f"forgotten again: {grouped(done.erased)} rows erased; {done.purged}")
    click.echo("Everybody signs in anew. As they were when the backup was made are: passwords,")
    click.echo("disabled accounts, revoked tokens, and what pages changed in the registry.")
    click.echo("eventlogging apply && eventlogging serve")


def _tell(found: Look, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found.as_dict()))
        return
    for line in words(found):
        click.echo(line)
    click.echo(f"eventlogging restore {found.backup.folder} --execute {found.checksum}")
