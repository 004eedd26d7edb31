"""Which tables are in trouble, and when each may be tried again."""

from __future__ import annotations

import logging
import time

from eventlogging.errors import TableTrouble

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0  # seconds
_logger = logging.getLogger(__name__)


class Troubles:
    """Remembers tables that could not take rows; each waits longer the longer it lasts."""

    def __init__(self) -> None:
        self._until: dict[str, tuple[float, float]] = {}  # table → (retry at, seconds waited)

    def note(self, trouble: TableTrouble) -> None:
        """Let a table wait before it is tried again."""
        _, waited = self._until.get(trouble.table, (0.0, 0.0))
        wait = min(max(_FIRST_WAIT, waited * 2), _LONGEST_WAIT)
        self._until[trouble.table] = (time.monotonic() + wait, wait)
        if not waited:
            _logger.warning(
                "%s cannot take rows, its events wait: %s", trouble.table, trouble.reason
            )

    def waits(self, table: str) -> bool:
        """Whether it is too early to try this table again."""
        return time.monotonic() < self._until.get(table, (0.0, 0.0))[0]

    def over(self, table: str) -> None:
        """Note that a table takes rows."""
        if self._until.pop(table, None):
            _logger.warning("%s takes rows again", table)
