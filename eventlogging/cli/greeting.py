"""What `serve` says once it is up: where it is, how to sign in, one line to try."""

from __future__ import annotations

import click
import orjson

from eventlogging.platform import Platform
from eventlogging.registry.examples import passing_example
from eventlogging.registry.sign_in_links import create_link
from eventlogging.store.migrate import server_version


def greet(platform: Platform) -> None:
    """Print the URL, a one-time sign-in link for the administrator and a curl line that works."""
    config = platform.config
    click.echo(f"\nEventLogging is at   {config.url}")
    link = create_link(platform.database, config)
    click.echo(f"Sign in as admin     {link}  (once, within an hour)")
    click.echo(f"Events are stored in {_database(platform)}")
    platform.registry.refresh()
    example = passing_example(platform.database, platform.registry.snapshot)
    if example:
        name, payload = example
        body = orjson.dumps({"schema": name, "event": payload}).decode()
        quoted = body.replace("'", "'\\''")
        click.echo("\nTry it:\n")
        click.echo(
            f"curl -i {config.url}/v1/events -H 'Content-Type: application/json' -d '{quoted}'"
        )
    click.echo("\nThen: eventlogging ledger, eventlogging tail, eventlogging demo. Ctrl-C stops.\n")


def _database(platform: Platform) -> str:
    database = platform.database
    if database.dialect.name == "sqlite":
        return str(database.engine.url.database)
    url = database.engine.url
    return f"{url.database} on {url.host} ({server_version(database)})"
