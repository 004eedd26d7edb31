"""`eventlogging forwarder`: intake on a web head, with storage servers instead of a database."""

from __future__ import annotations

import logging
import threading
from typing import Any, cast

import click
import uvicorn

from eventlogging import config as settings
from eventlogging.cli.processes import calm_garbage_collection, set_up_logging, watch_lifeline
from eventlogging.cli.run_web import uvicorn_settings
from eventlogging.collector.app import Collector
from eventlogging.errors import StoreUnavailable
from eventlogging.forwarder.remote import RemoteRegistry
from eventlogging.forwarder.sender import Sender
from eventlogging.forwarder.storage import Storage
from eventlogging.platform import open_platform, own_name, with_registry

_logger = logging.getLogger(__name__)


@click.command()
def forwarder() -> None:
    """Take events on a web head and hand them to storage servers.

    An event is acknowledged once it is on this host's disk. No database is needed here; the
    registry comes from the storage servers, and EVENTLOGGING_PRIVACY_KEY must be theirs.

    \b
    Example: EVENTLOGGING_FORWARD_TO=https://one.example.org,https://two.example.org eventlogging forwarder
    """  # noqa: E501
    set_up_logging()
    config = settings.load()
    storage = Storage(config.storage_servers, config.forward_token)
    platform = open_platform(config)
    known = config.var / "registry.json"
    registry = RemoteRegistry(storage, known, platform.privacy_key.id)
    try:
        registry.refresh()
    except StoreUnavailable as error:
        _logger.warning("%s", error)  # what was known is served until they answer
    name = own_name(config.var, "forwarder.id")
    sender = Sender(platform.log_folder, config.var / "forwarded.json", name, storage)
    stopped = threading.Event()
    thread = threading.Thread(target=sender.run, args=(stopped,), name="forward", daemon=True)
    app = Collector(with_registry(platform, cast(Any, registry)), _nothing_else)
    server = uvicorn.Server(uvicorn_settings(config, app))

    def stop() -> None:
        server.should_exit = True

    watch_lifeline(stop)
    calm_garbage_collection()
    thread.start()
    server.run()
    stopped.set()
    thread.join(20)


async def _nothing_else(_scope: Any, _receive: Any, send: Any) -> None:
    """Stands where a web process has its console and API."""
    body = b'{"error":[{"status":404,"text":"a forwarder takes events; ask a storage server"}]}\n'
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})
