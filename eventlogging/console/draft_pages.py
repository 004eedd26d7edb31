"""The page where people describe an event: form, JSON, and what the registry makes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse

from eventlogging import clock
from eventlogging.console import (
    form,
    form_buttons,
    form_packing,
    form_settings,
    form_types,
    sign_in,
    snapshots,
    who,
)
from eventlogging.console.draft_findings import Findings, find
from eventlogging.console.draft_merge import Choice, choices, merged
from eventlogging.console.form import JSON, Entered
from eventlogging.console.form_json import pretty
from eventlogging.console.form_packing import BadForm
from eventlogging.console.parts import Parts
from eventlogging.console.schema_body import MAX_BYTES
from eventlogging.errors import SchemaRefused
from eventlogging.governance.model import pointer_of
from eventlogging.people.model import Person
from eventlogging.registry import stored
from eventlogging.registry.model import RegisteredSchema
from eventlogging.registry.settings import FILL_DEFAULTS, PRODUCERS, UNITS
from eventlogging.review import drafts, persons, record
from eventlogging.review.dry_run import DryRun, dry_run
from eventlogging.review.record import DECIDED, Draft
from eventlogging.schema.names import name_problems

MOST_BYTES = 16 * MAX_BYTES  # of a form: the document may stand in it twice, each byte as three
_MOST_PARTS = 20_000
_OTHERS = ("draft", "proposed", "returned", "approved")


@dataclass(frozen=True)
class Overtaken:
    """What somebody else saved meanwhile, in words and piece by piece."""

    words: tuple[str, ...]
    choices: list[Choice]
    draft: Draft


def register(app: Flask, parts: Parts) -> None:
    """Add the pages of drafts to the app."""
    pages = Blueprint("drafts", __name__)

    @pages.get("/drafts/new")
    def new() -> AnyResponse:
        person = who.require("propose")
        name = request.args.get("schema", "").strip().strip("/")
        return _begin(parts, person, name)

    @pages.post("/drafts/new")
    def create() -> AnyResponse:
        person = who.require("propose")
        return _posted(parts, person, None)

    @pages.get("/drafts/<int:number>")
    def draft(number: int) -> AnyResponse:
        person, found = seen(parts, number)
        if not may_edit(parts, found, person):
            return redirect(url_for("reviews.review", number=number), 303)
        view = JSON if request.args.get("view") == JSON else form.FORM
        entered = form.shown(found.schema, found.body, found.answers, found.revision, view)
        notice = "Saved." if "saved" in request.args else ""
        return _page(parts, entered, found, notice=notice)

    @pages.post("/drafts/<int:number>")
    def edit(number: int) -> AnyResponse:
        person, found = seen(parts, number)
        if not may_edit(parts, found, person):
            abort(403, f"Only its author, an owner of the schema or an admin edits this draft. "
                       f"You are signed in as {person.email}.")  # fmt: skip
        return _posted(parts, person, found)

    app.register_blueprint(pages)


def seen(parts: Parts, number: int) -> tuple[Person, Draft]:
    """Return who looks and the proposal, where they may see it.

    A draft is open to its author, its owners, reviewers and admins; what was sent to review to
    everybody who is signed in.
    """
    person = who.require("see_reviews")
    with parts.database.read() as connection:
        draft = record.find(connection, number)
        if draft is None:
            abort(404, f"There is no draft {number}.")
        others = record.participants(connection, draft)
    owners = draft.body.get("owners")
    stated = [str(owner).casefold() for owner in owners] if isinstance(owners, list) else []
    known = person.email in {*others, *stated}
    if draft.state == "draft" and not (
        known or who.allowed("decide") or may_edit(parts, draft, person)
    ):
        abort(403, "Only its author, an owner of the schema, a reviewer or an admin sees a draft. "
                   f"You are signed in as {person.email}.")  # fmt: skip
    return person, draft


def may_edit(parts: Parts, draft: Draft, person: Person) -> bool:
    """Whether somebody may change a proposal, also one that is in review."""
    if draft.state in DECIDED:
        return False
    schema = parts.registry.snapshot.schemas.get(draft.schema)
    return draft.proposed_by == person.email or who.allowed("edit_any_draft", schema)


def _begin(parts: Parts, person: Person, name: str) -> AnyResponse:
    """Show an empty form for a new schema, what is published for one that there is."""
    problems = list(name_problems(name)) if name else []
    if not name or problems:
        schemas = sorted(snapshots.newest(parts).schemas)
        page = render_template("draft_start.html", name=name, problems=problems, schemas=schemas)
        return make_response(page, 400 if problems else 200)
    with parts.database.read() as connection:
        standing = stored.stored_schema(connection, name)
    body = form.next_body(standing) if standing else form.first_body(person.email)
    entered = form.shown(name, body, {}, 0)
    if not standing:
        entered = form_buttons.pressed(entered, "add")
        entered = replace(entered, focus="s-title")
    return _page(parts, entered, None)


def _posted(parts: Parts, person: Person, draft: Draft | None) -> AnyResponse:
    request.max_form_parts = _MOST_PARTS
    sign_in.check_csrf(MOST_BYTES)
    do = request.form.get("do", "check")
    file = request.files.get("upload")
    try:
        entered = form.read_form(request.form, file.read(MAX_BYTES + 1) if file else None)
    except BadForm:
        abort(400, "This form is not whole. Open the page again.")
    if draft is not None:
        entered = replace(entered, schema=draft.schema)
    elif problems := list(name_problems(entered.schema)):
        abort(400, "; ".join(problems))
    if do == "merge" and draft is not None:
        return _merge(parts, entered, draft)
    if do == "overwrite" and draft is not None:
        return _save(parts, replace(entered, revision=_seen_revision(draft)), draft, person, False)
    if do in ("save", "send"):
        return _save(parts, entered, draft, person, do == "send")
    run = _dry_run(parts, entered) if do == "dry-run" else None
    return _page(parts, form_buttons.pressed(entered, do), draft, run=run)


def _seen_revision(draft: Draft) -> int:
    """Return the revision that the person was shown as the other's; 0: none."""
    text = request.form.get("theirs", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _save(
    parts: Parts, entered: Entered, draft: Draft | None, person: Person, send: bool
) -> AnyResponse:
    if not entered.is_readable:
        return _page(parts, entered, draft, notice="Not saved: the text cannot be read.", bad=True)
    revision = entered.revision
    if draft is None:
        try:
            draft = drafts.begin(parts.database, entered.schema, entered.body, person.email)
        except SchemaRefused as refused:
            abort(400, str(refused))
        revision = draft.revision
    saved = drafts.save(
        parts.database, draft.id, revision, entered.body, entered.answers, person.email,
        base_url=parts.config.url,
    )  # fmt: skip
    if not saved.saved:
        return _page(parts, entered, saved.draft, overtaken=_overtaken(parts, entered, saved))
    kept = replace(entered, revision=saved.draft.revision, base_answers=entered.answers)
    if send:
        return _send(parts, kept, saved.draft, person)
    if kept.said:
        return _page(parts, form.settled(kept), saved.draft, notice="Saved, with one thing to see.",
                     kept=True)  # fmt: skip
    view = JSON if entered.view == JSON else None
    return redirect(url_for("drafts.draft", number=draft.id, saved="", view=view), 303)


def _send(parts: Parts, entered: Entered, draft: Draft, person: Person) -> AnyResponse:
    with parts.database.read() as connection:
        found = find(connection, parts.database.dialect, entered).found
    notice = "Saved, but not sent to review: see what is still to be done."
    if not found:
        outcome = drafts.send_to_review(
            parts.database, draft.id, draft.revision, person.email, base_url=parts.config.url
        )
        if outcome.done:
            return redirect(url_for("reviews.review", number=draft.id), 303)
        notice = f"Saved, but not sent to review: {'; '.join(outcome.problems)}."
    return _page(parts, form.settled(entered), draft, notice=notice, bad=True, kept=True)


def _overtaken(parts: Parts, entered: Entered, saved: drafts.Saved) -> Overtaken:
    draft = saved.draft
    with parts.database.read() as connection:
        base = record.body_of(connection, draft.id, entered.revision) or {}
    found = choices(
        {**base, "answers": dict(entered.base_answers)},
        {**entered.body, "answers": _said(entered.answers)},
        {**draft.body, "answers": _said(draft.answers)},
    )
    return Overtaken(saved.overtaken, found, draft)


def _said(answers: Any) -> dict[str, str]:
    return {key: text for key, text in answers.items() if text.strip()}


def _merge(parts: Parts, entered: Entered, draft: Draft) -> AnyResponse:
    """Take over the pieces that were chosen; the result is looked at before it is saved."""
    keys = [
        name[5:] for name, value in request.form.items()
        if name.startswith("pick ") and value == "theirs"
    ]  # fmt: skip
    mine = {**entered.body, "answers": entered.answers}
    body = merged(mine, {**draft.body, "answers": draft.answers}, keys)
    answers = body.pop("answers", {})
    fresh = form.shown(draft.schema, body, answers, draft.revision, entered.view)
    fresh = replace(fresh, base_answers=draft.answers)
    notice = "Put together, and not saved yet: look at it, then save."
    return _page(parts, fresh, draft, notice=notice)


def _dry_run(parts: Parts, entered: Entered) -> DryRun:
    snapshot = snapshots.newest(parts)
    return dry_run(
        parts.database, snapshot, entered.schema, entered.document,
        privacy=pointers(entered.body), now_ms=clock.now_ms(),
    )  # fmt: skip


def pointers(body: dict[str, Any]) -> dict[str, str]:
    """Return a body's privacy settings by JSON pointer, without those of another form."""
    return {
        pointer_of(str(key)): rule
        for key, rule in form.privacy_of(body).items()
        if isinstance(rule, str)
    }


def sees_samples(schema: RegisteredSchema | None) -> bool:
    """Whether who looks may see what events hold."""
    return who.allowed("read_events", schema) or who.allowed("read_refused", schema)


def _page(
    parts: Parts, entered: Entered, draft: Draft | None, *, notice: str = "", bad: bool = False,
    overtaken: Overtaken | None = None, run: DryRun | None = None, kept: bool = False,
) -> Response:  # fmt: skip
    snapshot = snapshots.newest(parts)
    with parts.database.read() as connection:
        findings = find(connection, parts.database.dialect, entered)
        names = persons.all_persons(connection)
        others = _others(connection, entered, draft)
    schema = snapshot.schemas.get(entered.schema)
    page = render_template(
        "draft.html", entered=entered, draft=draft, findings=findings, schema=schema,
        heading=_heading(entered, findings, draft, names),
        settings=form_settings.texts_of(entered.body),
        is_closed=form_settings.is_closed(entered.document),
        types=form_types.TYPES, units=UNITS, producers=PRODUCERS, fill_defaults=FILL_DEFAULTS,
        base=form_packing.packed(entered.base),
        base_answers=form_packing.packed(entered.base_answers),
        other=pretty(entered.document), live=_live(entered),
        names={email: one.name or email for email, one in names.items()},
        notice=notice, bad=bad, overtaken=overtaken, run=run, others=others,
        see_samples=sees_samples(schema), unsaved=request.method == "POST" and not kept,
        action=url_for("drafts.edit", number=draft.id) if draft else url_for("drafts.create"),
    )  # fmt: skip
    response = make_response(page, 400 if bad or overtaken else 200)
    # What was typed is still there after going back.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _others(connection: sa.Connection, entered: Entered, draft: Draft | None) -> list[Draft]:
    """Return what else is under way for the schema."""
    found = record.find_all(connection, states=_OTHERS, schema=entered.schema, limit=5)
    return [one for one in found if draft is None or one.id != draft.id]


def _live(entered: Entered) -> str:
    """Return which elements besides the findings follow while somebody types."""
    places = [
        *(f"row-{key}" for key, _ in entered.rows),
        *(f"example-{key}" for key, _ in entered.examples),
        *(f"s-{name}" for name in form_settings.TEXTS),
        "document", "fields", "examples",
    ]  # fmt: skip
    return ",".join(["#heading", "#other", "#table", *(f"#problems-{place}" for place in places)])


def _heading(
    entered: Entered, findings: Findings, draft: Draft | None, names: dict[str, Person]
) -> str:
    label = f"{entered.schema} {findings.version}".strip()
    if draft is not None and draft.state in ("proposed", "approved"):
        reviewer = names.get(draft.reviewer or "")
        waits = f"waits for {reviewer.name if reviewer else draft.reviewer or 'a reviewer'}"
        return f"{label} {waits if draft.state == 'proposed' else 'is approved'}; you may change it"
    wrong, missing = len(findings.wrong), len(findings.missing)
    if findings.is_unchanged:
        return f"{label} is published; nothing is changed yet"
    if wrong:
        return f"{label}: {wrong} {'thing' if wrong == 1 else 'things'} to mend"
    if missing:
        return f"{label}: {missing} {'thing is' if missing == 1 else 'things are'} still to be said"
    return f"{label} is ready to be sent to review"
