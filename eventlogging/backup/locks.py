"""Who may work on an installation: its processes share a lock that a restore wants for itself."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eventlogging.backup.model import BackupError, synced, write_json

RUNNING = "running"  # the file whose lock says that processes run
MARKER = "restoring"  # the file that says that a restore has begun and not ended


class Busy(BackupError):
    """Raised when somebody else works on what is wanted; waiting helps."""


@contextmanager
def running(var: Path) -> Iterator[None]:
    """Hold an installation while its web, loader or jobs run, or a command writes.

    Raises BackupError while a restore is at work, or one that was interrupted is not finished.
    """
    with _flock(var / RUNNING, fcntl.LOCK_SH) as held:
        if not held:
            raise BackupError("eventlogging restore is at work on this data folder; wait for it")
        if (begun := read_marker(var)) is not None:
            raise BackupError(
                f"a restore of {begun.get('backup', 'a backup')} was interrupted, and the "
                "database is in between; finish it: "
                f"eventlogging restore {begun.get('backup', 'BACKUP')} "
                f"--execute {begun.get('checksum', 'CHECKSUM')}"
            )
        yield


@contextmanager
def alone(var: Path) -> Iterator[None]:
    """Hold an installation for a restore: nothing of it runs, and nothing can start.

    Raises BackupError where something runs.
    """
    with _flock(var / RUNNING, fcntl.LOCK_EX) as held:
        if not held:
            raise BackupError(
                "EventLogging runs on this data folder, or a command works on it; stop web, loader "
                "and jobs (eventlogging serve) first"
            )
        yield


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder of backups, or one to look at them in. Raises Busy while somebody does."""
    with _flock(folder / ".lock", fcntl.LOCK_EX) as held:
        if not held:
            raise Busy(
                f"another backup, check, drill or deletion is at work in {folder}; try again when "
                "it is done"
            )
        yield


def read_marker(var: Path) -> dict[str, Any] | None:
    """Return what an unfinished restore has noted; None where there is none."""
    try:
        found = json.loads((var / MARKER).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def write_marker(var: Path, content: Mapping[str, Any]) -> None:
    """Note that a restore has begun, whole and on disk."""
    draft = var / f".{MARKER}"
    write_json(draft, content)
    draft.replace(var / MARKER)
    synced(var)


def remove_marker(var: Path) -> None:
    """Note that a restore is done."""
    (var / MARKER).unlink(missing_ok=True)
    synced(var)


@contextmanager
def _flock(path: Path, how: int) -> Iterator[bool]:
    """Hold a lock that dies with its process; yields False where somebody else has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
