"""A backup as it lies on disk: a folder with files and a manifest that describes them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from eventlogging import clock
from eventlogging.errors import EventLoggingError

MANIFEST = "manifest.json"
RECEIPTS = "receipts.jsonl"
GOVERNANCE = "governance"
PART = ".part"  # the ending of a backup's folder until all of it is there
_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z", re.ASCII)
_PIECE = 1 << 20
Progress = Callable[[str, int, int], None]  # what is being done, how much of it, of how much


class BackupError(EventLoggingError):
    """Raised when a backup cannot be made, read or put back; says what to do."""


@dataclass(frozen=True)
class Figures:
    """What a copy of the database holds, by its own books.

    `rows` maps tables to rows, `newest` is the newest minute of receipt that is loaded (empty:
    none), `positions` maps segments of the log to how far they are loaded.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    newest: str = ""
    positions: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.rows.values())

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Backup:
    """One backup; `manifest` is empty where it cannot be read, and `problem` says why."""

    folder: Path
    manifest: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def day(self) -> str:
        """The UTC day that it was made on."""
        return self.name[:10]

    @property
    def made_at(self) -> str:
        """When it was made, ISO."""
        return str(self.manifest.get("made_at", ""))

    @property
    def database(self) -> str:
        """The kind of database that it is of: sqlite or mysql."""
        return str(self.manifest.get("database", ""))

    @property
    def figures(self) -> Figures:
        return Figures(**self.manifest.get("figures", {}))

    @property
    def bytes(self) -> int:
        """What its files take, by the manifest."""
        return sum(int(one["bytes"]) for one in self.manifest.get("files", {}).values())

    @property
    def receipts_until(self) -> int:
        """The number of the newest receipt when it was made; 0: there was none."""
        newest = self.manifest.get("receipt")
        return int(newest["number"]) if newest else 0

    @property
    def receipt(self) -> str:
        """The digest of that receipt; empty: there was none."""
        newest = self.manifest.get("receipt")
        return str(newest["digest"]) if newest else ""

    def as_dict(self) -> dict[str, Any]:
        """Return what people and programs want to know of it."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "made_at": self.made_at,
            "database": self.database,
            "bytes": self.bytes,
            "rows": self.figures.total,
            "newest": self.figures.newest,
            "problem": self.problem,
        }


def folder_of(var: Path) -> Path:
    """Return where an installation keeps its backups."""
    return var / "backups"


def name_of(now_ms: int) -> str:
    """Return a backup's name, `2026-11-22T030405Z`; names sort by time."""
    return f"{clock.from_ms(now_ms):%Y-%m-%dT%H%M%SZ}"


def find_all(folder: Path) -> list[Backup]:
    """Return the backups in a folder, the oldest first; broken ones too."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.is_dir() and _NAME.fullmatch(path.name)]
    return [read(path) for path in sorted(found)]


def find(folder: Path, name: str) -> Backup:
    """Return the backup of a name, the `newest`, or that at a path. Raises BackupError.

    Its folder is an absolute path: the marker of a restore names it, and is compared with it.
    """
    if name == "newest":
        sound = [one for one in find_all(folder.resolve()) if not one.problem]
        if not sound:
            raise BackupError(f"there is no backup in {folder}; eventlogging backup makes one")
        return sound[-1]
    path = Path(name) if Path(name).is_dir() else folder / name
    if not path.is_dir():
        raise BackupError(f"there is no backup {name}; eventlogging backup list shows them")
    return read(path.resolve())


def named(backup: Backup, own: Path) -> str:
    """Return how a command names a backup: shortly where it lies in the folder `own`."""
    is_own = own.resolve() == backup.folder.parent.resolve()
    return backup.name if is_own else str(backup.folder.resolve())


def read(folder: Path) -> Backup:
    """Return the backup in a folder, with what its manifest says."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        backup = Backup(folder, manifest)
        str(backup.as_dict())  # everything that is wanted of it can be had
    except FileNotFoundError:
        return Backup(folder, problem=f"it has no {MANIFEST}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Backup(folder, problem=f"its {MANIFEST} cannot be read: {error}")
    return backup


def files_in(folder: Path) -> Iterator[str]:
    """Yield the paths of all files of a backup but the manifest, relative to its folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / MANIFEST:
            yield path.relative_to(folder).as_posix()


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    sums = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            sums.update(piece)
    return sums.hexdigest()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file that its owner alone may read, and wait until it is on disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def synced(path: Path) -> None:
    """Wait until a file or a folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def silent(_what: str, _done: int, _of: int) -> None:
    """Report progress to nobody."""
