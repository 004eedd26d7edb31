"""Find the files of the governance folders, and read them within bounds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from eventlogging.governance.model import FOLDERS
from eventlogging.governance.problems import Found

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 30  # folders below a governance folder; far beyond the longest schema name


def list_files(root: Path) -> tuple[list[str], list[Found]]:
    """Return the paths (relative to `root`, sorted) of all governance files, and the problems.

    Names that begin with a dot are passed over; a missing folder is an empty one.
    """
    problems: list[Found] = []
    files: list[str] = []
    home = root.resolve()
    for folder in FOLDERS:
        if os.path.lexists(root / folder):
            files += _walk(home, Path(folder), problems, 0)
    return sorted(files), problems


def _walk(home: Path, at: Path, problems: list[Found], depth: int) -> Iterator[str]:
    where = at.as_posix()
    if _leads_outside(home, at):
        problems.append(Found(where, 1, "is a link that leads outside; put a copy here instead"))
        return
    path = home / at
    if depth > MAX_DEPTH:
        # Links inside the root may form a loop; this is where it ends.
        problems.append(Found(where, 1, f"is nested deeper than {MAX_DEPTH} folders"))
    elif path.is_dir():
        try:
            names = sorted(entry.name for entry in os.scandir(path))
        except OSError as error:
            problems.append(Found(where, 1, f"cannot be read: {error.strerror or error}"))
            return
        for name in names:
            if not name.startswith("."):
                yield from _walk(home, at / name, problems, depth + 1)
    elif depth == 0:
        problems.append(Found(where, 1, "is not a folder; governance files belong into a folder"))
    elif path.is_file():
        yield where
    else:
        problems.append(Found(where, 1, "is neither a file nor a folder; remove it"))


def _leads_outside(home: Path, at: Path) -> bool:
    try:
        return not (home / at).resolve().is_relative_to(home)
    except (OSError, RuntimeError):  # a link that points at itself
        return True


def read_text(root: Path, path: str) -> str | Found:
    """Return a file's text with `\\n` line ends, or the problem that hinders it."""
    try:
        with (root / path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        return Found(path, 1, f"cannot be read: {error.strerror or error}")
    if len(data) > MAX_BYTES:
        return Found(path, 1, f"is larger than {MAX_BYTES} bytes; split it or shorten it")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Found(path, line, "is not UTF-8; save it in that encoding")
    return text.replace("\r\n", "\n")
