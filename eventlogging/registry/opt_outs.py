"""Accounts whose people said no, as keyed hashes of their ids: written, taken back, read whole.

A counter of their own says when they changed, so that collectors read them anew only then.
"""

from __future__ import annotations

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.registry import counter
from eventlogging.store.database import Database
from eventlogging.store.fixed import opt_out

_PAGE = 50_000


def say_no(database: Database, hash: str) -> str:
    """Write a no down and return since when it holds (ISO). Raises StoreUnavailable."""
    now = clock.iso(clock.now_ms())
    with database.write() as connection:
        known = since(connection, hash)
        if known is not None:
            return known
        database.dialect.insert_new(
            connection, opt_out.name, ("hash", "at"), [(hash, now)], ("hash",)
        )
        counter.move_opt_outs(connection, database.dialect)
    return now


def take_back(database: Database, hash: str) -> bool:
    """Forget a no; False: there was none. Raises StoreUnavailable."""
    with database.write() as connection:
        gone = connection.execute(sa.delete(opt_out).where(opt_out.c.hash == hash)).rowcount
        if gone:
            counter.move_opt_outs(connection, database.dialect)
    return bool(gone)


def since(connection: sa.Connection, hash: str) -> str | None:
    """Return since when somebody's no holds (ISO); None: they said none."""
    query = sa.select(opt_out.c.at).where(opt_out.c.hash == hash)
    found: str | None = connection.execute(query).scalar()
    return found


def read_hashes(database: Database) -> frozenset[str]:
    """Return the hashes of all who said no, read in short pages. Raises StoreUnavailable."""
    found: set[str] = set()
    after = ""
    while True:
        query = sa.select(opt_out.c.hash).where(opt_out.c.hash > after).order_by(opt_out.c.hash)
        with database.read() as connection:
            page = connection.execute(query.limit(_PAGE)).scalars().all()
        found.update(page)
        if len(page) < _PAGE:
            return frozenset(found)
        after = page[-1]
