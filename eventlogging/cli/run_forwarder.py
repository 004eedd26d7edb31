"""`eventlogging forwarder`: intake on a web head, with storage servers instead of a database."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any, cast

import click
import uvicorn

from eventlogging import config as settings
from eventlogging.cli.processes import calm_garbage_collection, set_up_logging, watch_lifeline
from eventlogging.cli.run_web import uvicorn_settings
from eventlogging.collector.app import App, Collector
from eventlogging.errors import ConfigError, StoreUnavailable
from eventlogging.forwarder.remote import RemoteRegistry, WrongSetting
from eventlogging.forwarder.sender import Sender
from eventlogging.forwarder.storage import Storage
from eventlogging.platform import open_platform, own_name, with_registry

_logger = logging.getLogger(__name__)
_ELSEWHERE = b'{"error":[{"status":404,"text":"a forwarder takes events; ask a storage server"}]}\n'


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
    except WrongSetting as error:
        raise ConfigError(str(error)) from error
    except StoreUnavailable as error:
        _logger.warning("%s", error)  # what was known is served until they answer
    name = own_name(config.var, "forwarder.id")
    sender = Sender(platform.log_folder, config.var / "forwarded.json", name, storage)
    stopped = threading.Event()
    thread = threading.Thread(target=sender.run, args=(stopped,), name="forward", daemon=True)
    app = Collector(with_registry(platform, cast(Any, registry)), _beside(sender))
    server = uvicorn.Server(uvicorn_settings(config, app))

    def stop() -> None:
        server.should_exit = True

    watch_lifeline(stop)
    calm_garbage_collection()
    thread.start()
    server.run()
    stopped.set()
    thread.join(20)


def _beside(sender: Sender) -> App:
    """Return what stands where a web process has its console and API: how much waits, no more."""

    async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        status, kind, body = 404, b"application/json", _ELSEWHERE
        if scope["path"] == "/metrics":
            text = await asyncio.to_thread(_metrics, sender)
            status, kind, body = 200, b"text/plain; version=0.0.4; charset=utf-8", text.encode()
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def _metrics(sender: Sender) -> str:
    """The figures of a forwarder as Prometheus reads them."""
    figures = (
        ("log_waiting_bytes", "Bytes of the log not forwarded yet", sender.waiting_bytes()),
        ("storage_up", "Whether a storage server takes the log", int(not sender.trouble)),
    )
    return "".join(
        f"# HELP eventlogging_{name} {text}\n# TYPE eventlogging_{name} gauge\n"
        f"eventlogging_{name} {value}\n"
        for name, text, value in figures
    )
