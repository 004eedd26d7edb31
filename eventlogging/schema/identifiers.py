"""Texts of people made fit for generated code: identifiers, and comments of one line."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

_MOST_WORDS = 1_000  # characters of a description
_WORD = re.compile(r"[A-Za-z0-9]+", re.ASCII)
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", re.ASCII)


def camel(name: str) -> str:
    """Return a text as an identifier in CamelCase: `analytics/page-view` as `AnalyticsPageView`."""
    words = _WORD.findall(name)
    text = "".join(word[0].upper() + word[1:] for word in words)
    return text if text and text[0].isalpha() else f"X{text}"


def snake(name: str) -> str:
    """Return a text as an identifier in snake case: `NavigationTiming` as `navigation_timing`."""
    words = [part for word in _WORD.findall(name) for part in _PART.findall(word)]
    text = "_".join(words).lower()
    return text if text and text[0].isalpha() else f"x_{text}"


def one_line(text: Any, most: int = _MOST_WORDS) -> str:
    """Return a text on one line, without whatever is not to be seen."""
    if not isinstance(text, str):
        return ""
    shown = "".join(
        " " if char.isspace() else char
        for char in text[: 2 * most]
        if char.isspace() or unicodedata.category(char)[0] != "C"
    )
    words = " ".join(shown.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"
