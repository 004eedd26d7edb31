"""Cut a log into chunks whose borders are the same whenever it is read.

A chunk ends with the first line that ends at or after a multiple of `CHUNK_BYTES`. At the end of
a file that grows it may end sooner; then its border is noted before anything is made of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from eventlogging.collector.edge.source import Source

CHUNK_BYTES = 1 << 20
LONGEST_LINE = 8 << 20  # a longer one is cut into several
_AHEAD = 1 << 16
_TAIL = 4096


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of a log from an offset on. `is_whole`: its border is where it always is.

    A chunk that is not whole ends with the last line that is complete.
    """

    start: int
    data: bytes
    is_whole: bool

    @property
    def border(self) -> int:
        """The offset behind it."""
        return self.start + len(self.data)

    def name(self, fingerprint: str) -> str:
        """Return what tells it from every other chunk: its log, border, and its last lines."""
        tail = hashlib.sha256(self.data[-_TAIL:]).hexdigest()[:16]
        return f"edge/{fingerprint}/{self.border}/{tail}"


def next_chunk(source: Source, start: int, *, to_the_end: bool) -> Chunk:
    """Return what can be read from `start` on; without data where no line is complete.

    `to_the_end`: nothing will follow, and the last line needs no line break.
    """
    least = (start // CHUNK_BYTES + 1) * CHUNK_BYTES - start
    size = least + _AHEAD
    while True:
        data = source.read(start, size)
        end = data.find(b"\n", least - 1) + 1
        if end:
            return Chunk(start, data[:end], True)
        if len(data) >= least + LONGEST_LINE:
            return Chunk(start, data[: least + LONGEST_LINE], True)
        if len(data) < size:
            if to_the_end:
                return Chunk(start, data, True)
            return Chunk(start, data[: data.rfind(b"\n") + 1], False)
        size = min(size * 2, least + LONGEST_LINE)


def same_chunk(source: Source, start: int, border: int) -> Chunk | None:
    """Return a chunk whose borders were decided on before; None where the bytes are not there."""
    data = source.read(start, border - start)
    return Chunk(start, data, True) if len(data) == border - start else None
