"""The data folder: days of the log, lines in them, backups, and files that nobody explains."""

from __future__ import annotations

import mmap
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import orjson
import sqlalchemy as sa

from eventlogging.event import Outcome
from eventlogging.verify.certificate import Finding
from eventlogging.verify.rules import Rules

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LOG_FILE = re.compile(r"\d{9}-[0-9a-f]{8}\.(jsonl|synced|new|blank|blank-new)", re.ASCII)
_BACKUP = re.compile(r"(\d{4}-\d\d-\d\d)T\d{6}Z(\.part)?", re.ASCII)
# What may lie in the data folder beside the database. Drafts begin with a dot.
_FOLDERS = frozenset({"log", "outbox", "secrets", "receipts", "backups", "edge"})
_FILES = frozenset(
    {"log-growth.json", "log-growth.new", "restoring", ".restoring"}
    # of a host that forwards its log to another one
    | {"registry.json", "forwarded.json"}
)
_RECEIPT_FILES = frozenset({"receipts.jsonl", "pass.lock", "step.json", "step.json.new"})
_DRILL = ".drill-"
_DOCTORS = ".doctor-"
_CHECK = ".backup-check"  # in it a check looks at the copy of a backup
_BESIDE = ("", "-wal", "-shm", "-journal")
_UNSEALED = b'"sealed":false'
_NO_LOG = "no part of the log, as far as anybody knows"
_ASK = "find out who put it there, and move or delete it"


def old_log(
    folder: Path, rules: Rules, keep_days: int, today: date, grace_days: int, looked: dict[str, int]
) -> Iterator[Finding]:
    """Yield the days of the log that are there for too long, and files that are not the log's."""
    keep = min(keep_days, rules.shortest_days)
    for path in _entries(folder):
        day = _day_of(path.name)
        if day is None or not path.is_dir():
            yield Finding("file", str(path), _NO_LOG, _ASK)
            continue
        looked["log_days"] = looked.get("log_days", 0) + 1
        if (today - day).days > keep + grace_days:
            what = f"a day of the log, {(today - day).days} days old; at most {keep} is right"
            mend = "eventlogging doctor says what is not loaded yet; eventlogging purge --dry-run"
            yield Finding("log", str(path), what, mend)
        for file in _entries(path):
            if not _LOG_FILE.fullmatch(file.name):
                yield Finding("file", str(file), _NO_LOG, _ASK)


def unsealed_lines(
    folder: Path, rules: Rules, today: date, grace_days: int, looked: dict[str, int]
) -> Iterator[Finding]:
    """Yield the segments with refused events whose private fields are plain, for too long.

    Lines that were blanked hold nothing but what is counted, and are fine.
    """
    every = {one.name: one.rule for one in rules.schemas}
    soonest = min(rule.unsealed_days for rule in [rules.default, *every.values()])
    for path in _entries(folder):
        day = _day_of(path.name)
        if day is None or (today - day).days <= soonest + grace_days or not path.is_dir():
            continue
        for file in _entries(path):
            for line in lines_with(file, re.compile(re.escape(_UNSEALED))):
                looked["log_lines"] = looked.get("log_lines", 0) + 1
                name = _unsealed_schema(line)
                if name is None:
                    continue
                rule = every.get(name, rules.default)
                if rule.is_held or (today - day).days <= rule.unsealed_days + grace_days:
                    continue
                what = (
                    f"refused events of {day} whose private fields could not be hashed; they are "
                    f"kept for {rule.unsealed_days} days"
                )
                yield Finding("log", str(file), what, "eventlogging purge --dry-run")
                break


def _unsealed_schema(line: bytes) -> str | None:
    """Return the schema of an unsealed refused event; None where a line is of something else."""
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError:
        return ""  # what cannot be read cannot be shown to be harmless
    kind = content.get("outcome")
    if kind not in (Outcome.INVALID, "test") or content.get("sealed") is not False:
        return None
    return str(content.get("schema", ""))


def lines_with(file: Path, wanted: re.Pattern[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file that hold what is wanted, each once; nothing is read as a whole."""
    with mapped(file) as data:
        position = 0
        while data is not None and (match := wanted.search(data, position)):
            start = data.rfind(b"\n", 0, match.start()) + 1
            end = data.find(b"\n", match.end())
            position = end if end >= 0 else len(data)
            yield data[start:position]


@contextmanager
def mapped(file: Path) -> Iterator[mmap.mmap | None]:
    """A file's bytes without reading them; None where it is empty, or gone meanwhile."""
    try:
        opened = file.open("rb")
    except FileNotFoundError:
        yield None
        return
    with opened:
        if not os.fstat(opened.fileno()).st_size:  # an empty file cannot be mapped
            yield None
            return
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def old_backups(
    var: Path, rules: Rules, keep_days: int, today: date, grace_days: int, looked: dict[str, int]
) -> Iterator[Finding]:
    """Yield the backups that hold events which nothing explains any more.

    `keep_days` 0: none is made by itself, and those made by hand go with the shortest rule.
    """
    keep = min(keep_days, rules.shortest_days) if keep_days > 0 else rules.shortest_days
    for path in _entries(var / "backups"):
        match = _BACKUP.fullmatch(path.name)
        if match is None:
            if path.name.startswith(_DRILL):
                yield from _left(path, "a restore drill", grace_days)
            else:
                yield Finding("file", str(path), "no backup, as far as anybody knows", _ASK)
            continue
        looked["backups"] = looked.get("backups", 0) + 1
        day = date.fromisoformat(match[1])
        if (today - day).days > keep + grace_days:
            what = f"a backup of {day}; {keep} days is how long it may be kept"
            yield Finding("backup", str(path), what, "eventlogging purge --dry-run")
    if (var / _CHECK).is_dir():
        yield from _left(var / _CHECK, "a check of a backup", grace_days)


def _left(path: Path, by: str, grace_days: int) -> Iterator[Finding]:
    """Yield a folder in which a backup was unpacked, unless somebody may be at work in it."""
    if path.stat().st_mtime < time.time() - grace_days * 86_400:
        what = f"left by {by}, with all that was in a backup"
        yield Finding("backup", str(path), what, "delete it")


def unknown_files(var: Path, database: sa.engine.URL, looked: dict[str, int]) -> Iterator[Finding]:
    """Yield what lies in the data folder and belongs to nothing."""
    own: set[str] = set()  # of a database that is not in use any more nothing is ours
    if database.get_backend_name() == "sqlite" and database.database:
        path = Path(database.database)
        if path.resolve().parent == var.resolve():
            own |= {path.name + ending for ending in _BESIDE}
    for path in _entries(var):
        looked["files"] = looked.get("files", 0) + path.is_file()
        known = _FOLDERS | {_CHECK} if path.is_dir() else _FILES | own
        if path.name not in known and not path.name.startswith(_DOCTORS):
            yield Finding("file", str(path), "nobody knows what it is for", _ASK)
    for path in _entries(var / "receipts"):
        if path.name not in _RECEIPT_FILES:
            yield Finding("file", str(path), "no receipt, as far as anybody knows", _ASK)


def first_day_of_log(folder: Path) -> date | None:
    """Return the oldest day of the log."""
    days = [day for path in _entries(folder) if (day := _day_of(path.name)) is not None]
    return min(days, default=None)


def day_folders(folder: Path, until: date) -> Iterator[Path]:
    """Yield the folders of the log up to and with a day."""
    for path in _entries(folder):
        day = _day_of(path.name)
        if day is not None and day <= until and path.is_dir():
            yield path


def _day_of(name: str) -> date | None:
    try:
        return date.fromisoformat(name) if _DAY.fullmatch(name) else None
    except ValueError:
        return None


def _entries(folder: Path) -> list[Path]:
    """Return what lies in a folder, without empty files (locks): they hold nothing of anybody."""
    try:
        return sorted(path for path in folder.iterdir() if not _is_empty(path))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_empty(path: Path) -> bool:
    try:
        return path.is_file() and not path.stat().st_size
    except FileNotFoundError:
        return True
