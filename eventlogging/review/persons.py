"""What reviews need to know of people with an account."""

from __future__ import annotations

import sqlalchemy as sa

from eventlogging.people.model import Person
from eventlogging.store.fixed import person


def all_persons(connection: sa.Connection) -> dict[str, Person]:
    """Return address → person, of all with an account in whatever state."""
    c = person.c
    columns = (c.email, c.name, c.role, c.state, c.away_until)
    return {
        row.email: Person(row.email, row.name, row.role, row.state, away_until=row.away_until)
        for row in connection.execute(sa.select(*columns))
    }


def admins(connection: sa.Connection) -> list[str]:
    """Return the addresses of the admins who can sign in."""
    c = person.c
    query = sa.select(c.email).where(c.role == "admin", c.state == "active").order_by(c.email)
    return list(connection.execute(query).scalars())
