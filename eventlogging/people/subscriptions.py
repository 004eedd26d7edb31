"""Who wants to be told what: the daily and weekly report, all alerts, or those of one schema."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.people import signed
from eventlogging.store.fixed import subscription

TOPICS: Mapping[str, str] = {
    "daily": "the daily validity report",
    "weekly": "the weekly digest",
    "alerts": "all alerts",
}
_SCHEMA = "schema:"
_LONGEST = 80
_PURPOSE = "unsubscribe"


def schema_topic(name: str) -> str:
    """Return the topic of one schema's alerts."""
    return f"{_SCHEMA}{name}"


def schema_of(topic: str) -> str | None:
    """Return the schema that a topic is about, None: about all."""
    return topic.removeprefix(_SCHEMA) if topic.startswith(_SCHEMA) else None


def is_topic(topic: str) -> bool:
    """Whether it is one of `TOPICS`, or `schema:` and a name."""
    return topic in TOPICS or (topic.startswith(_SCHEMA) and len(_SCHEMA) < len(topic) <= _LONGEST)


def in_words(topic: str) -> str:
    """Return what one gets by it: `all alerts`, `the alerts of NavigationTiming`."""
    schema = schema_of(topic)
    return TOPICS.get(topic, topic) if schema is None else f"the alerts of {schema}"


def subscribe(connection: sa.Connection, email: str, topic: str) -> bool:
    """Note that somebody wants it; False where they did already, or there is no such topic."""
    if not is_topic(topic) or topic in topics_of(connection, email):
        return False
    connection.execute(
        sa.insert(subscription).values(
            email=email.casefold(), topic=topic, created_at=clock.iso(clock.now_ms())
        )
    )
    return True


def unsubscribe(connection: sa.Connection, email: str, topic: str) -> bool:
    """Note that somebody does not want it any more; False where they did not."""
    c = subscription.c
    result = connection.execute(
        sa.delete(subscription).where(c.email == email.casefold(), c.topic == topic)
    )
    return bool(result.rowcount)


def topics_of(connection: sa.Connection, email: str) -> list[str]:
    """Return what somebody is subscribed to, in order."""
    c = subscription.c
    query = sa.select(c.topic).where(c.email == email.casefold()).order_by(c.topic)
    return list(connection.execute(query).scalars())


def subscribers(connection: sa.Connection, topic: str) -> list[str]:
    """Return the addresses of those who want it, in order."""
    c = subscription.c
    query = sa.select(c.email).where(c.topic == topic).order_by(c.email)
    return list(connection.execute(query).scalars())


def unsubscribe_token(key: str, email: str, topic: str) -> str:
    """Return the part of an address that ends somebody's subscription without signing in."""
    return signed.sign(key, _PURPOSE, (email.casefold(), topic))


def read_token(key: str, token: str) -> tuple[str, str] | None:
    """Return (address, topic) of such a token, None where it is not one of ours."""
    words = signed.read(key, _PURPOSE, token)
    return (words[0], words[1]) if words is not None and len(words) == 2 else None


def unsubscribe_link(url: str, key: str, email: str, topic: str) -> str:
    """Return the address at which somebody ends a subscription; `url` is where people find us."""
    return f"{url}/unsubscribe/{unsubscribe_token(key, email, topic)}"


def headers(url: str, key: str, email: str, topic: str) -> dict[str, str]:
    """Return the headers by which mail programs offer to unsubscribe by one click (RFC 8058)."""
    return {
        "List-Unsubscribe": f"<{unsubscribe_link(url, key, email, topic)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
