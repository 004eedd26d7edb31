"""Write down what is done to a proposal: in its thread, in the audit, to those concerned."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.mail.queue import Message, queue
from eventlogging.registry import audit, owners
from eventlogging.review import record
from eventlogging.review.letters import Letter
from eventlogging.review.record import Draft
from eventlogging.store.fixed import proposal_event, schema_owner

SYSTEM = "eventlogging"  # who acts where no person did


def act(
    connection: sa.Connection, draft: Draft, who: str, action: str, text: str,
    letter: Letter | None = None, to: Iterable[str] | None = None, **detail: Any,
) -> int:  # fmt: skip
    """Write an act down within the caller's transaction; return the number of its thread entry.

    The letter goes to `to`, None: to all whom the proposal concerns but who did it. `detail` is
    kept in the audit beside the proposal's number, version and revision.
    """
    result = connection.execute(
        sa.insert(proposal_event).values(
            proposal=draft.id,
            at=clock.iso(clock.now_ms()),
            who=who,
            action=action,
            revision=draft.revision,
            text=text,
        )
    )
    number = int((result.inserted_primary_key or (0,))[0])
    about = {"proposal": draft.id, "version": draft.version, "revision": draft.revision}
    by = SYSTEM if action in ("assign", "hand_over", "remind") else who
    if action != "publish":  # of that, the registry tells the audit
        audit.record(connection, by, action, draft.schema, {**about, **detail})
    if letter is not None:
        people = concerned(connection, draft) - {who} if to is None else to
        for person in sorted(set(people)):
            send(connection, f"review:{number}", person, letter)
    return number


def send(connection: sa.Connection, occasion: str, recipient: str, letter: Letter) -> bool:
    """Queue a letter once per occasion and recipient; a name that is no address gets none."""
    if "@" not in recipient:
        return False  # a token, or the command line
    key = f"{occasion}:{recipient}"
    if len(key) > 191:
        key = f"{occasion}:{sha256(recipient.encode()).hexdigest()}"
    return queue(connection, Message(key, recipient, letter.subject, letter.text))


def concerned(connection: sa.Connection, draft: Draft) -> set[str]:
    """Return who proposed or edited it, whose turn it is, and the owners that can be reached."""
    people = set(record.participants(connection, draft)) | set(owners_of(connection, draft))
    if draft.reviewer:
        people.add(draft.reviewer)
    dead = owners.unreachable(connection, people)
    return {person for person in people if person not in dead}


def owners_of(connection: sa.Connection, draft: Draft) -> list[str]:
    """Return the owners that the schema has, and those that the proposal states."""
    query = sa.select(schema_owner.c.email).where(schema_owner.c.schema == draft.schema)
    stated = draft.body.get("owners")
    texts = (
        [owner for owner in stated if isinstance(owner, str)] if isinstance(stated, list) else []
    )
    found = [*connection.execute(query).scalars(), *texts]
    return list(dict.fromkeys(owner.casefold() for owner in found if len(owner) <= 191))
