"""The columns that a schema's payload fields become, and the row-size budget."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a payload column holds; `store/` dialects say how each database spells it."""

    BOOLEAN = "boolean"
    BIGINT = "bigint"
    DOUBLE = "double"
    VARCHAR = "varchar"
    TEXT = "text"
    DATETIME = "datetime"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Column:
    """One payload column: the JSON pointer of its field, its name, what it holds.

    `length` is in characters and set for VARCHAR alone.
    """

    pointer: str
    name: str
    kind: Kind
    length: int | None = None


@dataclass(frozen=True)
class ColumnPlan:
    """All payload columns of one table, in order.

    `overflow` lists pointers that found no room in the row: their values live in `event_more`.
    `row_bytes` and `page_bytes` are what the row would need, against `ROW_BUDGET`
    and `PAGE_BUDGET`; `notes` tells an author what was done, in sentences.
    """

    columns: tuple[Column, ...]
    overflow: tuple[str, ...] = ()
    row_bytes: int = 0
    page_bytes: int = 0
    notes: tuple[str, ...] = ()


ROW_BUDGET = 65_535  # MySQL's and MariaDB's limit on a row, TEXT aside
PAGE_BUDGET = 8_126  # InnoDB's limit on what must stay in a 16 KiB page
