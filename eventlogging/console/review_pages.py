"""The pages of reviews: what waits for whom, one proposal with its evidence, and its decision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from flask import (
    Blueprint,
    Flask,
    abort,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response

from eventlogging import clock
from eventlogging.console import draft_pages, form_examples, sign_in, snapshots, who
from eventlogging.console.form import next_body
from eventlogging.console.form_json import pretty
from eventlogging.console.parts import Parts
from eventlogging.people.model import Person
from eventlogging.registry import stored
from eventlogging.registry.assess import Assessment
from eventlogging.registry.export import held_documents
from eventlogging.registry.model import RegisteredSchema
from eventlogging.registry.settings import Settings
from eventlogging.review import decide, drafts, persons, questions, record, thread
from eventlogging.review.differences import differences
from eventlogging.review.dry_run import dry_run
from eventlogging.review.privacy_cost import privacy_cost
from eventlogging.review.record import DECIDED, Draft, Outcome
from eventlogging.review.requirements import judge
from eventlogging.schema import snippets
from eventlogging.schema.version import Version
from eventlogging.store.fixed import schema_version

_MOST_BYTES = 200_000
_MOST_LISTED = 100
_LATELY = 20
_WAITING = ("proposed", "approved")
_MOST_SHOWN = 20_000  # characters of a text on the page


@dataclass(frozen=True)
class Code:
    """What an instrumenter pastes, in one language."""

    word: str
    text: str


@dataclass(frozen=True)
class Review:
    """One proposal as its page shows it; `names` maps addresses to names."""

    draft: Draft
    heading: str
    names: Mapping[str, str]
    entries: list[thread.Entry]
    asked: list[tuple[questions.Question, str]]
    problems: tuple[str, ...]
    assessment: Assessment | None
    table: Mapping[str, Any]
    changes: list[str]  # those of settings, and of what was published with it
    settings: Settings | None
    barred: str | None  # why who looks may not decide
    checklist: list[str]
    examples: list[form_examples.ExampleText]
    code: list[Code] = field(default_factory=list)


def register(app: Flask, parts: Parts) -> None:
    """Add the pages of reviews to the app."""
    pages = Blueprint("reviews", __name__)

    @pages.get("/reviews")
    def reviews() -> str:
        return _list(parts, who.require("see_reviews"))

    @pages.get("/reviews/<int:number>")
    def review(number: int) -> Response:
        person, draft = draft_pages.seen(parts, number)
        return _page(parts, person, draft)

    @pages.post("/reviews/<int:number>")
    def answer(number: int) -> Response:
        person, draft = draft_pages.seen(parts, number)
        sign_in.check_csrf(_MOST_BYTES)
        return _answered(parts, person, draft)

    @pages.get("/reviews/<int:number>/dry-run")
    def past(number: int) -> str:
        _, draft = draft_pages.seen(parts, number)
        run = dry_run(
            parts.database, snapshots.newest(parts), draft.schema, draft.body.get("schema"),
            privacy=draft_pages.pointers(draft.body), now_ms=clock.now_ms(),
        )  # fmt: skip
        schema = _schema(parts, draft)
        return render_template(
            "review_dry_run.html", draft=draft, run=run, schema=schema,
            see_samples=draft_pages.sees_samples(schema),
        )  # fmt: skip

    @pages.get("/reviews/<int:number>/privacy")
    def privacy(number: int) -> str:
        _, draft = draft_pages.seen(parts, number)
        return _privacy(parts, draft)

    app.register_blueprint(pages)


def _schema(parts: Parts, draft: Draft) -> RegisteredSchema | None:
    return parts.registry.snapshot.schemas.get(draft.schema)


def _list(parts: Parts, person: Person) -> str:
    with parts.database.read() as connection:
        waiting = record.find_all(connection, states=_WAITING, limit=_MOST_LISTED)
        lists = {
            "own": record.find_all(
                connection, states=record.OPEN, who=person.email, limit=_MOST_LISTED
            ),
            "lately": record.find_all(
                connection, states=("published", "withdrawn", "returned"), limit=_LATELY
            ),
        }
        proposed = [draft for draft in waiting if draft.state == "proposed"]
        may = {
            draft.id
            for draft in proposed
            if who.allowed("decide")
            and decide.may_decide(connection, draft, person.email, person.role == "admin") is None
        }
        names = _names(connection)
    mine = [d for d in proposed if d.id in may and d.reviewer == person.email]
    others = [d for d in proposed if d.id in may and d.reviewer != person.email]
    return render_template(
        "reviews.html", mine=mine, could=others, waiting=waiting, names=names,
        heading=_list_heading(len(mine), len(proposed)), is_reviewer=who.allowed("decide"), **lists,
    )  # fmt: skip


def _list_heading(mine: int, waiting: int) -> str:
    if mine:
        return f"{mine} {'proposal waits' if mine == 1 else 'proposals wait'} for you"
    if waiting:
        return f"{waiting} {'proposal waits' if waiting == 1 else 'proposals wait'} for a decision"
    return "No proposal waits for a decision"


def _answered(parts: Parts, person: Person, draft: Draft) -> Response:
    do, text = request.form.get("do", ""), request.form.get("text", "")
    told = request.form.get("revision", "")
    revision = int(told) if told.isascii() and told.isdecimal() and len(told) < 10 else 0
    about = (parts.database, draft.id, revision, person.email)
    url = parts.config.url
    outcome: Outcome
    if do == "comment":
        outcome = thread.comment(parts.database, draft.id, person.email, text, base_url=url)
    elif do == "approve":
        _may_decide(person)
        at_once = "publish" in request.form
        outcome = decide.approve(*about, text, base_url=url, publish=at_once)
    elif do == "return":
        _may_decide(person)
        outcome = decide.give_back(*about, text, base_url=url)
    elif do == "publish":
        outcome = decide.publish(*about, base_url=url)
    elif do == "withdraw":
        if not draft_pages.may_edit(parts, draft, person) and draft.state not in DECIDED:
            abort(403, "Only its author, an owner of the schema or an admin withdraws a proposal.")
        outcome = drafts.withdraw(*about, base_url=url)
    else:
        abort(400, "This form is not whole. Open the page again.")
    if outcome.done:
        return redirect(url_for("reviews.review", number=draft.id), 303)
    return _page(parts, person, outcome.draft, refused=outcome.problems, do=do, text=text)


def _may_decide(person: Person) -> None:
    if not who.allowed("decide"):
        abort(403, who.refusal("decide", person))


def _page(
    parts: Parts, person: Person, draft: Draft, *, refused: tuple[str, ...] = (), do: str = "",
    text: str = "",
) -> Response:  # fmt: skip
    view = _review(parts, person, draft)
    page = render_template(
        "review.html", view=view, draft=draft, refused=refused, do=do, text=text,
        schema=_schema(parts, draft), document=_cut(pretty(draft.body.get("schema"))),
        may_edit=draft_pages.may_edit(parts, draft, person), decided=draft.state in DECIDED,
    )  # fmt: skip
    return make_response(page, 400 if refused else 200)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _review(parts: Parts, person: Person, draft: Draft) -> Review:
    with parts.database.read() as connection:
        judged = judge(connection, draft)
        standing = stored.stored_schema(connection, draft.schema)
        names = _names(connection)
        found = judged.assessment
        if draft.state == "published":
            changes = _published_changes(connection, draft)
        elif standing is not None:
            # What the document changes is told by the assessment, level by level.
            before = {**next_body(standing), "schema": None, "examples": None}
            after = {**draft.body, "schema": None, "examples": None}
            changes = differences(before, {**before, **after})
        else:
            changes = []
        checklist = held_documents(connection).get(("reviewers", "checklist.md"))
        examples = form_examples.examples_of(draft.body)
        if not examples and standing is not None:
            examples = form_examples.examples_of(next_body(standing))
        return Review(
            draft=draft,
            heading=_heading(draft, names),
            names=names,
            entries=thread.entries(connection, draft.id),
            asked=[
                (one, draft.answers.get(one.key, "")) for one in questions.questions(connection)
            ],
            problems=judged.problems,
            assessment=found,
            table=found.table.as_dict(parts.database.dialect) if found and found.table else {},
            changes=changes,
            settings=found.settings if found else None,
            barred=decide.may_decide(connection, draft, person.email, person.role == "admin"),
            checklist=_checklist(checklist),
            examples=examples,
            code=_code(parts, draft, found, examples),
        )


def _names(connection: sa.Connection) -> dict[str, str]:
    return {email: one.name or email for email, one in persons.all_persons(connection).items()}


def _heading(draft: Draft, names: Mapping[str, str]) -> str:
    author = names.get(draft.proposed_by, draft.proposed_by)
    if draft.state == "proposed":
        if draft.reviewer is None:
            return f"{draft.label} waits for a reviewer"
        return f"{draft.label} waits for {names.get(draft.reviewer, draft.reviewer)}"
    words = {
        "draft": f"is a draft by {author}",
        "returned": f"was returned to {author}",
        "approved": "is approved and waits to be published",
        "published": "is published",
        "withdrawn": "was withdrawn",
    }
    return f"{draft.label} {words.get(draft.state, draft.state)}"


def _published_changes(connection: sa.Connection, draft: Draft) -> list[str]:
    version = Version.parse(draft.version)
    if version is None:
        return []
    v = schema_version.c
    query = sa.select(v.changes).where(
        v.schema == draft.schema, v.major == version.major, v.minor == version.minor,
        v.patch == version.patch,
    )  # fmt: skip
    text = connection.execute(query).scalar()
    return [str(change) for change in json.loads(text)] if text else []


def _checklist(text: Any) -> list[str]:
    """Return the items of `checklist.md`: its list, with or without boxes."""
    if not isinstance(text, str):
        return []
    items = [line.strip()[2:].strip() for line in text.splitlines() if line.strip()[:2] in
             ("- ", "* ")]  # fmt: skip
    return [item.removeprefix("[ ]").removeprefix("[x]").strip() for item in items]


def _code(
    parts: Parts, draft: Draft, found: Assessment | None,
    examples: list[form_examples.ExampleText],
) -> list[Code]:  # fmt: skip
    version = str(found.version) if found and found.version else draft.version
    example = next((one for one in examples if one.passes and one.is_json), None)
    event = json.loads(example.payload) if example else None
    if not version or not isinstance(event, dict):
        return []
    about = (parts.config.url, draft.schema, version, event)
    token = bool(found and found.settings.producers == "token")
    return [
        Code("JavaScript", snippets.javascript(*about)),
        Code("Python", snippets.python(*about)),
        Code("curl", snippets.curl(*about, token=token)),
    ]


def _privacy(parts: Parts, draft: Draft) -> str:
    with parts.database.read() as connection:
        found = judge(connection, draft).assessment
        standing = stored.stored_schema(connection, draft.schema)
    examples = draft.body.get("examples")
    if examples is None and standing is not None:
        examples = [vars(example) for example in standing.examples]
    cost = privacy_cost(
        parts.database, snapshots.newest(parts), draft.schema, draft.body.get("schema"),
        privacy=found.settings.privacy if found else {}, examples=examples,
        sampling_rate=found.settings.sampling_rate if found else 1.0, now_ms=clock.now_ms(),
    )  # fmt: skip
    return render_template("review_privacy.html", draft=draft, cost=cost)
