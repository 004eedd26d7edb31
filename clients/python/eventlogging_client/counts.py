"""What a client counts of itself: in all, and since its last report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

KINDS = ("attempted", "sampled_out", "suppressed", "dropped", "sent")
UNKNOWN = "(unknown)"
_NAME = re.compile(r"[A-Za-z][\w./-]{0,199}\Z", re.ASCII)
_MOST_NAMES = 190  # in a report; hostile callers invent names, and a report must stay readable

Table = dict[str, dict[str, int]]


class Counts:
    """Counts by schema and kind. Not for use from several threads without a lock."""

    def __init__(self) -> None:
        self.total: Table = {}
        self.new: Table = {}

    def name(self, schema: Any) -> str:
        """The name under which a schema is counted."""
        known = isinstance(schema, str) and (schema in self.total or _NAME.match(schema))
        if not known or (schema not in self.total and len(self.total) >= _MOST_NAMES):
            return UNKNOWN
        return str(schema)

    def add(self, name: str, kind: str, number: int = 1) -> None:
        """Count `number` of a kind."""
        for table in (self.total, self.new):
            of = table.setdefault(name, {})
            of[kind] = of.get(kind, 0) + number

    def add_all(self, table: Mapping[str, Mapping[str, int]]) -> None:
        """Count what somebody else has counted and not reported."""
        for schema, of in table.items():
            name = self.name(schema)
            for kind, number in of.items():
                if kind in KINDS:
                    self.add(name, kind, number)

    def worth_telling(self) -> bool:
        """Whether there is more to report than that people have said no.

        Who says no sends nothing: what was suppressed travels with other counts, never alone.
        """
        return any(
            of.get("attempted", 0) != of.get("suppressed", 0)
            or any(of.get(kind) for kind in ("sampled_out", "dropped", "sent"))
            for of in list(self.new.values())  # others may count meanwhile
        )

    def take(self) -> Table:
        """Take what is new, for a report."""
        new, self.new = self.new, {}
        return new
