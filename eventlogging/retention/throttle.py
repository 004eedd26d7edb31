"""Let the loader go first: wait while the log is not loaded, but not for ever."""

from __future__ import annotations

import logging
import time

from eventlogging.errors import StoreUnavailable
from eventlogging.ledger.lag import read_lag
from eventlogging.platform import Platform

_LAG_SECONDS = 2.0  # of the oldest event that is not loaded, above which we wait
_PATIENCE_SECONDS = 30.0  # in all: a loader that stands still must not keep what is due
_LOOK_SECONDS = 0.25
_logger = logging.getLogger(__name__)


class Throttle:
    """Call it between two pieces of work: it returns when the loader is not behind."""

    def __init__(self, platform: Platform, patience: float = _PATIENCE_SECONDS) -> None:
        self._platform = platform
        self._patience = patience
        self._next = 0.0

    def __call__(self) -> None:
        begun = time.monotonic()
        if begun < self._next or self._patience <= 0:
            return
        while self._is_behind():
            if time.monotonic() - begun >= self._patience:
                _logger.info("the log is not being loaded; what is due goes all the same")
                break
            time.sleep(_LOOK_SECONDS)
        now = time.monotonic()
        self._patience -= now - begun
        self._next = now + _LOOK_SECONDS

    def _is_behind(self) -> bool:
        try:
            with self._platform.database.read() as connection:
                lag = read_lag(connection, self._platform.log_folder)
        except (OSError, StoreUnavailable):
            return False
        return lag.age_seconds is not None and lag.age_seconds > _LAG_SECONDS
