"""Send chunks to a storage server as they are: it judges them, and this host needs no more."""

from __future__ import annotations

from collections import Counter

from eventlogging.collector.edge.chunks import Chunk
from eventlogging.collector.edge.collect import Counts
from eventlogging.errors import StoreUnavailable
from eventlogging.event import Outcome
from eventlogging.forwarder.storage import NoStorage, Storage


class Ship:
    """Takes chunks on a host that has nothing of EventLogging but this command."""

    def __init__(self, format: str, storage: Storage, *, pack: bool) -> None:
        self._format = format
        self._storage = storage
        self._pack = pack

    def take(self, chunk: Chunk, fingerprint: str) -> Counts:
        """Return once a storage server has a chunk on its disk. Raises StoreUnavailable, Refused.

        Sent again, perhaps to another one, it counts once: the chunk's borders are its name.
        """
        try:
            answer = self._storage.edge(
                self._format, fingerprint, chunk.start, chunk.data, pack=self._pack
            )
        except NoStorage as error:
            raise StoreUnavailable(str(error)) from error
        counts = Counter({Outcome(name): count for name, count in answer["outcomes"].items()})
        return Counts(answer["lines"], counts)
