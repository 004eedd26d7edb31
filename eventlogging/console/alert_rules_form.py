"""The form of a schema's own alert rules: from the document to its fields, and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventlogging.console import own_form
from eventlogging.console.own_form import OwnForm
from eventlogging.governance.rules import alert_problems
from eventlogging.governance.syntax import KeyPath

DEFAULT, OWN, OFF = "default", "own", "off"
_APART = re.compile(r"[\s,;]+")
_MOST_ADDRESSES = 60  # more than a document may have, so that it is told; the rest is not looked at


@dataclass(frozen=True)
class Kind:
    """A rule that the form knows: key in the document → label and help of its field."""

    name: str
    title: str
    about: str
    fields: Mapping[str, tuple[str, str]]
    choices: tuple[str, str] = (DEFAULT, OWN)


KINDS = (
    Kind(
        "throughput", "Too many events", "Valid and invalid events a second, on average.",
        {
            "above_per_second": ("Told above, in events a second", "Such as 200."),
            "window_minutes": ("Over, in minutes", "The mean over so long is judged: 1 to 1440."),
            "rearm_below_per_second": (
                "Over below, in events a second", "Told again only after it was below this.",
            ),
        },
    ),
    Kind(
        "invalid", "Too many refused events", "The share of events that are invalid.",
        {
            "above_percent": ("Told above, in percent", "Such as 5."),
            "window_minutes": ("Within, in minutes", "The share within so long: 1 to 1440."),
            "at_least_events": ("Of at least so many events", "Fewer are not judged."),
            "rearm_below_percent": (
                "Over below, in percent", "Told again only after it was below this.",
            ),
        },
    ),
    Kind(
        "silent", "Silence", "No valid event for a while, whatever is usual.",
        {"after_minutes": ("Told after, in minutes", "Such as 120 for two hours.")},
        (OFF, OWN),
    ),
)  # fmt: skip
RECIPIENTS = "recipients"
_ADDRESSES = "recipients.addresses"


def of_document(own: Mapping[str, Any], default: Mapping[str, Any]) -> OwnForm:
    """Return the form as it opens; a rule that is not stated shows what would be in its place."""
    values: dict[str, str] = {}
    for kind in KINDS:
        stated = own.get(kind.name)
        values[kind.name] = kind.choices[0] if stated is None else OWN
        shown = default.get(kind.name) if stated is None else stated
        for key in kind.fields:
            number = shown.get(key) if isinstance(shown, Mapping) else None
            values[f"{kind.name}.{key}"] = own_form.shown(number)
    values[RECIPIENTS] = OWN if RECIPIENTS in own else DEFAULT
    listed = own.get(RECIPIENTS, default.get(RECIPIENTS, ()))
    values[_ADDRESSES] = "\n".join(str(one) for one in listed)
    return OwnForm(values, {}, own)


def of_request(sent: Mapping[str, str], own: Mapping[str, Any]) -> OwnForm:
    """Return what somebody sent, checked as the governance folder is.

    `own` is the document it changes: what the form does not know stays as it is.
    """
    problems: dict[str, list[str]] = {}
    document = dict(own)
    for kind in KINDS:
        chosen = _chosen(sent, kind.name, kind.choices, problems)
        document.pop(kind.name, None)
        if chosen == OWN:
            texts = {key: sent.get(f"{kind.name}.{key}", "").strip() for key in kind.fields}
            document[kind.name] = {
                key: own_form.number(text) for key, text in texts.items() if text
            }
    document.pop(RECIPIENTS, None)
    if _chosen(sent, RECIPIENTS, (DEFAULT, OWN), problems) == OWN:
        found = [one for one in _APART.split(sent.get(_ADDRESSES, "")) if one]
        document[RECIPIENTS] = found[:_MOST_ADDRESSES]
    add_problems(problems, alert_problems(document))
    values = {name: sent.get(name, "") for name in _names()}
    return OwnForm(values, problems, own_form.in_order(document, own))


def add_problems(problems: dict[str, list[str]], found: Iterable[tuple[KeyPath, str]]) -> None:
    """Put each problem beside its field; what belongs to none stands at `""`, above the form."""
    for at, text in found:
        own_form.add_problem(problems, _field(at), text)


def _names() -> list[str]:
    fields = [f"{kind.name}.{key}" for kind in KINDS for key in kind.fields]
    return [*(kind.name for kind in KINDS), *fields, RECIPIENTS, _ADDRESSES]


def _field(at: KeyPath) -> str:
    if at[:1] == (RECIPIENTS,):
        return _ADDRESSES
    whole = ".".join(str(part) for part in at[:2])
    return whole if whole in _names() else ""


def _chosen(
    sent: Mapping[str, str], name: str, choices: Sequence[str], problems: dict[str, list[str]]
) -> str:
    chosen = sent.get(name, "")
    if chosen not in choices:
        problems.setdefault(name, []).append(f"Choose one of: {', '.join(choices)}.")
    return chosen
