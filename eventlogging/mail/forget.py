"""Forget mails that are long done with."""

from __future__ import annotations

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.store.database import Database
from eventlogging.store.fixed import mail

KEEP_DAYS = 90
_CHUNK = 200


def forget_old(database: Database) -> int:
    """Delete mails that were sent or given up and are older than `KEEP_DAYS`; return how many.

    What was said under their keys may then be said once more. Raises StoreUnavailable.
    """
    before = clock.iso(clock.now_ms() - KEEP_DAYS * clock.DAY_MS)
    old = sa.select(mail.c.id).where(
        mail.c.created_at < before, mail.c.state.in_(("sent", "failed"))
    )
    forgotten = 0
    while True:
        with database.write() as connection:
            ids = list(connection.execute(old.limit(_CHUNK)).scalars())
            if ids:
                connection.execute(sa.delete(mail).where(mail.c.id.in_(ids)))
        forgotten += len(ids)
        if len(ids) < _CHUNK:
            return forgotten
