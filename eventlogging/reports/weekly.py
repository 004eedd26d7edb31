"""Seven days put together: what one reads who does not read each day."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eventlogging.ledger.reading import LineOfTruth, total
from eventlogging.reports.model import KINDS, Report


@dataclass(frozen=True)
class SchemaWeek:
    """One schema's week, and how much was sent in the week before as far as it is known."""

    line: LineOfTruth
    sent_before: int

    @property
    def name(self) -> str:
        """The schema's name, or `(unknown)`."""
        return self.line.schema


@dataclass(frozen=True)
class WeekCause:
    """Why events of a schema were invalid in the week, as far as the days' reports counted."""

    schema: str
    code: str
    pointer: str
    expected: str
    count: int


@dataclass(frozen=True)
class Week:
    """The days from `start` to `end`. `days` and `history` are those of the last day's chart."""

    start: str
    end: str
    complete: bool
    schemas: tuple[SchemaWeek, ...]
    causes: tuple[WeekCause, ...]
    new: tuple[str, ...]
    silent: tuple[str, ...]
    days: tuple[str, ...]
    history: dict[str, list[int]]

    @property
    def total(self) -> LineOfTruth:
        """All schemas together."""
        return total((one.line for one in self.schemas), "all")

    @property
    def sent_before(self) -> int:
        """What was sent in the week before, all schemas together."""
        return sum(one.sent_before for one in self.schemas)


def digest(reports: Sequence[Report]) -> Week:
    """Return the week that reports of consecutive days make, the oldest first, at least one."""
    last = reports[-1]
    lines: dict[str, list[LineOfTruth]] = defaultdict(list)
    before: Counter[str] = Counter()
    for report in reports:
        for one in report.schemas:
            lines[one.name].append(one.line)
            before[one.name] += one.week_before.sent
    schemas = [SchemaWeek(total(of_it, name), before[name]) for name, of_it in lines.items()]
    schemas = [one for one in schemas if one.line.sent or one.line.explained or one.line.pending]
    schemas.sort(key=lambda one: (-one.line.sent, one.name))
    new = {name for report in reports for name in report.new}
    active = {one.name for one in schemas}
    return Week(
        start=reports[0].day,
        end=last.day,
        complete=all(report.complete for report in reports),
        schemas=tuple(schemas),
        causes=_causes(reports),
        new=tuple(sorted(new)),
        silent=tuple(sorted(name for name, sent in before.items() if sent and name not in active)),
        days=last.days,
        history=_history(last, KINDS),
    )


def _causes(reports: Iterable[Report]) -> tuple[WeekCause, ...]:
    counts: Counter[tuple[str, str, str]] = Counter()
    expected: dict[tuple[str, str, str], str] = {}
    for report in reports:
        for one in report.schemas:
            for cause in one.causes:
                key = (one.name, cause.code, cause.pointer)
                counts[key] += cause.count
                expected[key] = cause.expected
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(WeekCause(*key, expected[key], count) for key, count in ordered)


def _history(last: Report, kinds: Iterable[str]) -> dict[str, list[int]]:
    known = last.history
    return {kind: known[kind] for kind in kinds if kind in known}
