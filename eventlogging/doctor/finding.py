"""What a check found: fine or not, in a sentence, with how to mend it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of one check. `mend` says what to do and is empty where all is well."""

    check: str
    level: Level
    sentence: str
    mend: str = ""


def ok(check: str, sentence: str) -> Finding:
    """All is well, or it is only worth knowing."""
    return Finding(check, "ok", sentence)


def warning(check: str, sentence: str, mend: str) -> Finding:
    """It works, and somebody should look."""
    return Finding(check, "warning", sentence, mend)


def error(check: str, sentence: str, mend: str) -> Finding:
    """Something does not work, or is about to stop."""
    return Finding(check, "error", sentence, mend)


def worst(findings: Sequence[Finding]) -> Level:
    """Return the worst level among findings."""
    levels = {finding.level for finding in findings}
    return "error" if "error" in levels else "warning" if "warning" in levels else "ok"


def several(count: int, noun: str) -> str:
    """Return `1 segment` or `2 segments`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def size(count: float) -> str:
    """Return bytes as people read them: `1.4 GB`."""
    if count < 1000:
        return f"{count:.0f} bytes"
    units = ("kB", "MB", "GB", "TB")
    power = min(int(math.log10(count)) // 3, len(units))
    return f"{count / 1000**power:.1f} {units[power - 1]}"


def span(seconds: float) -> str:
    """Return a time span as people read it: `12 s`, `3 min`, `5 h`, `4 days`."""
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
