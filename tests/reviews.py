"""A registry with people in it for tests of reviews: accounts, a roster, proposals."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.review import drafts, roster, thread
from eventlogging.review.record import Draft, Outcome
from eventlogging.store.database import Database
from eventlogging.store.fixed import governance, mail, person

URL = "https://events.example.org"
PM, ANN, BOB, ROOT = (f"{name}@example.org" for name in ("pm", "ann", "bob", "root"))
GROUP = "team@example.org"
REQUEST = "1. **Question.** Which question?\n2. **End.** When does it end?\n"
ANSWERS = {"question": "How often people click.", "end": "In spring."}
CLICK: dict[str, Any] = {
    "type": "object",
    "properties": {"target": {"type": "string", "maxLength": 40}},
    "additionalProperties": False,
}
PASSES = [{"name": "usual.pass.json", "passes": True, "payload": {"target": "menu"}}]


def body(schema: Any = None, **more: Any) -> dict[str, Any]:
    found = {"schema": schema or CLICK, "owners": [GROUP, PM], "examples": PASSES, **more}
    return {key: value for key, value in found.items() if value is not None}


def wider(*names: str) -> dict[str, Any]:
    """The schema of clicks with more optional fields."""
    more = {name: {"type": "integer"} for name in names}
    return {**CLICK, "properties": {**CLICK["properties"], **more}}


def add_person(database: Database, email: str, role: str = "viewer", state: str = "active") -> None:
    with database.write() as connection:
        connection.execute(
            sa.insert(person).values(
                email=email, name=email.partition("@")[0].title(), role=role, state=state,
                created_at=clock.iso(clock.now_ms()),
            )
        )  # fmt: skip


def change_person(database: Database, email: str, **values: Any) -> None:
    with database.write() as connection:
        connection.execute(sa.update(person).where(person.c.email == email).values(**values))


def people(database: Database) -> None:
    """A product manager, two reviewers, an admin, and the questions of a request."""
    for email in (PM, ANN, BOB):
        add_person(database, email)
    add_person(database, ROOT, "admin")
    for email in (ANN, BOB):
        assert roster.add(database, email.partition("@")[0].title(), email, ["*"], email) == ()
    with database.write() as connection:
        connection.execute(
            sa.insert(governance).values(
                folder="reviewers", name="request.md", updated_at="",
                document=drafts.record.as_text(REQUEST),
            )
        )  # fmt: skip


def draft(database: Database, name: str = "Click", schema: Any = None, **more: Any) -> Draft:
    """A draft that is ready to be sent."""
    begun = drafts.begin(database, name, body(schema, **more), PM)
    saved = drafts.save(database, begun.id, 1, begun.body, ANSWERS, PM, base_url=URL)
    assert saved.saved
    return saved.draft


def proposed(database: Database, name: str = "Click", schema: Any = None, **more: Any) -> Draft:
    made = draft(database, name, schema, **more)
    sent = drafts.send_to_review(database, made.id, made.revision, PM, base_url=URL)
    return done(sent)


def done(outcome: Outcome) -> Draft:
    assert outcome.done, outcome.problems
    return outcome.draft


def kept(database: Database, id: int) -> Draft:
    with database.read() as connection:
        found = drafts.find(connection, id)
    assert found is not None
    return found


def actions(database: Database, id: int) -> list[str]:
    with database.read() as connection:
        return [entry.action for entry in thread.entries(connection, id)]


def mails(database: Database, recipient: str | None = None) -> list[str]:
    """Subjects in the order they were queued."""
    query = sa.select(mail.c.subject).order_by(mail.c.id)
    if recipient is not None:
        query = query.where(mail.c.recipient == recipient)
    with database.read() as connection:
        return list(connection.execute(query).scalars())


def last_mail(database: Database, recipient: str) -> str:
    query = sa.select(mail.c.text).where(mail.c.recipient == recipient).order_by(mail.c.id.desc())
    with database.read() as connection:
        return str(connection.execute(query).scalars().first())
