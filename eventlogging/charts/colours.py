"""The colours of charts, each with one meaning, and the words of the outcomes."""

from __future__ import annotations

from collections.abc import Mapping

PAPER, INK, QUIET, RULE, ACCENT, ALARM = (
    *("#ffffff", "#1c2025", "#5a6068", "#dedbd3"),
    *("#1f4f91", "#d8001d"),
)
COLOURS: Mapping[str, str] = {
    "valid": "#0f766e",
    "invalid": "#c2521c",
    "duplicate": "#7d7396",
    "sampled_out": "#9cc3e0",
    "suppressed": "#56646f",
    "pending": "#d0930c",
}
WORDS: Mapping[str, str] = {"duplicate": "duplicates", "sampled_out": "sampled out"}
