"""Read the log: the segments there are, and complete batches after a position."""

from __future__ import annotations

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from eventlogging.log import segment
from eventlogging.log.segment import Batch


@dataclass(frozen=True, slots=True)
class Piece:
    """Complete batches of one segment; `finished` says that nothing will ever follow.

    `data` holds them as they stand there, perhaps with the beginning of the next one.
    """

    batches: tuple[Batch, ...]
    end: int
    finished: bool
    data: bytes = b""


def segments(folder: Path) -> list[str]:
    """Return the names of all segments, oldest first."""
    found = folder.glob("????-??-??/*.jsonl")
    return sorted(f"{path.parent.name}/{path.stem}" for path in found)


def read_after(folder: Path, name: str, position: int, max_bytes: int = 4_194_304) -> Piece:
    """Return batches that begin at `position`, about `max_bytes` of them, at least one if any.

    Readers go no further than the writer's published length, unless the writer
    is gone: then every complete batch counts. Raises OSError where the file
    cannot be read.
    """
    limit, finished = _limit(folder, name)
    if position >= limit:
        return Piece((), position, finished)
    with segment.data_path(folder, name).open("rb") as file:
        size = max_bytes
        while True:
            file.seek(position)
            data = file.read(min(size, limit - position))
            batches, end = segment.split(data, position)
            reached = position + len(data) >= limit
            if batches or reached:
                return Piece(tuple(batches), end, finished and reached, data)
            size *= 4


def read_lines(folder: Path, name: str, start: int, end: int) -> list[tuple[int, bytes]]:
    """Return the lines between two batch borders, as (offset, bytes)."""
    with segment.data_path(folder, name).open("rb") as file:
        file.seek(start)
        batches, _ = segment.split(file.read(end - start), start)
    return [line for batch in batches for line in batch.lines]


def waiting_bytes(folder: Path, name: str, position: int) -> int:
    """Return how many bytes of a segment lie behind `position`."""
    return max(0, _limit(folder, name)[0] - position)


def _limit(folder: Path, name: str) -> tuple[int, bool]:
    length, done = segment.read_synced(folder, name)
    if done:
        return length, True
    descriptor = os.open(segment.data_path(folder, name), os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return length, False
    else:
        # Nobody holds it: the writer died, or closed it since we looked.
        length, done = segment.read_synced(folder, name)
        return (length if done else os.fstat(descriptor).st_size), True
    finally:
        os.close(descriptor)


def retire_day(folder: Path, day: str) -> None:
    """Delete all segments of one day. The caller knows that they are loaded."""
    shutil.rmtree(folder / day)
