"""What a schema's rule would have done over past days, reckoned from the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.alerts import words
from eventlogging.alerts.figures import Counts, Figures
from eventlogging.alerts.judge import ABOVE, BELOW, judge
from eventlogging.alerts.rules import Rule
from eventlogging.event import Outcome
from eventlogging.ledger.sentence import grouped
from eventlogging.store.fixed import ledger

DAYS = 7
KINDS = ("throughput", "invalid", "silent")
_MINUTE_MS = 60_000
_JUDGED = (str(Outcome.VALID), str(Outcome.INVALID))

Minutes = Mapping[int, Counts]  # start in ms → what was received in this minute


def read_minutes(connection: sa.Connection, schema: str, now_ms: int) -> Minutes:
    """Return the last days of a schema by minute, with the present one; empty ones lack."""
    end = _end(now_ms)
    c = ledger.c
    query = (
        sa.select(c.minute, c.outcome, sa.func.sum(c["count"]))
        .where(
            c.minute >= clock.minute(end - DAYS * clock.DAY_MS), c.minute < clock.minute(end),
            c.schema == schema, c.outcome.in_(_JUDGED),
        )
        .group_by(c.minute, c.outcome)
    )  # fmt: skip
    found: dict[int, Counts] = {}
    for minute, outcome, count in connection.execute(query):
        at = round(datetime.fromisoformat(f"{minute}+00:00").timestamp()) * 1000
        one = Counts(valid=int(count)) if outcome == _JUDGED[0] else Counts(invalid=int(count))
        found[at] = found.get(at, Counts()) + one
    return found


def would_have(rule: Rule, minutes: Minutes, now_ms: int) -> str:
    """Return in a sentence what one rule of `KINDS` would have done over these minutes."""
    end = _end(now_ms)
    if not any(counts.judged for counts in minutes.values()):
        return f"No event came in the last {DAYS} days."
    if rule.kind == "silent":
        return _silence(rule, minutes, end)
    return _windows(rule, minutes, end)


def _end(now_ms: int) -> int:
    """The end of the present minute: what came in it counts, as people expect."""
    return now_ms - now_ms % _MINUTE_MS + _MINUTE_MS


def _windows(rule: Rule, minutes: Minutes, end_ms: int) -> str:
    least = rule.values.get("at_least_events", 0)
    highest, when, raised, is_open, counted = 0.0, 0, 0, False, False
    for at, counts in _sums(minutes, int(rule.values["window_minutes"]), end_ms):
        figures = Figures(at, {int(rule.values["window_minutes"]): {rule.schema: counts}})
        (fact,) = judge([rule], figures)
        if counts.judged >= max(1, least):
            counted = True
            if fact.value > highest:
                highest, when = fact.value, at
        if fact.state == ABOVE and not is_open:
            raised, is_open = raised + 1, True
        elif fact.state == BELOW:
            is_open = False
    if not counted:
        return f"No window of the last {DAYS} days had {grouped(int(least))} events."
    what = "rate" if rule.kind == "throughput" else "share"
    if not highest:
        return f"In the last {DAYS} days none was invalid; {_times(0)}."
    if rule.kind == "throughput":
        rate = f"{highest:.3g}" if highest < 100 else grouped(round(highest))
        unit = f"{rate} events a second"
    else:
        unit = words.percent(highest).replace(" ", "\N{NO-BREAK SPACE}")
    return f"The highest {what} of the last {DAYS} days was {unit}, {_at(when)}; {_times(raised)}."


def _sums(minutes: Minutes, window: int, end_ms: int) -> Iterator[tuple[int, Counts]]:
    """Yield the end of each window over which something changes, and what is in it."""
    span = window * _MINUTE_MS
    changes: dict[int, Counts] = {}
    for start, counts in minutes.items():
        for at, sign in ((start + _MINUTE_MS, 1), (start + _MINUTE_MS + span, -1)):
            if at <= end_ms:
                signed = Counts(sign * counts.valid, sign * counts.invalid)
                changes[at] = changes.get(at, Counts()) + signed
    total = Counts()
    for at in sorted(changes):
        total += changes[at]
        yield at, total


def _silence(rule: Rule, minutes: Minutes, end_ms: int) -> str:
    heard = sorted(at for at, counts in minutes.items() if counts.valid)
    limit = rule.values["after_minutes"]
    if not heard:
        return f"No valid event came in the last {DAYS} days."
    # As it is judged: the minute in which an event comes is no silence yet.
    gaps = [
        ((after - before) / _MINUTE_MS - 1, before)
        for before, after in zip(heard, [*heard[1:], end_ms], strict=True)
    ]
    longest, since = max(gaps)
    raised = sum(gap >= limit for gap, _ in gaps)
    if longest < 1:
        first = _at(heard[0]).removeprefix("at ")
        return f"Since {first} a valid event came in every minute; {_times(raised)}."
    since_text = _at(since).replace("at ", "since ")
    return (
        f"The longest silence of the last {DAYS} days was {words.span(longest)}, {since_text}; "
        f"{_times(raised)}."
    )


def _at(ms: int) -> str:
    return f"at {clock.minute(ms).replace('T', ' ')}\N{NO-BREAK SPACE}UTC"


def _times(raised: int) -> str:
    if not raised:
        return "no alert would have been raised"
    if raised == 1:
        return "one alert would have been raised"
    return f"{grouped(raised)} alerts would have been raised"
