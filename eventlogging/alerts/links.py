"""Links in mails by which people act on an alert without signing in."""

from __future__ import annotations

from dataclasses import dataclass

from eventlogging.alerts.episode import Episode
from eventlogging.people import signed

_PURPOSE = "alert"


@dataclass(frozen=True)
class Right:
    """What a link says: which episode, and who was given the right to act on it."""

    rule: str
    subject: str
    opened_at: str
    email: str


def link(url: str, key: str, act: str, episode: Episode, email: str) -> str:
    """Return the address at which somebody may `acknowledge` or `snooze` an episode.

    By rule, subject and time, for an episode has no number before it is stored.
    """
    words = (episode.rule, episode.subject, episode.opened_at, email)
    return f"{url}/alerts/{act}/{signed.sign(key, _PURPOSE, words)}"


def read(key: str, token: str) -> Right | None:
    """Return what such a link says, None where it is not one of ours."""
    words = signed.read(key, _PURPOSE, token)
    return Right(*words) if words is not None and len(words) == 4 else None
