"""The fast road into a table: LOAD DATA LOCAL, believed only where it accounts for every row.

LOCAL never refuses: it skips duplicates and bends what does not fit, with a
warning. So every warning is read, and where any is about something else than a
duplicate, or the counts do not add up, all of it is rolled back and the strict
road is taken. A server may ask such a client for any file that its user can
read, so this is an option, for the loader's login on a server of one's own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pymysql
import sqlalchemy as sa

_DUPLICATE = 1062
_MOST_WARNINGS = 65_535  # as many as the server ever lists
_AT_ONCE = 100  # rows
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\0": "\\0"})


def try_load(
    connection: sa.Connection, table: str, columns: str, rows: Sequence[Sequence[Any]]
) -> int | None:
    """Load rows; return how many were new, or None where nothing was loaded.

    `table` and `columns` are quoted. Raises what the driver raises when the server is gone.
    """
    if len(rows) > _MOST_WARNINGS:
        return None
    cursor = connection.connection.cursor()
    cursor.execute("SAVEPOINT load_data")
    try:
        new = _load(cursor, table, columns, rows)
    except pymysql.err.ProgrammingError:
        new = None
    except pymysql.err.OperationalError as error:
        if 2000 <= error.args[0] < 3000:  # the connection's own errors
            raise
        new = None  # the server does not allow it, or the table is in trouble
    if new is None:
        cursor.execute("ROLLBACK TO SAVEPOINT load_data")
    else:
        cursor.execute("RELEASE SAVEPOINT load_data")
    return new


def _load(cursor: Any, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> int | None:
    cursor.execute(f"SET SESSION max_error_count = {_MOST_WARNINGS}")
    with tempfile.NamedTemporaryFile() as file:
        file.writelines(_lines(rows))
        file.flush()
        new = int(
            cursor.execute(
                f"LOAD DATA LOCAL INFILE %s INTO TABLE {table} CHARACTER SET utf8mb4 "
                r"""FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '"' ESCAPED BY '\\' """
                r"LINES TERMINATED BY '\n' "
                f"({columns})",
                (file.name,),
            )
        )
    if new == len(rows) and not cursor.warning_count:
        return new
    cursor.execute("SHOW WARNINGS")
    warnings = cursor.fetchall()
    honest = all(warning[1] == _DUPLICATE for warning in warnings)
    return new if honest and new + len(warnings) == len(rows) else None


def _lines(rows: Sequence[Sequence[Any]]) -> Iterator[bytes]:
    """Yield values (None, int, finite float, str; bool goes too) as lines, some at a time.

    JSON's forms are those that LOAD DATA reads, but for `null` and the escapes of the rarer
    control characters; texts that hold such a word take the slower road.
    """
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        text = b"\n".join([orjson.dumps(row)[1:-1] for row in some])
        nulls = sum([row.count(None) for row in some])
        if text.count(b"null") == nulls and b"\\u" not in text and b"\\f" not in text:
            yield text.replace(b"null", b"\\N") + b"\n"
        else:
            yield "".join(",".join(map(_text, row)) + "\n" for row in some).encode()


def _text(value: Any) -> str:
    if value is None:
        return r"\N"
    if type(value) is str:
        return f'"{value.translate(_ESCAPED)}"'
    return repr(int(value) if type(value) is bool else value)
