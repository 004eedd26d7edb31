"""What the console needs of the platform."""

from __future__ import annotations

from typing import Protocol

from eventlogging.config import Config
from eventlogging.registry.snapshot import RegistryCache
from eventlogging.store.database import Database


class Parts(Protocol):
    """The parts that pages and the API read from; opened and closed by somebody else."""

    @property
    def config(self) -> Config:
        """The settings in force."""

    @property
    def database(self) -> Database:
        """Where the registry, the ledger and the events are."""

    @property
    def registry(self) -> RegistryCache:
        """The newest registry snapshot seen."""
