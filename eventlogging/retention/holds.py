"""Legal holds: while one is in force, nothing of its schema is purged, stripped or erased."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.receipts import chain
from eventlogging.receipts.chain import Receipt
from eventlogging.registry import audit, counter
from eventlogging.store.database import Database
from eventlogging.store.fixed import event_schema, legal_hold

KIND = "hold"  # of receipts
PLACED, LIFTED = "placed", "lifted"
_LONGEST = 2_000
_MOST_NAME = 191
_AGAIN = "As its receipt says; what was said about it is younger than the restored backup."
_ACTS = {PLACED: "place", LIFTED: "lift"}


@dataclass(frozen=True)
class Hold:
    """A hold; `lifted_at` is None while it is in force. Times are ISO."""

    id: int
    schema: str
    reason: str
    placed_by: str
    placed_at: str
    lifted_by: str | None = None
    lifted_at: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of it: `changed` is False where it was so already, or where there are problems.

    `hold` is the one in force, or the one that was lifted.
    """

    changed: bool
    hold: Hold | None = None
    problems: tuple[str, ...] = ()


def place(database: Database, receipts: Path, schema: str, who: str, reason: str) -> Outcome:
    """Hold a schema; where it is held already, nothing changes.

    The audit has the reason, the receipt only that it is held. Raises StoreUnavailable, OSError
    and BrokenChain where the receipt cannot be written: then nothing is held.
    """
    reason = reason.strip()
    if not reason:
        return Outcome(False, problems=("Say why: the audit keeps it, and no stranger sees it.",))
    if len(reason) > _LONGEST:
        return Outcome(False, problems=(f"The reason has more than {_LONGEST} characters.",))
    with database.write() as connection:
        counter.lock(connection)  # of two at once, one comes second
        if problem := _unknown(connection, schema):
            return Outcome(False, problems=(problem,))
        standing = of_schema(connection, schema)
        if standing is not None:
            return Outcome(False, standing)
        _insert(connection, schema, reason, who)
        audit.record(connection, who, "hold.place", schema, {"reason": reason})
        # Last: without its receipt a hold would not outlast a restore.
        chain.append(receipts, KIND, {"schema": schema, "act": PLACED})
        return Outcome(True, of_schema(connection, schema))


def lift(database: Database, receipts: Path, schema: str, who: str) -> Outcome:
    """End the hold of a schema; what was due meanwhile goes at the next pass.

    Where it is not held, nothing changes. Raises as `place` does.
    """
    with database.write() as connection:
        counter.lock(connection)
        if problem := _unknown(connection, schema):
            return Outcome(False, problems=(problem,))
        standing = of_schema(connection, schema)
        if standing is None:
            return Outcome(False)
        _lift(connection, schema, who)
        audit.record(connection, who, "hold.lift", schema, {"placed_at": standing.placed_at})
        chain.append(receipts, KIND, {"schema": schema, "act": LIFTED})
        return Outcome(True, _read(connection, standing.id))


def of_schema(connection: sa.Connection, schema: str) -> Hold | None:
    """Return the hold in force of a schema, None where it is not held."""
    return next((one for one in in_force(connection) if one.schema == schema), None)


def in_force(connection: sa.Connection) -> list[Hold]:
    """Return the holds in force, by schema; of a schema the first one placed."""
    c = legal_hold.c
    query = sa.select(legal_hold).where(c.lifted_at.is_(None)).order_by(c.schema, c.id.desc())
    return list({row.schema: _hold(row) for row in connection.execute(query)}.values())


def replay(database: Database, receipts: Iterable[Receipt]) -> list[str]:
    """Bring holds to what the receipts say, after a restore; return what changed, in sentences.

    A hold placed after the backup was made is placed again, one lifted after it is lifted again.
    """
    wanted = {str(one.body["schema"]): one.body["act"] for one in receipts if one.kind == KIND}
    changed = []
    with database.write() as connection:
        counter.lock(connection)
        held = {one.schema for one in in_force(connection)}
        for schema, act in sorted(wanted.items()):
            if act == PLACED and schema not in held:
                _insert(connection, schema, _AGAIN, "restore")
                changed.append(f"{schema} is held again")
            elif act == LIFTED and schema in held:
                _lift(connection, schema, "restore")
                changed.append(f"the hold of {schema} is lifted again")
            else:
                continue
            audit.record(connection, "restore", f"hold.{_ACTS[act]}", schema, {"reason": _AGAIN})
    return changed


def _unknown(connection: sa.Connection, schema: str) -> str | None:
    query = sa.select(event_schema.c.name).where(event_schema.c.name == schema)
    if connection.execute(query).first() is not None:
        return None
    return f"No schema is named {schema!r}. The list of schemas shows all there are."


def _insert(connection: sa.Connection, schema: str, reason: str, who: str) -> None:
    connection.execute(
        sa.insert(legal_hold).values(
            schema=schema, reason=reason, placed_by=who[:_MOST_NAME],
            placed_at=clock.iso(clock.now_ms()),
        )
    )  # fmt: skip


def _lift(connection: sa.Connection, schema: str, who: str) -> None:
    c = legal_hold.c
    connection.execute(
        sa.update(legal_hold)
        .where(c.schema == schema, c.lifted_at.is_(None))
        .values(lifted_by=who[:_MOST_NAME], lifted_at=clock.iso(clock.now_ms()))
    )


def _read(connection: sa.Connection, id: int) -> Hold | None:
    row = connection.execute(sa.select(legal_hold).where(legal_hold.c.id == id)).first()
    return None if row is None else _hold(row)


def _hold(row: sa.Row[Any]) -> Hold:
    return Hold(**row._mapping)
