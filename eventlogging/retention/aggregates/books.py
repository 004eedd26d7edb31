"""What the books say of a schema's rows by day: whether an aggregate still stands for them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging.registry.model import RegisteredSchema
from eventlogging.store.fixed import table_day

_MOST_CHARS = 191  # of the column `source`


@dataclass(frozen=True)
class Book:
    """A day of all tables of a schema: `source` differs once any row came or went."""

    source: str
    rows: int  # that are there now


def tables_of(schema: RegisteredSchema) -> dict[int, str]:
    """Return major version → table, of valid events."""
    return {one.version.major: one.table for one in schema.versions.values()}


def read_books(
    connection: sa.Connection, schema: RegisteredSchema, day: str | None = None
) -> Mapping[str, Book]:
    """Return day → book, of one day or of all that anything was ever stored of."""
    c = table_day.c
    tables = list(tables_of(schema).values())
    query = (
        sa.select(c.day, c.table_name, c.rows_in, c.rows_out)
        .where(c.table_name.in_(tables))
        .order_by(c.day, c.table_name)
    )
    if day is not None:
        query = query.where(c.day == day)
    said: defaultdict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for one, table, rows_in, rows_out in connection.execute(query):
        said[one].append((table, int(rows_in), int(rows_out)))
    return {one: _book(entries) for one, entries in said.items()}


def _book(entries: list[tuple[str, int, int]]) -> Book:
    text = ", ".join(f"{table} {rows_in} in {out} out" for table, rows_in, out in entries)
    if len(text) > _MOST_CHARS:
        text = hashlib.sha256(text.encode()).hexdigest()
    return Book(text, sum(rows_in - out for _, rows_in, out in entries))
