"""The commands `user list`, `add`, `role`, `disable`, `enable` and `reset`."""

from __future__ import annotations

import json
import sys

import click
import sqlalchemy as sa

from eventlogging import config
from eventlogging.cli.governance import reported, who
from eventlogging.cli.opening import opened
from eventlogging.people import accounts
from eventlogging.people.model import ROLES
from eventlogging.registry import audit, counter, sign_in_links
from eventlogging.review import ownership, roster
from eventlogging.store.migrate import migrate

_ROLE = click.Choice(list(ROLES))


@click.group("user", short_help="List people, invite them, change what they may do.")
def user() -> None:
    """List the people who may sign in, invite them, and change what they may do."""


@user.command("list", epilog="Example:  eventlogging user list --json")
@click.option("--json", "as_json", is_flag=True, help="Print the people as JSON.")
def list_users(as_json: bool) -> None:
    """List everybody with an account."""
    with reported(), opened() as database:
        migrate(database)
        with database.read() as connection:
            people = accounts.everyone(connection)
            reviewers = {reviewer.email for reviewer in roster.roster(connection)}
    if as_json:
        table = [
            {
                "email": one.email,
                "name": one.name,
                "role": one.role,
                "state": one.state,
                "reviewer": one.email in reviewers,
                "created_at": one.created_at,
                "seen_at": one.seen_at,
                "away_until": one.away_until,
            }
            for one in people
        ]
        click.echo(json.dumps({"people": table}, ensure_ascii=False))
        return
    for one in people:
        role = f"{one.role}, reviewer" if one.email in reviewers else one.role
        seen = f"last here {one.seen_at}" if one.seen_at else "never here"
        click.echo(f"{one.email:<32} {role:<18} {one.state:<9} {seen}")
    if not people:
        click.echo("Nobody has an account. Invite somebody: eventlogging user add EMAIL")


@user.command(
    "add", epilog="Example:  eventlogging user add ann@example.org --name Ann --role analyst"
)
@click.argument("email")
@click.option("--name", default="", help="Their name; default: what stands before the @.")
@click.option("--role", type=_ROLE, default="viewer", show_default=True, help="What they may do.")
def add(email: str, name: str, role: str) -> None:
    """Make an account for EMAIL and print the one-time link by which they come in."""
    by = who("user add")
    with reported(), opened() as database:
        migrate(database)
        with database.write() as connection:
            name = name or email.partition("@")[0]
            _insist(accounts.add(connection, email, name, role, by))
            link = _link(connection, email, "invite", by)
    _show(link, "seven days")


@user.command("role", epilog="Example:  eventlogging user role ann@example.org admin")
@click.argument("email")
@click.argument("role", type=_ROLE)
def role(email: str, role: str) -> None:
    """Let EMAIL have the role ROLE from now on; they have to sign in again."""
    with reported(), opened() as database:
        migrate(database)
        with database.write() as connection:
            counter.lock(connection)
            _insist(accounts.set_role(connection, email, role, who("user role")))
    click.echo(f"{accounts.folded(email)} is {role} now.")


@user.command("disable", epilog="Example:  eventlogging user disable ann@example.org")
@click.argument("email")
def disable(email: str) -> None:
    """Let EMAIL in no more, at once; schemas that they own are flagged."""
    with reported(), opened() as database:
        migrate(database)
        with database.write() as connection:
            counter.lock(connection)
            _insist(accounts.disable(connection, email, who("user disable")))
            flagged = ownership.note_trouble(connection, accounts.folded(email), "disabled")
    click.echo(f"{accounts.folded(email)} is disabled.")
    if flagged:
        click.echo(f"Schemas that lost an owner: {', '.join(flagged)}")


@user.command("enable", epilog="Example:  eventlogging user enable ann@example.org")
@click.argument("email")
def enable(email: str) -> None:
    """Let EMAIL in again."""
    with reported(), opened() as database:
        migrate(database)
        with database.write() as connection:
            counter.lock(connection)
            _insist(accounts.enable(connection, email, who("user enable")))
            ownership.clear_trouble(connection, accounts.folded(email), "disabled")
    click.echo(f"{accounts.folded(email)} is enabled.")


@user.command("reset", epilog="Example:  eventlogging user reset ann@example.org")
@click.argument("email")
def reset(email: str) -> None:
    """Print a one-time link by which EMAIL chooses a new password."""
    by = who("user reset")
    with reported(), opened() as database:
        migrate(database)
        with database.write() as connection:
            known = accounts.find(connection, email)
            if known is None:
                _insist(f"There is no account of {email}.")
            elif known.state == "disabled":
                _insist(f"The account of {known.email} is disabled; enable it first.")
            purpose = "invite" if known and known.state == "invited" else "reset"
            link = _link(connection, email, purpose, by)
    _show(link, sign_in_links.LIFE_WORDS[purpose])


def _link(connection: sa.Connection, email: str, purpose: str, by: str) -> str:
    email = accounts.folded(email)
    audit.record(connection, by, f"person.{purpose}", email, {})
    return sign_in_links.make_link(connection, config.load(), purpose, email)


def _show(link: str, life: str) -> None:
    click.echo(link)
    click.echo(f"It works once, within {life}; hand it over, it is not mailed.", err=True)


def _insist(problem: str | None) -> None:
    """Leave the transaction as it was, with exit code 1, where something cannot be done."""
    if problem is not None:
        click.echo(f"Error: {problem}", err=True)
        sys.exit(1)
