"""The page that says what remains of a schema's events, on which its owners change it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
import tomli_w
from flask import Blueprint, Flask, abort, redirect, render_template, request, url_for

from eventlogging import clock
from eventlogging.console import retention_rules_form, sign_in, who
from eventlogging.console.parts import Parts
from eventlogging.console.retention_rules_form import Form
from eventlogging.console.schema_address import page_of_namesake, schema_or_404
from eventlogging.governance.model import pointer_of
from eventlogging.governance.syntax import KeyPath
from eventlogging.people.model import Person
from eventlogging.registry.model import RegisteredSchema
from eventlogging.retention import own_policy, preview, remains
from eventlogging.retention.policy import Policies, Policy, read_policies
from eventlogging.retention.preview import Effect
from eventlogging.retention.remains import Leaf

_MOST_BYTES = 400_000  # a schema of 300 fields, and lists of them
_MOST_SHOWN = 1000  # aggregates; a page is no larger than that
_KINDS = {
    preview.EVENTS: "events",
    preview.REFUSED: "refused events",
    preview.UNSEALED: "refused events that could not be sealed",
    preview.STRIPPED: "stripped events",
}


@dataclass(frozen=True)
class Tried:
    """What a rule that is not saved yet would do."""

    policy: Policy
    stages: list[remains.Stage]
    effect: Effect
    toml: str
    unlisted: list[str]


def register(app: Flask, parts: Parts) -> None:
    """Add the page to the app."""
    pages = Blueprint("retention_rules", __name__)

    @pages.get("/schemas/<path:name>/retention")
    def show(name: str) -> Any:
        namesake = page_of_namesake(parts, name, "retention")
        if namesake is not None:
            return namesake
        who.require("see_live")
        return _page(parts, schema_or_404(parts, name))

    @pages.post("/schemas/<path:name>/retention")
    def change(name: str) -> Any:
        return _change(parts, schema_or_404(parts, name))

    app.register_blueprint(pages)


def _change(parts: Parts, schema: RegisteredSchema) -> Any:
    person = who.require("change_settings", schema)
    sign_in.check_csrf(_MOST_BYTES)
    if f"a{_MOST_SHOWN}.name" in request.form:
        abort(413, f"This form shows at most {_MOST_SHOWN} aggregates.")
    act, since = request.form.get("act", ""), request.form.get("standing", "")
    if act == "add" or act.startswith("remove:"):
        return _page(parts, schema, retention_rules_form.pressed(request.form, act), since)
    with parts.database.read() as connection:
        own = own_policy.read(connection, schema.name)
        leaves = remains.leaves(schema, retention_rules_form.named(own))
        check = partial(_problems, connection, schema, person)
        form = retention_rules_form.of_request(request.form, own, leaves, check)
    if act != "save":
        return _page(parts, schema, form, since, is_tried=True)
    if since != own_policy.standing(own):
        return _page(parts, schema, form, is_overtaken=True), 409
    if not form.is_right:
        return _page(parts, schema, form, since), 400
    saved = own_policy.save(
        parts.database, schema.name, form.document, since, person.email,
        may_lengthen=_may_lengthen(person),
    )  # fmt: skip
    if saved.overtaken:
        return _page(parts, schema, form, is_overtaken=True), 409
    if not saved.done:
        wrong = {"": [text for _, text in saved.problems]}
        return _page(parts, schema, Form(form.values, wrong, form.document), since), 400
    return redirect(url_for("retention_rules.show", name=schema.name, saved="1"), 303)


def _problems(
    connection: sa.Connection, schema: RegisteredSchema, person: Person, document: Mapping[str, Any]
) -> Iterable[tuple[KeyPath, str]]:
    longer = _may_lengthen(person)
    return own_policy.problems(connection, schema.name, document, may_lengthen=longer)


def _may_lengthen(person: Person) -> bool:
    return person.role == "admin"


def _page(
    parts: Parts,
    schema: RegisteredSchema,
    form: Form | None = None,
    since: str | None = None,
    *,
    is_tried: bool = False,
    is_overtaken: bool = False,
) -> str:
    today = clock.day(clock.now_ms())
    with parts.database.read() as connection:
        policies = read_policies(connection)
        default = own_policy.read_default(connection)
        own = own_policy.read(connection, schema.name)
        leaves = remains.leaves(schema, retention_rules_form.named(own))
        tried = None
        if form is not None and is_tried and form.is_right:
            then = preview.changed(policies, schema.name, own, form.document, default)
            now = policies.of(schema.name)
            does = preview.effect(connection, schema, now, then, today)
            tried = _tried(then, does, form.document, leaves)
    policy = policies.of(schema.name)
    return render_template(
        "retention_rules.html", schema=schema, policy=policy, cap_days=policies.cap_days,
        default=_default_days(policies), form=form or retention_rules_form.of_document(own),
        heading=remains.heading(policy, leaves), stages=remains.stages(policy, leaves),
        refused=remains.refused_words(policy), fields=leaves, names=_in_effect(policy, today),
        unlisted=_unlisted(own, policy, leaves), rule=retention_rules_form, kinds=_KINDS,
        toml=tomli_w.dumps(own) if own else "", why_not=own_policy.why_not(schema.name),
        standing=own_policy.standing(own) if since is None else since,
        may_change=who.allowed("change_settings", schema),
        saved=bool(request.args.get("saved")), is_tried=is_tried, tried=tried,
        is_overtaken=is_overtaken,
    )  # fmt: skip


def _tried(
    policy: Policy, does: Effect, document: Mapping[str, Any], leaves: Sequence[Leaf]
) -> Tried:
    stages, toml = remains.stages(policy, leaves), tomli_w.dumps(document)
    return Tried(policy, stages, does, toml, _unlisted(document, policy, leaves))


def _unlisted(
    document: Mapping[str, Any], policy: Policy, leaves: Sequence[Leaf]
) -> list[str]:  # fmt: skip
    """Return the fields that a rule strips although it does not name them."""
    if policy.scrub is None:
        return []
    dropped = [pointer_of(str(name)) for name in document["scrub"].get("drop", ())]
    return remains.unlisted(policy.scrub, dropped, leaves)


def _default_days(policies: Policies) -> dict[str, int]:
    return {key: getattr(policies.default, key) for key in retention_rules_form.DAYS}


def _in_effect(policy: Policy, today: str) -> list[Any]:
    """Return the extensions that still hold."""
    return [one for one in policy.extensions if today <= one.until]
