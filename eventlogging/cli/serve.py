"""The commands that run the platform: serve (all of it), web, loader, jobs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, cast

import click
import uvicorn
from a2wsgi import WSGIMiddleware

from eventlogging import config as settings
from eventlogging.cli.greeting import greet
from eventlogging.cli.processes import (
    Supervisor,
    calm_garbage_collection,
    set_up_logging,
    stop_flag,
    take_turns_quickly,
    watch_lifeline,
)
from eventlogging.collector.app import Collector
from eventlogging.collector.protocol import Connections, room_for_connections
from eventlogging.collector.whole import WholeBodies
from eventlogging.config import Config
from eventlogging.console.app import create_app
from eventlogging.errors import StoreUnavailable
from eventlogging.governance.read import read_governance
from eventlogging.jobs import graphite, runner
from eventlogging.jobs.mail_loop import delivering
from eventlogging.loader.loader import Loader
from eventlogging.platform import Platform, open_platform
from eventlogging.registry.additions import additions
from eventlogging.registry.apply import apply as apply_governance
from eventlogging.registry.export import registry_governance
from eventlogging.review.ownership import note_trouble
from eventlogging.store.migrate import migrate

_logger = logging.getLogger(__name__)


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
    _wait_for_database(platform, stopped.is_set)
    if stopped.is_set():
        return
    folders = read_governance(platform.config.governance)
    known = registry_governance(platform.database)
    apply_governance(platform.database, additions(folders, known), "serve")
    greet(platform)
    platform.database.close()
    Supervisor(("web", "loader", "jobs")).run(stopped)


@click.command()
def web() -> None:
    """Run the web process: intake, JSON API and console on one port.

    \b
    Example: eventlogging web
    """
    set_up_logging()
    config = settings.load()
    platform = open_platform(config)
    console = WSGIMiddleware(cast(Any, create_app(platform)), workers=8)
    app = Collector(platform, WholeBodies(cast(Any, console), config.max_body_bytes))
    server = uvicorn.Server(uvicorn_settings(config, app))

    def stop() -> None:
        server.should_exit = True

    watch_lifeline(stop)
    calm_garbage_collection()
    server.run()


def uvicorn_settings(config: Config, app: Any) -> uvicorn.Config:
    """Return what uvicorn runs an ASGI application with."""
    host, port = config.address
    connections = Connections(
        header_seconds=config.header_seconds,
        body_seconds=config.body_seconds,
        most=room_for_connections(),
    )
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=cast(Any, connections),
        ws="none",
        timeout_keep_alive=5,
        log_level="error",  # its warnings are about clients, one for each wrong request
        access_log=False,  # an access log would hold addresses of people
        server_header=False,
        date_header=False,
        proxy_headers=False,  # nobody's address is asked for
        timeout_graceful_shutdown=10,
        backlog=2048,
    )


@click.command()
def loader() -> None:
    """Run the loader: from the log into the tables.

    \b
    Example: eventlogging loader
    """
    set_up_logging()
    stopped = stop_flag()
    platform = open_platform(settings.load())
    _wait_for_database(platform, stopped.is_set)
    if not stopped.is_set():
        calm_garbage_collection()
        take_turns_quickly()
        loader_of(platform).run(stopped.is_set)


@click.command()
def jobs() -> None:
    """Run the jobs that fire by the clock.

    \b
    Example: eventlogging jobs
    """
    set_up_logging()
    stopped = stop_flag()
    platform = open_platform(settings.load())
    _wait_for_database(platform, stopped.is_set)
    if not stopped.is_set():
        graphite.start(platform, stopped)
        with delivering(platform, note_trouble):
            runner.run(platform, stopped)


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


def _wait_for_database(platform: Platform, stopped: Callable[[], bool]) -> None:
    """Bring the tables up to date; a database that does not answer yet is waited for."""
    silent = False
    while not stopped():
        try:
            migrate(platform.database)
            return
        except StoreUnavailable as error:
            if not silent:
                _logger.warning("waiting for the database: %s", error)
            silent = True
            time.sleep(1)
