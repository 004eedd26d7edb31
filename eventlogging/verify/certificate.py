"""What the look at everything came to: a certificate, with what was found as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

# What was looked at, in the order in which it is told: key → words for one, for several.
_LOOKED: Mapping[str, tuple[str, str]] = {
    "tables": ("table", "tables"),
    "partitions": ("partition", "partitions"),
    "stripped_rows": ("document beside columns", "documents beside columns"),
    "log_days": ("day of the log", "days of the log"),
    "log_lines": ("refused line of the log", "refused lines of the log"),
    "backups": ("backup", "backups"),
    "files": ("other file", "other files"),
    "receipts": ("receipt", "receipts"),
    "erasures": ("erasure", "erasures"),
    "cells": ("aggregate cell", "aggregate cells"),
    "keys": ("key of a month", "keys of months"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that no rule explains: `where` (a table, a file), what it is, what to do."""

    kind: str
    where: str
    what: str
    mend: str

    @property
    def sentence(self) -> str:
        """The finding as people read it, without what to do."""
        return f"{self.where}: {self.what}"


@dataclass(frozen=True)
class Certificate:
    """That nothing is left which no rule explains, as of `at` (ISO), or what was found.

    `looked_at` counts what was looked at, by kind.
    """

    at: str
    findings: tuple[Finding, ...] = ()
    looked_at: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def extent(self) -> str:
        """What was looked at, in words: `14 tables, 20 days of the log`."""
        parts = [
            f"{count:,} {words[count != 1]}".replace(",", "\N{THIN SPACE}")
            for key, words in _LOOKED.items()
            if (count := self.looked_at.get(key, 0))
        ]
        return ", ".join(parts) or "nothing is there yet"

    @property
    def sentence(self) -> str:
        """The whole of it in one sentence, without a full stop."""
        if self.is_clean:
            return f"nothing is left that no rule explains; looked at: {self.extent}"
        number = len(self.findings)
        found = "1 finding" if number == 1 else f"{number} findings"
        return f"{found} that no rule explains; looked at: {self.extent}"

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, with `clean`."""
        return {
            "clean": self.is_clean, "at": self.at,
            "findings": [asdict(one) for one in self.findings],
            "looked_at": dict(self.looked_at),
        }  # fmt: skip
