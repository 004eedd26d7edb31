"""Check a backup: every file is what the manifest says, and the copy can be read to its end."""

from __future__ import annotations

from eventlogging.backup import model
from eventlogging.backup.copies import Copies
from eventlogging.backup.model import Backup


def check(backup: Backup, copies: Copies | None, *, deep: bool = True) -> list[str]:
    """Return what is wrong with a backup, in sentences; none: it can be put back.

    Raises BackupError where the copy cannot be looked at for a reason that is not its own.

    `copies` are those of the database that it is of; None: of another kind, and only the files
    are looked at. `deep`: open the copy and read all of it.
    """
    if backup.problem:
        return [backup.problem]
    stated = backup.manifest["files"]
    found = set(model.files_in(backup.folder))
    problems = [f"{name} is missing" for name in sorted(stated.keys() - found)]
    problems += [f"{name} is not in the manifest" for name in sorted(found - stated.keys())]
    for name in sorted(found & stated.keys()):
        path = backup.folder / name
        try:
            if path.stat().st_size != stated[name]["bytes"]:
                problems.append(
                    f"{name} has {path.stat().st_size} bytes instead of {stated[name]['bytes']}"
                )
            elif model.digest(path) != stated[name]["sha256"]:
                problems.append(f"{name} is not what its checksum says")
        except OSError as error:
            problems.append(f"{name} cannot be read: {error.strerror}")
    if backup.manifest["copy"] not in stated:
        problems.append("it holds no copy of the database")
    elif copies is not None and deep and not problems:
        problems += copies.problems(backup.folder / str(backup.manifest["copy"]))
    return problems
