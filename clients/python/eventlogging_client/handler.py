"""A handler for `logging` that makes events of records."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Callable, Optional

from eventlogging_client.client import LOGGER, EventLog

Payload = Callable[[logging.LogRecord], Optional[Mapping[str, Any]]]


class EventLogHandler(logging.Handler):
    """Logs each record as an event of `schema`.

    `payload` makes the event of a record, or returns None where the record is none.
    """

    def __init__(
        self, event_log: EventLog, schema: str, payload: Payload, level: int = logging.NOTSET
    ) -> None:
        super().__init__(level)
        self._event_log = event_log
        self._schema = schema
        self._payload = payload

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] == LOGGER:  # what we say of ourselves is no event
            return
        try:
            event = self._payload(record)
            if event is not None:
                self._event_log.log(self._schema, event, dt=int(record.created * 1000))
        except Exception:  # as every handler: a fault of logging must not stop the service
            self.handleError(record)

    def flush(self) -> None:
        """Does nothing: `logging` calls it at exit, when the event log flushes itself."""
