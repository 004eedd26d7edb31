"""The one tree of errors that EventLogging raises.

    EventLoggingError            anything a face may show to a person as one line
    ├── ConfigError              a setting is missing, unreadable or of the wrong form
    ├── GovernanceError          governance files are broken; carries every problem at once
    ├── RegistryError
    │   ├── SchemaRefused        a schema cannot be registered; carries every problem at once
    │   ├── VersionConflict      a published version would change, or a version is too small
    │   └── UnknownSchema        no schema or version of that name is registered
    ├── LogUnavailable           the log cannot keep events now (disk full, read-only, queue full)
    └── StoreError
        ├── StoreUnavailable     the database cannot be reached or refuses work now; wait and retry
        └── TableTrouble         one table cannot take its rows now; the others can

Outcomes of events are values (`eventlogging.event.Verdict`), never exceptions.
"""

from __future__ import annotations

from collections.abc import Sequence


class EventLoggingError(Exception):
    """Raised when something asked for cannot be done; its text says what to do."""


class ConfigError(EventLoggingError):
    """Raised when a setting is missing, unreadable or of the wrong form."""


class GovernanceError(EventLoggingError):
    """Raised when governance files are broken; nothing was changed.

    `problems` are complete lines of text, each beginning with `file:line:`.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class RegistryError(EventLoggingError):
    """Raised when the registry cannot do what was asked."""


class SchemaRefused(RegistryError):
    """Raised when a schema cannot be registered; `problems` lists all reasons."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(self.problems))


class VersionConflict(RegistryError):
    """Raised when a published version would change, or a given one is smaller than the change."""


class UnknownSchema(RegistryError):
    """Raised when no schema or version of that name is registered."""


class LogUnavailable(EventLoggingError):
    """Raised when the log cannot keep events now; nothing of the batch counts as accepted."""


class StoreError(EventLoggingError):
    """Raised when the database does not do what was asked."""


class StoreUnavailable(StoreError):
    """Raised when the database cannot be reached or refuses all work now; waiting helps."""


class TableTrouble(StoreError):
    """Raised when one table cannot take its rows now, while others can."""

    def __init__(self, table: str, reason: str) -> None:
        self.table = table
        self.reason = reason
        super().__init__(f"{table}: {reason}")
