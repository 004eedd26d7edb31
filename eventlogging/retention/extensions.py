"""A longer keep for some events and a limited time: asked for, decided, withdrawn, ended early."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.people import subscriptions
from eventlogging.receipts import chain
from eventlogging.registry import audit, counter, owners
from eventlogging.retention import extension_letters as letters
from eventlogging.retention import extension_record as record
from eventlogging.retention.extension_record import Extension
from eventlogging.retention.letter import Letter, Post, send
from eventlogging.retention.policy import read_policies
from eventlogging.retention.wish import LONGEST_TEXT, Problem, Wish, problems_of
from eventlogging.store.database import Database
from eventlogging.store.fixed import event_schema, extension, schema_owner

KIND = "extension"  # of receipts
GRANTED, ENDED = "granted", "ended"
_MOST_NAME = 191


@dataclass(frozen=True)
class Outcome:
    """What became of an act: `done`, or why not. `extension` is as it stands now."""

    done: bool
    extension: Extension | None = None
    problems: tuple[Problem, ...] = ()


def ask(
    database: Database, wish: Wish, who: str, reviewers: Collection[str], post: Post, *,
    is_admin: bool = False,
) -> Outcome:  # fmt: skip
    """Ask for an extension and tell the reviewers; who asks owns all its schemas, or is an admin.

    The same wish asked for again by the same person, while it waits, is the one that waits.
    Raises StoreUnavailable.
    """
    who = _named(who)
    with database.write() as connection:
        counter.lock(connection)
        today = clock.day(clock.now_ms())
        known = set(connection.execute(sa.select(event_schema.c.name)).scalars())
        wrong = problems_of(wish, read_policies(connection), today, known)
        if not wrong and not is_admin:
            wrong += _not_owned(connection, wish, who)
        if wrong:
            return Outcome(False, problems=tuple(wrong))
        for one in record.find_all(connection, states=("asked",)):
            if one.wish == wish and one.asked_by == who:
                return Outcome(True, one)
        result = connection.execute(
            sa.insert(extension).values(
                **{**vars(wish), "schemas": json.dumps(wish.schemas)}, state="asked",
                asked_by=who, asked_at=clock.iso(clock.now_ms()), decision="",
            )
        )  # fmt: skip
        asked = record.found(connection, int((result.inserted_primary_key or (0,))[0]))
        _record(connection, who, "extension.ask", asked, {"until": wish.until})
        for email in sorted({_named(one) for one in reviewers} - {who}):
            _tell(connection, post, asked, "asked", email, letters.asked(asked, today, post.url))
        return Outcome(True, asked)


def decide(
    database: Database, id: int, who: str, granted: bool, words: str, receipts: Path, post: Post,
) -> Outcome:  # fmt: skip
    """Grant or refuse, with words; never one's own. Who may decide at all is for the caller.

    A grant has a receipt, whose folder is `receipts`; asker, owners and subscribers of the
    schemas are told. Raises LookupError for an unknown id, and as `holds.place` does.
    """
    who, words = _named(who), words.strip()
    with database.write() as connection:
        asked = record.locked(connection, id)
        today = clock.day(clock.now_ms())
        wrong = _undecidable(asked, who) or _no_words(words)
        if not wrong and granted:
            known = set(connection.execute(sa.select(event_schema.c.name)).scalars())
            wrong = problems_of(asked.wish, read_policies(connection), today, known)
        if wrong:
            return Outcome(False, asked, tuple(wrong))
        decided = record.change(
            connection, asked, state="granted" if granted else "refused", decided_by=who,
            decided_at=clock.iso(clock.now_ms()), decision=words,
        )  # fmt: skip
        act = "grant" if granted else "refuse"
        _record(connection, who, f"extension.{act}", decided, {"words": words})
        letter = (letters.granted if granted else letters.refused)(decided, post.url)
        _tell_all(connection, post, decided, act, letter, but=who, subscribers=granted)
        if granted:
            chain.append(receipts, KIND, _receipt(decided, GRANTED))
        return Outcome(True, decided)


def withdraw(database: Database, id: int, who: str) -> Outcome:
    """Take back what one asked for oneself, while nobody decided. Raises LookupError."""
    who = _named(who)
    with database.write() as connection:
        asked = record.locked(connection, id)
        if asked.asked_by != who:
            text = f"Only {asked.asked_by}, who asked for it, withdraws it."
            return Outcome(False, asked, (Problem("", text),))
        if asked.state != "asked":
            return Outcome(False, asked, (_settled(asked),))
        changed = record.change(connection, asked, state="withdrawn")
        _record(connection, who, "extension.withdraw", changed, {})
        return Outcome(True, changed)


def end(
    database: Database, id: int, who: str, words: str, receipts: Path, post: Post
) -> Outcome:  # fmt: skip
    """End a granted one early: today is its last day, and what is due goes at the next pass.

    Who may is for the caller. Raises as `decide` does.
    """
    who, words = _named(who), words.strip()
    with database.write() as connection:
        asked = record.locked(connection, id)
        today = clock.day(clock.now_ms())
        if asked.state != "granted":
            return Outcome(False, asked, (Problem("", "Only what was granted can be ended."),))
        if asked.wish.until <= today:
            text = f"Its last day is {asked.wish.until} already."
            return Outcome(False, asked, (Problem("", text),))
        if wrong := _no_words(words):
            return Outcome(False, asked, tuple(wrong))
        said = f"{asked.decision}\n\nEnded early, on {today}: {words}"
        ended = record.change(connection, asked, until=today, decision=said)
        _record(connection, who, "extension.end", ended, {"words": words, "was": asked.wish.until})
        _tell_all(
            connection, post, ended, "end", letters.ended(ended, words, post.url), but=who,
            subscribers=True,
        )  # fmt: skip
        chain.append(receipts, KIND, _receipt(ended, ENDED))
        return Outcome(True, ended)


def replay(database: Database, receipts: Iterable[chain.Receipt]) -> list[str]:
    """Bring extensions to what the receipts say, after a restore; return what changed, in words.

    One granted after the backup was made is granted again, one ended after it ends again.
    """
    last = {_identity(one.body): one.body for one in receipts if one.kind == KIND}
    changed = []
    with database.write() as connection:
        counter.lock(connection)
        every = record.find_all(connection, limit=1_000_000)
        rows = {_identity(_receipt(one, "")): one for one in every}

        for key, body in last.items():
            one = rows.get(key)
            if one is not None and (one.state, one.wish.until) == ("granted", body["until"]):
                continue
            if one is None:
                _insert_again(connection, body)
            else:
                record.change(connection, one, state="granted", until=body["until"])
            names = ", ".join(body["schemas"])
            changed.append(f"the extension of {names} up to {body['until']} stands again")
            for name in body["schemas"]:
                audit.record(connection, "restore", "extension.grant", name, dict(body))
    return changed


def _insert_again(connection: sa.Connection, body: dict[str, Any] | Any) -> None:
    lost = "This was said after the backup was made that was restored."
    names = ("first_day", "last_day", "keep_days", "until", "reason", "asked_at")
    connection.execute(
        sa.insert(extension).values(
            **{name: body[name] for name in names}, schemas=json.dumps(body["schemas"]),
            why_not_less=lost, state="granted", asked_by="restore", decided_by="restore",
            decided_at=clock.iso(clock.now_ms()), decision=lost,
        )
    )  # fmt: skip


def _receipt(one: Extension, act: str) -> dict[str, Any]:
    """Return the receipt's body: nobody's address stands in it, and all that `replay` needs."""
    w = one.wish
    return {
        "act": act, "schemas": list(w.schemas), "first_day": w.first_day, "last_day": w.last_day,
        "keep_days": w.keep_days, "until": w.until, "reason": w.reason, "asked_at": one.asked_at,
    }  # fmt: skip


def _identity(body: Any) -> str:
    names = ("schemas", "first_day", "last_day", "keep_days", "asked_at")
    return json.dumps([body[name] for name in names])


def _not_owned(connection: sa.Connection, wish: Wish, who: str) -> list[Problem]:
    owned = {
        name
        for name, email in connection.execute(
            sa.select(schema_owner.c.schema, schema_owner.c.email)
        )
        if email.casefold() == who
    }
    others = [name for name in wish.schemas if name not in owned]
    text = f"Only an owner or an admin asks for it, and you do not own {', '.join(others)}."
    return [Problem("schemas", text)] if others else []


def _undecidable(asked: Extension, who: str) -> list[Problem]:
    if asked.state != "asked":
        return [_settled(asked)]
    if asked.asked_by == who:
        return [Problem("", "You asked for this yourself; somebody else decides on it.")]
    return []


def _settled(asked: Extension) -> Problem:
    by = f" by {asked.decided_by}" if asked.decided_by else f" by {asked.asked_by}"
    return Problem("", f"It was {asked.state}{by} meanwhile, so there is nothing to decide.")


def _no_words(words: str) -> list[Problem]:
    if not words:
        return [Problem("words", "Say why, in a sentence; who asked reads it.")]
    if len(words) > LONGEST_TEXT:
        return [Problem("words", f"This has more than {LONGEST_TEXT} characters.")]
    return []


def _tell_all(
    connection: sa.Connection, post: Post, one: Extension, act: str, letter: Letter, *,
    but: str, subscribers: bool,
) -> None:  # fmt: skip
    """Tell the asker and the owners; with `subscribers`, also who subscribed to the schemas."""
    c = schema_owner.c
    query = sa.select(c.email).where(c.schema.in_(one.wish.schemas))
    everyone = [one.asked_by, *connection.execute(query).scalars()]
    told = {_named(email) for email in owners.living(connection, everyone)} - {but}
    for email in sorted(told):
        _tell(connection, post, one, act, email, letter)
    for name in one.wish.schemas if subscribers else ():
        topic = subscriptions.schema_topic(name)
        emails = set(subscriptions.subscribers(connection, topic)) - told - {but}
        for email in sorted(owners.living(connection, emails)):
            _tell(connection, post, one, act, email, letter, topic)


def _tell(
    connection: sa.Connection, post: Post, one: Extension, act: str, email: str, letter: Letter,
    topic: str | None = None,
) -> None:  # fmt: skip
    send(connection, post, f"extension:{one.id}:{act}:{one.wish.until}", email, letter, topic)


def _record(
    connection: sa.Connection, who: str, action: str, one: Extension, detail: dict[str, Any]
) -> None:
    for name in one.wish.schemas:
        audit.record(connection, who, action, name, {"extension": one.id, **detail})


def _named(who: str) -> str:
    return who.casefold()[:_MOST_NAME]
