"""The commands `token create`, `token list` and `token revoke`."""

from __future__ import annotations

import json

import click

from eventlogging import clock
from eventlogging.cli.governance import reported, who
from eventlogging.cli.opening import opened
from eventlogging.registry import tokens
from eventlogging.store.migrate import migrate


@click.group("token", short_help="Make, list and revoke API tokens.")
def token() -> None:
    """Make, list and revoke the tokens that programs show to the API."""


@token.command("create", epilog="Example:  eventlogging token create ci --scope propose --days 90")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(list(tokens.SCOPES)),
    help="What it opens: " + "; ".join(f"{k}: {v}" for k, v in tokens.SCOPES.items()),
)
@click.option(
    "--days",
    type=click.IntRange(1, 36_500),
    help=f"Days it lives; default: for ever, a test key {tokens.TEST_DAYS}.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the token as JSON.")
def create(name: str, scopes: tuple[str, ...], days: int | None, as_json: bool) -> None:
    """Make a token called NAME and print it; it cannot be shown again."""
    with reported(), opened() as database:
        migrate(database)
        secret = tokens.create(database, name, scopes, days, who("token"))
    if as_json:
        click.echo(json.dumps({"name": name, "token": secret, "scopes": sorted(scopes)}))
        return
    click.echo(secret)
    click.echo(
        "Keep it now: it cannot be shown again. Send it as Authorization: Bearer …", err=True
    )


@token.command("list", epilog="Example:  eventlogging token list --json")
@click.option("--json", "as_json", is_flag=True, help="Print the tokens as JSON.")
def list_tokens(as_json: bool) -> None:
    """List all tokens, without their secrets."""
    with reported(), opened() as database:
        migrate(database)
        with database.read() as connection:
            known = tokens.rows(connection)
    now = clock.iso(clock.now_ms())
    table = [
        {
            "name": one.name,
            "scopes": list(one.scopes),
            "created_at": one.created_at,
            "expires_at": one.expires_at,
            "revoked_at": one.revoked_at,
            "live": one.is_live(now),
        }
        for one in known
    ]
    if as_json:
        click.echo(json.dumps({"tokens": table}))
        return
    for one in known:
        if one.revoked_at is not None:
            state = f"revoked {one.revoked_at}"
        elif not one.is_live(now):
            state = f"expired {one.expires_at}"
        else:
            state = f"until {one.expires_at}" if one.expires_at else "for ever"
        click.echo(f"{one.name:<24} {' '.join(one.scopes):<28} {state}")
    if not known:
        click.echo("No tokens. Make one: eventlogging token create NAME --scope propose")


@token.command("revoke", epilog="Example:  eventlogging token revoke ci")
@click.argument("name")
def revoke(name: str) -> None:
    """End the token called NAME at once."""
    with reported(), opened() as database:
        migrate(database)
        tokens.revoke(database, name, who("token"))
    click.echo(f"{name} is revoked.")
