"""What the rules say of the figures of a moment: too much, all right, or in between. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import median
from typing import Any

from eventlogging.alerts.figures import Counts, Figures, Spans
from eventlogging.alerts.rules import VERIFY, Rule
from eventlogging.event import UNKNOWN

ABOVE, BETWEEN, BELOW = "above", "between", "below"  # raises, goes on, ends
_LEAST_WEEKS = 3
_MAD = 1.4826  # makes the median of deviations comparable to a standard deviation
_SETTLED_MINUTES = 60  # after a start, in which missed runs are made good
_GIGABYTE = 1_000_000_000


@dataclass(frozen=True)
class Fact:
    """What one rule says of one subject: a schema, `@host`, a job, or `""` for all together.

    `value` is in the rule's unit; `told` are figures for the words of it.
    """

    rule: Rule
    subject: str
    state: str
    value: float
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What there is one open episode of."""
        return key_of(self.rule.kind, self.subject)


def key_of(kind: str, subject: str) -> str:
    """Return the key of a rule's episodes about one subject."""
    return f"{kind}:{subject}"


def judge(rules: Sequence[Rule], figures: Figures) -> list[Fact]:
    """Return a fact for each rule and subject that was measured."""
    facts: list[Fact] = []
    single = [rule for rule in rules if rule.schema]
    together = [rule for rule in rules if not rule.schema]
    for rule in single:
        facts += _JUDGES[rule.kind](rule, figures, ())
    for rule in together:
        # What a schema's own alert tells already does not raise one of all together.
        told = {f.subject for f in facts if f.rule.kind == rule.kind and f.state == ABOVE}
        facts += _JUDGES[rule.kind](rule, figures, told)
    return facts


def _throughput(rule: Rule, figures: Figures, told: Collection[str]) -> Iterator[Fact]:
    minutes = int(rule.values["window_minutes"])
    counts = figures.windows.get(minutes)
    if counts is None:
        return
    all_of_it = _sum(counts, rule.schema)
    rate = all_of_it.judged / (minutes * 60)
    rest = rate - sum(counts[name].judged for name in told if name in counts) / (minutes * 60)
    state = _state(
        rest, rate, rule.values["above_per_second"], rule.values["rearm_below_per_second"]
    )
    yield Fact(rule, rule.schema, state, rate, {"events": all_of_it.judged, "minutes": minutes})


def _invalid(rule: Rule, figures: Figures, told: Collection[str]) -> Iterator[Fact]:
    minutes = int(rule.values["window_minutes"])
    counts = figures.windows.get(minutes)
    if counts is None:
        return
    whole = _sum(counts, rule.schema)
    rest = _sum({n: c for n, c in counts.items() if n not in told}, rule.schema)
    least = rule.values["at_least_events"]
    limit, rearm = rule.values["above_percent"], rule.values["rearm_below_percent"]
    state = _state(_percent(rest), _percent(whole), limit, rearm)
    if state == ABOVE and rest.judged < least:
        state = BETWEEN
    if not whole.judged and not figures.behind:
        state = BELOW  # nothing comes, so nothing is wrong with it any more
    told_of = {"invalid": whole.invalid, "events": whole.judged, "minutes": minutes}
    if not rule.schema:
        told_of["unknown"] = counts.get(UNKNOWN, Counts()).invalid
    yield Fact(rule, rule.schema, state, _percent(whole), told_of)


def _silent(rule: Rule, figures: Figures, _: Collection[str]) -> Iterator[Fact]:
    if rule.schema not in figures.heard:
        return
    minutes = figures.heard[rule.schema]
    limit = rule.values["after_minutes"]
    if minutes is not None and minutes <= limit:
        yield Fact(rule, rule.schema, BELOW, minutes)
    elif not figures.behind:
        yield Fact(rule, rule.schema, ABOVE, limit if minutes is None else minutes)


def _rhythm(rule: Rule, figures: Figures, _: Collection[str]) -> Iterator[Fact]:
    weeks = int(rule.values["weeks"])
    measured = {
        span: counts[rule.schema]
        for span, counts in sorted(figures.rhythm.items())
        if rule.schema in counts
    }
    if any(one.now for one in measured.values()):
        yield Fact(rule, rule.schema, BELOW, 0.0)
        return
    for span, one in measured.items():
        past = one.past[:weeks]
        if figures.behind or len(past) < max(weeks, _LEAST_WEEKS):
            continue
        if min(past) >= rule.values["at_least_events"]:
            usual = int(median(past))
            yield Fact(rule, rule.schema, ABOVE, float(span), {"minutes": span, "usual": usual})
            return
    if measured:
        yield Fact(rule, rule.schema, BETWEEN, 0.0)


def _volume(rule: Rule, figures: Figures, _: Collection[str]) -> Iterator[Fact]:
    spans = figures.volume.get(rule.schema)
    if spans is None:
        return
    low, usual, high = usual_range(spans, rule)
    told = {"usual": usual, "low": low, "high": high, "hour": figures.hour, "events": spans.now}
    if usual is None:
        yield Fact(rule, rule.schema, BELOW, float(spans.now), told)
        return
    much = spans.now > high
    # Nothing at all is silence, which has a rule of its own.
    little = 0 < spans.now < low and not figures.behind
    enough = max(spans.now, usual) >= rule.values["at_least_events"]
    state = ABOVE if enough and (much or little) else BETWEEN if not spans.now else BELOW
    yield Fact(rule, rule.schema, state, float(spans.now), told)


def usual_range(spans: Spans, rule: Rule) -> tuple[float, float | None, float]:
    """Return (lowest, median, highest) that is usual for this hour; no median: not known.

    By the median of past weeks and the median of their deviations from it, which one week out of
    the ordinary does not move. Of 3 weeks at least that had events in this hour.
    """
    past = [count for count in spans.past[: int(rule.values["weeks"])] if count]
    if len(past) < _LEAST_WEEKS:
        return 0.0, None, 0.0
    middle = median(past)
    spread = _MAD * median(abs(count - middle) for count in past)
    # Counts vary by chance alone, and by some percent in any case.
    spread = max(spread, sqrt(middle), 0.1 * middle)
    room = rule.values["deviations"] * spread
    return max(0.0, middle - room, 0.1 * middle), middle, middle + room


def _unexplained(rule: Rule, figures: Figures, _: Collection[str]) -> Iterator[Fact]:
    minutes = int(rule.values["window_minutes"])
    residual = figures.residual.get(minutes)
    if residual is None:
        return
    number = sum(abs(count) for count in residual.values())
    state = ABOVE if number > rule.values["above_events"] else BELOW
    worst = sorted(residual, key=lambda name: (-abs(residual[name]), name))[:5]
    by_schema = {name: residual[name] for name in worst}
    yield Fact(rule, "", state, float(number), {"minutes": minutes, "by_schema": by_schema})


def _database(rule: Rule, figures: Figures, _: Collection[str]) -> Iterator[Fact]:
    used = figures.database_percent
    if used is not None:
        state = _state(used, used, rule.values["above_percent"], rule.values["rearm_below_percent"])
        yield Fact(rule, "", state, used, {"what": figures.database_what})


def _jobs(rule: Rule, figures: Figures, _: Collection[str]) -> Iterator[Fact]:
    for job in figures.jobs:
        late = job.late_minutes > rule.values["late_minutes"]
        wrong = late or job.outcome in ("failed", "warning")
        told = {"slot": job.slot, "outcome": job.outcome, "detail": job.detail[:2000], "late": late}
        yield Fact(rule, job.name, ABOVE if wrong else BELOW, round(job.late_minutes), told)


def _certificate(rule: Rule, figures: Figures, _: Collection[str]) -> Iterator[Fact]:
    if figures.proofs is None:
        return
    limit = rule.values["after_days"]
    verified = [run for run in figures.proofs if run.job == VERIFY]
    clean = [run.age_days for run in verified if run.outcome == "done"]
    age = min((run.age_days for run in verified), default=None)
    late = (age is None or age > limit) and figures.watched_minutes >= _SETTLED_MINUTES
    # A host that has not run it for so long is gone, or told of as late with all others.
    wrong = [run for run in figures.proofs if run.outcome == "failed" and run.age_days <= limit]
    wrong.sort(key=lambda run: (run.job != VERIFY, run.slot))
    told: dict[str, Any] = {"days": age, "late": late}
    if wrong:
        first = wrong[0]
        told |= {"job": first.job, "slot": first.slot, "detail": first.detail[:2000]}
    state = ABOVE if wrong or late else BETWEEN if age is None or age > limit else BELOW
    yield Fact(rule, "", state, round(min(clean, default=age or 0.0), 1), told)


def _lag(rule: Rule, figures: Figures, _: Collection[str]) -> Iterator[Fact]:
    seconds = figures.lag_seconds
    if seconds is not None:
        values = rule.values
        state = _state(seconds, seconds, values["above_seconds"], values["rearm_below_seconds"])
        yield Fact(rule, f"@{figures.host}", state, seconds, {"waiting": figures.waiting_bytes})


def _stored(rule: Rule, figures: Figures, _: Collection[str]) -> Iterator[Fact]:
    minutes = int(rule.values["window_minutes"])
    growth = figures.growth.get(minutes)
    if growth is None:
        return
    if growth.accepted < rule.values["at_least_bytes"]:
        state, percent = (BETWEEN if growth.waiting else BELOW), 100.0
    else:
        percent = 100 * growth.stored / growth.accepted
        limit, rearm = rule.values["below_percent"], rule.values["rearm_above_percent"]
        state = ABOVE if percent < limit else BELOW if percent > rearm else BETWEEN
    told = {"minutes": minutes, "accepted": growth.accepted, "stored": growth.stored}
    told["waiting"] = growth.waiting
    yield Fact(rule, f"@{figures.host}", state, percent, told)


def _disk(rule: Rule, figures: Figures, _: Collection[str]) -> Iterator[Fact]:
    if figures.free_bytes is None:
        return
    free = figures.free_bytes / _GIGABYTE
    limit, rearm = rule.values["below_gigabytes"], rule.values["rearm_above_gigabytes"]
    state = ABOVE if free < limit else BELOW if free > rearm else BETWEEN
    yield Fact(rule, f"@{figures.host}", state, free)


def _state(raising: float, ending: float, above: float, rearm_below: float) -> str:
    """`raising` is what must pass the limit, `ending` what must fall below the other one."""
    return ABOVE if raising > above else BELOW if ending < rearm_below else BETWEEN


def _sum(counts: Mapping[str, Counts], schema: str) -> Counts:
    if schema:
        return counts.get(schema, Counts())
    return sum(counts.values(), Counts())


def _percent(counts: Counts) -> float:
    return 100 * counts.invalid / counts.judged if counts.judged else 0.0


_JUDGES: Mapping[str, Callable[[Rule, Figures, Collection[str]], Iterator[Fact]]] = {
    "throughput": _throughput,
    "invalid": _invalid,
    "silent": _silent,
    "rhythm": _rhythm,
    "volume": _volume,
    "unexplained": _unexplained,
    "database": _database,
    "jobs": _jobs,
    "certificate": _certificate,
    "lag": _lag,
    "stored": _stored,
    "disk": _disk,
}
