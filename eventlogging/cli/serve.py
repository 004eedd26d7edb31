"""`eventlogging serve`: web, loader and jobs, looked after."""

from __future__ import annotations

import click

from eventlogging import config as settings
from eventlogging.backup.locks import running
from eventlogging.cli.greeting import greet
from eventlogging.cli.processes import Supervisor, set_up_logging, stop_flag
from eventlogging.cli.waiting import wait_for_database
from eventlogging.governance.read import read_governance
from eventlogging.platform import open_platform
from eventlogging.registry.additions import additions
from eventlogging.registry.apply import apply as apply_governance
from eventlogging.registry.export import registry_governance


@click.command()
def serve() -> None:
    """Run everything: web, loader and jobs, each restarted when it dies.

    What is new in the governance folders is applied first; what people changed
    in the registry since stays as it is (eventlogging diff shows the difference).

    \b
    Example: EVENTLOGGING_LISTEN=127.0.0.1:8080 eventlogging serve
    """
    set_up_logging()
    stopped = stop_flag()
    platform = open_platform(settings.load())
    with running(platform.config.var):
        wait_for_database(platform, stopped.is_set)
        if stopped.is_set():
            return
        folders = read_governance(platform.config.governance)
        known = registry_governance(platform.database)
        apply_governance(platform.database, additions(folders, known), "serve")
        greet(platform)
        platform.database.close()
        Supervisor(("web", "loader", "jobs")).run(stopped)
