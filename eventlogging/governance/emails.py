"""Check mail templates: their syntax, and the names they use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import Environment, TemplateSyntaxError
from jinja2.meta import find_undeclared_variables

from eventlogging.governance.problems import Found, did_you_mean

# What each rule's mails may use; a wrong name would else show when the alert is sent.
NAMES: dict[str, frozenset[str]] = {
    "throughput": frozenset(
        {
            "schema", "rate", "usual_rate", "above_per_second", "rearm_below_per_second",
            "window_minutes", "since", "contributors", "chart", "actions",
        }
    ),
}  # fmt: skip


def check_template(path: str, text: str) -> Iterator[Found]:
    """Yield what is wrong with a template of alerts/emails/; a subject must be one line."""
    if path.endswith(".subject.txt") and "\n" in text.strip("\n"):
        yield Found(path, 2, "a subject is one line; put the rest into the text")
    try:
        environment = Environment(autoescape=True)
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
