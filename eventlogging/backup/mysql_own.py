"""Which tables and views of a database are EventLogging's: what others keep there stays theirs."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging.loader.prepare import UNKNOWN_TABLE
from eventlogging.store.dialect import SCRUBBED, Dialect
from eventlogging.store.fixed import event_schema, metadata, schema_table, table_day

_FIXED = frozenset({*metadata.tables, "alembic_version"})
_NAME = re.compile(r"\w+_(\d+|\d+_scrubbed|invalid)", re.ASCII)
_EVENTS = {"dt", "id", "version", "sample_rate", "event_more"}
_REFUSED = {"received", "segment", "offset", "index", "code", "sealed", "raw"}


@dataclass(frozen=True)
class Own:
    """The names that are ours, whether there is anything of that name now or not.

    They are folded: some servers keep all names in lower case.
    """

    tables: frozenset[str]
    views: frozenset[str]

    def has_table(self, name: str) -> bool:
        return name.casefold() in self.tables

    def has_view(self, name: str) -> bool:
        return name.casefold() in self.views


def own_names(connection: sa.Connection) -> Own:
    """Return what the registry and the books name.

    Raises SQLAlchemyError where one of them is missing or cannot be read.
    """
    stems = frozenset(connection.execute(sa.select(event_schema.c.stem)).scalars())
    events = frozenset(connection.execute(sa.select(schema_table.c.table_name)).scalars())
    booked = frozenset(connection.execute(sa.select(table_day.c.table_name).distinct()).scalars())
    refused = {f"{stem}_invalid" for stem in stems} | {UNKNOWN_TABLE}
    stripped = {f"{table}{SCRUBBED}" for table in events}
    return Own(_folded(_FIXED | events | booked | refused | stripped), _folded(stems))


def own_in_ruins(
    connection: sa.Connection, dialect: Dialect, tables: Collection[str], stated: Collection[str]
) -> Own:
    """Return which of the tables are ours where no registry says so: by `stated`, name and form.

    Views stay: those of ours are made anew over what is there.
    """
    found = {table for table in tables if table in _FIXED or table in stated}
    for table in set(tables) - found:
        if _NAME.fullmatch(table):
            columns = dialect.existing_columns(connection, table).keys()
            if columns >= _EVENTS or columns >= _REFUSED:
                found.add(table)
    return Own(_folded(found), frozenset())


def fixed_last(tables: Collection[str]) -> list[str]:
    """Return tables in the order to drop them: what says which are ours goes last."""
    return sorted(tables, key=lambda table: (table in _FIXED, table))


def _folded(names: Collection[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)
