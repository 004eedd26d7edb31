"""Mails as files: where no SMTP server is set, each becomes an .eml file in a folder."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from eventlogging.mail.letter import Letter

_LONGEST_SUBJECT = 60  # characters of it in a file's name


@dataclass(frozen=True)
class File:
    """A mail that lies in the outbox; `size` in bytes."""

    name: str
    size: int


def put(folder: Path, letter: Letter, message: bytes) -> Path:
    """Write a mail as a file that only its owner may read, all of it or nothing.

    The same mail has the same name: written once more, it replaces itself. Raises OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name_of(letter)
    draft = folder / f".{path.name}.{os.getpid()}.part"
    try:
        with open(draft, "wb", opener=_private) as file:
            file.write(message)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return path


def name_of(letter: Letter) -> str:
    """Return `20261122T030405Z-Please-review-Click-1.0.0-1f2e3d4c.eml`: time and subject."""
    plain = unicodedata.normalize("NFKD", letter.subject).encode("ascii", "ignore").decode()
    subject = re.sub(r"[^A-Za-z0-9.]+", "-", plain).strip("-.")[:_LONGEST_SUBJECT].strip("-.")
    time = re.sub(r"[^0-9TZ]", "", letter.created_at.partition(".")[0]) + "Z"
    mark = re.sub(r"[^A-Za-z0-9]", "", letter.message_id)[:8]
    return "-".join(part for part in (time, subject or "mail", mark) if part) + ".eml"


def files(folder: Path, most: int) -> list[File]:
    """Return the newest mails in the outbox, the newest first."""
    if not folder.is_dir():
        return []
    paths = sorted(folder.glob("[!.]*.eml"), key=lambda path: path.name, reverse=True)[:most]
    return [File(path.name, path.stat().st_size) for path in paths]


def read(folder: Path, name: str) -> bytes | None:
    """Return a mail that lies in the outbox; None where there is none of that name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*\.eml", name):
        return None
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        return None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
