"""Read the log and make rows while the database is still busy with the rows before."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from eventlogging.loader.prepare import Prepared, Preparer
from eventlogging.log import reader
from eventlogging.log.segment import Batch


@dataclass(frozen=True)
class Load:
    """What one transaction stores: whole batches of one segment, and the rows they become.

    `finished`: there are no batches, and there will never be more.
    """

    batches: Sequence[Batch]
    lines: Sequence[tuple[int, bytes]]
    prepared: Prepared
    finished: bool

    @property
    def end(self) -> int:
        """The position after the last batch."""
        return self.batches[-1].end


class ReadAhead:
    """Gives out loads in order; in a backlog the next one is made before it is asked for.

    With `ahead` false nothing is: where the database runs in this process, the interpreter does
    one or the other.
    """

    def __init__(self, folder: Path, most_lines: int, *, ahead: bool) -> None:
        self._ahead = ahead
        self._folder = folder
        self._most_lines = most_lines
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
        self._next: tuple[tuple[str, int, Preparer], Future[Load]] | None = None

    def load(self, segment: str, position: int, preparer: Preparer) -> Load:
        """Return what follows a position. Raises OSError where the segment cannot be read."""
        wanted = (segment, position, preparer)
        ahead, self._next = self._next, None
        if ahead is not None and ahead[0] == wanted:
            load = ahead[1].result()
        else:
            load = self._make(segment, position, preparer)
        if self._ahead and len(load.lines) >= self._most_lines // 2:
            after = (segment, load.end, preparer)
            self._next = after, self._reader.submit(self._make, segment, load.end, preparer)
        return load

    def _make(self, segment: str, position: int, preparer: Preparer) -> Load:
        piece = reader.read_after(self._folder, segment, position)
        batches = _some(piece.batches, self._most_lines)
        lines = [line for batch in batches for line in batch.lines]
        finished = piece.finished and not batches
        return Load(batches, lines, preparer.prepare(lines), finished)


def _some(batches: Sequence[Batch], most_lines: int) -> list[Batch]:
    """Return the first batches with about `most_lines` lines, at least one batch."""
    taken: list[Batch] = []
    lines = 0
    for batch in batches:
        taken.append(batch)
        lines += len(batch.lines)
        if lines >= most_lines:
            break
    return taken
