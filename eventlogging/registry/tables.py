"""The table that a schema document asks for, against the one that stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventlogging import clock
from eventlogging.schema.columns import PAGE_BUDGET, ROW_BUDGET, Column, ColumnPlan, Kind
from eventlogging.schema.compatibility import Change
from eventlogging.schema.plan import plan_columns, unholdable
from eventlogging.schema.version import Level
from eventlogging.store.dialect import Dialect

_WORDS = {
    Kind.BOOLEAN: "true or false",
    Kind.BIGINT: "whole numbers",
    Kind.DOUBLE: "numbers",
    Kind.VARCHAR: "short texts",
    Kind.TEXT: "texts",
    Kind.DATETIME: "times",
    Kind.JSON: "JSON",
}


@dataclass(frozen=True)
class PlannedTable:
    """A table as it will be: its plan, and the columns that stand already."""

    name: str
    plan: ColumnPlan
    standing: tuple[Column, ...] = ()

    def as_dict(self, dialect: Dialect) -> dict[str, Any]:
        """Return the table as an author reads it, with the SQL of this database."""
        columns, day = self.plan.columns, clock.day(clock.now_ms())
        present = {column.name: dialect.column_type(column) for column in self.standing}
        alter = dialect.alter_ddl(self.name, present, columns) if present else []
        return {
            "name": self.name,
            "columns": [
                {
                    "pointer": column.pointer,
                    "name": column.name,
                    "kind": str(column.kind),
                    "type": dialect.column_type(column),
                }
                for column in columns
            ],
            "ddl": ";\n".join(dialect.event_table_ddl(self.name, columns, day)),
            "alter": ";\n".join(alter),
            "row_bytes": self.plan.row_bytes,
            "row_budget": ROW_BUDGET,
            "page_bytes": self.plan.page_bytes,
            "page_budget": PAGE_BUDGET,
            "overflow": list(self.plan.overflow),
            "notes": list(self.plan.notes),
        }


def plan_table(
    name: str, document: Mapping[str, Any], privacy: Mapping[str, str], standing: Sequence[Column]
) -> PlannedTable:
    """Return the table that serves `document` and all that `standing` columns served so far.

    A standing column keeps its place, name and kind; a text may become longer.
    """
    return PlannedTable(name, plan_columns(document, privacy, standing), tuple(standing))


def unheld(
    document: Mapping[str, Any],
    privacy: Mapping[str, str],
    table: str,
    standing: Sequence[Column],
) -> tuple[Change, ...]:
    """Return a named change for each standing column that cannot hold what is now wanted."""
    return tuple(
        Change(
            column.pointer,
            Level.MAJOR,
            f"the column {column.name} of {table} holds {_words(column)} and cannot hold "
            f"{_words(wanted)}",
            "column_cannot_hold",
        )
        for column, wanted in unholdable(document, privacy, standing)
    )


def _words(column: Column) -> str:
    if column.length is None:
        return _WORDS[column.kind]
    return f"texts of up to {column.length} characters"
