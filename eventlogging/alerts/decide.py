"""What to do about the facts of a moment: which episodes open, go on, end, or are told of again.

Pure: it gets facts, the episodes there are and the time, and returns changes. The same facts a
minute later change nothing, so that an evaluation may be done twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from eventlogging import clock
from eventlogging.alerts.episode import Episode
from eventlogging.alerts.judge import ABOVE, BELOW, Fact

AGAIN_MS = clock.DAY_MS  # without anybody acting
_FORGOTTEN_MS = clock.DAY_MS  # without a measurement: the host is gone


@dataclass(frozen=True)
class Open:
    """A new episode. `snoozed_until`: somebody wanted no news of this until then."""

    fact: Fact
    snoozed_until: str | None = None


@dataclass(frozen=True)
class GoOn:
    """An episode goes on, with a new value."""

    episode: Episode
    fact: Fact


@dataclass(frozen=True)
class Close:
    """An episode is over; `fact` is None where its rule, host or job is gone."""

    episode: Episode
    fact: Fact | None


@dataclass(frozen=True)
class Wake:
    """A snooze has ended while the episode goes on: tell everybody once more."""

    episode: Episode
    fact: Fact | None


@dataclass(frozen=True)
class TellOthers:
    """Nobody acted for a day: tell the other owners."""

    episode: Episode
    fact: Fact | None


Change = Open | GoOn | Close | Wake | TellOthers


def decide(
    facts: Sequence[Fact],
    episodes: Iterable[Episode],
    now_ms: int,
    *,
    scope: Collection[str],
    known: Collection[str],
) -> list[Change]:
    """Return what changes. `episodes` are the open ones, and closed ones whose snooze lasts.

    `scope` are the kinds of rules that were judged; an open episode of one of them whose key is
    not `known` any more has lost its rule.
    """
    now = clock.iso(now_ms)
    all_of_them = list(episodes)
    standing = {one.key: one for one in all_of_them if one.is_open}
    by_key = {fact.key: fact for fact in facts}
    changes: list[Change] = []
    for fact in facts:
        if fact.state == ABOVE and fact.key not in standing:
            changes.append(Open(fact, _snoozed(fact, all_of_them, now)))
    for episode in sorted(standing.values(), key=lambda one: one.opened_at):
        found = by_key.get(episode.key)
        if _is_over(episode, found, now_ms, scope, known):
            changes.append(Close(episode, found))
            continue
        if found is not None:
            changes.append(GoOn(episode, found))
        if episode.snoozed_until is not None:
            if episode.snoozed_until <= now:
                changes.append(Wake(episode, found))
        elif _is_neglected(episode, now_ms):
            changes.append(TellOthers(episode, found))
    return changes


def _is_over(
    episode: Episode, fact: Fact | None, now_ms: int, scope: Collection[str],
    known: Collection[str],
) -> bool:  # fmt: skip
    if fact is not None:
        return fact.state == BELOW
    if episode.subject.startswith("@"):
        return now_ms - _ms(episode.measured_at or episode.opened_at) > _FORGOTTEN_MS
    return episode.rule in scope and episode.key not in known


def _snoozed(fact: Fact, episodes: Iterable[Episode], now: str) -> str | None:
    """Return until when nobody wants to hear of it: a snooze outlasts the episode it was for."""
    ends = [
        one.snoozed_until
        for one in episodes
        if one.key == fact.key and one.snoozed_until is not None and one.snoozed_until > now
    ]
    return max(ends, default=None)


def _is_neglected(episode: Episode, now_ms: int) -> bool:
    if episode.acknowledged_at is not None or episode.told_again_at is not None:
        return False
    return now_ms - _ms(episode.opened_at) >= AGAIN_MS


def _ms(iso: str) -> int:
    return round(datetime.fromisoformat(iso).timestamp() * 1000)
