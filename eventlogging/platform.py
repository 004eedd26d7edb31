"""The platform: settings, database, registry and log, opened together and passed down."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from eventlogging.config import Config
from eventlogging.errors import ConfigError
from eventlogging.intake.seal import PrivacyKey
from eventlogging.registry.snapshot import RegistryCache
from eventlogging.store.database import Database


@dataclass(frozen=True)
class Platform:
    """What the faces need; opening it touches no database yet."""

    config: Config
    database: Database
    registry: RegistryCache
    privacy_key: PrivacyKey
    session_key: str

    @property
    def log_folder(self) -> Path:
        """Where the log's segments lie."""
        return self.config.var / "log"


def open_platform(config: Config) -> Platform:
    """Open everything; makes the data folder and the secrets that nobody has set.

    Raises ConfigError where the data folder cannot be used.
    """
    try:
        config.var.mkdir(parents=True, exist_ok=True)
        (config.var / "log").mkdir(exist_ok=True)
        privacy_key = config.privacy_key or _own_secret(config.var, "privacy.key")
        session_key = config.session_key or _own_secret(config.var, "session.key")
    except OSError as error:
        raise ConfigError(f"EVENTLOGGING_VAR: {config.var} cannot be used: {error}") from error
    database = Database(config.effective_database_url, load_data=config.load_data)
    return Platform(config, database, RegistryCache(database), PrivacyKey(privacy_key), session_key)


def own_name(var: Path, file: str) -> str:
    """Return a name that this installation gave itself, and that no other has."""
    return _own_secret(var, file)[:16]


def with_registry(platform: Platform, registry: RegistryCache) -> Platform:
    """Return the same platform, its registry read in another way."""
    return replace(platform, registry=registry)


def _own_secret(var: Path, name: str) -> str:
    """Return a secret that this installation made for itself at its first start."""
    path = var / "secrets" / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        # Written whole, then linked: two processes that start together share one secret.
        draft = path.with_name(f".{name}.{secrets.token_hex(4)}")
        with open(draft, "x", opener=_private) as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text("ascii").strip()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
