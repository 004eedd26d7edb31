"""`eventlogging web`: intake, JSON API and console on one port."""

from __future__ import annotations

from typing import Any, cast

import click
import uvicorn
from a2wsgi import WSGIMiddleware

from eventlogging import config as settings
from eventlogging.backup.locks import running
from eventlogging.cli.processes import calm_garbage_collection, set_up_logging, watch_lifeline
from eventlogging.collector.app import Collector
from eventlogging.collector.protocol import Connections, room_for_connections
from eventlogging.collector.whole import WholeBodies
from eventlogging.config import Config
from eventlogging.console.app import create_app
from eventlogging.platform import open_platform


@click.command()
def web() -> None:
    """Run the web process: intake, JSON API and console on one port.

    \b
    Example: eventlogging web
    """
    set_up_logging()
    config = settings.load()
    platform = open_platform(config)
    with running(config.var):
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
