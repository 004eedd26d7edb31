"""The questions that a proposer answers: those of `reviewers/request.md`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging.registry.export import held_documents

_ITEM = re.compile(r"\s{0,3}\d{1,3}[.)]\s+(.*)\Z")
_BOLD = re.compile(r"\*\*(.+?)\*\*\s*(.*)\Z", re.DOTALL)
_ANY = "request"


@dataclass(frozen=True)
class Question:
    """One question; `key` is what its answer is kept under, `title` its bold beginning."""

    key: str
    title: str
    text: str


def questions(connection: sa.Connection) -> list[Question]:
    """Return the questions in force, in their order; none where there is no `request.md`."""
    text = held_documents(connection).get(("reviewers", "request.md"))
    return parse(text) if isinstance(text, str) else []


def parse(text: str) -> list[Question]:
    """Return the questions of a Markdown text: the items of its numbered lists.

    A text without such a list is one question.
    """
    items: list[str] = []
    inside = False
    for line in text.splitlines():
        found = _ITEM.match(line)
        if found:
            items.append(found[1].strip())
            inside = True
        elif not line.strip() or not line.startswith((" ", "\t")):
            inside = False
        elif inside:
            items[-1] += f" {line.strip()}"
    if not items:
        return [Question(_ANY, "Request", text.strip())] if text.strip() else []
    keyed: dict[str, Question] = {}
    for number, item in enumerate(items, 1):
        bold = _BOLD.match(item)
        title, rest = (bold[1].strip(" .:?"), bold[2]) if bold else (f"Question {number}", item)
        key = re.sub(r"[^a-z0-9]+", "-", title.casefold()).strip("-") or f"question-{number}"
        key = key if key not in keyed else f"{key}-{number}"
        keyed[key] = Question(key, title, rest)
    return list(keyed.values())


def unanswered(asked: list[Question], answers: Mapping[str, str]) -> list[str]:
    """Return a problem for each question without an answer."""
    return [
        f"the question {question.title!r} has no answer: {question.text}"
        for question in asked
        if not str(answers.get(question.key, "")).strip()
    ]
