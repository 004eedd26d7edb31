"""How far a log has been read: a small file, replaced whole."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from eventlogging.errors import EventLoggingError


@dataclass(frozen=True, slots=True)
class State:
    """Everything before `offset` is in our log. `border` is where the chunk that begins there ends
    once it has been decided on: read again after a crash, it has the same borders.

    The file is known by its first line (`fingerprint`), and by device and inode.
    """

    fingerprint: str
    device: int
    inode: int
    offset: int = 0
    border: int | None = None


def default_path(var: Path, log: Path) -> Path:
    """Return where the state of a log is kept: one for each place."""
    place = str(log.resolve())
    return var / "edge" / f"{log.name}-{hashlib.sha256(place.encode()).hexdigest()[:12]}.json"


def load(path: Path) -> State | None:
    """Return the state; None where there is none yet. Raises EventLoggingError."""
    try:
        content = json.loads(path.read_text("utf-8"))
        return State(**content)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, UnicodeDecodeError) as error:
        raise EventLoggingError(
            f"{path} is no state of a log that is collected; move it away, and the log is read "
            "from its beginning (events that are known are counted as duplicates)"
        ) from error


def save(path: Path, state: State) -> None:
    """Write the state so that a crash leaves the old one or the new one. Raises OSError."""
    draft = path.with_name(f".{path.name}.new")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(asdict(state), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a state for one process. Raises EventLoggingError where another one has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    lock = os.open(path.with_name(f"{path.name}.lock"), flags, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            text = "another `eventlogging collect` reads this log already; stop it first"
            raise EventLoggingError(text) from error
        yield
    finally:
        os.close(lock)
