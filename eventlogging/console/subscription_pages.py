"""The pages on which people choose what they are told, and end it by one click in a mail."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, abort, make_response, render_template, request

from eventlogging.console import sign_in, snapshots, who
from eventlogging.console.parts import Parts
from eventlogging.people import subscriptions
from eventlogging.people.model import Person
from eventlogging.people.subscriptions import TOPICS, in_words, schema_of, schema_topic


def register(app: Flask, parts: Parts) -> None:
    """Add `/subscriptions` and `/unsubscribe/…`."""
    app.register_blueprint(_blueprint(parts))


def _blueprint(parts: Parts) -> Blueprint:
    pages = Blueprint("subscriptions", __name__)

    @pages.get("/subscriptions")
    def mine() -> str:
        person = who.require("see_live")
        with parts.database.read() as connection:
            topics = subscriptions.topics_of(connection, person.email)
        return _page(parts, person, topics)

    @pages.post("/subscriptions")
    def change() -> Response:
        person = who.require("see_live")
        sign_in.check_csrf()
        wanted = set(request.form.getlist("topic"))
        name = request.form.get("schema", "").strip()
        known = snapshots.newest(parts).schemas
        if name and name not in known:
            abort(400, f"No schema is named {name!r}. Choose one from the list.")
        if name:
            wanted.add(schema_topic(name))
        with parts.database.write() as connection:
            before = set(subscriptions.topics_of(connection, person.email))
            for topic in before - wanted:
                subscriptions.unsubscribe(connection, person.email, topic)
            for topic in sorted(wanted - before):
                if topic in TOPICS or schema_of(topic) in known:
                    subscriptions.subscribe(connection, person.email, topic)
        return sign_in.onwards("/subscriptions")

    @pages.get("/unsubscribe/<token>")
    def ask(token: str) -> Response:
        email, topic = _read(parts, token)
        return _answer("ask", email, topic)

    @pages.post("/unsubscribe/<token>")
    def leave(token: str) -> Response:
        # Without a CSRF token: the address itself is the right, and mail programs come without
        # any page before (RFC 8058).
        email, topic = _read(parts, token)
        with parts.database.write() as connection:
            subscriptions.unsubscribe(connection, email, topic)
        return _answer("left", email, topic)

    return pages


def _page(parts: Parts, person: Person, topics: list[str]) -> str:
    names = [name for topic in topics if (name := schema_of(topic)) is not None]
    schemas = snapshots.newest(parts).schemas
    owned = sorted(
        name
        for name, schema in schemas.items()
        if person.email in {owner.casefold() for owner in schema.owners}
    )
    others = [name for name in sorted(schemas) if name not in names]
    return render_template(
        "subscriptions.html", topics=topics, all_topics=TOPICS, names=names, owned=owned,
        others=others, schema_topic=schema_topic,
    )  # fmt: skip


def _read(parts: Parts, token: str) -> tuple[str, str]:
    key = parts.session_key if isinstance(parts, sign_in.Signing) else ""
    found = subscriptions.read_token(key, token) if key else None
    if found is None:
        abort(404, "This link is not complete. Copy all of it from the mail.")
    return found


def _answer(state: str, email: str, topic: str) -> Response:
    words = in_words(topic)
    response = make_response(
        render_template("unsubscribe.html", state=state, email=email, topic=words)
    )
    response.headers["Referrer-Policy"] = "no-referrer"  # the address is a right
    return response
