"""The tables of a schema as its page shows them: columns, where each comes from, a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging.console.teaching import sql_query
from eventlogging.registry.model import RegisteredSchema
from eventlogging.retention.scrub import stripped_name
from eventlogging.schema.columns import Column
from eventlogging.schema.walk import tokens_of
from eventlogging.store.database import Database

_MOST_COLUMNS = 150
_TEXT_CHARS = 200


@dataclass(frozen=True)
class ShownColumn:
    """A column, the field it comes from, and what the schema says of that."""

    name: str
    type: str
    field: str
    text: str
    required: bool
    privacy: str | None


@dataclass(frozen=True)
class ShownTable:
    """The table of one major version; `exists` once its first event was stored.

    `stripped` names the table of what remains of older events, None while there is none.
    """

    name: str
    major: int
    exists: bool
    columns: list[ShownColumn]
    left_out: int
    overflow: tuple[str, ...]
    query: str
    stripped: str | None = None


def shown_tables(
    database: Database, connection: sa.Connection, schema: RegisteredSchema
) -> list[ShownTable]:
    """Return a schema's tables, the newest major version first."""
    newest = {v.version.major: v for v in schema.versions.values()}  # in order of version
    shown = []
    for major in sorted(newest, reverse=True):
        table, plan = newest[major].table, schema.plans[major]
        stripped = stripped_name(table)
        document = newest[major].document
        columns = [
            _column(database, column, document, schema.privacy)
            for column in plan.columns[:_MOST_COLUMNS]
        ]
        shown.append(
            ShownTable(
                name=table,
                major=major,
                exists=bool(database.dialect.existing_columns(connection, table)),
                columns=columns,
                left_out=len(plan.columns) - len(columns),
                overflow=plan.overflow,
                query=sql_query(table, plan.columns),
                stripped=stripped
                if database.dialect.existing_columns(connection, stripped)
                else None,
            )
        )
    return shown


def _column(
    database: Database, column: Column, document: Mapping[str, Any], privacy: Mapping[str, str]
) -> ShownColumn:
    field, required = _field(document, column.pointer)
    text = str(field.get("description") or field.get("title") or "")
    return ShownColumn(
        name=column.name,
        type=database.dialect.column_type(column),
        field=".".join(tokens_of(column.pointer)),
        text=text if len(text) <= _TEXT_CHARS else text[: _TEXT_CHARS - 1] + "…",
        required=required,
        privacy=privacy.get(column.pointer),
    )


def _field(document: Mapping[str, Any], pointer: str) -> tuple[Mapping[str, Any], bool]:
    """Return what a document says of a declared field, and whether each event must have it."""
    node: Any = document
    required = True
    for token in tokens_of(pointer):
        names = node.get("required")
        required = required and isinstance(names, list) and token in names
        properties = node.get("properties")
        node = properties.get(token) if isinstance(properties, dict) else None
        if not isinstance(node, dict):
            return {}, False
    return node, required
