"""Deprecate, retire and revive a published schema.

A deprecated schema takes events as before; its state says that it will end. A retired one
takes no more: its events are refused with `schema_retired` and kept as refused ones are, its
tables stay, and clients do not find it in their configuration any more.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.errors import UnknownSchema
from eventlogging.registry import counter, owners
from eventlogging.registry.state import put_state
from eventlogging.review import acts, letters
from eventlogging.review.record import named
from eventlogging.review.thread import text_problems
from eventlogging.store.database import Database
from eventlogging.store.fixed import event_schema, schema_owner


@dataclass(frozen=True)
class Moved:
    """The state that a schema is in now, whether this moved it there, and why not."""

    state: str  # published | deprecated | retired
    done: bool
    problems: tuple[str, ...] = ()


def deprecate(database: Database, name: str, who: str, reason: str, *, base_url: str) -> Moved:
    """Say that a schema will end; raises UnknownSchema, as all of these."""
    return _move(database, name, who, reason, "deprecated", ("published",), base_url)


def retire(database: Database, name: str, who: str, reason: str, *, base_url: str) -> Moved:
    """Let a schema take no more events."""
    return _move(database, name, who, reason, "retired", ("published", "deprecated"), base_url)


def revive(database: Database, name: str, who: str, reason: str, *, base_url: str) -> Moved:
    """Put a deprecated or retired schema back into use."""
    return _move(database, name, who, reason, "published", ("deprecated", "retired"), base_url)


def _move(
    database: Database, name: str, who: str, reason: str, state: str, before: tuple[str, ...],
    base_url: str,
) -> Moved:  # fmt: skip
    who, reason = named(who), reason.strip()
    c = event_schema.c
    with database.write() as connection:
        counter.lock(connection)
        was = connection.execute(sa.select(c.state).where(c.name == name)).scalar()
        if was is None:
            raise UnknownSchema(f"no schema is named {name!r}; see: GET /v1/schemas")
        problems = text_problems("this", reason)
        if was not in before:
            problems = (f"{name} is {was} already" if was == state else f"{name} is {was}",)
        if problems:
            return Moved(was, False, problems)
        now = clock.iso(clock.now_ms())
        action = put_state(connection, name, was, state, who, reason=reason)
        counter.move(connection)
        letter = letters.moved(name, state, who, reason, base_url)
        of = sa.select(schema_owner.c.email).where(schema_owner.c.schema == name)
        people = [email.casefold() for email in connection.execute(of).scalars()]
        for person in owners.living(connection, people):
            if person != who:
                acts.send(connection, f"{action}:{name}:{now}", person, letter)
    return Moved(state, True)
