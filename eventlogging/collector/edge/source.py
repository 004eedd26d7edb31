"""A file of an edge log, plain or packed by gzip: what it is known by, and its bytes."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from pathlib import Path
from typing import BinaryIO, Protocol

HEAD_BYTES = 1024
_STEP = 1 << 20


class SourceBroken(OSError):
    """Raised when a packed file cannot be unpacked any further."""


class Source(Protocol):
    """Bytes by offset; of a packed file the offset is that of what was packed."""

    path: Path
    is_final: bool  # nothing will ever follow

    def read(self, offset: int, size: int) -> bytes: ...
    def size(self) -> int: ...
    def done(self, offset: int) -> tuple[int, int]: ...
    def identity(self) -> tuple[int, int]: ...
    def close(self) -> None: ...


class PlainSource:
    """A file that may grow, held open: renamed, it is still the same."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_final = False
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes; fewer only at the end."""
        parts = []
        while size > 0 and (data := os.pread(self._file, size, offset)):
            parts.append(data)
            offset += len(data)
            size -= len(data)
        return b"".join(parts)

    def size(self) -> int:
        """Return how many bytes there are now."""
        return os.fstat(self._file).st_size

    def done(self, offset: int) -> tuple[int, int]:
        """Return how far one is, of how much."""
        return offset, self.size()

    def identity(self) -> tuple[int, int]:
        """Return device and inode."""
        status = os.fstat(self._file)
        return status.st_dev, status.st_ino

    def close(self) -> None:
        """Let go of it."""
        os.close(self._file)


class PackedSource:
    """A file that gzip wrote; read from its beginning to its end, going back costs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_final = True
        self._raw: BinaryIO = path.open("rb")
        self._file = gzip.GzipFile(fileobj=self._raw)
        self._held = b""
        self._start = 0

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes; fewer only at the end. Raises SourceBroken."""
        try:
            if offset < self._start:
                self._file.seek(0)
                self._held, self._start = b"", 0
            while self._start + len(self._held) < offset + size:
                skipped = min(max(0, offset - self._start), len(self._held))
                self._held, self._start = self._held[skipped:], self._start + skipped
                data = self._file.read(_STEP)
                if not data:
                    break
                self._held += data
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise SourceBroken(f"{self.path} cannot be unpacked: {error}") from error
        first = offset - self._start
        return self._held[first : first + size] if first <= len(self._held) else b""

    def size(self) -> int:
        """Return how many bytes have been unpacked at least; the end is where reading says so."""
        return self._start + len(self._held)

    def done(self, offset: int) -> tuple[int, int]:
        """Return how far one is, of how much, in packed bytes."""
        del offset
        return self._raw.tell(), os.fstat(self._raw.fileno()).st_size

    def identity(self) -> tuple[int, int]:
        """Return device and inode."""
        status = os.fstat(self._raw.fileno())
        return status.st_dev, status.st_ino

    def close(self) -> None:
        """Let go of it."""
        self._file.close()
        self._raw.close()


def open_source(path: Path) -> Source:
    """Open a file; gzip is known by its first bytes. Raises OSError."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return PackedSource(path) if packed else PlainSource(path)


def fingerprint(source: Source, *, is_final: bool = False) -> str:
    """Return what the file is known by: a hash of its first line; empty while it has none.

    `is_final`: nothing will follow, though the file does not say so itself.
    """
    head = source.read(0, HEAD_BYTES)
    end = head.find(b"\n") + 1
    if not end and len(head) < HEAD_BYTES and not (head and (is_final or source.is_final)):
        return ""
    return hashlib.sha256(head[:end] if end else head).hexdigest()[:32]
