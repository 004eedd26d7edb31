"""What rules are held against: the figures of one moment, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Counts:
    """How many events of a schema were stored as valid, and refused, within a window."""

    valid: int = 0
    invalid: int = 0

    @property
    def judged(self) -> int:
        """Both together."""
        return self.valid + self.invalid

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.valid + other.valid, self.invalid + other.invalid)


@dataclass(frozen=True)
class Spans:
    """Valid events of a schema within one span, now and in the same span of past weeks."""

    now: int
    past: tuple[int, ...]  # last week first


@dataclass(frozen=True)
class JobState:
    """How a job fares: what its last finished run came to, and by how much the next is late."""

    name: str
    slot: str
    outcome: str  # done | warning | failed, or empty: none finished yet
    detail: str
    late_minutes: float = 0.0


@dataclass(frozen=True)
class ProofRun:
    """The newest finished run of a job of proof on one host."""

    job: str
    slot: str
    outcome: str
    detail: str
    age_days: float


@dataclass(frozen=True)
class Growth:
    """How the log grew within a window, in bytes: what was accepted, and what of it was stored."""

    accepted: int
    stored: int
    waiting: int


@dataclass(frozen=True)
class Figures:
    """The figures of one moment; what was not measured this time is missing or None.

    `windows` maps minutes to schema → counts; `residual` minutes to unexplained events by schema;
    `heard` schema → minutes since its last valid event (None: none within the rule's time, though
    it had some before); `rhythm` maps span minutes to schema → counts; `volume` schema → counts
    of the last whole hour, `hour`. `behind`: the loader has not stored everything, so that
    missing events mean nothing. `proofs` are the newest runs of the jobs of proof, one of each
    host; `watched_minutes` says for how long alerts have been looked at without a break.
    """

    now_ms: int
    windows: Mapping[int, Mapping[str, Counts]] = field(default_factory=dict)
    residual: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    heard: Mapping[str, float | None] = field(default_factory=dict)
    rhythm: Mapping[int, Mapping[str, Spans]] = field(default_factory=dict)
    volume: Mapping[str, Spans] = field(default_factory=dict)
    hour: str = ""
    behind: bool = False
    jobs: tuple[JobState, ...] = ()
    proofs: tuple[ProofRun, ...] | None = None
    watched_minutes: float = 0.0
    database_percent: float | None = None
    database_what: str = ""
    # of one host
    host: str = ""
    lag_seconds: float | None = None
    waiting_bytes: int = 0
    growth: Mapping[int, Growth] = field(default_factory=dict)
    free_bytes: int | None = None
