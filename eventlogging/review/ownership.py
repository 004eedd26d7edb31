"""Ownership that survives people: find owners who cannot be reached, and ask those who can."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.registry import audit, owners
from eventlogging.review import acts, letters, persons
from eventlogging.review.roster import roster
from eventlogging.review.working_days import add_working_days
from eventlogging.store.database import Database
from eventlogging.store.fixed import owner_trouble, person, schema_owner

REASONS = ("bounced", "disabled")
ASK_REVIEWERS_AFTER = 2  # working days after the owners were asked
_IN_WORDS = {"bounced": "mail to it comes back", "disabled": "the account is disabled"}


@dataclass(frozen=True)
class OwnerTrouble:
    """An owner of a schema who cannot be reached; times are ISO."""

    schema: str
    email: str
    reason: str  # one of REASONS
    since: str
    owners_asked_at: str | None
    reviewers_asked_at: str | None

    @property
    def why(self) -> str:
        """The reason in words."""
        return _IN_WORDS.get(self.reason, self.reason)


def troubles(connection: sa.Connection, schema: str | None = None) -> list[OwnerTrouble]:
    """Return the owners who cannot be reached, of one schema or of all."""
    c = owner_trouble.c
    query = sa.select(owner_trouble).order_by(c.schema, c.email)
    if schema is not None:
        query = query.where(c.schema == schema)
    owned = _owned(connection)
    found = [OwnerTrouble(**row) for row in connection.execute(query).mappings()]
    return [one for one in found if one.email in owned.get(one.schema, ())]


def living_owners(
    connection: sa.Connection, schema: str, stated: Iterable[str] | None = None
) -> list[str]:
    """Return the owners who can be reached, of those stated; None: of those the schema has."""
    if stated is None:
        query = sa.select(schema_owner.c.email).where(schema_owner.c.schema == schema)
        stated = connection.execute(query.order_by(schema_owner.c.position)).scalars()
    return owners.living(connection, stated)


def note_trouble(connection: sa.Connection, email: str, reason: str) -> list[str]:
    """Flag all schemas of an owner who cannot be reached; return those newly flagged.

    `reason` is one of REASONS. Whom to ask is seen to by the next look.
    """
    if reason not in REASONS:
        raise ValueError(f"{reason!r} is not one of {', '.join(REASONS)}")
    email, c = email.casefold(), owner_trouble.c
    known = set(connection.execute(sa.select(c.schema).where(c.email == email)).scalars())
    owned = _owned(connection)
    flagged = [name for name in owned if email in owned[name] and name not in known]
    for name in flagged:
        connection.execute(
            sa.insert(owner_trouble).values(
                schema=name, email=email, reason=reason, since=clock.iso(clock.now_ms())
            )
        )
        detail = {"email": email, "reason": reason}
        audit.record(connection, acts.SYSTEM, "owner_trouble", name, detail)
    return flagged


def clear_trouble(connection: sa.Connection, email: str, reason: str | None = None) -> list[str]:
    """Take back what was noted of somebody, for one reason or any; return the schemas."""
    c = owner_trouble.c
    mine = [c.email == email.casefold()]
    if reason is not None:
        mine.append(c.reason == reason)
    cleared = list(connection.execute(sa.select(c.schema).where(*mine)).scalars())
    connection.execute(sa.delete(owner_trouble).where(*mine))
    for name in cleared:
        audit.record(connection, acts.SYSTEM, "owner_back", name, {"email": email.casefold()})
    return cleared


def look(database: Database, *, base_url: str) -> int:
    """Ask the other owners, and two working days later the reviewers; return how often.

    Notes disabled accounts that own something, and forgets troubles that are over. Looking
    again asks nobody twice.
    """
    asked = 0
    with database.write() as connection:
        _follow_accounts(connection)
        present = troubles(connection)
        _forget_former_owners(connection, present)
        for trouble in present:
            asked += _ask(connection, trouble, base_url)
    return asked


def _ask(connection: sa.Connection, trouble: OwnerTrouble, base_url: str) -> int:
    now, name = clock.iso(clock.now_ms()), trouble.schema
    occasion = f"owner:{name}:{trouble.since}"
    left = [owner.casefold() for owner in living_owners(connection, name)]
    values: dict[str, str] = {}
    if trouble.owners_asked_at is None:
        values["owners_asked_at"] = now
        letter = letters.owners_asked(name, trouble.email, trouble.why, base_url)
        for owner in left:
            acts.send(connection, occasion, owner, letter)
    asked_at = trouble.owners_asked_at or now
    # Without another owner there is nobody to wait for.
    if trouble.reviewers_asked_at is None and (not left or _is_over(asked_at)):
        values["reviewers_asked_at"] = now
        letter = letters.reviewers_asked(name, (trouble.email,), left, base_url)
        people = [one.email for one in roster(connection)] or persons.admins(connection)
        dead = owners.unreachable(connection, people)
        for one in people:
            if one not in dead and one not in left:
                acts.send(connection, f"{occasion}:reviewers", one, letter)
    if values:
        c = owner_trouble.c
        mine = (c.schema == name, c.email == trouble.email)
        connection.execute(sa.update(owner_trouble).where(*mine).values(**values))
    return len(values)


def _is_over(asked_at: str) -> bool:
    end = add_working_days(datetime.fromisoformat(asked_at), ASK_REVIEWERS_AFTER)
    return end <= clock.now()


def _follow_accounts(connection: sa.Connection) -> None:
    disabled = set(
        connection.execute(sa.select(person.c.email).where(person.c.state == "disabled")).scalars()
    )
    for email in sorted(disabled):
        note_trouble(connection, email, "disabled")
    c = owner_trouble.c
    noted = sa.select(c.email).where(c.reason == "disabled").distinct()
    for email in set(connection.execute(noted).scalars()) - disabled:
        clear_trouble(connection, email, "disabled")


def _forget_former_owners(connection: sa.Connection, present: list[OwnerTrouble]) -> None:
    c = owner_trouble.c
    kept = {(one.schema, one.email) for one in present}
    for row in connection.execute(sa.select(c.schema, c.email)).all():
        if (row.schema, row.email) not in kept:
            mine = (c.schema == row.schema, c.email == row.email)
            connection.execute(sa.delete(owner_trouble).where(*mine))


def _owned(connection: sa.Connection) -> dict[str, list[str]]:
    """Return schema → its owners, case-folded."""
    c = schema_owner.c
    owned: dict[str, list[str]] = {}
    for row in connection.execute(sa.select(c.schema, c.email).order_by(c.schema, c.position)):
        owned.setdefault(row.schema, []).append(row.email.casefold())
    return owned
