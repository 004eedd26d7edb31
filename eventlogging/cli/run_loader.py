"""`eventlogging loader`: from the log into the tables."""

from __future__ import annotations

import click

from eventlogging import config as settings
from eventlogging.backup.locks import running
from eventlogging.cli.processes import (
    calm_garbage_collection,
    set_up_logging,
    stop_flag,
    take_turns_quickly,
)
from eventlogging.cli.waiting import wait_for_database
from eventlogging.loader.loader import Loader
from eventlogging.platform import Platform, open_platform


@click.command()
def loader() -> None:
    """Run the loader: from the log into the tables.

    \b
    Example: eventlogging loader
    """
    set_up_logging()
    stopped = stop_flag()
    platform = open_platform(settings.load())
    with running(platform.config.var):
        wait_for_database(platform, stopped.is_set)
        if not stopped.is_set():
            calm_garbage_collection()
            take_turns_quickly()
            loader_of(platform).run(stopped.is_set)


def loader_of(platform: Platform) -> Loader:
    """Return the loader of a platform's log."""
    config = platform.config
    return Loader(
        platform.database,
        platform.registry,
        platform.log_folder,
        load_rows=config.load_rows,
        load_seconds=config.load_seconds,
    )
