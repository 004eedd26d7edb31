"""One's own account: name, password, days away, sessions, and the keys one made."""

from __future__ import annotations

from typing import Any

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
)

from eventlogging import clock
from eventlogging.console import people_pages, sign_in, who
from eventlogging.console.parts import Parts
from eventlogging.errors import RegistryError
from eventlogging.people import accounts, enter, sessions
from eventlogging.people.model import Person
from eventlogging.people.passwords import Passwords, problem_with
from eventlogging.registry import tokens
from eventlogging.review import reminders, roster

_DONE = "account_done"  # what to say on the next page


def register(app: Flask, parts: Parts) -> None:
    """Add the page of one's own account."""
    pages = Blueprint("account", __name__)
    passwords = Passwords()

    @pages.get("/account")
    def show() -> str:
        return _page(parts, _me())

    @pages.post("/account")
    def change() -> Response:
        sign_in.check_csrf()
        me, do = _me(), request.form.get("do", "")
        if do == "password":
            return _password(parts, passwords, me)
        if do == "key":
            return _key(parts, me)
        if do == "revoke":
            return _revoke(parts, me)
        if do == "leave":
            return _leave(parts, me)
        if do in ("areas", "no-reviews"):
            return _reviewing(parts, me, do)
        if do not in ("name", "away"):
            abort(400, "The form says nothing to do.")
        with parts.database.write() as connection:
            if do == "name":
                name = request.form.get("name", "")
                problem = accounts.set_name(connection, me.email, name, me.email)
            else:
                until = request.form.get("until", "").strip()
                problem = accounts.set_away(connection, me.email, until, me.email)
        who.forget()
        if problem:
            return make_response(_page(parts, _me(), {do: problem}), 400)
        if do == "name":
            return _done("Your name is changed.")
        reminders.hand_over_all(parts.database, me.email, base_url=parts.config.url)
        return _done(_away_words(until))

    app.register_blueprint(pages)


def _me() -> Person:
    person = who.current()
    if person is None:
        abort(404)
    return person


def _page(
    parts: Parts, me: Person, problems: dict[str, str] | None = None, secret: str = ""
) -> str:  # fmt: skip
    now = clock.iso(clock.now_ms())
    with parts.database.read() as connection:
        made = [one for one in tokens.made_by(connection, me.email) if one.is_live(now)]
        browsers = sessions.count(connection, me.email)
        reviewer = roster.find(connection, me.email)
    given: dict[str, Any] = {"name": me.name, "until": me.away_until or "", "label": "",
                             "areas": " ".join(reviewer.areas) if reviewer else ""}  # fmt: skip
    if problems:
        given |= {name: request.form[name] for name in given if name in request.form}
    return render_template(
        "account.html", here="account", me=me, problems=problems or {}, given=given,
        tokens=made, secret=secret, browsers=browsers, reviewer=reviewer,
        owned=people_pages.owned_by(parts).get(me.email, ()), today=clock.day(clock.now_ms()),
        is_away=(me.away_until or "") >= clock.day(clock.now_ms()), days=tokens.TEST_DAYS,
        done=session.pop(_DONE, None), is_operator=me.email == accounts.OPERATOR,
    )  # fmt: skip


def _reviewing(parts: Parts, me: Person, do: str) -> Response:
    """Change what they look after as a reviewer, or take them off the roster."""
    if do == "areas":
        areas = request.form.get("areas", "").replace(",", " ").split()
        problems = roster.set_areas(parts.database, me.email, areas or ["*"], me.email)
        words = "What you look after is changed."
    else:
        problems = roster.remove(parts.database, me.email, me.email)
        words = "You are off the roster; your turns go to others. Thank you for your reviews."
        reminders.hand_over_all(parts.database, me.email, base_url=parts.config.url)
    if problems:
        return make_response(_page(parts, me, {"areas": "; ".join(problems)}), 400)
    return _done(words)


def _done(words: str) -> Response:
    session[_DONE] = words
    return make_response(redirect("/account", 303))


def _away_words(until: str) -> str:
    return f"You are away until {until}; reviews go to others." if until else "You are here again."


def _password(parts: Parts, passwords: Passwords, me: Person) -> Response:
    new = request.form.get("new", "")
    problem = problem_with(new, me.email, me.name)
    if problem:
        return make_response(_page(parts, me, {"new": problem}), 400)
    if me.has_password:
        typed = request.form.get("old", "")
        old = enter.by_password(parts.database, passwords, me.email, typed, again=True)
        if old.wait:
            words = f"Too many wrong passwords; wait {old.wait} s."
            return make_response(_page(parts, me, {"old": words}), 429)
        if old.person is None:
            return make_response(_page(parts, me, {"old": "This is not your password."}), 400)
    stored = passwords.hash(new)
    with parts.database.write() as connection:
        keep = who.session_secret()
        accounts.set_password(connection, me.email, stored, me.email, keep=keep)
    who.forget()
    return _done("The password is changed. Wherever else you were signed in, you are not any more.")


def _key(parts: Parts, me: Person) -> Response:
    who.require("make_test_key")
    label = request.form.get("label", "").strip()
    if not label or len(label) > 60 or not label.isprintable():
        return make_response(_page(parts, me, {"label": "A key has a name of 1 to 60 characters, "
                                                        "such as laptop."}), 400)  # fmt: skip
    try:
        secret = tokens.create(
            parts.database, f"{me.email}/{label}", [tokens.TEST], tokens.TEST_DAYS, me.email
        )
    except RegistryError as error:
        return make_response(_page(parts, me, {"label": f"{str(error).capitalize()}."}), 409)
    return make_response(_page(parts, me, secret=secret), 201)


def _revoke(parts: Parts, me: Person) -> Response:
    name = request.form.get("name", "")
    with parts.database.read() as connection:
        mine = {one.name for one in tokens.made_by(connection, me.email)}
    if name not in mine:
        abort(404, "You made no token of this name.")
    try:
        tokens.revoke(parts.database, name, me.email)
    except RegistryError:
        return _done("This token was revoked already.")
    return _done(f"{name} is revoked.")


def _leave(parts: Parts, me: Person) -> Response:
    """Sign out everywhere, here as well."""
    with parts.database.write() as connection:
        accounts.leave_everywhere(connection, me.email)
    session.clear()
    who.forget()
    return sign_in.onwards("/")
