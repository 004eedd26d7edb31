"""What is to be said of an entered draft, each thing beside what it is about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.console import form_types
from eventlogging.console.form import JSON, Entered
from eventlogging.console.form_document import UNNAMED, Row, name_of, path_of, rows_of
from eventlogging.registry.assess import Assessment
from eventlogging.review import questions
from eventlogging.review.questions import Question
from eventlogging.review.record import Draft
from eventlogging.review.requirements import judge, request_problems
from eventlogging.schema.walk import escape, pointer, tokens_of
from eventlogging.store.dialect import Dialect

# The first word of a problem → the input it is about.
_SETTINGS = {
    "title": "title", "description": "description", "owners": "owners", "owner": "owners",
    "sampling.rate": "rate", "sampling.unit": "unit", "sampling": "rate",
    "producers": "producers", "origins": "origins", "origin": "origins",
    "fill_defaults": "fill_defaults", "readers": "readers",
}  # fmt: skip
_OWNERS = re.compile(r"(a schema has at most \d+ owners|the only owner|every owner|no owner)")
_EXAMPLE = re.compile(r"example '(.*?)\.(?:pass|fail)\.json'|examples\[(\d+)\]")
_MISSING = re.compile(
    r"an example that passes is missing|owners is missing|the only owner is|every owner is"
)
_UNCHANGED = "is published and says the same; settings alone are changed on the schema's page"
_NOT_A = re.compile(r"(.+) is not of type (.+)\Z", re.DOTALL)
_WORDS = {
    "minimum": "the smallest value", "maximum": "the largest value", "pattern": "the pattern",
    "minLength": "the shortest length", "maxLength": "the longest length",
    "maxItems": "the longest list", "enum": "the values", "default": "the default",
}  # fmt: skip
_KINDS = {"integer": "a whole number", "number": "a number", "string": "a text",
          "array": "a list", "object": "an object", "boolean": "true or false"}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing to mend (or, `missing`, to add); `place` is the id of the element it is about.

    `line` is that of the JSON view, where the text has one.
    """

    place: str
    text: str
    label: str = ""
    missing: bool = False
    line: int | None = None


@dataclass(frozen=True)
class Findings:
    """All that is to be said. `table` is what the registry would make, as its page shows it."""

    found: tuple[Finding, ...]
    asked: tuple[Question, ...]
    warnings: tuple[str, ...] = ()
    assessment: Assessment | None = None
    table: Mapping[str, Any] = field(default_factory=dict)

    @property
    def wrong(self) -> list[Finding]:
        """What must be mended."""
        return [finding for finding in self.found if not finding.missing]

    @property
    def missing(self) -> list[Finding]:
        """What is still to be said before a review."""
        return [finding for finding in self.found if finding.missing]

    @property
    def version(self) -> str:
        """The computed version; empty where it cannot be known yet."""
        found = self.assessment
        return str(found.version) if found and found.version else ""

    def at(self, place: str) -> list[str]:
        """Return what is said of one element."""
        return [finding.text for finding in self.found if finding.place == place]

    def wrong_at(self, place: str) -> bool:
        """Whether an element must be mended."""
        return any(one.place == place and not one.missing for one in self.found)

    @property
    def is_unchanged(self) -> bool:
        """Whether what is entered is published already."""
        return bool(self.assessment and self.assessment.identical)


def find(connection: sa.Connection, dialect: Dialect, entered: Entered) -> Findings:
    """Return everything to say of what is entered; writes nothing."""
    asked = tuple(questions.questions(connection))
    draft = _draft(entered)
    judged = judge(connection, draft)
    sorter = _Sorter(entered)
    found = [Finding(place, text) for place, text in entered.said]
    if entered.source is not None and entered.source.problem:
        text, line = entered.source.problem, entered.source.line
        found.append(Finding("document", text, f"line {line}", line=line))
        problems: Sequence[str] = ()
    else:
        problems = [*judged.problems, *request_problems(connection, draft, judged)]
    found += [sorter.sort(text) for text in problems if not text.startswith("the question ")]
    found += _of_form(entered)
    found += [
        Finding(f"a-{one.key}", "Reviewers read this first.", one.title, missing=True)
        for one in asked
        if not entered.answers.get(one.key, "").strip()
    ]
    assessment = judged.assessment
    table = assessment.table.as_dict(dialect) if assessment and assessment.table else {}
    warnings = assessment.warnings if assessment else ()
    found.sort(key=lambda one: one.line or 0)
    return Findings(tuple(dict.fromkeys(found)), asked, warnings, assessment, table)


def _draft(entered: Entered) -> Draft:
    now = clock.iso(clock.now_ms())
    return Draft(
        id=0, schema=entered.schema, version="", body=entered.body, state="draft", proposed_by="",
        proposed_at=now, revision=entered.revision, updated_at=now, updated_by="",
        answers=entered.answers, reviewer=None, assigned_at=None, reminded_at=None,
    )  # fmt: skip


def _of_form(entered: Entered) -> list[Finding]:
    """What only people would miss: fields without a name or values, examples that are no JSON."""
    found = []
    if entered.view == JSON:
        rows = [("", row) for row in rows_of(entered.document, {})]
    else:
        rows = list(entered.rows)
    for key, row in rows:
        place = f"row-{key}" if key else "document"
        if row.was is not None and re.fullmatch(rf"{UNNAMED}(_\d+)?", path_of(row.name)[-1]):
            text = "Give this field a name: events carry its value under it."
            found.append(_at_field(entered, place, text, row))
        if row.type == "one_of" and not form_types.lines(row.values):
            text = "Write at least one value that may be sent, one a line."
            found.append(_at_field(entered, place, text, row))
    for key, example in entered.examples:
        if not example.is_json and not example.is_blank:
            text = "This is not JSON yet. Texts and names of fields stand in double quotes."
            found.append(Finding(f"example-{key}", text, example.name))
    return found


def _at_field(entered: Entered, place: str, text: str, row: Row) -> Finding:
    if entered.source is None:
        return Finding(place, text, row.name)
    where = "".join(f"/properties/{escape(key)}" for key in path_of(row.name))
    line = entered.source.line_of(where)
    return Finding(place, text, f"line {line}", line=line)


class _Sorter:
    """Puts problems, which come as sentences, beside what they are about."""

    def __init__(self, entered: Entered) -> None:
        self._entered = entered
        self._rows = {
            place: (key, row.name)
            for (key, row), place in zip(entered.rows, entered.places, strict=True)
            if place is not None
        }
        self._examples = {one.name: key for key, one in entered.examples}

    def sort(self, text: str) -> Finding:
        if text.endswith(_UNCHANGED):
            said = "Change a field: settings alone are changed on the schema's page."
            return Finding("fields", said, "Fields", missing=True)
        missing = _MISSING.match(text) is not None
        example = _EXAMPLE.match(text)
        if example:
            keys = [key for key, _ in self._entered.examples]
            at = int(example[2]) if example[2] else -1
            key = keys[at] if 0 <= at < len(keys) else self._examples.get(example[1] or "", "")
            said = text[example.end() :].strip(" :")
            return Finding(f"example-{key}" if key else "examples", _upper(said), example[1] or "")
        if "example" in text and missing:
            return Finding("examples", "Add an event as it will be sent.", "Examples", missing)
        if _OWNERS.match(text):
            return Finding("s-owners", _upper(text), "Owners", missing)
        word = re.split(r"[ :]", text, maxsplit=1)[0]
        if word in _SETTINGS:
            name = _SETTINGS[word]
            return Finding(f"s-{name}", _setting(name, text), name.replace("_", " ").capitalize(),
                           missing)  # fmt: skip
        if text.startswith(("/", "(root): ")) and ": " in text:
            return self._in_document(*text.split(": ", 1))
        if text.startswith("the schema is "):
            return self._in_document("(root)", text)
        return Finding("", _upper(text), "", missing)

    def _in_document(self, place: str, text: str) -> Finding:
        """A problem at a pointer into the schema: beside its row, or at its line."""
        place = "" if place == "(root)" else place
        path, rest = _field_of(place)
        label = name_of(path)
        if self._entered.view == JSON and self._entered.source is not None:
            line = self._entered.source.line_of(place)
            return Finding("document", _in_words(rest, text), f"line {line}", line=line)
        while path and pointer(path) not in self._rows:
            path = path[:-1]
        key = self._rows[pointer(path)][0] if path else ""
        return Finding(f"row-{key}" if key else "fields", _in_words(rest, text), label)


def _field_of(place: str) -> tuple[tuple[str, ...], str]:
    """Return the field of the payload that a pointer into a schema is about, and the keyword."""
    tokens = tokens_of(place)
    path: list[str] = []
    at = 0
    while at + 1 < len(tokens) and tokens[at] == "properties":
        path.append(tokens[at + 1])
        at += 2
    return tuple(path), tokens[at] if at < len(tokens) else ""


def _in_words(keyword: str, text: str) -> str:
    if keyword == "type" and text.endswith("is not valid under any of the given schemas"):
        value = text.partition(" is not valid")[0]
        return f"{value} is no type: use string, integer, number, boolean, object or array."
    found = _NOT_A.match(text)
    name = _WORDS.get(keyword, keyword)
    if found:
        kinds = [_KINDS.get(kind.strip("' "), kind) for kind in found[2].split(",")]
        return _upper(f"{name or 'this'} is {' or '.join(kinds)}, such as 100; {found[1]} is none.")
    return _upper(f"{name}: {text}" if name else text)


def _setting(name: str, text: str) -> str:
    if name == "rate":
        return "The share is a number from 0 to 100, such as 10 for one in ten."
    return _upper(text)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
