"""All that a mail says of one alert: the fact, what caused it, its picture, the ways out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from eventlogging import clock
from eventlogging.alerts import causes, words
from eventlogging.alerts.causes import Contributor, Part
from eventlogging.alerts.episode import Episode
from eventlogging.alerts.judge import Fact
from eventlogging.alerts.sample import Failing, Recover, smallest_failing, with_recovery
from eventlogging.errors import StoreUnavailable
from eventlogging.event import UNKNOWN
from eventlogging.platform import Platform
from eventlogging.registry.model import RegisteredSchema

_MINUTE_MS = 60_000
_CHART = "chart"
_TIMED = ("throughput", "invalid")  # rules whose window says when to look for causes
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Briefing:
    """An episode with its causes. `lines` are sentences, `chart` a PNG."""

    episode: Episode
    fact: Fact
    lines: Sequence[str]
    contributors: Sequence[Contributor] = ()
    parts: Sequence[Part] = ()
    failing: Failing | None = None
    usual_rate: float | None = None
    chart: bytes | None = None

    @property
    def images(self) -> dict[str, bytes]:
        """Content id → PNG, for a mail about this alone."""
        return {_CHART: self.chart} if self.chart else {}

    def numbered_images(self, number: int) -> dict[str, bytes]:
        """The same for a mail about several."""
        return {f"{_CHART}{number}": self.chart} if self.chart else {}

    def values(self, *, sees_values: bool, number: int | None = None) -> dict[str, Any]:
        """Return what templates may use; without `sees_values` nothing of what events hold."""
        failing = self.failing
        if failing is not None and not sees_values:
            failing = failing.without_values()
        suffix = "" if number is None else str(number)
        rule = self.fact.rule
        own: dict[str, Any] = dict(rule.values) if rule.kind in _TIMED else {}
        if rule.kind == "throughput":
            own |= {"rate": self.fact.value, "usual_rate": self.usual_rate}
        return {
            **own,
            "rule": rule.kind,
            "schema": rule.schema or None,
            "fact": self.episode.fact,
            "lines": list(self.lines),
            "value": self.fact.value,
            "since": f"{self.episode.opened_at[:16].replace('T', ' ')} UTC",
            "contributors": [vars(one) for one in self.contributors],
            "parts": [vars(one) for one in self.parts],
            "failing": failing,
            "chart": f"cid:{_CHART}{suffix}" if self.chart else None,
        }


def brief(
    platform: Platform, episode: Episode, fact: Fact, recover: Recover, *, thorough: bool = True
) -> Briefing:
    """Return what a mail says; what cannot be found out is left out rather than the mail late.

    Without `thorough` only the fact and its picture: for what was told once already. Raises
    StoreUnavailable.
    """
    now = clock.now_ms()
    at = _ms(episode.opened_at)
    briefing = Briefing(episode, fact, words.lines_of(fact))
    briefing = replace(briefing, chart=_tried(causes.chart, platform, fact, at))
    if not thorough or fact.rule.kind not in _TIMED:
        return _named(briefing, fact, at)
    end = now - now % _MINUTE_MS
    start = end - int(fact.rule.values["window_minutes"]) * _MINUTE_MS
    schemas = platform.registry.snapshot.schemas
    with platform.database.read() as connection:
        found = causes.contributors(connection, schemas, start, end)
        usual = causes.usual_rate(connection, fact.rule.schema, start, end)
        before = causes.invalid_before(connection, fact.rule.schema, start)
    if fact.rule.schema:
        found = [one for one in found if one.schema == fact.rule.schema]
    concerned = _concerned(schemas, fact, found)
    is_invalid = fact.rule.kind == "invalid"
    parts = _tried(
        causes.parts, platform.database, concerned, start, end, invalid=is_invalid
    ) or []  # fmt: skip
    failing = None
    if is_invalid and concerned:
        failing = _tried(smallest_failing, platform.database, concerned[0], start, end)
        if failing is not None:
            failing = _tried(with_recovery, failing, concerned[0], recover) or failing
    briefing = replace(
        briefing, contributors=found, parts=parts, failing=failing, usual_rate=usual
    )  # fmt: skip
    return _named(briefing, fact, at, before)


def _named(briefing: Briefing, fact: Fact, at_ms: int, before: float | None = None) -> Briefing:
    """Put the fact into the episode, with what was before and the cause where they are known."""
    sentence = words.fact_of(fact, clock.minute(at_ms))
    if fact.rule.kind == "invalid":
        if before is not None:
            sentence += f", was {words.percent(before)}"
        if briefing.failing is not None:
            sentence += f" ({briefing.failing.code} at {briefing.failing.place})"
    detail = {**briefing.episode.detail, "fact": sentence, "lines": list(briefing.lines)}
    return replace(briefing, episode=replace(briefing.episode, detail=detail))


def _concerned(
    schemas: Mapping[str, RegisteredSchema], fact: Fact, found: Sequence[Contributor]
) -> list[RegisteredSchema]:
    names = [fact.rule.schema] if fact.rule.schema else [one.schema for one in found]
    return [schemas[name] for name in names if name in schemas and name != UNKNOWN]


def _tried(function: Any, *arguments: Any, **more: Any) -> Any:
    """Return what a function finds, None where it fails: the mail must not wait for it."""
    try:
        return function(*arguments, **more)
    except StoreUnavailable:
        raise
    except Exception:
        _logger.exception("%s failed; the alert goes out without", function.__name__)
        return None


def _ms(iso: str) -> int:
    return round(datetime.fromisoformat(iso).timestamp() * 1000)
