"""The page by which people say no: what is measured, what their browser says, and a switch.

It needs no account, no script and no third party, and works while the database is away.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import dataclass
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
)

from eventlogging.collector.request import said_no
from eventlogging.console import opt_out_cookie, snapshots, who
from eventlogging.console.parts import Parts
from eventlogging.console.sign_in import Signing
from eventlogging.console.transparency import sampled_words
from eventlogging.errors import StoreUnavailable
from eventlogging.registry.model import RegisteredSchema
from eventlogging.registry.snapshot import schemas_in_force
from eventlogging.retention import words
from eventlogging.retention.policy import Policies, read_policies

_MOST_BYTES = 200_000  # of a form; a name is up to 64 characters
_NO_COOKIE = (
    "This browser keeps no cookie for this site, so it cannot remember a no. Allow cookies for "
    "this site and send the form once more, or switch on Global Privacy Control in the browser: "
    "it is obeyed here without any cookie."
)


@dataclass(frozen=True)
class Measured:
    """A schema as the people measured meet it. `kept` says for how long, and what remains then."""

    name: str
    title: str
    description: str
    is_on: bool
    sampled: str  # which share sends, in words
    kept: str
    remains: tuple[str, ...]


@dataclass(frozen=True)
class Purpose:
    """What events are collected for: the schemas of one title."""

    title: str
    schemas: tuple[Measured, ...]


@dataclass(frozen=True)
class Said:
    """What this browser says now, signal by signal."""

    cookie: bool
    gpc: bool
    dnt: bool
    names: frozenset[str]

    @property
    def to_all(self) -> bool:
        """Whether it says no to everything."""
        return self.cookie or self.gpc or self.dnt

    @property
    def by_itself(self) -> bool:
        """Whether it does so by a setting of its own, which no page can change."""
        return self.gpc or self.dnt


def register(app: Flask, parts: Parts) -> None:
    """Add the page to the app."""
    pages = Blueprint("opt_out", __name__)

    @pages.get(opt_out_cookie.PATH)
    def show() -> Response:
        return _page(parts)

    @pages.post(opt_out_cookie.PATH)
    def change() -> Any:
        return _change(parts)

    app.register_blueprint(pages)


def said_now() -> Said:
    """Return what this request's browser says."""
    cookies = {"cookie": request.headers.get("Cookie", "")}
    by_cookie, names = said_no(cookies)
    headers = request.headers
    return Said(by_cookie, headers.get("Sec-GPC") == "1", headers.get("DNT") == "1", names)


def _page(parts: Parts, problem: str = "", status: int = 200) -> Response:
    said = said_now()
    purposes = None
    with contextlib.suppress(StoreUnavailable):
        who.roles()  # where this fails, it fails once, and the page is shown as to a stranger
        purposes = _purposes(parts, said.names)
    token, value = opt_out_cookie.form_token(request, _key(parts))
    live = {one.name for purpose in purposes or () for one in purpose.schemas}
    page = render_template(
        "opt_out.html", said=said, purposes=purposes, off=sorted(said.names & live), token=token,
        problem=problem, days=words.days, domain=parts.config.opt_out_domain,
        everywhere=parts.config.url.startswith("https:"),
    )  # fmt: skip
    response = make_response(page, status)
    opt_out_cookie.remember_form(response, parts.config, value)
    response.headers["Vary"] = "Cookie, Sec-GPC, DNT"
    return response


def _change(parts: Parts) -> Any:
    request.max_content_length = request.max_form_memory_size = _MOST_BYTES
    if not opt_out_cookie.is_own_form(request, _key(parts)):
        return _page(parts, _NO_COOKIE, 400)
    act, form = request.form.get("act", ""), request.form
    shown, on = set(form.getlist("shown")), set(form.getlist("on"))
    if act not in ("none", "all", "choose") or not opt_out_cookie.are_names(shown):
        abort(400, "act is none, all or choose; shown and on are names of schemas.")
    response = make_response(redirect(opt_out_cookie.PATH, 303))
    names = (said_now().names - shown) | (shown - on) if act == "choose" else frozenset()
    nothing_left = act == "choose" and bool(shown) and not shown & on
    everything = act == "none" or nothing_left
    opt_out_cookie.say(response, parts.config, everything=everything, names=names)
    return response


def _purposes(parts: Parts, no_to: Collection[str]) -> list[Purpose]:
    snapshot = snapshots.newest(parts)
    with parts.database.read() as connection:
        policies = read_policies(connection)
    by_title: dict[str, list[Measured]] = {}
    for schema in schemas_in_force(snapshot):
        found = _measured(schema, policies, schema.name not in no_to)
        by_title.setdefault(schema.title.strip() or schema.name, []).append(found)
    return [
        Purpose(title, tuple(sorted(schemas, key=lambda one: one.name.casefold())))
        for title, schemas in sorted(by_title.items(), key=lambda one: one[0].casefold())
    ]


def _measured(schema: RegisteredSchema, policies: Policies, is_on: bool) -> Measured:
    policy = policies.of(schema.name)
    kept = f"for {words.days(policy.keep_days)}"
    if policy.held:
        kept = "until a legal hold ends"
    return Measured(
        schema.name, schema.title, schema.description, is_on,
        sampled_words(schema.sampling_rate, schema.sampling_unit), kept,
        tuple(words.remains(policy, schema)),
    )  # fmt: skip


def _key(parts: Parts) -> str:
    if not isinstance(parts, Signing):
        abort(503, "This process has no key to sign forms with.")
    return parts.session_key
