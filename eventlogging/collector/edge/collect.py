"""Read a log chunk by chunk and hand each over: it counts once, however often it is read.

Before a chunk is handed over its borders are on disk, and the state moves once it is kept. A crash
in between reads it again with the same borders, and of the copies of a chunk in our log the loader
takes one, tally included.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from eventlogging.collector.edge import state as states
from eventlogging.collector.edge.chunks import Chunk, next_chunk, same_chunk
from eventlogging.collector.edge.files import Part, parts_of
from eventlogging.collector.edge.source import Source, fingerprint, open_source
from eventlogging.collector.edge.state import State
from eventlogging.errors import EventLoggingError, LogUnavailable, StoreError
from eventlogging.event import Outcome

_POLL_SECONDS = 0.2
_AGAIN_SECONDS = 1.0


@dataclass
class Totals:
    """What was read: lines that are not blank, events by outcome; `rest` bytes are no line yet."""

    lines: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    bytes: int = 0
    rest: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """What a chunk held: lines that are not blank, and events by outcome."""

    lines: int
    outcomes: Counter[Outcome]


class Sink(Protocol):
    """Where chunks go."""

    def take(self, chunk: Chunk, fingerprint: str) -> Counts:
        """Judge a chunk and return once it is kept.

        Raises LogUnavailable and StoreError where waiting helps, EventLoggingError where not.
        """


class StartOver(Exception):
    """Raised when a file was emptied while it was read."""


class Collect:
    """Reads one log. `note` is told what a person should know, `show` how far it is, of how much.

    `quiet_seconds`: a rotated file that has been quiet for so long is at its end.
    `linger_seconds`: how long lines at the end of a growing file wait for more of them.
    """

    def __init__(
        self,
        path: Path,
        state_path: Path,
        sink: Sink,
        *,
        note: Callable[[str], None],
        show: Callable[[int, int], None],
        quiet_seconds: float = 5.0,
        linger_seconds: float = 1.0,
    ) -> None:
        self._path = path
        self._state_path = state_path
        self._sink = sink
        self._note = note
        self._show = show
        self._quiet_seconds = quiet_seconds
        self._linger_seconds = linger_seconds
        self._unsaved: State | None = None
        self._last: State | None = None
        self._follows = False
        self._stopped = threading.Event()
        self.totals = Totals()

    def run(self, stopped: threading.Event, *, follow: bool) -> Totals:
        """Read what there is; with `follow`, what comes, until stopped.

        Raises OSError and EventLoggingError; called again, it goes on where it was.
        """
        self._follows, self._stopped = follow, stopped
        self._last = states.load(self._state_path)
        found = parts_of(self._path, self._last)
        if found.remark:
            self._note(found.remark)
        parts = list(found.parts)
        while parts and not stopped.is_set():
            part = parts.pop(0)
            is_last = not parts
            try:
                self._read_part(part, grows=follow and is_last)
            except FileNotFoundError:
                if not follow:
                    raise
                if not is_last:
                    self._note(f"{part.path} was deleted before it was read to its end")
                stopped.wait(_POLL_SECONDS)  # between two files of a rotation
            except StartOver:
                self._last = None
                self._note(f"{part.path} was emptied, and is read from its beginning")
                parts.insert(0, Part(part.path, None, part.is_final))
            if follow and not parts:  # it was rotated, perhaps more than once
                parts = list(parts_of(self._path, self._last).parts)
        self._save_what_is_unsaved()
        return self.totals

    def _read_part(self, part: Part, *, grows: bool) -> None:
        with closing(open_source(part.path)) as source:
            state = part.state or self._first_state(source)
            state = replace(state, device=source.identity()[0], inode=source.identity()[1])
            is_final = part.is_final or source.is_final
            if source.is_final and grows:
                raise EventLoggingError(
                    f"{part.path} is packed and does not grow; leave out --follow"
                )
            seen, since = -1, time.monotonic()
            while not self._stopped.is_set():
                if not state.fingerprint:
                    state = replace(state, fingerprint=fingerprint(source, is_final=is_final))
                chunk = self._chunk(source, state, to_the_end=is_final)
                if chunk.border != seen:
                    seen, since = chunk.border, time.monotonic()
                waited = time.monotonic() - since
                if chunk.data and (
                    chunk.is_whole or not grows or is_final or waited >= self._linger_seconds
                ):
                    state = self._take(chunk, state)
                    self._show(*source.done(state.offset))
                    continue
                if is_final or not grows:
                    break
                # Lines that wait may still grow; without any, the file may be at its end.
                if not chunk.data and waited >= self._quiet_seconds and self._is_replaced(source):
                    is_final = True
                    continue
                self._save_what_is_unsaved()
                self._stopped.wait(_POLL_SECONDS)
            self.totals.rest = max(0, source.size() - state.offset)
        self._save_what_is_unsaved()

    def _first_state(self, source: Source) -> State:
        device, inode = source.identity()
        return State(fingerprint(source), device, inode)

    def _chunk(self, source: Source, state: State, *, to_the_end: bool) -> Chunk:
        """Return the next chunk; the one that was begun, where one was. Raises StartOver."""
        if state.border is not None:
            begun = same_chunk(source, state.offset, state.border)
            if begun is None:
                raise StartOver
            chunk = begun
        elif state.fingerprint:
            chunk = next_chunk(source, state.offset, to_the_end=to_the_end)
        else:
            return Chunk(0, b"", False)
        if not source.is_final and self._is_another(source, state, chunk, is_final=to_the_end):
            raise StartOver
        return chunk

    def _is_another(self, source: Source, state: State, chunk: Chunk, *, is_final: bool) -> bool:
        """Whether the file was emptied before the chunk was read, or while it was."""
        if source.size() < state.offset:
            return True
        return bool(chunk.data) and fingerprint(source, is_final=is_final) != state.fingerprint

    def _is_replaced(self, source: Source) -> bool:
        """Whether another file stands in the log's place, and something in it.

        As long as that is empty the server may not have opened it yet, and writes into the old.
        """
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return False
        return bool((status.st_dev, status.st_ino) != source.identity() and status.st_size)

    def _take(self, chunk: Chunk, state: State) -> State:
        """Hand a chunk over, and return the state behind it."""
        states.save(self._state_path, replace(state, offset=chunk.start, border=chunk.border))
        counts = self._handed_over(chunk, state.fingerprint)
        self.totals.lines += counts.lines
        self.totals.outcomes += counts.outcomes
        self.totals.bytes += len(chunk.data)
        self._unsaved = self._last = replace(state, offset=chunk.border, border=None)
        return self._unsaved

    def _handed_over(self, chunk: Chunk, fingerprint: str) -> Counts:
        """Hand a chunk over; while that cannot be, a follower tries again."""
        told = ""
        while True:
            try:
                return self._sink.take(chunk, fingerprint)
            except (LogUnavailable, StoreError) as error:
                if not self._waits():
                    raise
                if str(error) != told:
                    told = str(error)
                    self._note(told)

    def _save_what_is_unsaved(self) -> None:
        if self._unsaved is not None:
            states.save(self._state_path, self._unsaved)
            self._unsaved = None

    def _waits(self) -> bool:
        """Wait a moment where one that follows should; else, or once stopped, False."""
        return self._follows and not self._stopped.wait(_AGAIN_SECONDS)
