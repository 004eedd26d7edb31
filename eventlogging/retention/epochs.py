"""The keys under which stripped events are hashed: one a month, destroyed once it is stripped.

While a month's key lives, stripping an event once more gives the same hashes, so that nothing
is stored twice. Once it is destroyed, nobody can link what was hashed under it to anything,
not even with the event at hand.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.retention.policy import Policies
from eventlogging.store.database import Database
from eventlogging.store.fixed import epoch_key, schema_table, table_day

HASH_LENGTH = 64  # `2026-11:` and 224 bits in hex
_HEX = HASH_LENGTH - len("2026-11:")
_BYTES = 32
_VARIANT = "89ab"


@dataclass(frozen=True, slots=True)
class EpochKey:
    """The key of a month, such as `2026-11`."""

    epoch: str
    secret: bytes

    def hashed(self, value: Any) -> str:
        """Return the hash of a JSON value: equal values of one month give equal texts."""
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        return f"{self.epoch}:{hmac.digest(self.secret, text, 'sha256').hex()[:_HEX]}"

    def id(self, id: str) -> str:
        """Return what stands for an event's id: a UUID (version 8) that nobody can lead back."""
        # No JSON begins with a blank and a bare word: no value can have an id's hash.
        text = hmac.digest(self.secret, b" id " + id.encode(), "sha256").hex()
        variant = _VARIANT[int(text[16], 16) & 3]
        return f"{text[:8]}-{text[8:12]}-8{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def epoch_of(day: str) -> str:
    """Return the month that a day lies in."""
    return day[:7]


def key_of(database: Database, day: str) -> EpochKey:
    """Return the key of a day's month, the same on every machine; made where there is none.

    A month whose key was destroyed gets another one for what comes late, to be destroyed in
    its turn: its hashes meet none of those made before. Raises StoreUnavailable.
    """
    epoch, c = epoch_of(day), epoch_key.c
    fresh, now = secrets.token_hex(_BYTES), clock.iso(clock.now_ms())
    with database.write() as connection:
        names = ("epoch", "secret", "made_at")
        database.dialect.insert_new(
            connection, "epoch_key", names, [(epoch, fresh, now)], ("epoch",)
        )
        connection.execute(
            sa.update(epoch_key)
            .where(c.epoch == epoch, c.secret.is_(None))
            .values(secret=fresh, made_at=now, destroyed_at=None)
        )
    # Another transaction: whoever came first, all read what was committed.
    with database.read() as connection:
        text = connection.execute(sa.select(c.secret).where(c.epoch == epoch)).scalar_one()
    return EpochKey(epoch, bytes.fromhex(text))


def destroy_past(database: Database, policies: Policies, today: str) -> list[str]:
    """Destroy the keys of past months of which no event waits to be stripped; return them.

    An event of a held schema waits, too. Raises StoreUnavailable.
    """
    gone = []
    with database.write() as connection:
        # A schema without hashed fields still has its ids hashed.
        rows = connection.execute(sa.select(schema_table.c.schema, schema_table.c.table_name))
        tables = [table for schema, table in rows if policies.of(schema).scrub is not None]
        c = epoch_key.c
        query = sa.select(c.epoch).where(c.secret.is_not(None), c.epoch < epoch_of(today))
        for epoch in connection.execute(query.order_by(c.epoch)).scalars().all():
            if _waits(connection, tables, epoch):
                continue
            now = clock.iso(clock.now_ms())
            changed = connection.execute(
                sa.update(epoch_key)
                .where(c.epoch == epoch, c.secret.is_not(None))
                .values(secret=None, destroyed_at=now)
            )
            if changed.rowcount:
                gone.append(epoch)
    if gone:
        with database.ddl() as connection:
            database.dialect.tidy(connection)
    return gone


def _waits(connection: sa.Connection, tables: list[str], epoch: str) -> bool:
    c = table_day.c
    query = sa.select(c.day).where(
        c.table_name.in_(tables),
        c.day >= f"{epoch}-01",
        c.day <= f"{epoch}-31",
        c.rows_in > c.rows_out,
    )
    return connection.execute(query.limit(1)).first() is not None
