"""The page that says what raises an alert about a schema, on which its owners change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask, redirect, render_template, request, url_for

from eventlogging import clock
from eventlogging.alerts import own_rules, replay, rules
from eventlogging.alerts.rules import Documents, Rule
from eventlogging.console import alert_rules_form, sign_in, who
from eventlogging.console.own_form import OwnForm
from eventlogging.console.parts import Parts
from eventlogging.console.schema_address import page_of_namesake, schema_or_404
from eventlogging.registry.export import held_documents
from eventlogging.registry.model import RegisteredSchema


@dataclass(frozen=True)
class Judged:
    """A rule as the page shows it; `past` is what it would have done, empty where not known."""

    words: str
    is_own: bool
    past: str


@dataclass(frozen=True)
class Told:
    """Who is told beside the owners, and by how many webhooks; whether the schema says so."""

    recipients: tuple[str, ...]
    recipients_own: bool
    webhooks: int
    webhooks_own: bool


def register(app: Flask, parts: Parts) -> None:
    """Add the page to the app."""
    pages = Blueprint("alert_rules", __name__)

    @pages.get("/schemas/<path:name>/alerts")
    def show(name: str) -> Any:
        namesake = page_of_namesake(parts, name, "alerts")
        if namesake is not None:
            return namesake
        who.require("see_live")
        return _page(parts, schema_or_404(parts, name))

    @pages.post("/schemas/<path:name>/alerts")
    def change(name: str) -> Any:
        return _change(parts, schema_or_404(parts, name))

    app.register_blueprint(pages)


def _change(parts: Parts, schema: RegisteredSchema) -> Any:
    person = who.require("change_settings", schema)
    sign_in.check_csrf()
    with parts.database.read() as connection:
        own = own_rules.read(connection, schema.name)
    form = alert_rules_form.of_request(request.form, own)
    since = request.form.get("standing", "")
    if request.form.get("act") != "save":
        return _page(parts, schema, form, since, is_tried=True)
    if since != own_rules.standing(own):
        return _page(parts, schema, form, is_overtaken=True), 409
    if not form.is_right:
        return _page(parts, schema, form, since), 400
    saved = own_rules.save(parts.database, schema.name, form.document, since, person.email)
    if saved.overtaken:
        return _page(parts, schema, form, is_overtaken=True), 409
    if not saved.done:
        wrong: dict[str, list[str]] = {}
        alert_rules_form.add_problems(wrong, saved.problems)
        return _page(parts, schema, OwnForm(form.values, wrong, form.document), since), 400
    return redirect(url_for("alert_rules.show", name=schema.name, saved="1"), 303)


def _page(
    parts: Parts,
    schema: RegisteredSchema,
    form: OwnForm | None = None,
    since: str | None = None,
    *,
    is_tried: bool = False,
    is_overtaken: bool = False,
) -> str:
    now = clock.now_ms()
    with parts.database.read() as connection:
        documents = held_documents(connection)
        own = own_rules.read(connection, schema.name)
        minutes = replay.read_minutes(connection, schema.name, now)
    default = documents.get(("alerts", "default.toml"))
    default = default if isinstance(default, Mapping) else {}
    tried = None
    if form is not None and is_tried and form.is_right:
        then = {**documents, ("alerts", f"{schema.name}.toml"): form.document}
        tried = _judged(then, form.document, schema, minutes, now)
    return render_template(
        "alert_rules.html", schema=schema,
        judged=_judged(documents, own, schema, minutes, now), told=_told(documents, own, schema),
        form=form or alert_rules_form.of_document(own, default), kinds=alert_rules_form.KINDS,
        default_words=_default_words(default), default_recipients=default.get("recipients", ()),
        standing=own_rules.standing(own) if since is None else since,
        may_change=who.allowed("change_settings", schema), why_not=own_rules.why_not(schema.name),
        saved=bool(request.args.get("saved")), is_tried=is_tried, tried=tried,
        is_overtaken=is_overtaken,
    )  # fmt: skip


def _judged(
    documents: Documents, own: Mapping[str, Any], schema: RegisteredSchema,
    minutes: replay.Minutes, now: int,
) -> list[Judged]:  # fmt: skip
    return [
        Judged(
            rule.words,
            rule.kind in own,
            replay.would_have(rule, minutes, now) if rule.kind in replay.KINDS else "",
        )
        for rule in rules.rules_of_schema(documents, schema.name, schema.state)
    ]


def _told(documents: Documents, own: Mapping[str, Any], schema: RegisteredSchema) -> Told:
    return Told(
        rules.recipients_of(documents, schema.name),
        "recipients" in own,
        len(rules.webhooks_of(documents, schema.name)),
        "webhooks" in own,
    )


def _default_words(default: Mapping[str, Any]) -> dict[str, str]:
    """Return what the default says of each rule that the form knows."""
    names = [kind.name for kind in alert_rules_form.KINDS if kind.name in default]
    return {name: Rule(name, "", default[name]).words for name in names}
