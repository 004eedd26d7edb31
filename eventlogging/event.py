"""The words for one event: what it may end as, what was wrong, what the log keeps of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

UNKNOWN = "(unknown)"  # the name that events of no registered schema are booked under


class Outcome(StrEnum):
    """What an event ends as; each sent event ends as exactly one of them."""

    VALID = "valid"
    INVALID = "invalid"
    DUPLICATE = "duplicate"
    SAMPLED_OUT = "sampled_out"
    SUPPRESSED = "suppressed"


# Stable codes of refusal, with the HTTP status each has by itself. Texts are for people;
# a code never changes its meaning.
CODES: dict[str, tuple[int, str]] = {
    # the body as a whole
    "malformed_json": (400, "the body is not JSON"),
    "bad_encoding": (400, "the body is not UTF-8, or holds a lone surrogate"),
    "not_an_event": (400, "an event is a JSON object"),
    "empty_batch": (400, "the array holds no event"),
    "body_too_large": (413, "the body is larger than this server takes"),
    "batch_too_large": (413, "the array holds more events than this server takes at once"),
    "unsupported_type": (415, "this Content-Type is not understood; send application/json"),
    # one event, before its schema is known
    "event_too_large": (413, "the event is larger than this server takes"),
    "too_deep": (400, "the event is nested too deeply"),
    "duplicate_key": (400, "an object holds the same key twice"),
    "number_out_of_range": (400, "a number does not fit into 64 bits"),
    "nul_character": (400, "a text holds the character NUL"),
    "bad_capsule": (400, "a field around the payload has the wrong form"),
    "missing_schema": (400, "the event names no schema"),
    "unknown_schema": (400, "no schema of that name is registered"),
    "unknown_version": (400, "the schema has no such version"),
    # one event, against its schema
    "not_allowed": (403, "this sender may not send events of this schema"),
    "schema_retired": (400, "the schema takes no more events"),
    "type_mismatch": (400, "a value has another type than the schema says"),
    "missing_field": (400, "a required field is absent"),
    "undeclared_field": (400, "the schema does not declare a field"),
    "value_not_allowed": (400, "a value is not one of those listed"),
    "out_of_bounds": (400, "a value is too small, too large, too short or too long"),
    "bad_format": (400, "a text does not have the format or pattern asked for"),
    "schema_mismatch": (400, "the event does not match its schema"),
    # found later, by the loader
    "id_conflict": (409, "another event with the same id and other content came first"),
    "storage_error": (400, "the database cannot hold a value of this event"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an event, and what would be right.

    `pointer` is an RFC 6901 JSON pointer into the payload; `rule` the schema keyword that failed.
    """

    pointer: str
    rule: str
    found: str
    expected: str

    def as_dict(self) -> dict[str, str]:
        return {
            "pointer": self.pointer,
            "rule": self.rule,
            "found": self.found,
            "expected": self.expected,
        }

    def __str__(self) -> str:
        return f"{self.pointer or '(event)'}: {self.expected}; found {self.found}"


@dataclass(slots=True)  # not frozen: one is made for every event, and freezing costs a microsecond
class Verdict:
    """How one event was judged, and the line the log keeps of it (None: nothing).

    `schema` is a registered name or `UNKNOWN`; `version` is empty where none could be found.
    """

    outcome: Outcome
    schema: str
    version: str
    line: bytes
    id: str | None = None
    code: str = ""
    problems: tuple[Problem, ...] = field(default=())
    event: Any = None

    @property
    def status(self) -> int:
        return CODES[self.code][0] if self.code else 201

    @property
    def text(self) -> str:
        """All problems in words, for people."""
        return refusal_text(self.code, self.problems) if self.code else self.outcome


def refusal_text(code: str, problems: Iterable[Problem]) -> str:
    """Return why an event was refused, in words: the code's meaning, then every problem."""
    detail = "; ".join(str(problem) for problem in problems)
    return f"{CODES[code][1]}: {detail}" if detail else CODES[code][1]
