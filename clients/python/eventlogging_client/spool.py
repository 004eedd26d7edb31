"""Events that are queued and not settled, on disk, so that they outlive a crash of the process.

Each process writes a file of its own in the folder, a JSON array a line, and holds a lock on it:

    ["e", 7, "Click", {capsule}]   an event was attempted and waits, as number 7
    ["k", 7, "Click", {capsule}]   it waits, and was counted as attempted elsewhere
    ["d", "sent", [7]]             these wait no more; they count as sent
    ["c", {counts}]                counts that are in no report yet
    ["r", "id", {counts}]          all counts so far went into this report
    ["a", "id"]                    that report was acknowledged
    ["x", ["name"]]                this file takes the place of those; always the first line

A file that nobody holds a lock on was left behind by a process that died: the next one takes its
events, ids and counts over, by a file that names those it replaces and appears in one step. So
every event is counted once, whenever a process dies. Without `fcntl` a folder is for one process.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eventlogging_client.capsule import Event, encoded
from eventlogging_client.left import Left, Report, replaced_by

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_ENDING = ".spool"
_OLD = 60.0  # seconds after which an unfinished file is nobody's
_MEND = 10.0  # seconds between attempts to write again after a fault


class Spool:
    """One process's file. Its methods are called under the lock of the queue, but for `sync`."""

    def __init__(self, folder: str, most_bytes: int) -> None:
        """Nothing is done yet: the file is made when there is something to write."""
        self.fault = ""
        self._folder = Path(folder)
        self._most_bytes = most_bytes
        self._file: int | None = None
        self._path: Path | None = None
        self._size = 0
        self._number = 0
        self._unsynced = False
        self._tried = -_MEND
        self._begun = False
        self._others: list[tuple[Path, int]] = []

    # ---------------------------------------------------------------- what happens to events

    def add(self, event: Event) -> None:
        """Write down an event that was attempted and waits."""
        if not self._begun:
            try:
                self._begin([], (), {}, ())
            except OSError as error:
                self._fail(error)
        self._number += 1
        event.number = self._number
        name = encoded(event.name)
        self._write(b'["e",%d,%s,%s]\n' % (event.number, name, event.body))

    def done(self, events: Iterable[Event], kind: str) -> None:
        """Write down that events wait no more."""
        numbers = [event.number for event in events if event.number]
        if numbers:
            self._write(_line(["d", kind, numbers]))

    def reported(self, report: Report) -> None:
        """Write down that all counts so far are in this report."""
        self._write(_line(["r", report.id, report.counts]))

    def acknowledged(self, id: str) -> None:
        """Write down that a report arrived."""
        self._write(_line(["a", id]))

    def sync(self) -> None:
        """Wait until all of it is on disk."""
        if self._unsynced and self._file is not None:
            self._unsynced = False
            try:
                os.fsync(self._file)
                self._sync_folder()
            except OSError as error:
                self._fail(error)

    # ---------------------------------------------------------------- the file

    @property
    def must_rewrite(self) -> bool:
        """Whether the file is too long, or was given up, and may be tried again."""
        late = self._begun and time.monotonic() - self._tried >= _MEND
        too_long = self._size > self._most_bytes
        return late and (self._file is None or too_long or self.has_left)

    @property
    def has_left(self) -> bool:
        """Whether files of others wait to be replaced."""
        return bool(self._others)

    def rewrite(
        self,
        events: Sequence[Event],
        counts: Mapping[str, Mapping[str, int]],
        reports: Iterable[Report],
    ) -> None:
        """Write a new file in place of the old one and of those that `left` found."""
        old = [(self._path, self._file)] if self._path and self._file is not None else []
        gone = [*old, *self._others]
        try:
            self._begin([path.name for path, _ in gone if path], events, counts, reports)
        except OSError as error:
            self.fault = error.strerror or str(error)
            return
        self._others = []
        for path, file in gone:
            with contextlib.suppress(OSError):
                if path is not None:
                    path.unlink()
            with contextlib.suppress(OSError):
                os.close(file)

    def empty(self) -> None:
        """Forget what is in the file: nothing waits, and nothing is to be reported."""
        if self._file is not None and self._size and not self._others:
            try:
                os.ftruncate(self._file, 0)
                self._size = 0
            except OSError as error:
                self._fail(error)

    def close(self, *, keep: bool) -> None:
        """Let go of the file; unless it is kept, nothing remains."""
        if self._path is not None and not keep and not self._others:
            with contextlib.suppress(OSError):
                self._path.unlink()
        self.forget()

    def forget(self) -> None:
        """Let go of files that belong to the parent of this process, and of its locks on them."""
        for file in [self._file, *(file for _, file in self._others)]:
            if file is not None:
                with contextlib.suppress(OSError):
                    os.close(file)
        self._file, self._path, self._others = None, None, []
        self._tried = float("inf")

    def left(self) -> Left:
        """Take what other processes left behind; it is theirs until the next `rewrite`."""
        left = Left()
        found: list[tuple[Path, int]] = []
        try:
            for path in sorted(self._folder.glob(f"*{_ENDING}")):
                file = None if path == self._path else _locked(path)
                if file is not None:
                    found.append((path, file))
            # Only now, when those that died hold no lock: what one of them replaced is no more.
            gone = {n for path in self._folder.glob(f"*{_ENDING}") for n in replaced_by(path)}
            for path, file in found:
                if path.name not in gone:
                    left.read(path)
                self._others.append((path, file))
            self._sweep()
        except OSError as error:
            self.fault = error.strerror or str(error)
        return left

    def _sweep(self) -> None:
        """Remove files that somebody died over before they had their name."""
        for path in self._folder.glob("*.tmp"):
            with contextlib.suppress(OSError):
                file = _locked(path) if fcntl is not None else None
                if file is not None:
                    os.close(file)
                if file is not None or (fcntl is None and _age(path) > _OLD):
                    path.unlink()

    def _begin(
        self,
        replaced: list[str],
        events: Sequence[Event],
        counts: Mapping[str, Mapping[str, int]],
        reports: Iterable[Report],
    ) -> None:
        self._tried, self._begun = time.monotonic(), True
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lines = [_line(["x", replaced])]
        lines.extend(_line(["r", report.id, report.counts]) for report in reports)
        if counts:
            lines.append(_line(["c", counts]))
        for number, event in enumerate(events, 1):
            lines.append(b'["k",%d,%s,%s]\n' % (number, encoded(event.name), event.body))
        content = b"".join(lines)
        path = self._folder / f"{uuid.uuid4().hex}{_ENDING}"
        made = path.with_suffix(".tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        file = os.open(made, flags, 0o600)
        try:
            _lock(file)
            _write_all(file, content)
            if replaced or events:  # else nothing is to be kept yet, and who logs need not wait
                os.fsync(file)
            made.rename(path)
            if replaced or events:
                self._sync_folder()
        except OSError:
            os.close(file)
            with contextlib.suppress(OSError):
                made.unlink()
            raise
        for number, event in enumerate(events, 1):
            event.number = number
        self._file, self._path, self._number = file, path, len(events)
        self._size = len(content)
        self._unsynced = not (replaced or events)
        self.fault = ""

    def _sync_folder(self) -> None:
        with contextlib.suppress(OSError):  # not everywhere can folders be opened
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _write(self, data: bytes) -> None:
        if self._file is None:
            return
        try:
            if self._size > 2 * self._most_bytes:
                raise OSError("the spool is full")
            _write_all(self._file, data)
            self._size += len(data)
            self._unsynced = True
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        """Give the file up, so that nothing in it is sent again by somebody else as news."""
        self.fault = error.strerror or str(error)
        file, self._file, path, self._path = self._file, None, self._path, None
        if file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(file, 0)
            with contextlib.suppress(OSError):
                if path is not None:
                    path.unlink()
            with contextlib.suppress(OSError):
                os.close(file)


def _line(content: Any) -> bytes:
    return encoded(content) + b"\n"


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _lock(file: int) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _locked(path: Path) -> int | None:
    """Open a file and lock it; None where a living process holds it, or it is gone."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        _lock(file)
        if os.fstat(file).st_nlink > 0:
            return file
    except OSError:
        pass
    os.close(file)
    return None
