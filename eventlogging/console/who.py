"""Who looks at a page, and whether they may."""

from __future__ import annotations

from flask import abort, session

from eventlogging.people.model import Person
from eventlogging.people.permissions import may, roles_needed
from eventlogging.registry.model import RegisteredSchema


def current() -> Person | None:
    """Return who is signed in in this browser, None: nobody."""
    if session.get("role") == "admin":
        return Person("operator@localhost", "Operator", "admin")
    return None


def roles(schema: RegisteredSchema | None = None) -> frozenset[str]:
    """Return the roles that this request comes with, those about a schema included."""
    person = current()
    if person is None:
        return frozenset({"stranger"})
    found = {"viewer", person.role}
    if schema is not None and person.email in {owner.casefold() for owner in schema.owners}:
        found.add("owner")
    return frozenset(found)


def allowed(action: str, schema: RegisteredSchema | None = None) -> bool:
    """Whether who looks may do it. Templates have it under the same name."""
    return may(roles(schema), action)


def require(action: str, schema: RegisteredSchema | None = None) -> Person:
    """Return who is signed in, if they may.

    Else answers 404 to strangers, as if there were nothing, and 403 with the roles needed to
    people who are signed in.
    """
    person = current()
    if person is None:
        abort(404)
    if not allowed(action, schema):
        needed = " or ".join(roles_needed(action))
        abort(403, f"Only {needed} may do this. You are signed in as {person.email}.")
    return person
