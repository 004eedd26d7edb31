"""Make a backup while events come in: database, governance, receipts, and a manifest of them."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import eventlogging
from eventlogging import clock
from eventlogging.backup import model
from eventlogging.backup.ages import sweep
from eventlogging.backup.copies import copies_of
from eventlogging.backup.locks import locked
from eventlogging.backup.model import Backup, BackupError, Figures, Progress, silent
from eventlogging.governance.write import write_governance
from eventlogging.platform import Platform
from eventlogging.receipts import chain
from eventlogging.registry.export import registry_governance
from eventlogging.store.fixed import epoch_key
from eventlogging.store.migrate import is_current, revision, server_version

FORMAT = 1
_WAIT_SECONDS = 1.0


def make(platform: Platform, folder: Path, *, progress: Progress = silent) -> Backup:
    """Make a backup in a folder of its own below `folder`, and return it once it is on disk.

    Until it is whole its folder's name ends in `.part`; one that was interrupted is swept away
    by the next. Raises BackupError, StoreError, OSError where the disk does not take it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(folder):
        sweep(folder)
        if not is_current(platform.database):
            raise BackupError("the database is not set up yet; eventlogging serve does it")
        copies = copies_of(platform.database)
        _look_for_room(folder, copies.room())
        target = _free_name(folder)
        part = target.with_name(target.name + model.PART)
        part.mkdir(mode=0o700)
        try:
            _fill(platform, part, progress)
            part.rename(target)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        model.synced(folder)
    return model.read(target)


def _fill(platform: Platform, part: Path, progress: Progress) -> None:
    made_at = clock.iso(clock.now_ms())
    # Before the copy: what is forgotten while it is made is forgotten again after a restore.
    receipts = chain.folder_of(platform.config.var)
    newest = chain.newest(receipts)
    if newest is not None:
        _copy_file(receipts / chain.FILE, part / model.RECEIPTS)
    write_governance(part / model.GOVERNANCE, registry_governance(platform.database))
    copies = copies_of(platform.database)
    figures = copies.write(part, progress)
    names = list(model.files_in(part))
    manifest = {
        "format": FORMAT,
        "made_at": made_at,
        "program": eventlogging.__version__,
        "revision": revision(platform.database),
        "database": platform.database.dialect.name,
        "server": server_version(platform.database),
        "copy": copies.file,
        "files": {
            name: {"bytes": (part / name).stat().st_size, "sha256": model.digest(part / name)}
            for name in names
        },
        "receipt": {"number": newest.number, "digest": newest.digest} if newest else None,
        "figures": figures.as_dict(),
        "loaded": _summary(figures),
        "destroyed_keys": _destroyed(platform),
    }
    model.write_json(part / model.MANIFEST, manifest)
    for name in names:
        model.synced(part / name)
    for path in [*(path for path in part.rglob("*") if path.is_dir()), part]:
        model.synced(path)


def _summary(figures: Figures) -> dict[str, object]:
    """What of the log is in the copy, for people."""
    positions = figures.positions
    return {
        "segments": len(positions),
        "newest_segment": max(positions, default=""),
        "bytes": sum(positions.values()),
    }


def _destroyed(platform: Platform) -> list[dict[str, object]]:
    """The months whose keys are destroyed: no secrets any more, and never to be made anew."""
    query = epoch_key.select().where(epoch_key.c.destroyed_at.is_not(None))
    with platform.database.read() as connection:
        rows = connection.execute(query.order_by(epoch_key.c.epoch))
        return [
            {"epoch": row.epoch, "made_at": row.made_at, "destroyed_at": row.destroyed_at}
            for row in rows
        ]


def _look_for_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BackupError(
            f"a backup may need {needed // 1_000_000} MB and {free // 1_000_000} MB are free "
            f"on the disk of {folder}; make room, or name another place with --to"
        )


def _free_name(folder: Path) -> Path:
    while True:
        target = folder / model.name_of(clock.now_ms())
        if not target.exists():
            return target
        time.sleep(_WAIT_SECONDS)  # two within a second


def _copy_file(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    target.chmod(0o600)
