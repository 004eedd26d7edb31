"""The command `eventlogging`: all commands, and one line for every error."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module

import click

import eventlogging
from eventlogging.errors import EventLoggingError

# Command → where it is; a module is loaded when its command is asked for, so that each starts
# as fast as what it needs.
_COMMANDS: Mapping[str, str] = {
    "serve": "serve:serve",
    "web": "run_web:web",
    "loader": "run_loader:loader",
    "jobs": "run_jobs:jobs",
    "init": "governance:init",
    "apply": "governance:apply",
    "export": "governance:export",
    "check": "governance:check",
    "diff": "governance:diff",
    "send": "send:send",
    "collect": "collect:collect",
    "tail": "tail:tail",
    "ledger": "ledger:ledger",
    "demo": "demo:demo",
    "codegen": "codegen:codegen",
    "retention": "retention:retention",
    "forwarder": "run_forwarder:forwarder",
    "person": "person:person",
    "purge": "purge:purge",
    "job": "job:job",
    "report": "report:report",
    "doctor": "doctor:doctor",
    "backup": "backup:backup",
    "restore": "restore:restore",
    "replay": "replay:replay",
    "token": "tokens:token",
    "user": "users:user",
    "mail": "mail_test:mail",
    "graphite-schemas": "graphite:graphite_schemas",
}


class Commands(click.Group):
    """All commands, each loaded when it is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        place = _COMMANDS.get(name)
        return load_command(place) if place else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] in _COMMANDS:
            return super().resolve_command(ctx, args)
        near = get_close_matches(args[0], _COMMANDS, 1) if args else []
        hint = f" Did you mean {near[0]!r}?" if near else ""
        ctx.fail(f"No such command {args[0]!r}.{hint}")


def load_command(place: str) -> click.Command:
    """Return the command that stands at `module:name` of this package."""
    module, _, name = place.partition(":")
    found = getattr(import_module(f"eventlogging.cli.{module}"), name)
    assert isinstance(found, click.Command)
    return found


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(eventlogging.__version__, prog_name="eventlogging")
def cli() -> None:
    """Schema-governed event logging: every event sent is accounted for."""


def main() -> None:
    """Run a command; exit 0 done, 1 the thing asked for failed, 2 wrong use."""
    try:
        cli.main(standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(1)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(1)
    except EventLoggingError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
