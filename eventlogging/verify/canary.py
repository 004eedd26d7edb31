"""The opt-out canary: nobody says no, sends by every route, and nothing of it may be anywhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.event import UNKNOWN, Outcome
from eventlogging.platform import Platform
from eventlogging.registry.model import RegisteredSchema
from eventlogging.registry.snapshot import schemas_in_force
from eventlogging.store.database import Database
from eventlogging.store.fixed import ledger
from eventlogging.verify import sending, traces
from eventlogging.verify.sending import Nobody, Target

WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.25
# By which the server's clock may differ from ours, and by which a dialog's time is cut.
_CLOCKS_MS = 1_200_000
_WRITTEN_SECONDS = 5.0  # by which a disk's clock may


@dataclass(frozen=True)
class Flight:
    """What became of it: `found` says where something of it is; `refused` what was not taken.

    Of `sent` events so many were booked as `suppressed` in the meantime, those of others among
    them.
    """

    schema: str
    requests: int
    sent: int
    suppressed: int
    found: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether everything was taken, counted as suppressed, and nothing of it is anywhere."""
        return not self.found and not self.refused and self.suppressed >= self.sent

    @property
    def sentence(self) -> str:
        """The whole of it, a line for each thing that is wrong."""
        lines = [f"of somebody who opted out there is something in {where}" for where in self.found]
        lines += [f"a route could not be tried: {what}" for what in self.refused]
        if self.suppressed < self.sent:
            lines.append(
                f"of {self.sent} events of somebody who opted out {self.suppressed} were counted "
                "as suppressed"
            )
        return "\n".join(lines) or (
            f"{self.sent} events of somebody who opted out, sent by {self.requests} requests as "
            f"{self.schema}: all were suppressed, nothing of them is anywhere"
        )


def public_schema(platform: Platform) -> RegisteredSchema | None:
    """Return a schema that anybody may send, from anywhere if there is one. None: no such schema.

    Raises StoreUnavailable.
    """
    platform.registry.refresh()
    public = [s for s in schemas_in_force(platform.registry.snapshot) if s.producers == "public"]
    return min(public, key=lambda one: (bool(one.origins), one.name), default=None)


def fly(
    platform: Platform, schema: RegisteredSchema, url: str, *, wait_seconds: float = WAIT_SECONDS
) -> Flight:
    """Send as somebody who opted out, wait until it is counted, and search for it everywhere.

    Raises StoreUnavailable, OSError.
    """
    nobody, target = Nobody(), target_of(platform, schema)
    since_ms, since = clock.now_ms(), time.time() - _WRITTEN_SECONDS
    before = _suppressed(platform.database, since_ms)
    refused = []
    requests = 0
    sent: Counter[str] = Counter()
    for request in sending.requests_of(nobody, target, url):
        requests += 1
        if trouble := sending.send(url, request):
            refused.append(trouble)
        else:
            sent[request.schema] += request.events
    deadline = time.monotonic() + wait_seconds
    while True:
        now = _suppressed(platform.database, since_ms)
        # Others may have opted out meanwhile, too.
        suppressed = sum(min(n, now[name] - before[name]) for name, n in sent.items())
        if suppressed >= sent.total() or time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS)
    found = search(platform, nobody, since_ms, since)
    return Flight(schema.name, requests, sent.total(), suppressed, found, tuple(refused))


def target_of(platform: Platform, schema: RegisteredSchema) -> Target:
    """Return what to send: a field that takes a text is where the mark stands."""
    properties: Mapping[str, Any] = schema.versions[schema.latest].document.get("properties", {})
    texts = [
        name
        for name, field in properties.items()
        if isinstance(field, dict) and field.get("type") == "string"
    ]
    dialogs = platform.config.kpi_schema
    if dialogs not in platform.registry.snapshot.schemas:
        dialogs = UNKNOWN
    return Target(schema.name, schema.latest, texts[0] if texts else "canary", dialogs)


def search(platform: Platform, nobody: Nobody, since_ms: int, since: float) -> tuple[str, ...]:
    """Return where something of a person stands who came into the world at that time."""
    texts = nobody.traces([platform.privacy_key])
    found = [*traces.in_tables(platform.database, texts, since_ms)]
    var = platform.config.var
    found += traces.in_files(var, texts, since)
    database = sa.engine.make_url(platform.config.effective_database_url)
    if database.get_backend_name() == "sqlite" and database.database:
        folder = Path(database.database).resolve().parent
        if not folder.is_relative_to(var.resolve()):
            found += traces.in_files(folder, texts, since)
    return tuple(found)


def _suppressed(database: Database, since_ms: int) -> Counter[str]:
    c = ledger.c
    query = (
        sa.select(c.schema, sa.func.sum(c["count"]))
        .where(
            c.minute >= clock.minute(since_ms - _CLOCKS_MS),
            c.outcome == str(Outcome.SUPPRESSED),
        )
        .group_by(c.schema)
    )
    with database.read() as connection:
        return Counter({str(name): int(number) for name, number in connection.execute(query)})
