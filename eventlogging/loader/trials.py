"""Store what test keys sent: the newest of each key, for a day, and outside of all books."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.loader.insert import blaming, insert_bisecting
from eventlogging.loader.prepare import TrialRow
from eventlogging.store.database import Database
from eventlogging.store.fixed import test_event

KEPT_OF_A_KEY = 1000
KEPT_MS = clock.DAY_MS
_PLACE = ("segment", "offset", "index")
_NAMES = (
    *_PLACE, "received", "key_name", "schema", "version", "outcome", "code", "errors", "event"
)  # fmt: skip
_CHUNK = 500
_logger = logging.getLogger(__name__)


def store_trials(
    database: Database, connection: sa.Connection, segment: str, rows: Sequence[TrialRow]
) -> None:
    """Insert events of test keys, once for each place in the log, and drop what is too many.

    Raises TableTrouble where the table cannot take rows now.
    """
    by_key: dict[str, list[TrialRow]] = defaultdict(list)
    for row in rows:
        by_key[row.key].append(row)

    def insert(batch: Sequence[TrialRow]) -> int:
        values = [
            (
                *(segment, row.offset, row.index, row.received, row.key, row.schema),
                *(row.version, row.outcome, row.code, row.errors, row.event),
            )
            for row in batch
        ]
        return database.dialect.insert_new(connection, test_event.name, _NAMES, values, _PLACE)

    for key, sent in by_key.items():
        newest = sent[-KEPT_OF_A_KEY:]
        _, bad = insert_bisecting(database, connection, test_event.name, newest, insert)
        for _, reason in bad:
            _logger.error("an event of the test key %s cannot be stored: %s", key, reason)
        with blaming(database, test_event.name):
            _drop_all_but_newest(connection, key)


def drop_old(database: Database) -> int:
    """Delete what is older than a day; return how many. Raises StoreUnavailable."""
    c = test_event.c
    old = sa.select(c.id).where(c.received < clock.iso(clock.now_ms() - KEPT_MS)).limit(_CHUNK)
    dropped = 0
    while True:
        with database.read() as connection:  # mostly there is none, and nobody has to wait
            ids = list(connection.execute(old).scalars())
        if not ids:
            return dropped
        with database.write() as connection:
            connection.execute(sa.delete(test_event).where(c.id.in_(ids)))
        dropped += len(ids)


def _drop_all_but_newest(connection: sa.Connection, key: str) -> None:
    c = test_event.c
    newest = sa.select(c.id).where(c.key_name == key).order_by(c.id.desc())
    last = connection.execute(newest.offset(KEPT_OF_A_KEY).limit(1)).scalar()
    if last is not None:
        connection.execute(sa.delete(test_event).where(c.key_name == key, c.id <= last))
