"""Accounts: who there is, how they came in, and what each may be changed to.

All functions work within the caller's transaction; those that change something record it in the
audit, and return why nothing was done as a sentence, or None where it was.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.people import sessions
from eventlogging.people.model import ROLES, Person
from eventlogging.registry import audit
from eventlogging.store.fixed import person, sign_in_link

OPERATOR = "operator@localhost"  # the account of whoever can read what `bin/run` prints
_MOST_CHARS = 191
_EMAIL = re.compile(r"[^\s@<>\"',;:()\\\[\]/?#%]+@[^\s@<>\"',;:()\\\[\]/?#%]+")
_SEEN_SECONDS = 900  # how coarse `seen_at` is, so that looking is not writing


def folded(email: str) -> str:
    """Return an e-mail address as people are known by it."""
    return unicodedata.normalize("NFC", email.strip()).casefold()


def is_email(text: str) -> bool:
    """Whether it can be somebody's e-mail address."""
    return bool(_EMAIL.fullmatch(text)) and len(text) <= _MOST_CHARS and text.isprintable()


def person_of(row: Any) -> Person:
    """Return a row of the table `person` as a Person."""
    return Person(
        row.email, row.name, row.role, row.state, row.password is not None, row.subject,
        row.created_at, row.seen_at, row.away_until,
    )  # fmt: skip


def find(connection: sa.Connection, email: str) -> Person | None:
    """Return the account of an e-mail address, however it is written."""
    return _one(connection, person.c.email == folded(email))


def find_subject(connection: sa.Connection, subject: str) -> Person | None:
    """Return the account of somebody whom the OpenID provider knows as `subject`."""
    return _one(connection, person.c.subject == subject)


def _one(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> Person | None:
    row = connection.execute(sa.select(person).where(condition)).first()
    return person_of(row) if row else None


def everyone(connection: sa.Connection) -> list[Person]:
    """Return all accounts, by name."""
    found = [person_of(row) for row in connection.execute(sa.select(person))]
    return sorted(found, key=lambda one: ((one.name or one.email).casefold(), one.email))


def password_hash(connection: sa.Connection, email: str) -> str | None:
    """Return the stored hash of somebody who may come in by password."""
    query = sa.select(person.c.password).where(
        person.c.email == folded(email), person.c.state == "active"
    )
    found = connection.execute(query).scalar()
    return str(found) if found else None


def add(
    connection: sa.Connection, email: str, name: str, role: str, who: str, *,
    state: str = "invited", subject: str | None = None,
) -> str | None:  # fmt: skip
    """Make an account: an invited one, until its person has come in."""
    email, name = folded(email), name.strip()
    problem = _wrong(email, name, role)
    if problem:
        return problem
    if find(connection, email) is not None:
        return f"There is an account of {email} already."
    connection.execute(
        sa.insert(person).values(
            email=email,
            name=name,
            role=role,
            state=state,
            subject=subject,
            created_at=clock.iso(clock.now_ms()),
        )
    )
    audit.record(connection, who, "person.add", email, {"name": name, "role": role, "state": state})
    return None


def _wrong(email: str, name: str, role: str) -> str | None:
    if not is_email(email):
        return f"{email[:80]!r} is not an e-mail address, such as ann@example.org."
    return name_problem(name) or role_problem(role)


def name_problem(name: str) -> str | None:
    """Return why this cannot be a person's name."""
    if not name.strip() or len(name) > _MOST_CHARS or not name.isprintable():
        return f"A name has 1 to {_MOST_CHARS} characters on one line."
    return None


def role_problem(role: str) -> str | None:
    """Return why an account cannot have this role."""
    return None if role in ROLES else f"A role is one of {', '.join(ROLES)}, not {role[:40]!r}."


def operator(connection: sa.Connection) -> Person:
    """Return the operator's account, active and admin; who holds its link runs the server."""
    known = find(connection, OPERATOR)
    if known is None:
        add(connection, OPERATOR, "Operator", "admin", "sign-in link", state="active")
    elif (known.state, known.role) != ("active", "admin"):
        _update(connection, OPERATOR, state="active", role="admin")
        audit.record(connection, "sign-in link", "person.enable", OPERATOR, {"role": "admin"})
    found = find(connection, OPERATOR)
    assert found is not None
    return found


def welcome(connection: sa.Connection, email: str, name: str, password: str) -> None:
    """Give an account its name and the hash of its password; make it active, its sessions end."""
    email = folded(email)
    sessions.end_all(connection, email)
    _update(connection, email, name=name.strip(), password=password, state="active")
    audit.record(connection, email, "person.welcome", email, {"by": "password"})


def link_subject(connection: sa.Connection, email: str, subject: str, name: str) -> None:
    """Let an account come in by the OpenID provider, and make it active."""
    known = find(connection, email)
    values: dict[str, Any] = {"subject": subject, "state": "active"}
    if known is not None and not known.name and name:
        values["name"] = name
    _update(connection, folded(email), **values)
    audit.record(connection, folded(email), "person.welcome", folded(email), {"by": "OpenID"})


def set_name(connection: sa.Connection, email: str, name: str, who: str) -> str | None:
    """Change a person's name."""
    problem = name_problem(name)
    if problem is None:
        _update(connection, email, name=name.strip())
        audit.record(connection, who, "person.name", email, {"name": name.strip()})
    return problem


def set_password(
    connection: sa.Connection, email: str, password: str, who: str, *, keep: str | None = None
) -> None:
    """Store the hash of a new password; sessions end, the one with the secret `keep` aside."""
    sessions.end_all(connection, email, but=keep)
    _update(connection, email, password=password)
    audit.record(connection, who, "person.password", email, {})


def refresh_hash(connection: sa.Connection, email: str, password: str) -> None:
    """Store the same password's hash with the parameters of today."""
    _update(connection, email, password=password)


def leave_everywhere(connection: sa.Connection, email: str) -> None:
    """Sign somebody out in every browser, by their own wish."""
    ended = sessions.end_all(connection, email)
    audit.record(connection, email, "sign_out", email, {"sessions": ended})


def set_away(connection: sa.Connection, email: str, until: str, who: str) -> str | None:
    """Set the last day somebody is out of office, a day to come; empty: they are here."""
    if until:
        try:
            day = date.fromisoformat(until)
        except ValueError:
            day = None
        if day is None or day.isoformat() != until:
            return "The last day away is a day such as 2026-11-22."
        if not clock.day(clock.now_ms()) <= until <= "9000-01-01":
            return "The last day away is today or later."
    _update(connection, email, away_until=until or None)
    audit.record(connection, who, "person.away", email, {"until": until or None})
    return None


def set_role(
    connection: sa.Connection, email: str, role: str, who: str, *, keep: str | None = None
) -> str | None:
    """Change somebody's role. Their sessions end, the one with the secret `keep` aside.

    Wants a transaction that began with `registry.counter.lock`: two admins who demote each other
    at the same time leave one of them.
    """
    known = find(connection, email)
    problem = role_problem(role)
    if known is None:
        return _missing(email)
    if problem or known.role == role:
        return problem
    if known.role == "admin" and _is_last_admin(connection, known):
        return f"{known.email} is the only admin; make somebody else admin first."
    _update(connection, known.email, role=role)
    sessions.end_all(connection, known.email, but=keep)
    detail = {"role": role, "was": known.role}
    audit.record(connection, who, "person.role", known.email, detail)
    return None


def disable(connection: sa.Connection, email: str, who: str) -> str | None:
    """Let somebody in no more, at once; links to them open nothing. Wants the lock as set_role."""
    known = find(connection, email)
    if known is None:
        return _missing(email)
    if known.state == "disabled":
        return f"The account of {known.email} is disabled already."
    if _is_last_admin(connection, known):
        return f"{known.email} is the only admin; make somebody else admin first."
    _update(connection, known.email, state="disabled")
    sessions.end_all(connection, known.email)
    connection.execute(sa.delete(sign_in_link).where(sign_in_link.c.email == known.email))
    audit.record(connection, who, "person.disable", known.email, {})
    return None


def enable(connection: sa.Connection, email: str, who: str) -> str | None:
    """Let somebody in again; who had no way in yet is invited as before."""
    known = find(connection, email)
    if known is None:
        return _missing(email)
    if known.state != "disabled":
        return f"The account of {known.email} is not disabled."
    can_enter = known.has_password or known.subject or known.email == OPERATOR
    state = "active" if can_enter else "invited"
    _update(connection, known.email, state=state)
    audit.record(connection, who, "person.enable", known.email, {})
    return None


def seen(connection: sa.Connection, email: str) -> None:
    """Note that somebody was here."""
    _update(connection, email, seen_at=clock.iso(clock.now_ms()))


def is_seen_lately(known: Person) -> bool:
    """Whether noting that they are here now would say nothing new."""
    return (known.seen_at or "") > clock.iso(clock.now_ms() - _SEEN_SECONDS * 1000)


def _is_last_admin(connection: sa.Connection, known: Person) -> bool:
    if (known.role, known.state) != ("admin", "active"):
        return False
    others = sa.select(sa.func.count()).where(
        person.c.role == "admin", person.c.state == "active", person.c.email != known.email
    )
    return not connection.execute(others).scalar()


def _update(connection: sa.Connection, email: str, **values: Any) -> None:
    connection.execute(sa.update(person).where(person.c.email == email).values(**values))


def _missing(email: str) -> str:
    return f"There is no account of {email[:80]}."
