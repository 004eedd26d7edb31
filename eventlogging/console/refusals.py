"""The last refused events of a table, grouped by code, each group with a sample."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging.console.row_pages import time_text
from eventlogging.event import CODES
from eventlogging.store.database import Database
from eventlogging.store.dialect import INVALID_KEY, quoted

LOOKED_AT = 1000  # so many of the newest are counted
_RAW_CHARS = 1500
_MOST_PROBLEMS = 8
_MOST_GROUPS = 12
_TEXT_CHARS = 300


@dataclass(frozen=True)
class Group:
    """Refused events of one code; times are ISO. `raw` is one of them, cut where it is long."""

    code: str
    meaning: str
    count: int
    first: str
    last: str
    problems: list[Mapping[str, str]]
    message: str
    raw: str
    is_cut: bool
    sender: str


@dataclass(frozen=True)
class Refusals:
    """Groups, the most frequent first, and of how many events they are."""

    groups: list[Group]
    looked_at: int

    @property
    def is_all(self) -> bool:
        """Whether there are no older ones."""
        return self.looked_at < LOOKED_AT


def read_refusals(database: Database, table: str) -> Refusals:
    """Return the newest refused events; none where there is no such table yet."""
    key = ", ".join(map(quoted, INVALID_KEY))
    backwards = ", ".join(f"{quoted(name)} DESC" for name in INVALID_KEY)
    query = (
        f"SELECT {quoted('code')}, {key} FROM {quoted(table)} ORDER BY {backwards} "
        f"LIMIT {LOOKED_AT}"
    )
    found: dict[str, list[Sequence[Any]]] = {}
    with database.read() as connection:
        if not database.dialect.existing_columns(connection, table):
            return Refusals([], 0)
        rows = connection.execute(sa.text(query)).all()
        for row in rows:
            found.setdefault(row[0], []).append(row[1:])
        largest = sorted(found.items(), key=lambda item: -len(item[1]))[:_MOST_GROUPS]
        groups = [_group(connection, table, code, keys) for code, keys in largest]
    return Refusals(groups, len(rows))


def _group(
    connection: sa.Connection, table: str, code: str, keys: Sequence[Sequence[Any]]
) -> Group:
    newest, oldest = keys[0], keys[-1]
    where = " AND ".join(f"{quoted(name)} = :k{at}" for at, name in enumerate(INVALID_KEY))
    query = (
        "SELECT message, errors, host, client, user_agent_browser, "
        f"SUBSTR(raw, 1, {_RAW_CHARS + 1}) AS raw FROM {quoted(table)} WHERE {where}"
    )
    sample = connection.execute(
        sa.text(query), {f"k{at}": value for at, value in enumerate(newest)}
    ).first()
    raw = (sample.raw or "") if sample else ""
    sender = [sample.host, sample.client, sample.user_agent_browser] if sample else []
    return Group(
        code=code,
        meaning=CODES[code][1] if code in CODES else "",
        count=len(keys),
        first=_iso(oldest[0]),
        last=_iso(newest[0]),
        problems=_problems(sample.errors if sample else None),
        message=((sample.message or "") if sample else "")[:_TEXT_CHARS],
        raw=_readable(raw),
        is_cut=len(raw) > _RAW_CHARS,
        sender=" · ".join(text for text in sender if text),
    )


def _problems(text: str | None) -> list[Mapping[str, str]]:
    problems = json.loads(text or "[]")
    names = ("pointer", "rule", "found", "expected")
    return [
        {name: str(problem.get(name, ""))[:_TEXT_CHARS] for name in names}
        for problem in problems[:_MOST_PROBLEMS]
        if isinstance(problem, dict)
    ]


def _readable(raw: str) -> str:
    """Return JSON with line breaks, and any other text, or one that is cut, as it is."""
    if len(raw) > _RAW_CHARS:
        return raw[:_RAW_CHARS]
    try:
        return json.dumps(json.loads(raw), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return raw


def _iso(value: Any) -> str:
    return time_text(value).replace(" ", "T") + "Z"
