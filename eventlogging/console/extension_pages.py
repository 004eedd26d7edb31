"""The pages of extensions: ask to keep events longer, read, decide, withdraw, end early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Flask, abort, redirect, render_template, request

from eventlogging import clock
from eventlogging.clock import moved
from eventlogging.console import sign_in, snapshots, who
from eventlogging.console.parts import Parts
from eventlogging.console.schema_address import page_of_namesake, schema_or_404
from eventlogging.people.model import Person
from eventlogging.receipts import chain
from eventlogging.registry.model import RegisteredSchema
from eventlogging.retention import extension_record, extensions, words
from eventlogging.retention.extension_record import Extension
from eventlogging.retention.extensions import Outcome
from eventlogging.retention.letter import Post
from eventlogging.retention.policy import Policies, read_policies
from eventlogging.retention.standing import goes_on, read_standing
from eventlogging.retention.wish import Problem, Wish, problems_of
from eventlogging.review import assign, turns
from eventlogging.store.database import Database

_TEXTS = ("first_day", "last_day", "keep_days", "until", "reason", "why_not_less")
_ORDER = ("asked", "in force", "over", "refused", "withdrawn")


def register(app: Flask, parts: Parts) -> None:
    """Add the pages to the app."""
    pages = Blueprint("extensions", __name__)

    @pages.get("/schemas/<path:name>/extension")
    def begin(name: str) -> Any:
        return page_of_namesake(parts, name, "extension") or _form(parts, _schema(parts, name))

    @pages.post("/schemas/<path:name>/extension")
    def ask(name: str) -> Any:
        return _ask(parts, _schema(parts, name))

    @pages.get("/extensions")
    def every() -> str:
        return _list(parts)

    @pages.get("/extensions/<int:id>")
    def show(id: int) -> str:
        who.require("see_reviews")
        return _page(parts, _extension(parts, id))

    @pages.post("/extensions/<int:id>")
    def act(id: int) -> Any:
        return _act(parts, id)

    app.register_blueprint(pages)


def _schema(parts: Parts, name: str) -> RegisteredSchema:
    schema = schema_or_404(parts, name)
    who.require("ask_extension", schema)
    return schema


def _ask(parts: Parts, schema: RegisteredSchema) -> Any:
    person = who.require("ask_extension", schema)
    sign_in.check_csrf()
    values = {name: request.form.get(name, "").strip() for name in _TEXTS}
    chosen = tuple(dict.fromkeys(request.form.getlist("schema")))
    wish, wrong = _wish(values, chosen)
    if wrong:
        # What else is wrong is said at once: a number that is none counts as a good one here.
        with parts.database.read() as connection:
            policies = read_policies(connection)
        known = snapshots.newest(parts).schemas
        more = problems_of(wish, policies, clock.day(clock.now_ms()), known)
        wrong += [one for one in more if one.field != "keep_days"]
        return _form(parts, schema, values, chosen, wrong), 400
    done = extensions.ask(
        parts.database, wish, person.email, _reviewers(parts.database, schema.name, person.email),
        _post(parts), is_admin=person.role == "admin",
    )  # fmt: skip
    if not done.done or done.extension is None:
        return _form(parts, schema, values, chosen, done.problems), 400
    return redirect(f"/extensions/{done.extension.id}", 303)


def _wish(values: Mapping[str, str], chosen: tuple[str, ...]) -> tuple[Wish, list[Problem]]:
    number = values["keep_days"]
    is_number = number.isascii() and number.isdigit() and len(number) < 6
    wish = Wish(
        chosen, values["first_day"], values["last_day"], int(number) if is_number else 10**6,
        values["until"], values["reason"], values["why_not_less"],
    )  # fmt: skip
    wrong = [] if is_number else [Problem("keep_days", "This is a number of days, such as 180.")]
    return wish, wrong


def _form(
    parts: Parts,
    schema: RegisteredSchema,
    values: Mapping[str, str] | None = None,
    chosen: Sequence[str] | None = None,
    problems: Sequence[Problem] = (),
) -> str:
    today = clock.day(clock.now_ms())
    with parts.database.read() as connection:
        policies = read_policies(connection)
        standing = read_standing(connection, policies, today)
        waiting = extension_record.find_all(connection, states=("asked",), schema=schema.name)
    stands = standing.get(schema.name)
    return render_template(
        "extension_ask.html", schema=schema, policy=policies.of(schema.name),
        policies=policies, stands=stands, today=today,
        going=stands.next(today) if stands else None,
        remains=words.remains(policies.of(schema.name), schema), waiting=waiting,
        values=values or _proposed(policies, schema, stands.oldest if stands else None, today),
        chosen=[schema.name] if chosen is None else chosen, others=_others(parts, schema),
        problems=_by_field(problems), days=words.days, rows=words.rows, ahead=words.ahead,
        latest=moved(today, 366),
    )  # fmt: skip


def _proposed(
    policies: Policies, schema: RegisteredSchema, oldest: str | None, today: str
) -> dict[str, str]:
    """Return what the form begins with: all that is stored, for twice as long."""
    keep = min(2 * policies.of(schema.name).keep_days, policies.cap_days)
    first = oldest or today
    until = min(moved(today, 366), max(moved(first, keep), moved(today, 1)))
    return dict.fromkeys(_TEXTS, "") | {
        "first_day": first, "last_day": today, "keep_days": str(keep), "until": until,
    }  # fmt: skip


def _others(parts: Parts, schema: RegisteredSchema) -> list[str]:
    """Return the schemas that may be asked for along with one."""
    known = snapshots.newest(parts).schemas.values()
    return sorted(
        one.name for one in known if one is not schema and one.name != schema.name
        and who.allowed("ask_extension", one)
    )  # fmt: skip


def _list(parts: Parts) -> str:
    who.require("see_reviews")
    today = clock.day(clock.now_ms())
    with parts.database.read() as connection:
        found = extension_record.find_all(connection)
    groups: dict[str, list[Extension]] = {state: [] for state in _ORDER}
    for one in found:
        groups[_state(one, today)].append(one)
    return render_template(
        "extensions.html", groups=groups, days=words.days, span=words.span, today=today
    )


def _page(
    parts: Parts, one: Extension, problems: Sequence[Problem] = (), said: str = ""
) -> str:  # fmt: skip
    today = clock.day(clock.now_ms())
    with parts.database.read() as connection:
        policies = read_policies(connection)
        standing = read_standing(connection, policies, today)
    person = who.current()
    schemas = snapshots.newest(parts).schemas
    w = one.wish
    first = min((goes_on(policies.of(name), w.first_day) for name in w.schemas), default=None)
    touched = {
        name: sum(n for day, n in standing[name].days.items() if w.first_day <= day <= w.last_day)
        for name in w.schemas
        if name in standing
    }
    mine = person is not None and person.email == one.asked_by
    return render_template(
        "extension.html", one=one, state=_state(one, today), today=today, problems=problems,
        said=said, days=words.days, rows=words.rows, span=words.span, ahead=words.ahead,
        touched=touched, first=first, is_mine=mine,
        keeps=sorted({policies.of(name).keep_days for name in w.schemas}),
        remains={
            name: words.remains(policies.of(name), schemas[name])
            for name in w.schemas if name in schemas
        },
        may_decide=who.allowed("decide") and not mine,
    )  # fmt: skip


def _act(parts: Parts, id: int) -> Any:
    person = who.require("see_reviews")
    sign_in.check_csrf()
    _extension(parts, id)
    act, said = request.form.get("act", ""), request.form.get("words", "")
    done = _done(parts, id, act, person, said)
    if not done.done:
        status = 400 if any(one.field for one in done.problems) else 409
        return _page(parts, _extension(parts, id), done.problems, said[:4000]), status
    return redirect(f"/extensions/{id}", 303)


def _done(parts: Parts, id: int, act: str, person: Person, said: str) -> Outcome:
    folder, post = chain.folder_of(parts.config.var), _post(parts)
    if act == "withdraw":
        return extensions.withdraw(parts.database, id, person.email)
    if act in ("grant", "refuse"):
        who.require("decide")
        return extensions.decide(
            parts.database, id, person.email, act == "grant", said, folder, post
        )
    if act == "end":
        who.require("decide")
        return extensions.end(parts.database, id, person.email, said, folder, post)
    abort(400, "act is grant, refuse, withdraw or end.")


def _extension(parts: Parts, id: int) -> Extension:
    if id >= 2**31:  # beyond what the database counts to
        abort(404, "There is no such extension.")
    with parts.database.read() as connection:
        found = extension_record.find(connection, id)
    if found is None:
        abort(404, "There is no such extension.")
    return found


def _reviewers(database: Database, schema: str, asker: str) -> list[str]:
    """Return who is asked: reviewers of the area who are there, else any, else the admins."""
    today = clock.day(clock.now_ms())
    with database.read() as connection:
        reviewers, admins = turns.candidates(connection)
    there = [one for one in reviewers if assign.able(one, (asker,), today)]
    fitting = [one for one in there if assign.fits(one.areas, schema)]
    others = [one for one in admins if assign.able(one, (asker,), today)]
    return [one.email for one in fitting or there or others]


def _post(parts: Parts) -> Post:
    key = parts.session_key if isinstance(parts, sign_in.Signing) else ""
    return Post(parts.config.url, key)


def _state(one: Extension, today: str) -> str:
    if one.state == "granted":
        return "in force" if one.holds(today) else "over"
    return one.state


def _by_field(problems: Sequence[Problem]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for problem in problems:
        found.setdefault(problem.field, []).append(problem.text)
    return found
