"""The commands of governance: apply, export, diff, check, init."""

from __future__ import annotations

import getpass
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

import eventlogging
from eventlogging import config
from eventlogging.cli.opening import opened
from eventlogging.errors import EventLoggingError, GovernanceError, SchemaRefused
from eventlogging.governance.compare import changes
from eventlogging.governance.model import FOLDERS, Governance
from eventlogging.governance.read import read_governance
from eventlogging.governance.write import write_governance
from eventlogging.registry.apply import apply as apply_governance
from eventlogging.registry.export import only_registered, registry_governance
from eventlogging.store.database import Database
from eventlogging.store.migrate import migrate, tables

_FOLDER = click.Path(file_okay=False, path_type=Path)


@contextmanager
def reported() -> Iterator[None]:
    """Print what goes wrong, one line for each problem, and leave with exit code 1."""
    try:
        yield
    except EventLoggingError as error:
        if isinstance(error, GovernanceError | SchemaRefused):
            for problem in error.problems:
                click.echo(problem, err=True)
        else:
            click.echo(f"Error: {' '.join(str(error).split())}", err=True)
        sys.exit(1)


def who(command: str) -> str:
    """Return how the audit names whoever runs a command here."""
    try:
        return f"{getpass.getuser()}, by {command}"
    except (KeyError, OSError):  # a container may run under a number that has no name
        return f"command line, by {command}"


@click.command(
    "apply",
    short_help="Bring the database to what the governance folders say.",
    epilog="Example:  eventlogging apply --check",
)
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when something would change.")
@click.option("--governance", "folder", type=_FOLDER, help="Folder that holds the four.")
@click.option("--prune", is_flag=True, help="Also remove rules that only the database holds.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def apply(check: bool, folder: Path | None, prune: bool, as_json: bool) -> None:
    """Bring the database to what the governance folders say, or change nothing at all.

    Prints each change; a second run changes nothing. Published versions stay for ever: one that
    differs in the folder is an error.
    """
    with reported(), opened(only_reads=check) as database:
        governance = _folders(folder)
        _warn(governance)
        done = _dry_run(database, governance, prune) if check else None
        if done is None:
            migrate(database)
            done = apply_governance(database, governance, who("apply"), prune=prune)
        drift = only_registered(governance, _registered(database))
    if as_json:
        click.echo(json.dumps({"changes": done, "only_in_database": drift, "checked": check}))
    else:
        _print_lines(done)
        _print_drift(drift)
        click.echo(_applied_line(len(done), check))
    if check and done:
        sys.exit(1)


def _applied_line(count: int, check: bool) -> str:
    if not count:
        return "Nothing to change: the database says what the folders say."
    what = "1 change" if count == 1 else f"{count} changes"
    if check:
        return f"{what} would be made. Make them: eventlogging apply"
    return f"{what} made. See them: eventlogging diff"


def _dry_run(database: Database, governance: Governance, prune: bool) -> list[str]:
    """Return what would change, without touching the database, not even an empty one."""
    if _has_tables(database):
        return apply_governance(database, governance, "", prune=prune, dry_run=True)
    return _apply_nowhere(governance)


def _apply_nowhere(governance: Governance) -> list[str]:
    """Apply to an empty database in memory: what applying would do and refuse, for nothing."""
    database = Database("sqlite://")
    try:
        migrate(database)
        return apply_governance(database, governance, "")
    finally:
        database.close()


def _has_tables(database: Database) -> bool:
    with database.read() as connection:
        return "event_schema" in tables(connection)


def _registered(database: Database) -> Governance:
    return registry_governance(database) if _has_tables(database) else Governance()


@click.command(
    "export",
    short_help="Write what the database says into governance folders.",
    epilog="Example:  eventlogging export .",
)
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print the written files as JSON.")
def export(folder: Path, as_json: bool) -> None:
    """Write what the database says into the four folders below DIR.

    Files that say the same already stay as they are; nothing is removed.
    """
    with reported(), opened(only_reads=True) as database:
        registered = _registered(database)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GovernanceError([f"{folder}:1: cannot be made: {error.strerror}"]) from error
        written = [str(path) for path in write_governance(folder, registered)]
    if as_json:
        click.echo(json.dumps({"written": written, "schemas": len(registered.schemas)}))
        return
    _print_lines(written)
    click.echo(f"{len(written)} files written. Check them: eventlogging check {folder}")


@click.command(
    "diff",
    short_help="Show where folders and database differ.",
    epilog="Example:  eventlogging diff --json",
)
@click.option("--governance", "folder", type=_FOLDER, help="Folder that holds the four.")
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
def diff(folder: Path | None, as_json: bool) -> None:
    """Show what the folders say and the database does not, and the other way round."""
    with reported(), opened(only_reads=True) as database:
        governance = _folders(folder)
        registered = _registered(database)
        ahead = changes(_shared(registered, governance), governance)
        drift = only_registered(governance, registered)
    if as_json:
        click.echo(json.dumps({"in_folders": ahead, "only_in_database": drift}))
        return
    if ahead:
        click.echo("The folders say otherwise; eventlogging apply makes the database follow:")
        _print_lines(ahead)
    _print_drift(drift)
    if not ahead and not drift:
        click.echo("No difference: the folders and the database say the same.")


def _shared(registered: Governance, folders: Governance) -> Governance:
    """Return what the database says of the things that the folders hold as well."""
    schemas = {
        name: replace(
            held,
            versions={
                v: d for v, d in held.versions.items() if v in folders.schemas[name].versions
            },
            revisions={
                n: v for n, v in held.revisions.items() if v in folders.schemas[name].versions
            },
        )
        for name, held in registered.schemas.items()
        if name in folders.schemas
    }
    documents = {k: d for k, d in registered.documents.items() if k in folders.documents}
    return Governance(schemas=schemas, documents=documents)


@click.command(
    "check",
    short_help="Check governance folders, without a database.",
    epilog="Example:  eventlogging check . --json",
)
@click.argument("folder", metavar="[DIR]", type=_FOLDER, required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def check(folder: Path | None, as_json: bool) -> None:
    """Check the governance folders below DIR: every file, every version, every example.

    Without DIR: the folder that the settings name. No database is needed.
    """
    try:
        governance = _folders(folder)
        _apply_nowhere(governance)
    except GovernanceError as error:
        if as_json:
            click.echo(json.dumps({"problems": error.problems}))
        else:
            _print_lines(error.problems, err=True)
        sys.exit(1)
    except EventLoggingError as error:
        with reported():
            raise error
    counts = {
        "schemas": len(governance.schemas),
        "versions": sum(len(schema.versions) for schema in governance.schemas.values()),
        "examples": sum(len(schema.examples) for schema in governance.schemas.values()),
        "documents": len(governance.documents),
    }
    if as_json:
        click.echo(json.dumps({"problems": [], "warnings": list(governance.warnings), **counts}))
        return
    _warn(governance)
    click.echo(
        f"{counts['schemas']} schemas with {counts['versions']} versions, {counts['examples']} "
        f"examples and {counts['documents']} other documents checked: all well. "
        "Apply them: eventlogging apply"
    )


@click.command(
    "init",
    short_help="Write a starter set of the governance folders.",
    epilog="Example:  eventlogging init governance",
)
@click.argument("folder", metavar="DIR", type=_FOLDER)
def init(folder: Path) -> None:
    """Write the starter set of schemas/, reviewers/, alerts/ and purge/ below DIR."""
    with reported():
        source = starter_folder()
        taken = [name for name in FOLDERS if (folder / name).exists()]
        if taken:
            raise GovernanceError(
                [f"{folder / name}:1: exists already; name another DIR" for name in taken]
            )
        try:
            for name in FOLDERS:
                if (source / name).is_dir():
                    shutil.copytree(source / name, folder / name, ignore=_ignored)
        except OSError as error:
            raise GovernanceError([f"{folder}:1: cannot be written: {error}"]) from error
    click.echo(f"Written to {folder}. Check it: eventlogging check {folder}")


def _ignored(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name.startswith((".", "__"))}


def starter_folder() -> Path:
    """Return the folder that holds the starter set: in a wheel its data, else the checkout."""
    package = Path(eventlogging.__file__).parent
    for candidate in (package / "starter", package.parent):
        if (candidate / "schemas").is_dir():
            return candidate
    raise GovernanceError(
        [f"{package / 'starter'}:1: is missing; install eventlogging-server anew"]
    )


def _folders(folder: Path | None) -> Governance:
    """Read the folders given, or those of the settings. Raises GovernanceError."""
    root = folder or config.load().governance
    if root.is_dir() and not any((root / name).is_dir() for name in FOLDERS):
        text = f"holds none of {', '.join(FOLDERS)}; set EVENTLOGGING_GOVERNANCE or name a folder"
        raise GovernanceError([f"{root}:1: {text}"])
    return read_governance(root)


def _warn(governance: Governance) -> None:
    for warning in governance.warnings:
        click.echo(f"warning: {warning}", err=True)


def _print_lines(lines: Sequence[Any], *, err: bool = False) -> None:
    for line in lines:
        click.echo(line if err else f"  {line}", err=err)


def _print_drift(drift: Sequence[str]) -> None:
    if drift:
        click.echo("Only the database says; eventlogging export DIR writes it into folders:")
        _print_lines(drift)
