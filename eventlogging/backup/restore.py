"""Put a backup back: what is forgotten since is forgotten again, what was decided since stays.

A marker in the data folder stands while it is at work. Whatever ends it, it can be run again, and
until it is done neither collector nor loader nor jobs start.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.backup import locks, model
from eventlogging.backup.check import check
from eventlogging.backup.copies import Copies, copies_of, kept_rows
from eventlogging.backup.model import Backup, BackupError, Figures, Progress, silent
from eventlogging.backup.since import receipts_since
from eventlogging.errors import EventLoggingError
from eventlogging.ledger.sentence import grouped
from eventlogging.log import reader
from eventlogging.platform import Platform
from eventlogging.receipts import chain
from eventlogging.receipts.chain import Receipt
from eventlogging.registry import counter
from eventlogging.store.database import Database
from eventlogging.store.fixed import (
    audit,
    checkpoint,
    epoch_key,
    extension,
    ledger,
    legal_hold,
    opt_out,
    person_session,
    sign_in_link,
    table_day,
)
from eventlogging.store.migrate import migrate

# What people have decided since a backup about what stays; what goes is in the receipts.
_DECISIONS = (legal_hold, extension)
Replay = Callable[[Platform, Sequence[Receipt]], int]
Purge = Callable[[Platform], str]


@dataclass(frozen=True)
class Look:
    """What a restore would replace, and by what.

    `now` is None where the present database cannot be read, for which `unreadable` is the reason.
    `log_bytes` of `log_segments` would be loaded from the log afterwards; `gap` names the days of
    which the log may be gone already. `receipts` are those since the backup, `receipts_by_time`
    where the chain here is another than the backup's. `checksum` names all of this.
    """

    backup: Backup
    now: Figures | None
    unreadable: str
    log_bytes: int
    log_segments: int
    gap: str
    receipts: int
    receipts_by_time: bool
    checksum: str

    def as_dict(self) -> dict[str, Any]:
        """Return what people and programs want to know."""
        return {
            "backup": self.backup.as_dict(),
            "now": {"rows": self.now.total, "newest": self.now.newest} if self.now else None,
            "unreadable": self.unreadable,
            "then": {"rows": self.backup.figures.total, "newest": self.backup.figures.newest},
            "log": {"bytes": self.log_bytes, "segments": self.log_segments, "gap": self.gap},
            "receipts_since": self.receipts,
            "receipts_by_time": self.receipts_by_time,
            "checksum": self.checksum,
        }


@dataclass(frozen=True)
class Restored:
    """What a restore came to."""

    erased: int  # rows that were erased once more
    purged: str  # what the purge said
    decisions_kept: bool  # holds, extensions and opt-outs of the replaced database are in force


def look(platform: Platform, backup: Backup) -> Look:
    """Say what putting a backup back would do; nothing is changed.

    Raises BackupError where the backup is not sound, or of another kind of database.
    """
    _demand_sound(platform, backup, deep=False)
    now, unreadable = _present(platform.database)
    positions = backup.figures.positions
    waiting = _waiting(platform, positions)
    since = receipts_since(platform.config.var, backup)
    marker = locks.read_marker(platform.config.var)
    if marker is not None and marker.get("backup") == str(backup.folder):
        checksum = str(marker.get("checksum"))  # of what stood here when it began
    else:
        named = [backup.name, model.digest(backup.folder / model.MANIFEST), unreadable]
        present = [now.total, now.newest] if now else []
        text = json.dumps([*named, *present, len(since.receipts)])
        checksum = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Look(
        backup,
        now,
        unreadable,
        sum(waiting.values()),
        sum(1 for number in waiting.values() if number),
        _gap(platform, backup),
        len(since.receipts),
        since.by_time,
        checksum,
    )


def restore(
    platform: Platform,
    backup: Backup,
    checksum: str,
    *,
    replay: Replay,
    purge: Purge,
    progress: Progress = silent,
) -> Restored:
    """Replace the database by a backup, and forget again what was forgotten since.

    `replay` erases what the receipts since the backup say, and `purge` deletes what is due; both
    come before anything else can start. Raises BackupError where something runs, the checksum is
    another, or the backup is not sound; then nothing has changed unless the marker says so.
    """
    var = platform.config.var
    with locks.alone(var):
        found = look(platform, backup)
        if checksum != found.checksum:
            raise BackupError(
                f"the checksum {checksum} is not that of what would be done now; look again: "
                f"eventlogging restore {model.named(backup, model.folder_of(var))} --dry-run"
            )
        copies = copies_of(platform.database)
        _demand_nobody(copies)
        _demand_sound(platform, backup, deep=True)
        marker = _begin(platform, backup, checksum)
        _bring_receipts(platform, backup)
        file = backup.folder / str(backup.manifest["copy"])
        copies.put_back(file, backup.figures, progress)
        migrate(platform.database)
        _settle(platform.database, backup, marker.get("decisions"))
        receipts = receipts_since(var, backup).receipts
        progress("forgetting", 0, 1)
        erased = replay(platform, receipts)
        purged = purge(platform)
        progress("forgetting", 1, 1)
        body = {
            "backup": backup.name,
            "made_at": backup.made_at,
            "begun_at": marker["begun_at"],
            "replayed": len(receipts),
            "erased_rows": erased,
        }
        chain.append(chain.folder_of(var), "restore", body)
        copies.finish()
        locks.remove_marker(var)
    kept = marker.get("decisions") or {}
    return Restored(erased, purged, all(table.name in kept for table in _DECISIONS))


def _begin(platform: Platform, backup: Backup, checksum: str) -> dict[str, Any]:
    """Write the marker, or read that of the restore that is gone on with.

    It keeps what people decided: the database may be half replaced already.
    """
    marker = locks.read_marker(platform.config.var)
    if marker and marker.get("begun_at"):
        marker |= {"backup": str(backup.folder), "checksum": checksum}
    else:
        try:
            decisions: Any = _decided(platform.database, backup)
        except (EventLoggingError, sa.exc.SQLAlchemyError):
            decisions = None
        marker = {
            "backup": str(backup.folder),
            "checksum": checksum,
            "begun_at": clock.iso(clock.now_ms()),
            "decisions": decisions,
        }
    locks.write_marker(platform.config.var, marker)
    return marker


def _decided(database: Database, backup: Backup) -> Mapping[str, list[dict[str, Any]]]:
    """Return what people decided, of a database that is the backup's own.

    One that was begun anew after a loss knows of no hold and no extension, and of what was said no
    to only the newest; what it lacks nobody has lifted.
    """
    with database.read() as connection:
        begun_at = connection.execute(sa.select(sa.func.min(audit.c.at))).scalar()
    is_anew = begun_at is None or str(begun_at) > backup.made_at
    return kept_rows(database, (opt_out,) if is_anew else (*_DECISIONS, opt_out))


def _bring_receipts(platform: Platform, backup: Backup) -> None:
    """Take the receipts of the backup where the data folder has lost its own."""
    kept = backup.folder / model.RECEIPTS
    own = chain.folder_of(platform.config.var) / chain.FILE
    if kept.exists() and not own.exists():
        own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = own.with_name(f".{own.name}")
        draft.write_bytes(kept.read_bytes())
        draft.chmod(0o600)
        model.synced(draft)
        draft.replace(own)


def _settle(
    database: Database, backup: Backup, decisions: Mapping[str, list[dict[str, Any]]] | None
) -> None:
    """Bring back what was decided since the backup, and let nobody in who was sent out since."""
    decided = decisions or {}
    with database.write() as connection:
        connection.execute(sa.delete(person_session))
        connection.execute(sa.delete(sign_in_link))
        for table in _DECISIONS:
            if table.name not in decided:
                continue
            connection.execute(sa.delete(table))
            if rows := decided[table.name]:
                connection.execute(sa.insert(table), rows)
        _say_no_again(connection, database, decided.get(opt_out.name, ()))
        present = set(connection.execute(sa.select(epoch_key.c.epoch)).scalars())
        gone = [
            {**one, "secret": None}
            for one in backup.manifest.get("destroyed_keys", ())
            if one["epoch"] not in present
        ]
        if gone:
            connection.execute(sa.insert(epoch_key), gone)


def _say_no_again(
    connection: sa.Connection, database: Database, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Add who said no since the backup. A no wins: one that was taken back since is back, too."""
    names = ("hash", "at")
    values = [tuple(row[name] for name in names) for row in rows]
    if values and database.dialect.insert_new(connection, opt_out.name, names, values, ("hash",)):
        counter.move_opt_outs(connection, database.dialect)


def _demand_nobody(copies: Copies) -> None:
    if others := copies.others():
        raise BackupError(
            f"somebody else works with the database: {', '.join(others)}; stop EventLogging on "
            "every host first"
        )


def _demand_sound(platform: Platform, backup: Backup, *, deep: bool) -> None:
    kind = platform.database.dialect.name
    if not backup.problem and backup.database != kind:
        raise BackupError(
            f"{backup.name} is of a {backup.database} database and cannot be put back into {kind}"
        )
    problems = check(backup, copies_of(platform.database), deep=deep)
    if problems:
        raise BackupError(f"{backup.name} is not sound: {'; '.join(problems)}; take another one")


def _present(database: Database) -> tuple[Figures | None, str]:
    """Return what the present database holds, or why nobody can say."""
    rows = sa.select(
        table_day.c.table_name, sa.func.sum(table_day.c.rows_in - table_day.c.rows_out)
    )
    try:
        with database.read() as connection:
            found = {
                name: int(number)
                for name, number in connection.execute(rows.group_by(table_day.c.table_name))
            }
            newest = connection.execute(sa.select(sa.func.max(ledger.c.minute))).scalar()
            pairs = connection.execute(sa.select(checkpoint.c.segment, checkpoint.c.position))
            return Figures(found, newest or "", {name: int(at) for name, at in pairs}), ""
    except (EventLoggingError, sa.exc.SQLAlchemyError) as error:
        cause = getattr(error, "orig", None) or error
        return None, f"the present database cannot be read: {cause}"


def _waiting(platform: Platform, positions: Mapping[str, int]) -> dict[str, int]:
    """Return, of each segment of the log, how many bytes were not loaded at the backup."""
    folder = platform.log_folder
    try:
        return {
            name: reader.waiting_bytes(folder, name, positions.get(name, 0))
            for name in reader.segments(folder)
        }
    except OSError as error:
        raise BackupError(f"the log cannot be read: {error}") from error


def _gap(platform: Platform, backup: Backup) -> str:
    """Return which days the log may lack; it is not known of days without a folder."""
    kept = sorted(path.name for path in platform.log_folder.glob("????-??-??"))
    today = clock.day(clock.now_ms())
    first = kept[0] if kept else today
    return f"{backup.day} to {first}" if first > backup.day else ""


def words(found: Look) -> list[str]:
    """Return what a restore would do, for people."""
    then = found.backup.figures
    lines = [f"{found.backup.name}, made {found.backup.made_at}"]
    if found.now is None:
        lines.append(found.unreadable)
    else:
        newest = f", the newest received {found.now.newest}" if found.now.newest else ""
        lines.append(f"replaces {grouped(found.now.total)} rows of events{newest}")
    newest = f", the newest received {then.newest}" if then.newest else ""
    lines.append(f"by {grouped(then.total)} rows{newest}")
    lines.append(
        f"the log then brings back {grouped(found.log_bytes)} bytes in "
        f"{grouped(found.log_segments)} segments"
    )
    if found.gap:
        lines.append(f"of {found.gap} the log may be gone; what was loaded from it then is lost")
    if found.receipts_by_time:
        lines.append(
            "the receipts here are another chain than the one that it was made beside (another "
            f"host's, or begun anew); the {grouped(found.receipts)} since then, by their time, are "
            "gone through again"
        )
    elif found.receipts:
        lines.append(f"{grouped(found.receipts)} receipts since it was made are gone through again")
    return lines
