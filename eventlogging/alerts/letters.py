"""Mails of alerts from the templates in alerts/emails/, each in a sandbox."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from eventlogging.alerts.rules import Documents
from eventlogging.ledger.sentence import grouped

_logger = logging.getLogger(__name__)
_SHARED = "default"  # the templates of rules without their own
_ENDINGS = ("subject.txt", "txt", "html")


@dataclass(frozen=True)
class Written:
    """A mail's three texts."""

    subject: str
    text: str
    html: str


class Writer:
    """Renders mails from templates; where one is missing or faulty, from a plain one of ours."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._plain = _environment(html=False)
        self._html = _environment(html=True)

    def write(self, name: str, values: Mapping[str, Any], *, shared: str = _SHARED) -> Written:
        """Return the mail of a template, or of the shared one where that has none of its own.

        `values` always hold `fact`, `lines` and `actions`, of which the plain one is made.
        """
        own = ("alerts", f"emails/{name}.txt") in self._documents
        chosen = name if own else shared
        try:
            subject, text, html = (self._render(chosen, ending, values) for ending in _ENDINGS)
        except (TemplateError, KeyError, TypeError, ValueError, ArithmeticError) as error:
            if not isinstance(error, KeyError):
                _logger.error("alerts/emails/%s cannot be used: %s", chosen, error)
            return plain(values)
        return Written(" ".join(subject.split()) or str(values["fact"]), text.strip() + "\n", html)

    def _render(self, name: str, ending: str, values: Mapping[str, Any]) -> str:
        text = self._documents["alerts", f"emails/{name}.{ending}"]
        environment = self._html if ending == "html" else self._plain
        return environment.from_string(str(text)).render(values)


def plain(values: Mapping[str, Any]) -> Written:
    """Return the mail without any template: an alert must not be lost to a fault in one."""
    links = [f"{action['label']}: {action['url']}" for action in values["actions"]]
    if values.get("unsubscribe"):
        links.append(f"Unsubscribe: {values['unsubscribe']}")
    paragraphs = [f"{values['fact']}.", *values["lines"], *links, str(values.get("why", ""))]
    text = "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"
    html = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs if paragraph)
    chart = values.get("chart")
    picture = f'<p><img src="{escape(chart)}" alt="" width="600"></p>' if chart else ""
    return Written(str(values["fact"]), text, f"<!DOCTYPE html><body>{html}{picture}</body>")


def _environment(*, html: bool) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(autoescape=html, undefined=StrictUndefined)
    environment.filters["grouped"] = grouped
    return environment
