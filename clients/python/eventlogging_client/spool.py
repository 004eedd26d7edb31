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
every event is counted once, whenever a process dies. What it has no room for it leaves as it is.
Without `fcntl` a folder is for one process.
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
from eventlogging_client.left import Left, Report
from eventlogging_client.takeover import ENDING, UNFINISHED, free, lock, sweep

_MEND = 10.0  # seconds between attempts to write again after a fault


class Spool:
    """One process's file.

    Its methods are called under the lock of the queue, but for `sync` and `left`, which take long
    and are called by the sender alone.
    """

    def __init__(self, folder: str, most_bytes: int) -> None:
        """Nothing is done yet: the file is made when there is something to write."""
        self.fault = ""  # why nothing can be written, as long as that is so
        self.more = True  # whether others may have left something that was not taken over
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
        self._begin_once()
        self._number += 1
        event.number = self._number
        name = encoded(event.name)
        self._write(b'["e",%d,%s,%s]\n' % (event.number, name, event.body))

    def done(self, events: Iterable[Event], kind: str) -> None:
        """Write down that events wait no more."""
        numbers = [event.number for event in events if event.number]
        if numbers:
            self._write(_line(["d", kind, numbers]))

    def counted(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Write down counts that no other line speaks of."""
        self._begin_once()
        self._write(_line(["c", counts]))

    def reported(self, report: Report) -> None:
        """Write down that all counts so far are in this report."""
        self._begin_once()
        self._write(_line(["r", report.id, report.counts]))

    def acknowledged(self, id: str) -> None:
        """Write down that a report arrived."""
        self._write(_line(["a", id]))

    def sync(self) -> None:
        """Wait until all of it is on disk. Raises OSError, after which `fail` is to be called."""
        file = self._file
        if self._unsynced and file is not None:
            self._unsynced = False
            os.fsync(file)
            self._sync_folder()
            if os.fstat(file).st_nlink == 0:
                raise OSError("somebody has removed the file")

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
    ) -> bool:
        """Write a new file in place of the old one and of those that `left` found, if possible."""
        old = [(self._path, self._file)] if self._path and self._file is not None else []
        gone = [*old, *self._others]
        try:
            self._begin([path.name for path, _ in gone if path], events, counts, reports)
        except OSError as error:
            self._trouble(error)
            return False
        self._others = []
        for path, file in gone:
            with contextlib.suppress(OSError):
                if path is not None:
                    path.unlink()
            with contextlib.suppress(OSError):
                os.close(file)
        return True

    def empty(self) -> None:
        """Forget what is in the file: nothing waits, and nothing is to be reported."""
        if self._file is not None and self._size and not self._others:
            try:
                os.ftruncate(self._file, 0)
                self._size = 0
            except OSError as error:
                self.fail(error)

    def fail(self, error: OSError) -> None:
        """Give the file up, so that nothing in it is sent again by somebody else as news."""
        if self._file is None and self.fault:
            return  # it was given up before, and this is but what follows
        self._trouble(error)
        file, self._file, path, self._path = self._file, None, self._path, None
        if file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(file, 0)
            with contextlib.suppress(OSError):
                if path is not None:
                    path.unlink()
            with contextlib.suppress(OSError):
                os.close(file)

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
        self._begun, self._tried = True, float("inf")  # never again

    def left(self, most_events: int, most_bytes: int) -> Left:
        """Take over what processes left behind that died; it is theirs until the next `rewrite`.

        File by file, as long as there is room; the first is taken whatever it holds. The others
        stay for whoever has room: `more` says whether there are any.
        """
        left, size = Left(), 0
        self.more = False
        mine = {path for path in (self._path, *(path for path, _ in self._others)) if path}
        try:
            for path, file, is_replaced in free(self._folder, mine):
                found = Left()
                if not is_replaced:
                    is_full = len(left.events) >= most_events
                    if not is_full:
                        found.read(path)
                    together = len(left.events) + len(found.events)
                    too_much = together > most_events or size + found.size > most_bytes
                    if is_full or (left.events and too_much):
                        os.close(file)
                        self.more = True
                        break
                left.add(found)
                size += found.size
                self._others.append((path, file))
            sweep(self._folder)
        except OSError as error:
            self._trouble(error)
        return left

    def _trouble(self, error: OSError) -> None:
        self.fault = f"{self._folder}: {error.strerror or error}"

    def _begin_once(self) -> None:
        if not self._begun:
            try:
                self._begin([], (), {}, ())
            except OSError as error:
                self.fail(error)

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
        path = self._folder / f"{uuid.uuid4().hex}{ENDING}"
        made = path.with_suffix(UNFINISHED)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        file = os.open(made, flags, 0o600)
        try:
            lock(file)
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
            self.fail(error)


def _line(content: Any) -> bytes:
    return encoded(content) + b"\n"


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
