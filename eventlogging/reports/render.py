"""Reports as mails: subject, text and HTML that say the same, and one chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from eventlogging.charts.colours import COLOURS
from eventlogging.charts.draw import day_bars
from eventlogging.ledger.reading import LineOfTruth
from eventlogging.ledger.sentence import grouped, sentence
from eventlogging.reports.causes import Sample, SampleKey
from eventlogging.reports.model import KINDS, Cause, Report, SchemaDay, most_frequent
from eventlogging.reports.weekly import Week
from eventlogging.reports.words import change, counted, plain, share, share_invalid

CHART = "chart"  # the picture's content id
_MOST_ROWS, _MOST_CAUSES, _MOST_NAMES = 25, 6, 10
_LEAST_PERCENT = 0.6  # of the bar, so that a single event can be seen
_UNEXPLAINED = "#d8001d"


@dataclass(frozen=True)
class Rendered:
    """A mail without its recipient."""

    subject: str
    text: str
    html: str
    images: Mapping[str, bytes]


@dataclass(frozen=True)
class Reader:
    """Who a mail is for: what the part is called (`your 3 schemas`; empty: everything).

    `why` they get it, and the link that ends it, which owners have none of.
    """

    whose: str
    why: str
    unsubscribe: str | None = None


def picture(report: Report) -> bytes:
    """Return the chart of a report: events by day, up to its day."""
    return _picture(report.days, report.history)


def week_picture(week: Week) -> bytes:
    """Return the chart of a digest."""
    return _picture(week.days, week.history)


def _picture(days: Sequence[str], history: Mapping[str, Sequence[int]]) -> bytes:
    # Narrower than it is shown: its words stay readable on a phone.
    title = f"Events by day, {days[0]} to {days[-1]}"
    return day_bars(days, history, title=title, width=420, height=190)


def daily(
    report: Report, samples: Mapping[SampleKey, Sample], reader: Reader, url: str, chart: bytes
) -> Rendered:
    """Return the mail of a day; of causes with a sample, the sample is shown."""
    values = {
        "report": report,
        "heading": heading(report),
        "reader": reader,
        "truth": sentence(report.total),
        "bar": bar(report.total),
        "active": report.active[:_MOST_ROWS],
        "left_out": max(0, len(report.active) - _MOST_ROWS),
        "causes": [
            _cause(one, cause, samples) for one, cause in most_frequent(report.active, _MOST_CAUSES)
        ],
        "silent": [one for one in report.schemas if one.name in report.silent][:_MOST_NAMES],
        "actions": _actions(report, url),
        "chart_words": _chart_words(report),
    }
    return Rendered(
        subject(report, reader.whose),
        _render("daily.txt", values),
        _render("daily.html", values),
        {CHART: chart},
    )


def weekly(week: Week, reader: Reader, url: str, chart: bytes) -> Rendered:
    """Return the mail of a week."""
    total = week.total
    values = {
        "week": week,
        "reader": reader,
        "heading": _week_heading(week),
        "truth": sentence(total),
        "bar": bar(total),
        "rows": week.schemas[:_MOST_ROWS],
        "left_out": max(0, len(week.schemas) - _MOST_ROWS),
        "causes": week.causes[:_MOST_CAUSES],
        "actions": [(f"The report of {week.end}", f"{url}/reports/{week.end}"),
                    ("All reports", f"{url}/reports")],
    }  # fmt: skip
    return Rendered(
        f"{week.start} to {week.end}: {_counts(total)}{'' if week.complete else ', incomplete'}",
        _render("weekly.txt", values),
        _render("weekly.html", values),
        {CHART: chart},
    )


def subject(report: Report, whose: str = "") -> str:
    """Return the fact: `2026-11-21: 48 211 events, 0.4 % invalid, 0 unexplained`."""
    who = f"{plain(whose)}: " if whose else ""
    end = "" if report.complete else ", incomplete"
    return f"{report.day}: {who}{_counts(report.total)}{end}"


def _counts(line: LineOfTruth) -> str:
    events = counted(line.sent, "event", "events") if line.sent else "no event"
    invalid = f", {share_invalid(line)} invalid" if line.valid + line.invalid else ""
    return f"{events}{invalid}, {grouped(line.residual)} unexplained"


def heading(report: Report) -> str:
    """Return the answer: how much of what was judged is valid."""
    line = report.total
    judged = line.valid + line.invalid
    if not line.sent:
        return f"No event was sent on {report.day}"
    if not judged:
        return f"{counted(line.sent, 'event', 'events')} on {report.day}, and none was judged"
    return f"{share(line.valid, judged)} valid on {report.day}"


def _week_heading(week: Week) -> str:
    line = week.total
    if not line.valid + line.invalid:
        return f"No event was judged from {week.start} to {week.end}"
    return f"{share(line.valid, line.valid + line.invalid)} valid from {week.start} to {week.end}"


def bar(line: LineOfTruth) -> list[tuple[str, float]]:
    """Return the line of truth as pieces: colour and percent of the width."""
    numbers = {kind: (COLOURS[kind], max(0, getattr(line, kind))) for kind in KINDS}
    numbers["unexplained"] = (_UNEXPLAINED, abs(line.residual))
    total = sum(number for _, number in numbers.values())
    pieces = [
        (colour, max(_LEAST_PERCENT, 100 * number / total))
        for colour, number in numbers.values()
        if number
    ]
    whole = sum(percent for _, percent in pieces)
    return [(colour, round(100 * percent / whole, 2)) for colour, percent in pieces]


def _cause(one: SchemaDay, cause: Cause, samples: Mapping[SampleKey, Sample]) -> dict[str, Any]:
    return {
        "schema": one.name,
        "cause": cause,
        "is_part": one.looked_at < one.line.invalid,
        "looked_at": one.looked_at,
        "sample": samples.get((one.name, cause.code, cause.pointer)),
    }


def _actions(report: Report, url: str) -> list[tuple[str, str]]:
    """Return at most three links: the page, the worst schema, the reviews."""
    actions = [(f"The report of {report.day}, with all its figures", f"{url}/reports/{report.day}")]
    worst = max(report.active, key=lambda one: one.line.invalid, default=None)
    if worst is not None and worst.line.invalid:
        link = f"{url}/schemas/{quote(worst.name)}"
        actions.append((f"Refused events of {plain(worst.name)}", link))
    if any(one.kind == "review" for one in report.due):
        actions.append(("Reviews that wait", f"{url}/reviews"))
    return actions


def _chart_words(report: Report) -> str:
    """Return what the chart shows, for who does not see it."""
    totals = {kind: sum(counts) for kind, counts in report.history.items()}
    said = ", ".join(f"{grouped(n)} {kind.replace('_', ' ')}" for kind, n in totals.items() if n)
    return f"Bars of events by day, {report.days[0]} to {report.day}: {said or 'none'}"


def _render(template: str, values: Mapping[str, Any]) -> str:
    text = _environment().get_template(template).render(values)
    if template.endswith(".html"):
        return text
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("eventlogging.reports"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"grouped": grouped, "plain": plain, "columns": _columns}
    environment.globals |= {
        "share_invalid": share_invalid, "change": change, "counted": counted, "CHART": CHART,
    }  # fmt: skip
    return environment


def _columns(rows: Sequence[Sequence[Any]]) -> str:
    """Return rows as text in columns, the first to the left; a long name has its own line."""
    texts = [[plain(cell) for cell in row] for row in rows]
    wide = [max(len(row[at]) for row in texts) for at in range(len(texts[0]))]
    name = min(wide[0], _NAME_CHARS)
    lines = []
    for first, *rest in texts:
        numbers = "".join(f"  {cell.rjust(w)}" for cell, w in zip(rest, wide[1:], strict=True))
        if len(first) > name:
            lines += [first, " " * name + numbers]
        else:
            lines.append(first.ljust(name) + numbers)
    return "\n".join(lines)


_NAME_CHARS = 28
