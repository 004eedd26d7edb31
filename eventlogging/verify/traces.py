"""Search for traces of a person: in all tables of the catalogue, in all files byte by byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.store.database import Database
from eventlogging.store.dialect import quoted
from eventlogging.verify.catalogue import columns_of, read_catalogue, text_columns_of
from eventlogging.verify.files import mapped

_SLACK_MS = 3_600_000
# Columns along which a large table is searched only from the beginning of the search on: a mark
# that was not there before cannot stand in older rows.
_TIMES = ("dt", "received", "minute", "added")


def in_tables(database: Database, texts: Sequence[bytes], since_ms: int) -> Iterator[str]:
    """Yield the tables in which one of the texts stands, in any column that may hold a text.

    `since_ms` is when the texts came into the world. Raises StoreUnavailable.
    """
    values = {f"t{i}": f"%{text.decode()}%" for i, text in enumerate(texts)}
    with database.read() as connection:
        tables = sorted(read_catalogue(connection).tables)
    for table in tables:
        with database.read() as connection:
            columns = text_columns_of(connection, table)
            tests = " OR ".join(f"{quoted(name)} LIKE :{key}" for name in columns for key in values)
            if not tests:
                continue
            where = f"({tests})"
            also: Mapping[str, str] = {}
            time = next((t for t in _TIMES if t in columns_of(connection, table)), None)
            if time is not None:
                where, also = f"{quoted(time)} >= :since AND {where}", _since(time, since_ms)
            query = f"SELECT 1 FROM {quoted(table)} WHERE {where} LIMIT 1"
            found = connection.execute(sa.text(query), {**values, **also}).first()
        if found is not None:
            yield f"the table {table}"


def _since(time: str, since_ms: int) -> Mapping[str, str]:
    moment = clock.sql_time(since_ms - _SLACK_MS)
    return {"since": moment[:10] if time == "added" else moment[:16]}


def in_files(folder: Path, texts: Sequence[bytes], since: float) -> Iterator[str]:
    """Yield the files below a folder in which one of the texts stands, byte by byte.

    Files that nobody has written to since then (seconds, by the disk's clock) are left out.
    """
    for path in sorted(folder.rglob("*")):
        try:
            if not path.is_file() or path.stat().st_mtime < since:
                continue
        except FileNotFoundError:
            continue
        with mapped(path) as data:
            # One after another is faster than all at once: bytes are compared, not matched.
            if data is not None and any(data.find(text) >= 0 for text in texts):
                yield f"the file {path}"
