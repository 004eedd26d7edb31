"""The room that columns take in a row and in a page, and what is done when there is none.

MySQL and MariaDB refuse a table whose row may exceed 65 535 bytes (long texts count as a
pointer), and InnoDB one whose row may leave more than 8 126 bytes in a page, where a long
value counts with 40 bytes and its length. In doubt a VARCHAR becomes TEXT, then the last
long fields get no column at all and live in `event_more`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from eventlogging.schema.columns import PAGE_BUDGET, ROW_BUDGET, Column, ColumnPlan, Kind

MAX_COLUMNS = 900  # payload columns; InnoDB ends at 1 017 with all others
_FIXED = {Kind.BOOLEAN: 1, Kind.BIGINT: 8, Kind.DOUBLE: 8, Kind.DATETIME: 7}
_POINTER = 12  # what TEXT and JSON count in the row
_LONG_IN_PAGE = 42  # what a long value may leave in the page, with its length
_SHORT_BYTES = 255  # a column of at most so many bytes never leaves the page


def row_bytes(column: Column) -> int:
    """Return what a column counts against ROW_BUDGET, in bytes."""
    if column.kind is Kind.VARCHAR:
        return 4 * (column.length or 0) + 2
    return _FIXED.get(column.kind, _POINTER)


def page_bytes(column: Column) -> int:
    """Return what a column counts against PAGE_BUDGET, in bytes."""
    if column.kind is Kind.VARCHAR and 4 * (column.length or 0) <= _SHORT_BYTES:
        return 4 * (column.length or 0) + 1
    return _FIXED.get(column.kind, _LONG_IN_PAGE)


def _varchar(length: int) -> Column:
    return Column("", "", Kind.VARCHAR, length)


# The columns around the payload, which every table has.
_CAPSULE = (
    _varchar(36),  # id, CHAR(36)
    Column("", "dt", Kind.DATETIME),
    Column("", "received", Kind.DATETIME),
    _varchar(32),  # version
    _varchar(255),  # host
    _varchar(64),  # wiki
    _varchar(64),  # user_agent_browser
    _varchar(16),  # user_agent_major
    _varchar(64),  # user_agent_os
    _varchar(64),  # user_agent_device
    Column("", "user_agent_is_bot", Kind.BOOLEAN),
    Column("", "sample_rate", Kind.DOUBLE),
    _varchar(64),  # client
    Column("", "event_more", Kind.JSON),
)
# Beside the columns: the record's header, transaction id and roll pointer, the bits that say
# NULL (for all columns that can be), and some air for another database's own counting.
_BESIDE = 5 + 6 + 7 + 128 + 64
CAPSULE_ROW = sum(map(row_bytes, _CAPSULE)) + _BESIDE
CAPSULE_PAGE = sum(map(page_bytes, _CAPSULE)) + _BESIDE


def fit(kept: Sequence[Column], fresh: Sequence[Column]) -> ColumnPlan:
    """Return the plan of `kept` (untouched) and as many of the `fresh` as there is room for."""
    columns = list(fresh)
    notes: list[str] = []
    row = CAPSULE_ROW + sum(row_bytes(column) for column in [*kept, *columns])
    page = CAPSULE_PAGE + sum(page_bytes(column) for column in [*kept, *columns])

    # The shrinking starts with what gains most, and among equals with the last.
    text: list[int] = []
    for measure in (row_bytes, page_bytes):
        order = sorted(range(len(columns)), key=lambda i: (measure(columns[i]), i), reverse=True)
        for index in order:
            column = columns[index]
            smaller = replace(column, kind=Kind.TEXT, length=None)
            over = row > ROW_BUDGET if measure is row_bytes else page > PAGE_BUDGET
            if not over:
                break
            if column.kind is not Kind.VARCHAR or measure(smaller) >= measure(column):
                continue
            columns[index] = smaller
            row += row_bytes(smaller) - row_bytes(column)
            page += page_bytes(smaller) - page_bytes(column)
            text.append(index)
    long_last = sorted(
        range(len(columns)), key=lambda i: (page_bytes(columns[i]) > 8, i), reverse=True
    )
    gone: set[int] = set()
    for index in long_last:
        few = len(kept) + len(columns) - len(gone) <= MAX_COLUMNS
        if few and row <= ROW_BUDGET and page <= PAGE_BUDGET:
            break
        gone.add(index)
        row -= row_bytes(columns[index])
        page -= page_bytes(columns[index])
    overflow = [columns[index] for index in sorted(gone)]
    text_names = [columns[index].name for index in text if index not in gone]
    if text_names:
        notes.append(
            f"{len(text_names)} bounded text{'s are' if len(text_names) > 1 else ' is'} kept as "
            f"TEXT to fit into a row: {_names(text_names)}."
        )
    if overflow:
        notes.append(
            f"{len(overflow)} field{'s' if len(overflow) > 1 else ''} found no room in the row "
            f"and live{'' if len(overflow) > 1 else 's'} in event_more: "
            f"{_names([column.pointer for column in overflow])}."
        )
    return ColumnPlan(
        columns=(*kept, *(c for i, c in enumerate(columns) if i not in gone)),
        overflow=tuple(column.pointer for column in overflow),
        row_bytes=row,
        page_bytes=page,
        notes=tuple(notes),
    )


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names)[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
