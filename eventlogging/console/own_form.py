"""What the forms of a schema's own documents share, those of alerts/ and of purge/."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NUMBER = re.compile(r"-?\d{1,15}([.,]\d{1,9})?", re.ASCII)
WHOLE = re.compile(r"-?\d{1,9}", re.ASCII)
_MOST_PROBLEMS = 10  # of one field


@dataclass(frozen=True)
class OwnForm:
    """What stands in the form: field → text, and what is wrong with each field."""

    values: Mapping[str, str]
    problems: Mapping[str, Sequence[str]] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)  # with what the form does not know

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def add_problem(problems: dict[str, list[str]], name: str, text: str) -> None:
    """Put what is wrong beside its field; the first few are enough to mend it."""
    listed = problems.setdefault(name, [])
    if len(listed) < _MOST_PROBLEMS:
        listed.append(text)


def number(text: str, form: re.Pattern[str] = NUMBER) -> float | str:
    """Return a number as people write it; another text as it is, for the checks to refuse."""
    if not form.fullmatch(text):
        return text
    value = float(text.replace(",", "."))
    return int(value) if value.is_integer() else value


def shown(value: Any) -> str:
    """Return a value of a document as it stands in a field; empty where there is none."""
    return value if isinstance(value, str) else "" if value is None else f"{value:.15g}"


def in_order(table: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table with its keys where they stood, new ones behind."""
    keys = [*(key for key in old if key in table), *(key for key in table if key not in old)]
    return {key: table[key] for key in keys}
