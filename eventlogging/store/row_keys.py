"""Name some rows of a table by their keys, in one condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventlogging.store.dialect import quoted

MOST_ROWS = 100  # named by one condition: SQLite takes expressions of a limited depth


def keys_where(key: Sequence[str], rows: Sequence[Sequence[Any]]) -> tuple[str, dict[str, Any]]:
    """Return the condition that names exactly these rows, with its values.

    `key` are the columns; each of `rows`, at least one and at most `MOST_ROWS`, their values.
    """
    choices = []
    values: dict[str, Any] = {}
    for number, row in enumerate(rows):
        named = {f"k{number}_{at}": value for at, value in enumerate(row)}
        terms = zip(key, named, strict=True)
        choices.append(" AND ".join(f"{quoted(column)} = :{name}" for column, name in terms))
        values |= named
    return " OR ".join(f"({one})" for one in choices), values
