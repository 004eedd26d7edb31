"""The command `eventlogging`: all commands, and one line for every error."""

from __future__ import annotations

import sys

import click

import eventlogging
from eventlogging.cli.codegen import codegen
from eventlogging.cli.demo import demo
from eventlogging.cli.doctor import doctor
from eventlogging.cli.governance import apply, check, diff, export, init
from eventlogging.cli.graphite import graphite_schemas
from eventlogging.cli.job import job
from eventlogging.cli.ledger import ledger
from eventlogging.cli.mail_test import mail
from eventlogging.cli.report import report
from eventlogging.cli.send import send
from eventlogging.cli.serve import jobs, loader, serve, web
from eventlogging.cli.tail import tail
from eventlogging.cli.tokens import token
from eventlogging.cli.users import user
from eventlogging.errors import EventLoggingError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(eventlogging.__version__, prog_name="eventlogging")
def cli() -> None:
    """Schema-governed event logging: every event sent is accounted for."""


for command in (
    *(serve, web, loader, jobs),
    *(init, apply, export, check, diff),
    *(send, tail, ledger, demo, codegen),
    *(job, report, doctor, token, user, mail),
    graphite_schemas,
):
    cli.add_command(command)


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
