"""Why a day's events were invalid: counted in the tables of invalid events, and one sample each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from eventlogging.registry.model import Snapshot
from eventlogging.reports import masked
from eventlogging.reports.model import Cause, Report, is_registered
from eventlogging.reports.words import plain
from eventlogging.schema.masking import MASK
from eventlogging.store.database import Database
from eventlogging.store.dialect import INVALID_KEY, quoted

UNKNOWN_TABLE = "unknown_invalid"  # as the loader names it
MOST_ROWS = 20_000  # of a schema's day are counted, the newest
MOST_CAUSES = 5
_PAGE = 2_000
_ERROR_CHARS = 2_000  # the first problem stands within them
_TEXT_CHARS = 200
_RAW_CHARS = 65_536
_KEY = ", ".join(map(quoted, INVALID_KEY))
_BACKWARDS = ", ".join(f"{quoted(name)} DESC" for name in INVALID_KEY)

SampleKey = tuple[str, str, str]  # schema, code, pointer


@dataclass(frozen=True)
class Counted:
    """The causes of a day, the most frequent first, among `looked_at` events."""

    causes: tuple[Cause, ...]
    more: int
    looked_at: int


@dataclass(frozen=True)
class Sample:
    """One invalid event, as who may read refused events sees it.

    `event` is JSON on one line, private fields masked; empty, as `found` is, where they could
    not be found and so nothing is shown.
    """

    received: str
    version: str
    found: str
    event: str
    sender: str


def table_of(snapshot: Snapshot, name: str) -> str | None:
    """Return the table of a schema's invalid events; None: no such schema."""
    if not is_registered(name):
        return UNKNOWN_TABLE
    schema = snapshot.schemas.get(name)
    return schema.invalid_table if schema else None


def count_causes(database: Database, table: str, day: str, next_day: str) -> Counted:
    """Count the causes in a table of invalid events of a day, page by page."""
    with database.read() as connection:
        if not database.dialect.existing_columns(connection, table):
            return Counted((), 0, 0)
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], tuple[str, Sequence[Any]]] = {}
    looked_at = 0
    after: Sequence[Any] = ()
    while looked_at < MOST_ROWS:
        rows = _page(database, table, day, next_day, after, min(_PAGE, MOST_ROWS - looked_at))
        for row in rows:
            problem = _first_problem(row[5])
            cause = (str(row[4]), problem.get("pointer", ""))
            counts[cause] += 1
            first.setdefault(cause, (problem.get("expected", ""), row[:4]))
        looked_at += len(rows)
        if len(rows) < _PAGE:
            break
        after = rows[-1][:4]
    largest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    causes = tuple(
        Cause(code, pointer, first[code, pointer][0], count, _place(first[code, pointer][1]))
        for (code, pointer), count in largest[:MOST_CAUSES]
    )
    return Counted(causes, max(0, len(largest) - MOST_CAUSES), looked_at)


def _page(
    database: Database, table: str, day: str, next_day: str, after: Sequence[Any], limit: int
) -> Sequence[Any]:
    values: dict[str, Any] = {"start": day, "end": next_day, "limit": limit}
    where = "received >= :start AND received < :end"
    if after:
        values |= {f"k{at}": value for at, value in enumerate(after)}
        where += f" AND received <= :k0 AND ({_KEY}) < (:k0, :k1, :k2, :k3)"
    query = (
        f"SELECT {_KEY}, code, SUBSTR(errors, 1, {_ERROR_CHARS}) FROM {quoted(table)} "
        f"WHERE {where} ORDER BY {_BACKWARDS} LIMIT :limit"
    )
    with database.read() as connection:
        return connection.execute(sa.text(query), values).all()


def _first_problem(errors: str | None) -> Mapping[str, str]:
    """Return the first of the problems in a JSON list whose end may be cut off."""
    try:
        problem, _ = json.JSONDecoder().raw_decode((errors or "").lstrip(" ["))
    except ValueError:
        return {}
    if not isinstance(problem, dict):
        return {}
    return {str(key): _cut(plain(value)) for key, value in problem.items()}


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_CHARS else f"{text[: _TEXT_CHARS - 1]}…"


def _place(key: Sequence[Any]) -> tuple[str, str, int, int]:
    received, segment, offset, index = key
    if isinstance(received, datetime):
        received = received.isoformat(sep=" ", timespec="milliseconds")
    return str(received), str(segment), int(offset), int(index)


def read_samples(
    database: Database, snapshot: Snapshot, report: Report, readable: Callable[[str], bool]
) -> dict[SampleKey, Sample]:
    """Return a sample for each cause of the schemas that may be read, where it still is stored."""
    found: dict[SampleKey, Sample] = {}
    for one in report.schemas:
        table = table_of(snapshot, one.name)
        if table is None or not one.causes or not readable(one.name):
            continue
        schema = snapshot.schemas.get(one.name)
        private = tuple(schema.privacy) if schema else ()
        with database.read() as connection:
            if not database.dialect.existing_columns(connection, table):
                continue
            for cause in one.causes:
                sample = _sample(connection, table, cause, private)
                if sample is not None:
                    found[one.name, cause.code, cause.pointer] = sample
    return found


def _sample(
    connection: sa.Connection, table: str, cause: Cause, private: Sequence[str]
) -> Sample | None:
    where = " AND ".join(f"{quoted(name)} = :k{at}" for at, name in enumerate(INVALID_KEY))
    query = (
        f"SELECT version, sealed, client, user_agent_browser, SUBSTR(errors, 1, {_ERROR_CHARS}) "
        f"AS errors, SUBSTR(raw, 1, {_RAW_CHARS}) AS raw FROM {quoted(table)} WHERE {where}"
    )
    values = {f"k{at}": value for at, value in enumerate(cause.place)}
    row = connection.execute(sa.text(query), values).first()
    if row is None:
        return None
    found = event = ""
    if row.sealed:
        found = _first_problem(row.errors).get("found", "")
        if masked.is_private(cause.pointer, private):
            found = MASK
        event = masked.shown(row.raw or "", private)
    return Sample(
        received=f"{cause.place[0].replace(' ', 'T')}Z",
        version=plain(row.version or ""),
        found=found,
        event=event,
        sender=plain(row.client or row.user_agent_browser or ""),
    )
