"""Extensions as rows: read, found, locked, changed."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging.retention.wish import Wish
from eventlogging.store.fixed import extension


@dataclass(frozen=True)
class Extension:
    """A wish with what became of it. `state`: asked, granted, refused or withdrawn.

    One that was ended early is granted, and its `until` is the day of that. `decision` is what
    the reviewer said.
    """

    id: int
    wish: Wish
    state: str
    asked_by: str
    asked_at: str
    decided_by: str | None
    decided_at: str | None
    decision: str

    @property
    def label(self) -> str:
        """Its schemas, for headings."""
        return ", ".join(self.wish.schemas)

    def holds(self, today: str) -> bool:
        """Whether events are kept longer by it."""
        return self.state == "granted" and today <= self.wish.until


def find(connection: sa.Connection, id: int) -> Extension | None:
    """Return one, None where there is none of that number."""
    row = connection.execute(sa.select(extension).where(extension.c.id == id)).first()
    return None if row is None else _extension(row)


def find_all(
    connection: sa.Connection, *, states: Collection[str] = (), schema: str | None = None,
    limit: int = 200,
) -> list[Extension]:  # fmt: skip
    """Return the newest first; what is not stated does not matter."""
    query = sa.select(extension).order_by(extension.c.id.desc()).limit(limit)
    if states:
        query = query.where(extension.c.state.in_(states))
    every = [_extension(row) for row in connection.execute(query)]
    return [one for one in every if schema is None or schema in one.wish.schemas]


def locked(connection: sa.Connection, id: int) -> Extension:
    """Return one, and make all who would change it wait; raises LookupError where there is none."""
    query = sa.select(extension).where(extension.c.id == id).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        raise LookupError(f"no extension has the number {id}")
    return _extension(row)


def change(connection: sa.Connection, one: Extension, **values: Any) -> Extension:
    """Write columns of a locked one and return it as it then is."""
    connection.execute(sa.update(extension).where(extension.c.id == one.id).values(**values))
    return found(connection, one.id)


def found(connection: sa.Connection, id: int) -> Extension:
    """Return one that is there."""
    there = find(connection, id)
    assert there is not None
    return there


def _extension(row: sa.Row[Any]) -> Extension:
    wish = Wish(
        tuple(json.loads(row.schemas)), row.first_day, row.last_day, row.keep_days, row.until,
        row.reason, row.why_not_less,
    )  # fmt: skip
    return Extension(
        row.id, wish, row.state, row.asked_by, row.asked_at, row.decided_by, row.decided_at,
        row.decision,
    )  # fmt: skip
