"""Who looks at a page, and whether they may."""

from __future__ import annotations

import contextlib

from flask import Flask, abort, current_app, g, session

from eventlogging.console.parts import Parts
from eventlogging.errors import StoreUnavailable
from eventlogging.people import accounts, readers, sessions
from eventlogging.people.model import Person
from eventlogging.people.permissions import may, roles_needed
from eventlogging.registry.model import RegisteredSchema
from eventlogging.review import roster
from eventlogging.store.database import Database

SESSION_FIELD = "session"  # of the browser's cookie: the secret of its session
_DATABASE = "eventlogging-people"
_WORDS = {"owner": "an owner of the schema", "reviewer": "a reviewer", "analyst": "an analyst"}
_WORDS |= {"viewer": "somebody signed in", "admin": "an admin"}


def register(app: Flask, parts: Parts) -> None:
    """Have this app look people up in the parts' database."""
    app.extensions[_DATABASE] = parts.database


def current() -> Person | None:
    """Return who is signed in in this browser, None: nobody. Raises StoreUnavailable.

    Looked up once in a request. After a failure it is nobody, so that the page which tells of the
    failure can be shown.
    """
    if "person" not in g:
        g.person = None
        g.person = _of_session()
    person: Person | None = g.person
    return person


def roles(schema: RegisteredSchema | None = None) -> frozenset[str]:
    """Return the roles that this request comes with, those about a schema included."""
    person = current()
    if person is None:
        return frozenset({"stranger"})
    found = {"viewer", person.role}
    if _is_reviewer(person):
        found.add("reviewer")
    if schema is not None and person.email in {owner.casefold() for owner in schema.owners}:
        found.add("owner")
    return frozenset(found)


def allowed(action: str, schema: RegisteredSchema | None = None) -> bool:
    """Whether who looks may do it. Templates have it under the same name.

    What is asked of one schema has to be asked with it: its `readers` may say no where the table
    of roles says yes.
    """
    held = roles(schema)
    return may(held, action) and not _keeps_out(held, action, schema)


def require(action: str, schema: RegisteredSchema | None = None) -> Person:
    """Return who is signed in, if they may.

    Else answers 404 to strangers, as if there were nothing, and 403 with the roles needed to
    people who are signed in.
    """
    person = current()
    if person is None:
        abort(404)
    if not allowed(action, schema):
        abort(403, refusal(action, person, schema))
    return person


def refusal(action: str, person: Person, schema: RegisteredSchema | None = None) -> str:
    """Return why somebody who is signed in may not do it, and who may."""
    if schema is not None and _keeps_out(roles(schema), action, schema):
        why = readers.why_narrow(schema.name, schema.owners)
        return f"{why} You are signed in as {person.email}."
    needed = " or ".join(_WORDS[role] for role in roles_needed(action))
    return f"Only {needed} may do this. You are signed in as {person.email}."


def _keeps_out(held: frozenset[str], action: str, schema: RegisteredSchema | None) -> bool:
    return schema is not None and readers.keeps_out(held, action, schema.readers)


def session_secret() -> str | None:
    """Return the secret of this browser's session, whether it is still good or not."""
    secret = session.get(SESSION_FIELD)
    return secret if isinstance(secret, str) else None


def forget() -> None:
    """Look anew at the next asking: the session has just begun, ended or changed."""
    for name in ("person", "is_reviewer"):
        g.pop(name, None)


def _of_session() -> Person | None:
    secret = session_secret()
    if secret is None:
        return None
    database: Database = current_app.extensions[_DATABASE]
    with database.read() as connection:
        email = sessions.find(connection, secret)
        person = accounts.find(connection, email) if email else None
    if person is not None and not accounts.is_seen_lately(person):
        with contextlib.suppress(StoreUnavailable), database.write() as connection:
            accounts.seen(connection, person.email)
    return person


def _is_reviewer(person: Person) -> bool:
    if "is_reviewer" not in g:
        g.is_reviewer = False
        database: Database = current_app.extensions[_DATABASE]
        with database.read() as connection:
            g.is_reviewer = roster.is_reviewer(connection, person.email)
    return bool(g.is_reviewer)
