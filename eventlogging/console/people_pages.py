"""The people: who is there, what they may do; admins invite, change and disable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)

from eventlogging import clock
from eventlogging.console import invite, sign_in, snapshots, who
from eventlogging.console.parts import Parts
from eventlogging.people import accounts, sessions
from eventlogging.people.model import ROLES, Person
from eventlogging.registry import counter, tokens
from eventlogging.review import invitations, ownership, reminders, roster

ROLE_WORDS: Mapping[str, str] = {
    "viewer": "sees schemas, counts and reviews; proposes; makes test keys",
    "analyst": "reads events of every schema as well",
    "admin": "may do everything: people, tokens, mails, jobs",
}
_DONE = "people_done"  # what to say on the next page


@dataclass(frozen=True)
class Line:
    """One person in the list."""

    person: Person
    is_reviewer: bool
    owned: tuple[str, ...]

    @property
    def is_away(self) -> bool:
        return (self.person.away_until or "") >= clock.day(clock.now_ms())


def register(app: Flask, parts: Parts) -> None:
    """Add the list of people and a page for each."""
    pages = Blueprint("people", __name__)

    @pages.get("/people")
    def everyone() -> str:
        who.require("see_people")
        return _list(parts)

    @pages.post("/people")
    def add() -> Response:
        return _invite(parts)

    @pages.get("/people/<email>")
    def one(email: str) -> str:
        who.require("see_people")
        return _one(parts, email)

    @pages.post("/people/<email>")
    def change(email: str) -> Response:
        return _change(parts, email)

    app.register_blueprint(pages)


def owned_by(parts: Parts) -> dict[str, tuple[str, ...]]:
    """Return e-mail → names of the schemas that this person owns."""
    found: dict[str, list[str]] = {}
    for schema in snapshots.newest(parts).schemas.values():
        for owner in schema.owners:
            found.setdefault(owner.casefold(), []).append(schema.name)
    return {email: tuple(sorted(names)) for email, names in found.items()}


def _lines(connection: sa.Connection, parts: Parts) -> list[Line]:
    reviewers = {reviewer.email.casefold() for reviewer in roster.roster(connection)}
    owned = owned_by(parts)
    return [
        Line(one, one.email in reviewers, owned.get(one.email, ()))
        for one in accounts.everyone(connection)
    ]


def _list(parts: Parts, **more: Any) -> str:
    with parts.database.read() as connection:
        lines = _lines(connection, parts)
    words: dict[str, Any] = {"problems": [], "values": {}, "link": None, **more}
    states = [line.person.state for line in lines]
    return render_template(
        "people.html",
        here="people",
        lines=lines,
        role_words=ROLE_WORDS,
        active=states.count("active"),
        waiting=states.count("invited"),
        **words,
    )


def _invite(parts: Parts) -> Response:
    sign_in.check_csrf()
    me = who.require("manage_people")
    values = {name: request.form.get(name, "").strip() for name in ("email", "name", "role")}
    with parts.database.write() as connection:
        problem = accounts.add(
            connection, values["email"], values["name"] or values["email"].partition("@")[0],
            values["role"], me.email,
        )  # fmt: skip
        if problem is None:
            email = accounts.folded(values["email"])
            _, link = invite.send(connection, parts.config, email, me)
    if problem is not None:
        return make_response(_list(parts, problems=[problem], values=values), 400)
    return make_response(_list(parts, link=link, invited=email), 201)


def _one(parts: Parts, email: str, **more: Any) -> str:
    with parts.database.read() as connection:
        lines = {line.person.email: line for line in _lines(connection, parts)}
        line = lines.get(accounts.folded(email))
        if line is None:
            abort(404, f"There is no account of {email!r}. The list of people shows all there are.")
        browsers = sessions.count(connection, line.person.email)
        made = tokens.made_by(connection, line.person.email)
    now = clock.iso(clock.now_ms())
    words: dict[str, Any] = {"problems": [], "link": None, **more}
    return render_template(
        "people_one.html", here="people", line=line, them=line.person, browsers=browsers,
        tokens=[one for one in made if one.is_live(now)], roles=ROLES, role_words=ROLE_WORDS,
        done=session.pop(_DONE, None), **words,
    )  # fmt: skip


def _change(parts: Parts, email: str) -> Response:
    sign_in.check_csrf()
    me = who.require("manage_people")
    email, do = accounts.folded(email), request.form.get("do", "")
    link, done = "", ""
    with parts.database.write() as connection:
        counter.lock(connection)
        if accounts.find(connection, email) is None:
            abort(404)
        if do == "role":
            role = request.form.get("role", "")
            problem = accounts.set_role(
                connection, email, role, me.email, keep=_own_session(me, email)
            )
            done = f"The role is {role} now."
        elif do == "disable":
            problem = accounts.disable(connection, email, me.email)
            done = "The account is disabled; nobody is signed in with it any more."
            if problem is None:
                ownership.note_trouble(connection, email, "disabled")
        elif do == "enable":
            problem = accounts.enable(connection, email, me.email)
            done = "The account is enabled again."
            if problem is None:
                ownership.clear_trouble(connection, email, "disabled")
        elif do == "review":
            problem, done = None, "A mail asks them; they are on the roster only if they say yes."
        elif do == "link":
            problem, link = invite.send(connection, parts.config, email, me)
        else:
            abort(400, "The form says nothing to do.")
    if do == "review":
        problem = _ask_to_review(parts, email, me)
    if problem is not None:
        return make_response(_one(parts, email, problems=[problem]), 409)
    if do == "disable":
        reminders.hand_over_all(parts.database, email, base_url=parts.config.url)
    if link:
        return make_response(_one(parts, email, link=link), 201)
    session[_DONE] = done
    who.forget()
    return make_response(redirect(url_for("people.one", email=email), 303))


def _ask_to_review(parts: Parts, email: str, me: Person) -> str | None:
    key = parts.session_key if isinstance(parts, sign_in.Signing) else ""
    problems = invitations.ask(parts.database, key, email, me.email, base_url=parts.config.url)
    return "; ".join(problems) or None


def _own_session(me: Person, email: str) -> str | None:
    return who.session_secret() if me.email == email else None
