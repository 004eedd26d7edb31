"""Fill a log by hand and load it, with a registry that the test decides."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.intake.accept import Accepted, Intake
from eventlogging.intake.context import Context
from eventlogging.intake.seal import PrivacyKey
from eventlogging.loader.loader import Loader
from eventlogging.log.writer import LogWriter
from eventlogging.registry.model import RegisteredSchema, Snapshot
from eventlogging.store.database import Database
from eventlogging.store.migrate import migrate
from tests.schemas import snapshot


class FixedRegistry:
    """A registry that knows what the test says, at once."""

    def __init__(self, *schemas: RegisteredSchema) -> None:
        self.snapshot: Snapshot = snapshot(*schemas)

    def know(self, *schemas: RegisteredSchema) -> None:
        self.snapshot = snapshot(*schemas, counter=self.snapshot.counter + 1)

    def age_seconds(self) -> float:
        return 100.0

    def refresh(self) -> bool:
        return True


class Bench:
    """Intake, log, loader and database around one registry."""

    def __init__(self, url: str, folder: Path, *schemas: RegisteredSchema) -> None:
        self.database = Database(url)
        migrate(self.database)
        self.registry = FixedRegistry(*schemas)
        self.folder = folder
        self.intake = Intake(Config(), PrivacyKey("secret"))
        self.writer = self.new_writer()
        self.loader = self.new_loader()

    def new_writer(self) -> LogWriter:
        return LogWriter(self.folder, segment_bytes=1_000_000, queue_bytes=10_000_000)

    def new_loader(self, **settings: Any) -> Loader:
        return Loader(self.database, self.registry, self.folder, **settings)  # type: ignore[arg-type]

    def send(self, *events: dict[str, Any], received: int | None = None) -> Accepted:
        """Judge events and wait until the log has them."""
        self.intake.use(self.registry.snapshot)
        now = clock.now_ms() if received is None else received
        accepted = self.intake.accept_body(json.dumps(events).encode(), Context(received=now))
        done = threading.Event()
        self.writer.append(accepted.lines, accepted.sent, lambda _: done.set())
        assert done.wait(10)
        return accepted

    def rows(self, table: str, columns: str = "*") -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(sa.text(f"SELECT {columns} FROM {table}")).mappings())

    def count(self, table: str) -> int:
        return int(self.rows(table, "COUNT(*) AS n")[0]["n"])

    def ledger(self) -> dict[str, int]:
        """Outcome (and reason, where there is one) → count, over all schemas."""
        query = "outcome, reason, SUM(count) AS n"
        found: dict[str, int] = {}
        with self.database.read() as connection:
            for row in connection.execute(
                sa.text(f"SELECT {query} FROM ledger GROUP BY outcome, reason")
            ):
                name = f"{row[0]} {row[1]}".strip()
                if row[2]:
                    found[name] = int(row[2])
        return found

    def close(self) -> None:
        self.writer.close()
        self.database.close()
