"""The rows of erasures: whose wish it is, what was done about it where, and what waits."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.retention.identity import Span
from eventlogging.store.database import Database
from eventlogging.store.fixed import erasure

ASKED, DONE = "asked", "done"
_NOBODY = "[]"


@dataclass(frozen=True)
class Erasure:
    """A person's wish to be forgotten. `hashes` stay for some days after it is done, then go too.

    `spans` are ids of events instead, where a device asked for its own.
    `detail` holds `tables` (name → rows erased), `log_lines`, `texts`, `hosts` (name → what of its
    log waits), `marks` (host → what had arrived when it looked), `held_by` (host → table → rows
    that a hold keeps), `held` (the same of all hosts together), `out_of_reach`, `receipt`,
    `leavings`.
    """

    id: str
    hashes: tuple[str, ...]
    asked_at: str
    asked_by: str
    state: str
    detail: Mapping[str, Any]
    done_at: str | None
    spans: tuple[Span, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows it took out of the tables."""
        return sum(self.detail.get("tables", {}).values())

    @property
    def waits(self) -> list[str]:
        """What it waits for, in sentences."""
        found = [
            f"{host}: {reason}" for host, reason in sorted(self.detail.get("hosts", {}).items())
            if reason
        ]  # fmt: skip
        for table, rows in sorted(self.detail.get("held", {}).items()):
            found.append(f"{table}: a legal hold keeps {rows} of its rows")
        if self.state == ASKED and not found:
            found.append("a host has not looked through its log yet")
        return found if self.state == ASKED else []

    def as_dict(self) -> dict[str, Any]:
        """Return what may be shown: all but the hashes."""
        return {
            "id": self.id, "asked_at": self.asked_at, "asked_by": self.asked_by,
            "state": self.state, "done_at": self.done_at, "rows": self.rows,
            "waits": self.waits, **self.detail,
        }  # fmt: skip


def enter(
    connection: sa.Connection,
    hashes: Sequence[str],
    who: str,
    *,
    id: str = "",
    asked_at: str = "",
    spans: Sequence[Span] = (),
) -> Erasure:
    """Write a wish down within the caller's transaction."""
    made = Erasure(
        id or str(uuid.uuid4()), tuple(hashes), asked_at or clock.iso(clock.now_ms()), who,
        ASKED, {}, None, tuple(spans),
    )  # fmt: skip
    connection.execute(
        sa.insert(erasure).values(
            id=made.id, hashes=_meant(made), asked_at=made.asked_at,
            asked_by=who[:191], state=ASKED, detail="{}",
        )
    )  # fmt: skip
    return made


def read(connection: sa.Connection, id: str) -> Erasure | None:
    """Return one erasure, None where there is none of that id."""
    row = connection.execute(sa.select(erasure).where(erasure.c.id == id)).first()
    return _read(row) if row is not None else None


def newest(connection: sa.Connection, limit: int = 100) -> list[Erasure]:
    """Return the newest erasures, the newest first, and not of whom they are."""
    query = sa.select(*_but_whose()).order_by(erasure.c.asked_at.desc(), erasure.c.id).limit(limit)
    return [_read(row) for row in connection.execute(query)]


def unfinished(connection: sa.Connection) -> list[Erasure]:
    """Return those that are not done, and those whose leavings nobody has looked after yet."""
    query = sa.select(erasure).order_by(erasure.c.asked_at, erasure.c.id)
    open_ones = sa.or_(
        erasure.c.state == ASKED, sa.not_(erasure.c.detail.contains('"leavings": "'))
    )
    return [_read(row) for row in connection.execute(query.where(open_ones))]


def finish(connection: sa.Connection, wish: Erasure) -> bool:
    """Say that it is done; False: somebody else did. Who it was stays, for what comes late."""
    changed = connection.execute(
        sa.update(erasure)
        .where(erasure.c.id == wish.id, erasure.c.state == ASKED)
        .values(state=DONE, hashes=_kept(wish), done_at=clock.iso(clock.now_ms()))
    )
    return changed.rowcount > 0


def reopen(connection: sa.Connection, wish: Erasure) -> None:
    """Say that it has to be carried out once more; only of one that says who it is."""

    def change(detail: dict[str, Any]) -> None:
        for name in ("receipt", "digest", "leavings"):
            detail.pop(name, None)

    changed = connection.execute(
        sa.update(erasure)
        .where(erasure.c.id == wish.id, erasure.c.state == DONE)
        .values(state=ASKED, hashes=_meant(wish), done_at=None)
    )
    if changed.rowcount:
        note(connection, wish.id, change)


def kept(connection: sa.Connection) -> list[Erasure]:
    """Return those that are done and may still be looked for; `read` says who each of them is."""
    query = sa.select(*_but_whose()).where(erasure.c.state == DONE, erasure.c.hashes != _NOBODY)
    rows = connection.execute(query.order_by(erasure.c.asked_at, erasure.c.id))
    return [_read(row) for row in rows]


def forget(connection: sa.Connection, moment: str) -> None:
    """Forget who it was, where it was done up to a moment (ISO). Receipts have it still."""
    connection.execute(
        sa.update(erasure)
        .where(erasure.c.state == DONE, erasure.c.done_at <= moment, erasure.c.hashes != _NOBODY)
        .values(hashes=_NOBODY)
    )


def note(
    connection: sa.Connection, id: str, change: Callable[[dict[str, Any]], None], **values: Any
) -> bool:
    """Change the detail of an erasure that nobody else changes meanwhile; False: there is none."""
    query = sa.select(erasure.c.detail).where(erasure.c.id == id).with_for_update()
    text = connection.execute(query).scalar()
    if text is None:
        return False
    detail = json.loads(text)
    change(detail)
    connection.execute(
        sa.update(erasure)
        .where(erasure.c.id == id)
        .values(detail=json.dumps(detail, ensure_ascii=False), **values)
    )
    return True


def noted(
    database: Database, id: str, change: Callable[[dict[str, Any]], None], **values: Any
) -> None:
    """The same in a transaction of its own. Raises StoreUnavailable."""
    with database.write() as connection:
        note(connection, id, change, **values)


def written(spans: Sequence[Span]) -> list[list[Any]]:
    """Return ids with their days as JSON has them."""
    return [[span.first, span.last, sorted(span.ids)] for span in spans]


def spans_of(content: Any) -> tuple[Span, ...]:
    """Return what `written` gave."""
    return tuple(Span(first, last, frozenset(ids)) for first, last, ids in content or ())


def _read(row: Any) -> Erasure:
    hashes, spans = _who(json.loads(row.hashes))
    return Erasure(
        row.id, hashes, row.asked_at, row.asked_by, row.state, json.loads(row.detail),
        row.done_at, spans,
    )  # fmt: skip


def _but_whose() -> list[Any]:
    """All columns; instead of who it is, which may be thousands of ids, nobody."""
    nobody = sa.literal(_NOBODY).label("hashes")
    return [nobody if column.name == "hashes" else column for column in erasure.c]


def _meant(wish: Erasure) -> str:
    return json.dumps({"ids": written(wish.spans)} if wish.spans else wish.hashes)


def _kept(wish: Erasure) -> str:
    """Write who it was backwards.

    Whoever searches the files of the database for a hash or an id finds then what should have
    gone, and not this.
    """
    return json.dumps({"was": _turned(wish.hashes), "ids": _all_turned(written(wish.spans))})


def _turned(texts: Sequence[str]) -> list[str]:
    return [text[::-1] for text in texts]


def _all_turned(spans: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [[first, last, _turned(ids)] for first, last, ids in spans]


def _who(meant: Any) -> tuple[tuple[str, ...], tuple[Span, ...]]:
    """Read what `_meant` or `_kept` wrote."""
    if not isinstance(meant, dict):
        return tuple(meant), ()
    if "was" not in meant:
        return (), spans_of(meant["ids"])
    return tuple(_turned(meant["was"])), spans_of(_all_turned(meant["ids"]))
