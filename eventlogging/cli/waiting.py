"""Wait for the database at the start of a process, and bring its tables up to date."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from eventlogging.errors import StoreUnavailable
from eventlogging.platform import Platform
from eventlogging.store.migrate import migrate

_logger = logging.getLogger(__name__)


def wait_for_database(platform: Platform, stopped: Callable[[], bool]) -> None:
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
