"""Send each minute's figures to Graphite, by its own time, once the minute is over and loaded.

Points carry the minute they are of, so what an outage held back is made good, as far back as
`_MOST_MINUTES`; sending a point twice changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from graphitesend.graphitesend import GraphiteClient, GraphiteSendException

from eventlogging import clock
from eventlogging.ledger.reading import OUTCOMES, PENDING, SENT, series
from eventlogging.metrics.figures import Figures, Reader
from eventlogging.registry.model import Snapshot
from eventlogging.store.database import Database

Point = tuple[str, float, int]  # path below the prefix, value, seconds since the epoch
_MINUTE_MS = 60_000
_LATE_MINUTES = 2  # a minute's figures may still grow while the loader catches up
_MOST_MINUTES = 60
_AT_ONCE = 500  # points in one connection's send
_PORT = 2003
_TIMEOUT_SECONDS = 5
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Carbon:
    """Where Graphite's Carbon listens for plain text, and what all paths begin with."""

    host: str
    port: int
    prefix: str

    @classmethod
    def of(cls, address: str, prefix: str) -> Carbon:
        """Read `host` or `host:port`. Raises ValueError."""
        host, colon, port = address.rpartition(":") if ":" in address else (address, "", "")
        number = int(port) if colon else _PORT
        if not host or not 0 < number < 65_536:
            raise ValueError(f"{address!r} is not host or host:port")
        return cls(host.strip("[]"), number, prefix.strip("."))


class Sender:
    """Sends what is new; remembers how far it came, and after a failure begins there again."""

    def __init__(self, carbon: Carbon, database: Database, reader: Reader) -> None:
        self._carbon = carbon
        self._database = database
        self._reader = reader
        self._sent_until = 0
        self._silent = False

    def send(self, snapshot: Snapshot) -> int:
        """Send what is due; return how many points. An outage of Graphite is logged once.

        Raises StoreUnavailable.
        """
        now = clock.now_ms()
        figures = self._reader.read()
        until = (now - _late_ms(figures)) // _MINUTE_MS * _MINUTE_MS
        since = max(
            self._sent_until - _LATE_MINUTES * _MINUTE_MS, until - _MOST_MINUTES * _MINUTE_MS
        )
        points = list(_of_now(figures, now // 1000))
        with self._database.read() as connection:
            points += of_minutes(connection, snapshot, since, until)
        try:
            _deliver(self._carbon, points)
        except (GraphiteSendException, OSError) as error:
            if not self._silent:
                _logger.warning("Graphite does not take points, which wait: %s", error)
            self._silent = True
            return 0
        self._silent = False
        self._sent_until = until
        return len(points)


def of_minutes(
    connection: sa.Connection, snapshot: Snapshot, since_ms: int, until_ms: int
) -> Iterator[Point]:
    """Yield events per minute of each schema and outcome, for whole minutes.

    A schema that had no event has points of 0, so that a line on a chart goes down.
    """
    if until_ms <= since_ms:
        return
    stems = {name: schema.stem for name, schema in snapshot.schemas.items()}
    counts: dict[tuple[str, str, str], int] = {}
    steps = series(connection, "minute", start=clock.minute(since_ms), end=clock.minute(until_ms))
    for step in steps:
        key = step.time, stems.get(step.schema, "unknown"), step.outcome
        counts[key] = counts.get(key, 0) + step.count
    for moment in range(since_ms, until_ms, _MINUTE_MS):
        minute = clock.minute(moment)
        for stem in sorted({*stems.values(), "unknown"}):
            for outcome in (SENT, *OUTCOMES):
                value = counts.get((minute, stem, outcome), 0)
                yield f"schema.{stem}.{outcome}", value, moment // 1000


def _of_now(figures: Figures, seconds: int) -> Iterator[Point]:
    lag = figures.lag
    yield "lag_seconds", lag.age_seconds or 0.0, seconds
    yield "log.waiting_bytes", lag.bytes, seconds
    yield "log.free_bytes", figures.free_bytes, seconds
    yield "parked_lines", lag.parked_lines, seconds
    yield "unexplained", figures.residual, seconds
    yield PENDING, sum(line.pending for line in figures.lines), seconds


def _late_ms(figures: Figures) -> int:
    """How long ago a minute must have ended to be whole: what lags is still to come."""
    return round((figures.lag.age_seconds or 0) * 1000)


def _deliver(carbon: Carbon, points: Sequence[Point]) -> None:
    """Send over a connection of its own: one that stayed open would lose points silently."""
    client = GraphiteClient(
        prefix=carbon.prefix, graphite_server=carbon.host, graphite_port=carbon.port,
        timeout_in_seconds=_TIMEOUT_SECONDS, system_name="", group="",
    )  # fmt: skip
    try:
        for start in range(0, len(points), _AT_ONCE):
            client.send_list(points[start : start + _AT_ONCE])
    finally:
        client.disconnect()
