"""An alert's episode as a value: from its first sign to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eventlogging.alerts.judge import key_of


@dataclass(frozen=True)
class Episode:
    """A time of trouble. Times are ISO texts; `subject` is a schema, `@host`, a job or `""`."""

    id: int
    rule: str
    schema: str
    opened_at: str
    value: float
    detail: Mapping[str, Any] = field(default_factory=dict)
    closed_at: str | None = None
    acknowledged_at: str | None = None
    acknowledged_by: str | None = None
    snoozed_until: str | None = None
    told_again_at: str | None = None

    @property
    def subject(self) -> str:
        """What it is about."""
        return str(self.detail.get("subject", self.schema))

    @property
    def key(self) -> str:
        """What there is one open episode of."""
        return key_of(self.rule, self.subject)

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.closed_at is None

    @property
    def fact(self) -> str:
        """The fact in a sentence, as it was told."""
        return str(self.detail.get("fact", self.rule))

    @property
    def measured_at(self) -> str:
        """When its value was measured last."""
        return str(self.detail.get("measured_at", ""))

    @property
    def told(self) -> tuple[str, ...]:
        """Who was told of it by mail."""
        return tuple(self.detail.get("recipients", ()))

    @property
    def name(self) -> str:
        """What tells this episode from all others, before it has a number."""
        return f"{self.key}:{self.opened_at}"
