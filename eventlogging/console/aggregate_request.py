"""What a request for aggregates asks for: which one, the days, the step, the form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from eventlogging import clock
from eventlogging.clock import moved
from eventlogging.retention.aggregates.periods import PERIODS
from eventlogging.retention.aggregates.read import label
from eventlogging.retention.policy import Aggregate

ALL = "(all)"  # counted by nothing
FORMATS = ("json", "csv", "ndjson")
# step → days that are answered where none are asked for, and the most that may be
SPANS: Mapping[str, tuple[int, int]] = {"day": (28, 400), "week": (182, 4000), "month": (730, 4000)}


@dataclass(frozen=True)
class AggregateRequest:
    """A request that can be answered: days [start, end)."""

    start: str
    end: str
    per: str
    format: str


def read_request(arguments: Mapping[str, str]) -> tuple[AggregateRequest | None, list[str]]:
    """Return what the query parameters ask for, or what is wrong with them, in sentences."""
    problems: list[str] = []
    per = arguments.get("per") or PERIODS[0]
    if per not in PERIODS:
        problems.append(f"per is one of {', '.join(PERIODS)}, not {per[:40]!r}")
    form = arguments.get("format") or FORMATS[0]
    if form not in FORMATS:
        problems.append(f"format is one of {', '.join(FORMATS)}, not {form[:40]!r}")
    default, most = SPANS.get(per, SPANS["day"])
    end = _day("end", arguments.get("end", ""), problems) or clock.day(clock.now_ms())
    start = _day("start", arguments.get("start", ""), problems) or moved(end, -default)
    days = (date.fromisoformat(end) - date.fromisoformat(start)).days
    if not problems and days < 0:
        problems.append("start lies after end")
    if not problems and days > most:
        problems.append(f"per {per}, ask for at most {most} days at once, not {days}")
    return (None, problems) if problems else (AggregateRequest(start, end, per, form), [])


def read_by(text: str, aggregate: Aggregate) -> tuple[tuple[str, ...] | None, str]:
    """Return what to count by instead of all that the aggregate does, or what is wrong with it.

    None is all of it; nothing is asked for as `(all)`.
    """
    if not text or text == ALL:
        return (() if text else None), ""
    names = [label(name) for name in (*aggregate.capsule, *aggregate.fields)]
    wanted = tuple(dict.fromkeys(one.strip() for one in text.split(",")))
    if set(wanted) <= set(names):
        return wanted, ""
    offered = ", ".join(names) or "nothing"
    return None, f"by is some of {offered}, separated by commas, or {ALL}; not {text[:80]!r}"


def _day(name: str, text: str, problems: list[str]) -> str | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        if not date(1980, 1, 1) <= day <= date(9000, 1, 1):
            raise ValueError
        return day.isoformat()
    except ValueError:
        problems.append(f"{name} is a day such as 2026-11-22, not {text[:40]!r}")
        return None
