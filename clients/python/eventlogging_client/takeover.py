"""Whose file of a spool is whose: locks on the living, and what those that died left behind."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from eventlogging_client.left import replaced_by

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

ENDING = ".spool"
UNFINISHED = ".tmp"
_OLD = 60.0  # seconds after which an unfinished file is nobody's


def free(folder: Path, mine: Collection[Path]) -> Iterator[tuple[Path, int, bool]]:
    """Yield the files that nobody holds, locked now, and whether another took their place.

    Those whose place was taken come first: who takes over a file, and removes it, must not leave
    behind what it stands for. Who is yielded a file closes it. Raises OSError.
    """
    known: dict[str, Sequence[str]] = {}
    gone = _replaced(folder, known)
    for name in sorted(_names(folder), key=lambda name: (name not in gone, name)):
        path = folder / name
        file = None if path in mine else _locked(path)
        if file is not None:
            # Only now, when whoever held it has died: did it write another in its place before?
            yield path, file, name in _replaced(folder, known)


def lock(file: int) -> None:
    """Lock a file for as long as it is open; raises OSError where somebody else holds it."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sweep(folder: Path) -> None:
    """Remove files that somebody died over before they had their name."""
    for path in folder.glob(f"*{UNFINISHED}"):
        with contextlib.suppress(OSError):
            stat = path.stat()
            # It is locked before the first byte is written; an empty one may be about to be.
            is_known = fcntl is not None and stat.st_size > 0
            file = _locked(path) if is_known or time.time() - stat.st_mtime > _OLD else None
            if file is not None:
                os.close(file)
                path.unlink()


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir() if path.name.endswith(ENDING)]
    except FileNotFoundError:  # it is made when there is something to write
        return []


def _replaced(folder: Path, known: dict[str, Sequence[str]]) -> set[str]:
    """Return the names whose place was taken; what a file says of that is read but once."""
    for name in _names(folder):
        if name not in known:
            known[name] = replaced_by(folder / name)
    return {name for names in known.values() for name in names}


def _locked(path: Path) -> int | None:
    """Open a file and lock it; None where a living process holds it, or it is gone."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        lock(file)
        if os.fstat(file).st_nlink > 0:
            return file
    except OSError:
        pass
    os.close(file)
    return None
