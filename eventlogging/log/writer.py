"""Append to the log: what arrives together shares one write and one sync.

An acknowledgement means: the batch was written and `fdatasync` returned. It
survives a crash of the process and of the machine, as far as the disk keeps
what it said it synced.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from eventlogging import clock
from eventlogging.errors import LogUnavailable
from eventlogging.log import segment
from eventlogging.log.segment import Sent

Done = Callable[[LogUnavailable | None], None]
_logger = logging.getLogger(__name__)


class LogWriter:
    """The only writer of its segment; safe to call from any thread.

    A start, a failed write or a failed sync opens a new segment; a segment is
    never reopened, cut or retried. `queue_bytes` bounds what waits for the disk.
    `deliver` hands a batch of outcomes to their waiters; by default it calls
    each on the writer's own thread.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int,
        queue_bytes: int,
        sync: Callable[[int], None] = os.fdatasync,
        deliver: Callable[[Sequence[Done], LogUnavailable | None], None] | None = None,
    ) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._queue_bytes = queue_bytes
        self._sync = sync
        self._deliver = deliver or _call_each
        self._waiting = threading.Condition()
        self._lines: list[bytes] = []
        self._count = 0
        self._bytes = 0
        self._sent: dict[tuple[str, str], int] = {}
        self._done: list[Done] = []
        self._closing = False
        self._open: _OpenSegment | None = None
        self.trouble: str | None = None  # why the last batch could not be kept, or None
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def append(self, lines: Sequence[bytes], sent: Sent, done: Done) -> None:
        """Queue lines (each ends with a newline) and call `done` once they are durable or refused.

        Raises LogUnavailable when too much is waiting already, or after `close`.
        """
        size = sum(map(len, lines))
        with self._waiting:
            if self._closing:
                raise LogUnavailable("the log is closing")
            if self._bytes + size > self._queue_bytes and self._bytes:
                raise LogUnavailable("too many events wait for the disk")
            self._lines.extend(lines)
            self._count += len(lines)
            self._bytes += size
            for key, number in sent.items():
                self._sent[key] = self._sent.get(key, 0) + number
            self._done.append(done)
            self._waiting.notify()

    def close(self) -> None:
        """Write what waits, publish the segment as done, stop the thread."""
        with self._waiting:
            self._closing = True
            self._waiting.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._waiting:
                while not self._done and not self._closing:
                    self._waiting.wait()
                if not self._done:
                    break
                lines, self._lines = self._lines, []
                count, self._count = self._count, 0
                sent, self._sent = self._sent, {}
                done, self._done = self._done, []
                self._bytes = 0
            self._deliver(done, self._keep(b"".join(lines), count, sent))
        if self._open:
            self._open.close()

    def _keep(self, lines: bytes, count: int, sent: Sent) -> LogUnavailable | None:
        try:
            target = self._segment()
            target.write(lines + segment.commit_line(lines, count, sent), self._sync)
        except OSError as error:
            if self._open:
                self._open.close()
                self._open = None
            if self.trouble is None:
                _logger.error("the log cannot keep events: %s", error)
            # Without the path, for anyone may read it.
            self.trouble = error.strerror or type(error).__name__
            return LogUnavailable(f"the log cannot keep events now: {self.trouble}")
        if self.trouble is not None:
            _logger.warning("the log keeps events again")
            self.trouble = None
        return None

    def _segment(self) -> _OpenSegment:
        now = clock.now_ms()
        current = self._open
        if current and (current.length >= self._segment_bytes or current.day != clock.day(now)):
            current.close()
            current = self._open = None
        if current is None:
            current = self._open = _OpenSegment(self._folder, now)
        return current


class _OpenSegment:
    """The segment being written: its file is locked for as long as the process lives.

    It gets its name with its first batch: while a disk stays full, no segment is left behind.
    """

    def __init__(self, folder: Path, now_ms: int) -> None:
        self.day = clock.day(now_ms)
        self.length = 0
        name = segment.new_name(now_ms)
        self._path = segment.data_path(folder, name)
        self._hidden = self._path.with_suffix(".new")
        self._synced_path = segment.synced_path(folder, name)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        self._synced = os.open(self._synced_path, flags, 0o640)
        try:
            self._data = os.open(self._hidden, flags | os.O_APPEND, 0o640)
        except OSError:
            os.close(self._synced)
            self._synced_path.unlink()
            raise
        # Locked before it has its name, so that no reader takes it for abandoned.
        fcntl.flock(self._data, fcntl.LOCK_EX)

    def write(self, data: bytes, sync: Callable[[int], None]) -> None:
        if not self.length:
            segment.publish(self._synced, 0, done=False)
            os.fsync(self._synced)
        view = memoryview(data)
        while view:
            view = view[os.write(self._data, view) :]
        sync(self._data)
        if not self.length:
            self._hidden.rename(self._path)
            for directory in (self._path.parent, self._path.parent.parent):
                _sync_directory(directory)
        self._path.stat()  # fails where the folder was moved, deleted or unmounted meanwhile
        segment.publish(self._synced, self.length + len(data), done=False)
        self.length += len(data)

    def close(self) -> None:
        """Say that nothing after the synced length counts, then let go of the file."""
        try:
            if self.length:
                self._end()
            else:  # nothing in it counts, and a disk that stays full would gather such files
                for path in (self._hidden, self._path, self._synced_path):
                    path.unlink(missing_ok=True)
        except OSError as error:
            _logger.error("a segment could not be closed in order: %s", error)
        os.close(self._synced)
        os.close(self._data)

    def _end(self) -> None:
        try:
            segment.publish(self._synced, self.length, done=True)
        except OSError:
            # Without that word a reader takes every complete batch once the lock is gone, the
            # refused one too. No reader is past this length yet, and to shrink needs no space.
            os.ftruncate(self._data, self.length)
            os.fsync(self._data)
            raise


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _call_each(done: Sequence[Done], error: LogUnavailable | None) -> None:
    for call in done:
        call(error)
