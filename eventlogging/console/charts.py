"""Counts over time as charts and their tables show them: bars by outcome, and marks of changes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.ledger.reading import OUTCOMES, PENDING
from eventlogging.store.fixed import audit, ledger

HOUR_MS = 3_600_000
# step → (milliseconds, characters of a minute's text that name it)
STEPS: Mapping[str, tuple[int, int]] = {"hour": (HOUR_MS, 13), "day": (clock.DAY_MS, 10)}
WORDS: Mapping[str, str] = {
    "valid": "Valid", "invalid": "Invalid", "duplicate": "Duplicates",
    "sampled_out": "Sampled out", "suppressed": "Suppressed", "pending": "Pending",
    "count": "Events",
}  # fmt: skip
JUDGED = ("valid", "invalid")
_ALL = (*OUTCOMES, PENDING)
_MOST_MARKS = 30


@dataclass(frozen=True)
class Bar:
    """What happened in one step of time: `start` in seconds since the epoch, a count per kind."""

    start: int
    text: str
    counts: tuple[int, ...]
    link: str | None = None


@dataclass(frozen=True)
class Mark:
    """A change at a moment: ISO time, who did it, and a few words."""

    at: str
    who: str
    words: str

    @property
    def seconds(self) -> float:
        """The moment, in seconds since the epoch."""
        return datetime.fromisoformat(self.at).timestamp()


@dataclass(frozen=True)
class Chart:
    """A chart of stacked bars. `kinds` are its parts from below, each a colour and a word."""

    title: str
    step: str
    kinds: tuple[str, ...]
    bars: Sequence[Bar]
    marks: Sequence[Mark] = ()
    query: str | None = None

    @property
    def seconds(self) -> int:
        """How long a step is."""
        return STEPS[self.step][0] // 1000

    @property
    def words(self) -> dict[str, str]:
        """What each part is called."""
        return {kind: WORDS[kind] for kind in self.kinds}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(any(bar.counts) for bar in self.bars)

    @property
    def totals(self) -> tuple[int, ...]:
        """The sum of each part."""
        return tuple(sum(column) for column in zip(*(bar.counts for bar in self.bars), strict=True))


def steps_until(step: str, end_ms: int, count: int) -> list[str]:
    """Return the names of the last `count` steps, the one that holds `end_ms` last."""
    length, chars = STEPS[step]
    return [clock.minute(end_ms - back * length)[:chars] for back in reversed(range(count))]


def start_of(name: str) -> int:
    """Return when a step begins, in seconds since the epoch; `name` is its ISO text."""
    whole = name if len(name) == 10 else f"{name}:00"
    return int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())


def text_of(name: str) -> str:
    """Return a step's name as people read it."""
    return name if len(name) == 10 else f"{name}:00"


def read_volume(
    connection: sa.Connection,
    step: str,
    end_ms: int,
    count: int,
    *,
    schema: str | None = None,
    kinds: Collection[str] = _ALL,
    title: str = "",
) -> Chart:
    """Return the ledger's counts by outcome over the last `count` steps.

    Outcomes beside valid and invalid that no event had are left out.
    """
    names = steps_until(step, end_ms, count)
    length, chars = STEPS[step]
    c = ledger.c
    moment = sa.func.substr(c.minute, 1, chars)
    until = clock.minute(start_of(names[-1]) * 1000 + length)
    query = (
        sa.select(moment, c.outcome, sa.func.sum(c["count"]))
        .where(c.minute >= names[0], c.minute < until, c.outcome.in_(list(kinds)))
        .group_by(moment, c.outcome)
    )
    if schema is not None:
        query = query.where(c.schema == schema)
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for name, outcome, number in connection.execute(query):
        found[name][outcome] = int(number)
    had = {kind for counts in found.values() for kind, number in counts.items() if number}
    shown = tuple(k for k in _ALL if k in kinds and (k in JUDGED or k in had))
    bars = [
        Bar(
            start_of(name),
            text_of(name),
            tuple(max(0, found[name].get(kind, 0)) for kind in shown),
            None if schema else _overview_link(name, step),
        )
        for name in names
    ]
    asked = {"start": _moment(names[0]), "end": until.replace(" ", "T") + "Z", "step": step}
    if schema is not None:
        asked["schema"] = schema
    return Chart(title, step, shown, bars, query=f"/v1/ledger?{urlencode(asked)}")


def _moment(name: str) -> str:
    return name if len(name) == 10 else f"{name.replace(' ', 'T')}:00Z"


def _overview_link(name: str, step: str) -> str | None:
    return f"/?day={name}" if step == "day" else None


def read_marks(connection: sa.Connection, schema: str, since_ms: int) -> list[Mark]:
    """Return when a schema's sampling changed and its versions came, oldest first."""
    c = audit.c
    query = (
        sa.select(c.at, c.who, c.action, c.detail)
        .where(c.subject == schema, c.action.in_(("settings", "publish")))
        .where(c.at >= clock.iso(since_ms))
        .order_by(c.at.desc(), c.id.desc())
        .limit(_MOST_MARKS * 3)
    )
    marks = []
    for at, who, action, detail in connection.execute(query):
        words = _words(action, json.loads(detail))
        if words:
            marks.append(Mark(at, who, words))
    return marks[:_MOST_MARKS][::-1]


def _words(action: str, detail: Mapping[str, Any]) -> str | None:
    if action == "publish":
        return f"version {detail.get('version')}"
    return sampling_words(detail)


def sampling_words(detail: Mapping[str, Any]) -> str | None:
    """Return what a change of settings did to sampling; None where it left it alone."""
    rate, unit = detail.get("sampling_rate"), detail.get("sampling_unit")
    said = []
    if rate:
        said.append(f"sampling {percent(rate['old'])} → {percent(rate['new'])}")
    if unit:
        said.append(f"by {unit['new']}, was by {unit['old']}")
    return ", ".join(said) or None


def percent(rate: float) -> str:
    """Return a rate from 0 to 1 as people write it: `12.5 %`."""
    return f"{rate * 100:.10g}\N{NO-BREAK SPACE}%"
