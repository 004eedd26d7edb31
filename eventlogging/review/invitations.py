"""Invite people to review once a schema of theirs has its first valid event; nobody else adds them.

Each address is asked once, ever. The mail carries a signed link, good for that address alone.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.registry import audit, counter, owners
from eventlogging.review import acts, letters, persons, roster
from eventlogging.store.database import Database
from eventlogging.store.fixed import (
    proposal,
    reviewer_invitation,
    schema_owner,
    schema_table,
    table_day,
)

PATH = "/reviews/invitation/"  # the page that a link leads to, followed by the token
_PURPOSE = "reviewer-invitation"


@dataclass(frozen=True)
class Invitation:
    """Somebody who was asked. `answer` is yes, no or None; `name` is what to call them."""

    email: str
    schema: str  # whose first valid event was the occasion; "": an admin asked
    invited_at: str
    answer: str | None
    name: str


def find(connection: sa.Connection, email: str) -> Invitation | None:
    """Return the invitation of an address, None where it was never asked."""
    c = reviewer_invitation.c
    query = sa.select(reviewer_invitation).where(c.email == email.casefold())
    row = connection.execute(query).first()
    if row is None:
        return None
    name = _name(connection, row.email)
    return Invitation(row.email, row.schema, row.invited_at, row.answer, name)


def make_token(session_key: str, email: str) -> str:
    """Return the token that says its holder reads the mail of this address."""
    name = urlsafe_b64encode(email.casefold().encode()).decode().rstrip("=")
    return f"{name}.{_signature(session_key, email.casefold())}"


def read_token(session_key: str, token: str) -> str | None:
    """Return the address that a token was made for, None where it is not one of ours."""
    name, _, signature = token.partition(".")
    try:
        padded = name.encode("ascii") + b"=" * (-len(name) % 4)
        email = urlsafe_b64decode(padded).decode()
        genuine = hmac.compare_digest(signature.encode("ascii"), _signed(session_key, email))
    except ValueError:  # no base64, no ASCII, no UTF-8
        return None
    return email if genuine else None


def invite(database: Database, session_key: str, *, base_url: str) -> list[str]:
    """Mail everybody whose time has come, once; return their addresses.

    Those are the owners and proposers of schemas that have a valid event in their tables, who
    are no reviewers, were never asked, and can be reached.
    """
    with database.read() as connection:
        due = _due(connection)
    invited = []
    for email, schema in sorted(due.items()):
        with database.write() as connection:
            if database.dialect.insert_new(
                connection,
                "reviewer_invitation",
                ("email", "schema", "invited_at"),
                [(email, schema, clock.iso(clock.now_ms()))],
                ("email",),
            ):
                link = f"{base_url}{PATH}{make_token(session_key, email)}"
                letter = letters.invitation(schema, link)
                acts.send(connection, _PURPOSE, email, letter)
                audit.record(connection, acts.SYSTEM, "invite_reviewer", schema, {"email": email})
                invited.append(email)
    return invited


def ask(
    database: Database, session_key: str, email: str, who: str, *, base_url: str
) -> tuple[str, ...]:  # fmt: skip
    """Mail somebody, at an admin's wish, whether they will review; return what is wrong, if so.

    Nobody is added by it. Whoever left the roster may say yes again.
    """
    email, now = email.casefold(), clock.iso(clock.now_ms())
    c = reviewer_invitation.c
    with database.write() as connection:
        if roster.is_reviewer(connection, email):
            return (f"{email} is on the roster already",)
        row = (email, "", now)
        names = ("email", "schema", "invited_at")
        if not database.dialect.insert_new(
            connection, "reviewer_invitation", names, [row], ("email",)
        ):
            again = {"invited_at": now, "answer": None, "answered_at": None}
            connection.execute(sa.update(reviewer_invitation).where(c.email == email).values(again))
        link = f"{base_url}{PATH}{make_token(session_key, email)}"
        letter = letters.asked_to_review(who, link)
        acts.send(connection, f"{_PURPOSE}:{now}", email, letter)
        audit.record(connection, who, "invite_reviewer", email, {"email": email})
    return ()


def accept(
    database: Database, email: str, *, name: str = "", areas: Sequence[str] = ("*",)
) -> tuple[str, ...]:
    """Put somebody who says yes on the roster, from today; return what is wrong, if anything.

    Without a name, that of their account or address is taken. Who said no before may say yes
    now; a second yes changes nothing.
    """
    email = email.casefold()
    with database.write() as connection:
        counter.lock(connection)
        answer = _answer(connection, email)
        if answer is None:
            return (f"{email} was not invited",)
        if answer == "yes" or roster.is_reviewer(connection, email):
            return ()
        known = name.strip() or _name(connection, email)
        problems = roster.add_in(connection, known, email, areas, email)
        if not problems:
            _write_answer(connection, email, "yes")
    return problems


def decline(database: Database, email: str) -> tuple[str, ...]:
    """Note a no; return what is wrong, if anything. After a yes, leaving is another act."""
    email = email.casefold()
    with database.write() as connection:
        answer = _answer(connection, email)
        if answer is None:
            return (f"{email} was not invited",)
        if answer == "yes":
            return (f"{email} said yes before; leave the roster on your account's page",)
        if answer != "no":
            _write_answer(connection, email, "no")
    return ()


def _answer(connection: sa.Connection, email: str) -> str | None:
    """Return yes, no, "" for none yet, or None where nobody was invited."""
    c = reviewer_invitation.c
    row = connection.execute(sa.select(c.answer).where(c.email == email).with_for_update()).first()
    return None if row is None else row.answer or ""


def _name(connection: sa.Connection, email: str) -> str:
    person = persons.all_persons(connection).get(email)
    return (person.name if person else "") or email.partition("@")[0]


def _write_answer(connection: sa.Connection, email: str, answer: str) -> None:
    c = reviewer_invitation.c
    values = {"answer": answer, "answered_at": clock.iso(clock.now_ms())}
    connection.execute(sa.update(reviewer_invitation).where(c.email == email).values(**values))
    audit.record(connection, email, "answer_invitation", email, {"answer": answer})


def _due(connection: sa.Connection) -> dict[str, str]:
    """Return address → the schema that is the occasion."""
    # Tables named in schema_table hold valid events of production alone.
    used = set(
        connection.execute(
            sa.select(schema_table.c.schema)
            .join(table_day, table_day.c.table_name == schema_table.c.table_name)
            .where(table_day.c.rows_in > 0)
            .distinct()
        ).scalars()
    )
    people: dict[str, str] = {}
    own = sa.select(schema_owner.c.schema, schema_owner.c.email).order_by(schema_owner.c.schema)
    proposed = sa.select(proposal.c.schema, proposal.c.proposed_by).where(
        proposal.c.state == "published"
    )
    for query in (own, proposed.order_by(proposal.c.schema)):
        for schema, email in connection.execute(query):
            if schema in used and "@" in email:
                people.setdefault(email.casefold(), schema)
    asked = connection.execute(sa.select(reviewer_invitation.c.email)).scalars()
    gone = {*asked, *(one.email for one in roster.roster(connection))}
    gone |= set(owners.unreachable(connection, people))
    return {email: schema for email, schema in people.items() if email not in gone}


def _signature(session_key: str, email: str) -> str:
    text = f"{_PURPOSE}:{email}".encode()
    return hmac.new(session_key.encode(), text, hashlib.sha256).hexdigest()


def _signed(session_key: str, email: str) -> bytes:
    return _signature(session_key, email).encode()
