"""`eventlogging jobs`: what fires by the clock, and the mail."""

from __future__ import annotations

import click

from eventlogging import config as settings
from eventlogging.backup.locks import running
from eventlogging.cli.processes import set_up_logging, stop_flag
from eventlogging.cli.waiting import wait_for_database
from eventlogging.jobs import graphite, runner
from eventlogging.jobs.mail_loop import delivering
from eventlogging.platform import open_platform
from eventlogging.review.ownership import note_trouble


@click.command()
def jobs() -> None:
    """Run the jobs that fire by the clock.

    \b
    Example: eventlogging jobs
    """
    set_up_logging()
    stopped = stop_flag()
    platform = open_platform(settings.load())
    with running(platform.config.var):
        wait_for_database(platform, stopped.is_set)
        if not stopped.is_set():
            graphite.start(platform, stopped)
            with delivering(platform, note_trouble):
                runner.run(platform, stopped)
