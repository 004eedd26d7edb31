"""A bench whose data folder the commands and the jobs can be pointed at."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from eventlogging.config import Config
from eventlogging.intake.seal import PrivacyKey
from eventlogging.platform import Platform
from eventlogging.registry.snapshot import RegistryCache
from tests.loading import Bench
from tests.schemas import registered


def open_bench(url: str, folder: Path) -> Bench:
    """A bench that knows the schemas Click and Other, its log in `folder`/var/log."""
    return Bench(url, folder / "var" / "log", registered(), registered("Other"))


def settings(bench: Bench) -> dict[str, str]:
    """The environment that points a command at a bench."""
    return {
        "EVENTLOGGING_VAR": str(bench.folder.parent),
        "EVENTLOGGING_DATABASE_URL": bench.database.url,
    }


def platform_of(bench: Bench, **wanted: Any) -> Platform:
    """A platform over a bench's database and log, with a registry that reads the database."""
    config = Config(var=bench.folder.parent, database_url=bench.database.url, **wanted)
    registry = RegistryCache(bench.database)
    return Platform(config, bench.database, registry, PrivacyKey("secret"), "session")


def click(target: Any = "a", schema: str = "Click", **capsule: Any) -> dict[str, Any]:
    """A good event; a target that is no text makes it a bad one."""
    return {"schema": schema, "event": {"target": target}, "id": str(uuid.uuid4()), **capsule}
