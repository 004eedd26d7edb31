"""What a pass is at, noted beside the receipts: so that who is interrupted leaves one all the same.

There is one note, for one pass at a time works with one folder of receipts. It says how much was
left before the step began.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from eventlogging.errors import EventLoggingError

_FILE, _LOCK = "step.json", "pass.lock"


class PassRunning(EventLoggingError):
    """Raised where another pass goes on for longer than one may wait for it."""


@dataclass(frozen=True, slots=True)
class Note:
    """A step that was begun: `body` as its receipt will have it, `out` is day → rows out before.

    `number` is that of the newest receipt then.
    """

    kind: str
    body: Mapping[str, object]
    out: Mapping[str, int]
    number: int


def write(folder: Path, note: Note) -> None:
    """Note what is begun now; on disk when this returns."""
    draft = folder / f"{_FILE}.new"
    content = {
        "kind": note.kind, "body": dict(note.body), "out": dict(note.out), "number": note.number,
    }  # fmt: skip
    with draft.open("w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / _FILE)


def read(folder: Path) -> Note | None:
    """Return what was begun and not finished, None where nothing was."""
    try:
        content = json.loads((folder / _FILE).read_text())
        return Note(content["kind"], content["body"], content["out"], content["number"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def forget(folder: Path) -> None:
    """Note that nothing is unfinished."""
    with suppress(FileNotFoundError):
        (folder / _FILE).unlink()


@contextmanager
def alone(folder: Path, seconds: float) -> Iterator[None]:
    """Be the only pass that works with this folder. Raises PassRunning after waiting so long."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + seconds
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise PassRunning("another purge is running; try again later") from None
                time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)
