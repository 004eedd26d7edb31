"""Move a schema from one state to another: published, deprecated, retired."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.registry import audit
from eventlogging.store.fixed import event_schema

_ACTIONS = {"published": "revive", "deprecated": "deprecate", "retired": "retire"}


def put_state(
    connection: sa.Connection, name: str, old: str, new: str, who: str, **more: Any
) -> str:
    """Put a schema into another state, with an entry in the audit; return the entry's action.

    The caller owns the transaction, holds the counter's lock and moves it. `more` joins what
    the entry tells, such as a reason.
    """
    connection.execute(
        sa.update(event_schema)
        .where(event_schema.c.name == name)
        .values(state=new, updated_at=clock.iso(clock.now_ms()))
    )
    audit.record(connection, who, _ACTIONS[new], name, {"old": old, "new": new, **more})
    return _ACTIONS[new]
