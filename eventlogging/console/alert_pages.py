"""The page of alerts, and the pages that links in mails lead to."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from flask import Blueprint, Flask, Response, abort, make_response, render_template, request

from eventlogging import clock
from eventlogging.alerts import episodes, links, rules, words
from eventlogging.alerts.episode import Episode
from eventlogging.alerts.rules import Rule
from eventlogging.console import sign_in, snapshots, subscription_pages, who
from eventlogging.console.parts import Parts
from eventlogging.registry.export import held_documents

_SNOOZES = {"1h": "for an hour", "1d": "for a day", "7d": "for a week"}


@dataclass(frozen=True)
class Row:
    """An episode as the page shows it."""

    episode: Episode
    lasted: str
    lines: tuple[str, ...]

    @property
    def state(self) -> str:
        """In a word: open, acknowledged, snoozed, over."""
        if not self.episode.is_open:
            return "over"
        if is_snoozed(self.episode):
            return "snoozed"
        return "acknowledged" if self.episode.acknowledged_at else "open"


@dataclass(frozen=True)
class SchemaAlerts:
    """What a schema's page says of alerts: what goes on, what was, and what would raise one."""

    now: tuple[Row, ...]
    lately: tuple[Row, ...]
    rules: tuple[Rule, ...]


def register(app: Flask, parts: Parts) -> None:
    """Add the pages of alerts and subscriptions."""
    app.register_blueprint(_blueprint(parts))
    subscription_pages.register(app, parts)


def alerts_of_schema(
    connection: sa.Connection, name: str, state: str = "published"
) -> SchemaAlerts:
    """Return the alerts of one schema, for a part of its page."""
    going_on, lately = episodes.of_schema(connection, name)
    found = rules.rules_of_schema(held_documents(connection), name, state)
    return SchemaAlerts(tuple(map(_row, going_on)), tuple(map(_row, lately)), tuple(found))


def is_snoozed(episode: Episode) -> bool:
    """Whether nobody is told of it now."""
    until = episode.snoozed_until
    return until is not None and until > clock.iso(clock.now_ms())


def _blueprint(parts: Parts) -> Blueprint:
    pages = Blueprint("alerts", __name__)

    @pages.get("/alerts")
    def all_alerts() -> str:
        who.require("see_live")
        schemas = rules.names(snapshots.newest(parts).schemas.values())
        with parts.database.read() as connection:
            rows = list(map(_row, episodes.opened(connection)))
            lately = list(map(_row, episodes.lately_closed(connection)))
            in_force = rules.rules_of(held_documents(connection), schemas)
        return render_template(
            "alerts.html",
            going_on=[row for row in rows if row.state != "snoozed"],
            snoozed=[row for row in rows if row.state == "snoozed"],
            lately=lately, snoozes=_SNOOZES, rules=_in_words(in_force),
        )  # fmt: skip

    @pages.post("/alerts/<int:id>")
    def act(id: int) -> Response:
        person = who.require("see_live")
        sign_in.check_csrf()
        with parts.database.write() as connection:
            episode = episodes.by_id(connection, id)
            if episode is None:
                abort(404, "There is no such alert.")
            _act(connection, episode, request.form.get("act", ""), person.email)
        return sign_in.onwards("/alerts")

    @pages.get("/alerts/<any(acknowledge, snooze):act>/<token>")
    def ask(act: str, token: str) -> Response:
        # Looking does nothing: mail scanners open links before people do.
        with parts.database.read() as connection:
            episode, _ = _of_token(connection, parts, token)
        return _quiet(act, episode, token, done="")

    @pages.post("/alerts/<any(acknowledge, snooze):act>/<token>")
    def answer(act: str, token: str) -> Response:
        # No CSRF token: the address itself is the right, given to who got the mail.
        chosen = request.form.get("act", "1d") if act == "snooze" else "acknowledge"
        with parts.database.write() as connection:
            episode, email = _of_token(connection, parts, token)
            done = _act(connection, episode, chosen, email)
            found = episodes.by_id(connection, episode.id) or episode
        return _quiet(act, found, token, done=done)

    return pages


def _act(connection: sa.Connection, episode: Episode, act: str, email: str) -> str:
    """Do what somebody asked for; return what is so now, empty where it is over already."""
    if act == "acknowledge":
        if episodes.acknowledge(connection, episode, email):
            return "acknowledged"
        return "known" if episode.is_open else ""
    if act not in episodes.SNOOZES:
        abort(400, f"act is acknowledge, or one of {', '.join(episodes.SNOOZES)}.")
    return "snoozed" if episodes.snooze(connection, episode, email, act) else ""


def _of_token(connection: sa.Connection, parts: Parts, token: str) -> tuple[Episode, str]:
    key = parts.session_key if isinstance(parts, sign_in.Signing) else ""
    right = links.read(key, token) if key else None
    if right is None:
        abort(404, "This link is not complete. Copy all of it from the mail.")
    episode = episodes.find(connection, right.rule, right.opened_at, right.subject)
    if episode is None:
        abort(404, "This alert is long over, and forgotten.")
    return episode, right.email


def _quiet(act: str, episode: Episode, token: str, *, done: str) -> Response:
    page = render_template(
        "alert_link.html", act=act, row=_row(episode), token=token, done=done, snoozes=_SNOOZES
    )
    response = make_response(page)
    response.headers["Referrer-Policy"] = "no-referrer"  # the address is a right
    return response


def _row(episode: Episode) -> Row:
    lasted = words.span(episodes.open_minutes(episode, clock.now_ms()))
    return Row(episode, lasted, tuple(episode.detail.get("lines", ())))


def _in_words(in_force: list[Rule]) -> list[tuple[str, list[str]]]:
    """Return (words of a rule, the schemas that it is for), each once."""
    found: dict[str, list[str]] = {}
    for rule in in_force:
        found.setdefault(rule.words, []).append(rule.schema)
    return [(text, [name for name in names if name]) for text, names in found.items()]
