"""Send the log to storage servers, batch by batch, until each is acknowledged.

The position moves once a storage server has the batches on its disk. A crash in between sends
some of them again; the storage servers' database knows them by their place in our log.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from eventlogging import clock
from eventlogging.forwarder.storage import NoStorage, Refused, Storage
from eventlogging.log import reader

_BYTES = 1_000_000  # of one request, about
_KEEP_DAYS = 2  # the storage servers have it; this is for looking into what went wrong
_WAIT, _LONGEST_WAIT = 0.2, 30.0
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Position:
    """How far a segment is forwarded; `finished`: nothing will follow."""

    at: int = 0
    finished: bool = False


class Sender:
    """Forwards what the log of this host holds, in order of its segments."""

    def __init__(self, folder: Path, file: Path, name: str, storage: Storage) -> None:
        self._folder = folder
        self._file = file
        self._name = name
        self._storage = storage
        self._positions = self._read()
        self.trouble = ""  # why nothing goes on, or empty

    def run(self, stopped: threading.Event) -> None:
        """Forward until stopped; wait longer and longer while no storage server takes anything."""
        wait = _WAIT
        while not stopped.is_set():
            try:
                sent = self.step()
            except (NoStorage, Refused, OSError) as error:
                if str(error) != self.trouble:
                    _logger.warning("the log waits to be forwarded: %s", error)
                self.trouble = str(error)
                stopped.wait(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
                continue
            if self.trouble:
                _logger.warning("the log is forwarded again")
            self.trouble, wait = "", _WAIT
            if not sent:
                stopped.wait(_WAIT)

    def step(self) -> int:
        """Forward what there is now; return how many batches.

        Raises NoStorage, Refused, OSError.
        """
        sent = 0
        for name in reader.segments(self._folder):
            while not (position := self._positions.get(name, Position())).finished:
                piece = reader.read_after(self._folder, name, position.at, _BYTES)
                if not piece.batches:
                    if piece.finished:
                        self._move(name, Position(position.at, True))
                    break
                data = piece.data[: piece.end - position.at]
                self._storage.forward(f"{self._name}/{name}", position.at, data)
                self._move(name, Position(piece.end))
                sent += len(piece.batches)
        self._retire()
        return sent

    def waiting_bytes(self) -> int:
        """Return how much of the log is not forwarded yet."""
        waiting = 0
        for name in reader.segments(self._folder):
            with contextlib.suppress(FileNotFoundError):  # deleted just now, so nothing of it waits
                at = self._positions.get(name, Position()).at
                waiting += reader.waiting_bytes(self._folder, name, at)
        return waiting

    def _retire(self) -> None:
        """Delete days that are forwarded to their end and over for a while."""
        today = date.fromisoformat(clock.day(clock.now_ms()))
        first_kept = (today - timedelta(days=_KEEP_DAYS)).isoformat()
        for day in self._old_days(first_kept):
            names = [one for one in reader.segments(self._folder) if one.startswith(f"{day}/")]
            if all(self._positions.get(name, Position()).finished for name in names):
                reader.retire_day(self._folder, day)
                for name in names:
                    self._positions.pop(name, None)
                self._write()

    def _old_days(self, first_kept: str) -> Iterator[str]:
        for path in sorted(self._folder.glob("????-??-??")):
            if path.is_dir() and path.name < first_kept:
                yield path.name

    def _move(self, name: str, position: Position) -> None:
        self._positions[name] = position
        self._write()

    def _write(self) -> None:
        content = {name: [one.at, one.finished] for name, one in self._positions.items()}
        draft = self._file.with_suffix(".new")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._file)

    def _read(self) -> dict[str, Position]:
        try:
            content = json.loads(self._file.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError:  # cut off; what is sent again is known to the storage servers
            _logger.warning("%s cannot be read; the whole log is forwarded again", self._file)
            return {}
        return {name: Position(at, finished) for name, (at, finished) in content.items()}
