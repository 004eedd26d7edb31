"""Check mail templates: their syntax, and the names they use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import Environment, TemplateSyntaxError
from jinja2.meta import find_undeclared_variables

from eventlogging.governance.problems import Found, did_you_mean

_COMMON = frozenset(
    {
        "rule", "schema", "fact", "lines", "value", "since", "contributors", "parts", "failing",
        "chart", "actions", "why", "unsubscribe",
    }
)  # fmt: skip
# What each rule's mails may use; a wrong name would else show when the alert is sent.
NAMES: dict[str, frozenset[str]] = {
    "throughput": _COMMON
    | {
        "rate", "usual_rate", "above_per_second", "rearm_below_per_second", "window_minutes",
    },
    "invalid": _COMMON
    | {"above_percent", "rearm_below_percent", "window_minutes", "at_least_events"},
    **dict.fromkeys(
        ("default", "silent", "rhythm", "volume", "unexplained", "lag", "stored", "disk",
         "database", "jobs", "certificate"),
        _COMMON,
    ),
    "several": frozenset({"fact", "lines", "alerts", "actions", "why", "unsubscribe"}),
    "closed": frozenset({"fact", "lines", "alerts", "actions", "why", "unsubscribe"}),
    "still": _COMMON
    | {
        "reason", "rate", "usual_rate", "above_per_second", "rearm_below_per_second",
        "window_minutes", "above_percent", "rearm_below_percent", "at_least_events",
    },
}  # fmt: skip


def check_template(path: str, text: str) -> Iterator[Found]:
    """Yield what is wrong with a template of alerts/emails/; a subject must be one line."""
    if path.endswith(".subject.txt") and "\n" in text.strip("\n"):
        yield Found(path, 2, "a subject is one line; put the rest into the text")
    try:
        environment = Environment(autoescape=True)
        environment.filters["grouped"] = str  # ours, for numbers
        used = find_undeclared_variables(environment.parse(text))
        environment.compile(text)  # finds unknown filters; runs nothing
    except TemplateSyntaxError as error:
        yield Found(path, error.lineno, f"is not a Jinja template: {error.message}")
        return
    known = NAMES.get(path.rpartition("/")[2].partition(".")[0], used)
    for name in sorted(used - known):
        match = re.search(rf"\b{re.escape(name)}\b", text)
        line = text.count("\n", 0, match.start()) + 1 if match else 1
        hint = did_you_mean(name, known)
        yield Found(path, line, f"uses {name!r}, which is not known here{hint}")
