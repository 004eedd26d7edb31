"""Which owners of schemas can be reached."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from eventlogging.store.fixed import owner_trouble, person

_WHY = {"bounced": "mail to it comes back", "disabled": "the account is disabled"}


def unreachable(connection: sa.Connection, owners: Iterable[str]) -> dict[str, str]:
    """Return case-folded address → why it cannot be reached, of those that cannot.

    An address that came to nothing for one schema is taken as dead for all.
    """
    folded = sorted({owner.casefold() for owner in owners})
    trouble = sa.select(owner_trouble.c.email, owner_trouble.c.reason).where(
        owner_trouble.c.email.in_(folded)
    )
    disabled = sa.select(person.c.email).where(
        person.c.email.in_(folded), person.c.state == "disabled"
    )
    found = {row.email: _WHY.get(row.reason, row.reason) for row in connection.execute(trouble)}
    return {**found, **dict.fromkeys(connection.execute(disabled).scalars(), _WHY["disabled"])}


def living(connection: sa.Connection, owners: Iterable[str]) -> list[str]:
    """Return the owners that can be reached, as they were given."""
    stated = list(owners)
    dead = unreachable(connection, stated)
    return [owner for owner in stated if owner.casefold() not in dead]


def problem(connection: sa.Connection, name: str, owners: Iterable[str]) -> str | None:
    """Return why nobody answers for a schema, None where somebody does."""
    stated = list(owners)
    dead = unreachable(connection, stated)
    if any(owner.casefold() not in dead for owner in stated):
        return None
    reasons = ", ".join(f"{owner} ({dead[owner.casefold()]})" for owner in stated)
    return f"no owner of {name} can be reached: {reasons or 'none is named'}; name another owner"
