"""The duties of the books and of the log: prove, retire, forget. Each may be done twice."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.ledger.proof import prove
from eventlogging.ledger.sentence import grouped
from eventlogging.log import reader
from eventlogging.platform import Platform
from eventlogging.registry.export import held_documents
from eventlogging.store.database import Database
from eventlogging.store.fixed import checkpoint, parked, recent_id

_RECENT_DAYS = 7  # a retry that comes later than that is not looked for
_CHUNK = 500
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to, in words: `done`, `warning` where somebody should look, or `failed`."""

    outcome: Literal["done", "warning", "failed"]
    detail: str


def prove_ledger(platform: Platform, day: str) -> Result:
    """Count every table of events against its book.

    A difference is logged and makes the run a warning.
    """
    proof = prove(platform.database)
    counted = ", ".join(f"{grouped(number)} {what}" for what, number in proof.checked.items())
    if proof.holds:
        return Result("done", f"the books hold: {counted}")
    for sentence in proof.discrepancies:
        _logger.warning("ledger-proof: %s", sentence)
    return Result("warning", "\n".join(proof.discrepancies))


def retire_log(platform: Platform, day: str) -> Result:
    """Delete days of the log that are loaded and older than the log is kept.

    A day with anything that is not in its table yet stays, which makes the run a warning.
    """
    first_kept = _days_ago(_log_days(platform))
    gone: list[str] = []
    held: list[str] = []
    loaded: list[str] = []
    for old in _log_folders(platform.log_folder):
        if old >= first_kept:
            continue
        if reason := _why_needed(platform, old):
            held.append(f"the log of {old} stays: {reason}")
            _logger.warning("retire-log: %s", held[-1])
        else:
            loaded += [name for name in reader.segments(platform.log_folder) if name[:10] == old]
            reader.retire_day(platform.log_folder, old)
            gone.append(old)
    # The folder goes first: checkpoints without a folder do no harm, a folder without its
    # checkpoints would be loaded once more. Only our own: other hosts have folders of theirs.
    _forget_checkpoints(platform.database, loaded)
    text = f"deleted the log of {', '.join(gone)}" if gone else "no day of the log was due"
    return Result("warning" if held else "done", "\n".join([text, *held]))


def forget_ids(platform: Platform, day: str) -> Result:
    """Delete the remembered times of ids that no retry is expected of any more."""
    first_kept = _days_ago(_RECENT_DAYS)
    key = sa.tuple_(recent_id.c.table_name, recent_id.c.id)
    query = sa.select(recent_id.c.table_name, recent_id.c.id).where(recent_id.c.added < first_kept)
    forgotten = 0
    while True:
        # Short transactions: the loader writes into this table all the time.
        with platform.database.write() as connection:
            keys = [tuple(row) for row in connection.execute(query.limit(_CHUNK))]
            if keys:
                connection.execute(sa.delete(recent_id).where(key.in_(keys)))
        forgotten += len(keys)
        if len(keys) < _CHUNK:
            return Result("done", f"forgot {grouped(forgotten)} ids added before {first_kept}")


def _days_ago(days: int) -> str:
    today = date.fromisoformat(clock.day(clock.now_ms()))
    return (today - timedelta(days=days)).isoformat()


def _log_days(platform: Platform) -> int:
    """Return how long the log is kept: never longer than any event in it may be."""
    platform.registry.refresh()
    keeps = [schema.keep_days for schema in platform.registry.snapshot.schemas.values()]
    with platform.database.read() as connection:
        rules = held_documents(connection)
    for (folder, _), rule in rules.items():
        if folder == "purge" and isinstance(rule, dict):
            keeps += [rule[name] for name in ("keep_days", "invalid_keep_days") if name in rule]
    return min([platform.config.log_keep_days, *keeps])


def _log_folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("????-??-??") if path.is_dir())


def _why_needed(platform: Platform, day: str) -> str | None:
    """Return what of a day is still to be loaded, None where nothing is."""
    segments = [name for name in reader.segments(platform.log_folder) if name.startswith(f"{day}/")]
    c, p = checkpoint.c, parked.c
    with platform.database.read() as connection:
        finished = set(
            connection.execute(
                sa.select(c.segment).where(c.segment.like(f"{day}/%"), c.finished.is_(True))
            ).scalars()
        )
        waiting = connection.execute(
            sa.select(sa.func.sum(p.lines)).where(p.segment.like(f"{day}/%"))
        ).scalar()
    open_segments = [name for name in segments if name not in finished]
    if open_segments:
        return f"{len(open_segments)} of its segments are not loaded to their end"
    if waiting:
        return f"{grouped(int(waiting))} of its events wait for their tables"
    return None


def _forget_checkpoints(database: Database, segments: Sequence[str]) -> None:
    with database.write() as connection:
        for start in range(0, len(segments), _CHUNK):
            chunk = segments[start : start + _CHUNK]
            connection.execute(sa.delete(checkpoint).where(checkpoint.c.segment.in_(chunk)))
