"""Version numbers `major.minor.patch`: parsed, ordered, raised by what changed."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import NamedTuple

_PATTERN = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\Z", re.ASCII)


class Level(IntEnum):
    """How much a change breaks; a comparison's level is its largest change's."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3


class Version(NamedTuple):
    """A version number; tuples order as versions do."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Version | None:
        """Return the version that `text` says, or None where it is not one."""
        match = _PATTERN.match(text)
        return cls(*map(int, match.groups())) if match else None

    def raised(self, level: Level) -> Version:
        """Return the next version after a change of this level."""
        if level is Level.MAJOR:
            return Version(self.major + 1, 0, 0)
        if level is Level.MINOR:
            return Version(self.major, self.minor + 1, 0)
        if level is Level.PATCH:
            return Version(self.major, self.minor, self.patch + 1)
        return self

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


FIRST = Version(1, 0, 0)
