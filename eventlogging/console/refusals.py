"""The last refused events of a table, grouped by their cause, each group with samples."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from eventlogging.console.row_pages import time_text
from eventlogging.event import CODES
from eventlogging.store.database import Database
from eventlogging.store.dialect import INVALID_KEY, quoted

LOOKED_AT = 1000  # so many of the newest are counted
_SAMPLES = 3
_RAW_CHARS = 1500
_ERROR_CHARS = 20_000
_MOST_PROBLEMS = 8
_MOST_GROUPS = 12
_MOST_SENDERS = 4
_TEXT_CHARS = 300


@dataclass(frozen=True)
class Sample:
    """One refused event: its problems, and what it was; `raw` is cut where it is long."""

    received: str
    version: str
    problems: list[Mapping[str, str]]
    message: str
    raw: str
    is_cut: bool
    sender: str


@dataclass(frozen=True)
class Group:
    """Refused events of one cause: a code, and the path and rule of its first problem.

    Times are ISO; `senders` are libraries or browsers with how many events each sent, the most
    frequent first; `samples` are the newest ones.
    """

    code: str
    meaning: str
    pointer: str
    rule: str
    expected: str
    count: int
    first: str
    last: str
    senders: list[tuple[str, int]]
    samples: list[Sample] = field(default_factory=list)


@dataclass(frozen=True)
class Refusals:
    """Groups, the most frequent first, and of how many events they are.

    Without `values` the reader may not see what events hold: paths, rules and counts alone.
    """

    groups: list[Group]
    looked_at: int
    table: str
    values: bool = True
    more_groups: int = 0

    @property
    def is_all(self) -> bool:
        """Whether there are no older ones."""
        return self.looked_at < LOOKED_AT

    @property
    def query(self) -> str:
        """The query behind the counts, ready to copy."""
        return (
            f"SELECT code, COUNT(*), MIN(received), MAX(received)\nFROM {self.table}\n"
            "GROUP BY code ORDER BY COUNT(*) DESC;"
        )


_Cause = tuple[str, str, str]  # code, pointer, rule


def read_refusals(database: Database, table: str, *, values: bool) -> Refusals:
    """Return the newest refused events; none where there is no such table yet."""
    key = ", ".join(map(quoted, INVALID_KEY))
    backwards = ", ".join(f"{quoted(name)} DESC" for name in INVALID_KEY)
    query = (
        f"SELECT {key}, {quoted('code')}, client, user_agent_browser, "
        f"SUBSTR(errors, 1, {_ERROR_CHARS}) FROM {quoted(table)} ORDER BY {backwards} "
        f"LIMIT {LOOKED_AT}"
    )
    found: dict[_Cause, list[Sequence[Any]]] = {}
    with database.read() as connection:
        if not database.dialect.existing_columns(connection, table):
            return Refusals([], 0, table, values)
        rows = connection.execute(sa.text(query)).all()
        for row in rows:
            found.setdefault(_cause(row[4], row[7]), []).append(row)
        largest = sorted(found.items(), key=lambda item: -len(item[1]))
        groups = [
            _group(connection, table, cause, of_it, values=values)
            for cause, of_it in largest[:_MOST_GROUPS]
        ]
    return Refusals(groups, len(rows), table, values, max(0, len(largest) - _MOST_GROUPS))


def _cause(code: str, errors: str | None) -> _Cause:
    first = next(iter(problems_of(errors)), None)
    return (code, first["pointer"], first["rule"]) if first else (code, "", "")


def _group(
    connection: sa.Connection,
    table: str,
    cause: _Cause,
    rows: Sequence[Sequence[Any]],
    *,
    values: bool,
) -> Group:
    code, pointer, rule = cause
    first = next(iter(problems_of(rows[0][7])), None)
    senders = Counter(row[5] or row[6] or "" for row in rows)
    return Group(
        code=code,
        meaning=CODES[code][1] if code in CODES else "",
        pointer=pointer,
        rule=rule,
        expected=first["expected"] if first else "",
        count=len(rows),
        first=_iso(rows[-1][0]),
        last=_iso(rows[0][0]),
        senders=[pair for pair in senders.most_common(_MOST_SENDERS) if pair[0]],
        samples=[_sample(connection, table, row[:4]) for row in rows[:_SAMPLES]] if values else [],
    )


def _sample(connection: sa.Connection, table: str, key: Sequence[Any]) -> Sample:
    where = " AND ".join(f"{quoted(name)} = :k{at}" for at, name in enumerate(INVALID_KEY))
    query = (
        "SELECT version, message, errors, host, client, user_agent_browser, "
        f"SUBSTR(raw, 1, {_RAW_CHARS + 1}) AS raw FROM {quoted(table)} WHERE {where}"
    )
    found = connection.execute(
        sa.text(query), {f"k{at}": value for at, value in enumerate(key)}
    ).first()
    raw = (found.raw or "") if found else ""
    sender = [found.host, found.client, found.user_agent_browser] if found else []
    return Sample(
        received=_iso(key[0]),
        version=(found.version or "") if found else "",
        problems=problems_of(found.errors if found else None),
        message=((found.message or "") if found else "")[:_TEXT_CHARS],
        raw=_readable(raw),
        is_cut=len(raw) > _RAW_CHARS,
        sender=" · ".join(text for text in sender if text),
    )


def problems_of(text: str | None) -> list[Mapping[str, str]]:
    """Return the problems that a refused event's `errors` list, the first few of them."""
    try:
        problems = json.loads(text or "[]")
    except ValueError:  # cut where it was too long
        return []
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
