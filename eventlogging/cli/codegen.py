"""The command `codegen`: write typed code that sends the events of one schema."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import requests
from urllib3.exceptions import HTTPError

from eventlogging import config
from eventlogging.cli.governance import reported
from eventlogging.cli.opening import opened
from eventlogging.errors import EventLoggingError
from eventlogging.governance.read import read_governance
from eventlogging.registry.apply import apply
from eventlogging.registry.judge import whole_document
from eventlogging.registry.model import Snapshot
from eventlogging.registry.snapshot import read_snapshot
from eventlogging.schema.codegen_python import python
from eventlogging.schema.codegen_ts import typescript
from eventlogging.schema.identifiers import one_line
from eventlogging.schema.names import name_problems
from eventlogging.schema.version import Version
from eventlogging.store.database import Database
from eventlogging.store.migrate import migrate, tables

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)
_SECONDS = 10
_MOST_BYTES = 4 * 1024 * 1024  # of an answer
_LANGUAGES = {"ts": typescript, "python": python}


@dataclass(frozen=True)
class _Found:
    """A published version, and what its schema says beside it."""

    name: str
    version: str
    document: Mapping[str, Any]
    description: str
    privacy: Mapping[str, str]


@click.command(
    "codegen",
    short_help="Write typed code that sends a schema's events.",
    epilog="Example:  eventlogging codegen NavigationTiming --lang ts --out navigation_timing.ts",
)
@click.argument("name")
@click.option("--lang", type=click.Choice(list(_LANGUAGES)), required=True, help="The language.")
@click.option("--version", help="Version of the schema; default: the latest.")
@click.option("--url", help="Server to ask for the schema, and to send to; default: the settings.")
@click.option("--governance", "folder", type=_FOLDER, help="Folder to read schemas/ from.")
@click.option("--out", type=_FILE, help="File to write; default: standard output.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when --out would change.")
def codegen(
    name: str,
    lang: str,
    version: str | None,
    url: str | None,
    folder: Path | None,
    out: Path | None,
    check: bool,
) -> None:
    """Write a module with the types of schema NAME and a function that sends its events.

    The schema comes from the server at --url, from the folder --governance, or from the database
    of the settings. The module needs no library.
    """
    if check and out is None:
        raise click.UsageError("--check compares with a file; name it with --out")
    with reported():
        wanted = version or "latest"
        if folder is not None:
            found = _from_folder(folder, name, wanted)
        elif url is not None:
            found = _from_server(url, name, wanted)
        else:
            found = _from_database(name, wanted)
        write = _LANGUAGES[lang]
        text = write(
            url or config.load().url,
            found.name,
            found.version,
            found.document,
            description=found.description,
            privacy=found.privacy,
        )
        if out is None:
            click.echo(text, nl=False)
        else:
            _put(out, text, check)


def _put(out: Path, text: str, check: bool) -> None:
    try:
        same = out.exists() and out.read_text("utf-8") == text
        if not same and not check:
            out.write_text(text, "utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EventLoggingError(f"{out}: {error}") from error
    if check and not same:
        click.echo(f"{out} is not what the schema says now; run the command without --check")
        sys.exit(1)
    click.echo(f"{out} {'says what the schema says' if same else 'written'}")


def _from_database(name: str, version: str) -> _Found:
    with opened(only_reads=True) as database:
        with database.read() as connection:
            is_empty = "event_schema" not in tables(connection)
        if is_empty:
            raise EventLoggingError(
                "the database of the settings holds no schemas; name a server with --url or a "
                "folder with --governance"
            )
        return _in(read_snapshot(database), name, version)


def _from_folder(folder: Path, name: str, version: str) -> _Found:
    """Read governance folders as `apply` would: references resolved, everything checked."""
    governance = read_governance(folder)
    database = Database("sqlite://")
    try:
        migrate(database)
        apply(database, governance, "")
        return _in(read_snapshot(database), name, version)
    finally:
        database.close()


def _in(snapshot: Snapshot, name: str, version: str) -> _Found:
    schema = snapshot.schemas.get(name)
    if schema is None:
        near = get_close_matches(name, snapshot.schemas, 3, 0.5) or sorted(snapshot.schemas)[:10]
        known = f"; known are {', '.join(near)}" if near else ""
        raise EventLoggingError(f"no schema is named {name!r}{known}")
    number = schema.latest if version == "latest" else version
    if number not in schema.versions:
        known = ", ".join(schema.versions)
        raise EventLoggingError(f"{name} has no version {number!r}; published are {known}")
    document = schema.versions[number].document
    return _Found(name, number, document, schema.description, schema.privacy)


def _from_server(url: str, name: str, version: str) -> _Found:
    """Ask a server; what it answers is checked as if somebody had proposed it."""
    if not url.startswith(("http://", "https://")):
        raise EventLoggingError(f"--url {url!r} is no address such as https://events.example.org")
    if any(name_problems(name)) or (version != "latest" and Version.parse(version) is None):
        raise EventLoggingError(f"{name!r} {version} is no name and version of a schema")
    base = f"{url.rstrip('/')}/v1/schemas/{quote(name)}"
    held, settings = _asked(f"{base}/{version}"), _asked(base)
    document, problems, _ = whole_document(held.get("schema"), lambda *_: None)
    number = held.get("version")
    if document is None or not isinstance(number, str) or Version.parse(number) is None:
        what = problems[0] if problems else "no version of a schema"
        raise EventLoggingError(f"{base} answered what is no schema: {what}")
    said, privacy = settings.get("description"), settings.get("privacy")
    return _Found(
        name,
        number,
        document,
        said if isinstance(said, str) else "",
        {str(place): str(rule) for place, rule in privacy.items()}
        if isinstance(privacy, Mapping)
        else {},
    )


def _asked(address: str) -> Mapping[str, Any]:
    try:
        with requests.get(address, timeout=_SECONDS, stream=True) as answer:
            body = answer.raw.read(_MOST_BYTES + 1, decode_content=True)
        if len(body) > _MOST_BYTES:
            raise EventLoggingError(f"{address} answered more than {_MOST_BYTES} bytes")
        said = json.loads(body)
    except (requests.RequestException, HTTPError, OSError, ValueError, RecursionError) as error:
        raise EventLoggingError(f"{address} gave no answer to be read: {error}") from error
    if answer.status_code != 200 or not isinstance(said, Mapping):
        problems = said.get("problems") if isinstance(said, Mapping) else None
        first = problems[0] if isinstance(problems, list) and problems else ""
        why = one_line(first) or f"HTTP {answer.status_code}"
        raise EventLoggingError(f"{address}: {why}")
    return said
