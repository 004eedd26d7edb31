"""Judge chunks here, by this host's registry, and append them to this host's log."""

from __future__ import annotations

import threading

from eventlogging.collector.edge.chunks import Chunk
from eventlogging.collector.edge.collect import Counts
from eventlogging.collector.edge.judge import Judge, Judged
from eventlogging.errors import LogUnavailable, StoreError, StoreUnavailable
from eventlogging.log.writer import LogWriter
from eventlogging.registry.snapshot import RegistryCache

_REGISTRY_SECONDS = 1.0
_STALE_SECONDS = 10.0  # beyond this, "unknown" may only mean "not heard of yet"


class Keep:
    """Takes chunks on a host with a data folder."""

    def __init__(self, judge: Judge, registry: RegistryCache, writer: LogWriter) -> None:
        self._judge = judge
        self._registry = registry
        self._writer = writer

    def take(self, chunk: Chunk, fingerprint: str) -> Counts:
        """Judge a chunk and return once it is durable. Raises LogUnavailable, StoreError."""
        judged = self._judged(chunk, fingerprint)
        if judged.lines:
            self._append(judged.as_batch(chunk.name(fingerprint), chunk.start))
        return Counts(judged.read, judged.outcomes)

    def _judged(self, chunk: Chunk, fingerprint: str) -> Judged:
        """Judge a chunk; what is unknown is looked up once more before it is called so."""
        if self._registry.age_seconds() > _REGISTRY_SECONDS:
            self._refresh()
        while True:
            snapshot = self._registry.snapshot
            self._judge.use(snapshot)
            judged = self._judge.judge(chunk.data, chunk.start, fingerprint)
            if not judged.unknown:
                return judged
            self._refresh()
            if self._registry.snapshot is not snapshot:
                continue
            if self._registry.age_seconds() <= _STALE_SECONDS:
                return judged
            text = "the registry cannot be read, and a schema is not known; try again later"
            raise StoreUnavailable(text)

    def _refresh(self) -> None:
        try:
            self._registry.refresh()
        except StoreError:
            if self._registry.snapshot.counter < 0:  # nothing is known at all
                raise

    def _append(self, lines: list[bytes]) -> None:
        done = threading.Event()
        trouble: list[LogUnavailable] = []

        def settle(error: LogUnavailable | None) -> None:
            if error:
                trouble.append(error)
            done.set()

        self._writer.append(lines, {}, settle)
        done.wait()
        if trouble:
            raise trouble[0]
