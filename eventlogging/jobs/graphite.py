"""Send figures to Graphite each minute, where one is set."""

from __future__ import annotations

import logging
import threading

from eventlogging.config import Config
from eventlogging.errors import ConfigError, StoreUnavailable
from eventlogging.metrics.figures import Reader
from eventlogging.metrics.graphite import Carbon, Sender
from eventlogging.platform import Platform

_EVERY_SECONDS = 60
_logger = logging.getLogger(__name__)


def carbon_of(config: Config) -> Carbon | None:
    """Return where Carbon listens, None where no Graphite is set. Raises ConfigError."""
    if not config.graphite:
        return None
    try:
        return Carbon.of(config.graphite, config.graphite_prefix)
    except ValueError as error:
        raise ConfigError(f"EVENTLOGGING_GRAPHITE: {error}") from error


def start(platform: Platform, stopped: threading.Event) -> None:
    """Send in a thread of its own until stopped. Raises ConfigError for a wrong address."""
    carbon = carbon_of(platform.config)
    if carbon is None:
        return
    sender = Sender(carbon, platform.database, Reader(platform.database, platform.log_folder))
    threading.Thread(
        target=_run, args=(platform, sender, stopped), name="graphite", daemon=True
    ).start()


def _run(platform: Platform, sender: Sender, stopped: threading.Event) -> None:
    while not stopped.wait(_EVERY_SECONDS):
        try:
            platform.registry.refresh_if_older(_EVERY_SECONDS)
            sender.send(platform.registry.snapshot)
        except (StoreUnavailable, OSError) as error:
            _logger.warning("no figures for Graphite this time: %s", error)
        except Exception:
            _logger.exception("figures for Graphite failed")
