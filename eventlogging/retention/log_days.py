"""The log of this host as something that ages: whole days go, unsealed lines are blanked before.

Only what is in its table goes: a day with anything that is not, stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.clock import moved
from eventlogging.event import Outcome
from eventlogging.ledger.sentence import grouped
from eventlogging.log import blank, reader
from eventlogging.platform import Platform
from eventlogging.registry.export import held_documents
from eventlogging.retention.policy import LAST_DAY, Policies
from eventlogging.store.database import Database
from eventlogging.store.fixed import checkpoint, parked

_CHUNK = 500  # checkpoints in one statement
_UNSEALED = (b'"sealed":false',)  # as intake writes it; the line is read before it is believed
_REFUSED = (Outcome.INVALID, "test")  # those of test keys, too
_KEEPS = ("keep_days", "invalid_keep_days")


@dataclass(frozen=True, slots=True)
class Retired:
    """Days of the log that are gone with their segments, and why others stay, in sentences."""

    days: tuple[str, ...] = ()
    segments: int = 0
    stay: tuple[str, ...] = ()


def today() -> str:
    """Return the day that it is."""
    return clock.day(clock.now_ms())


def oldest(folder: Path) -> str | None:
    """Return the first day that there is a log of."""
    return next(iter(_days(folder, LAST_DAY)), None)


def first_kept(platform: Platform, policies: Policies, today: str) -> str:
    """Return the first day whose log stays: none is kept for more days than any rule keeps events.

    The days of the log are those of receipt. An event dated late leaves its table the sooner
    after its receipt, and its line goes with the day that it was received on.
    """
    keeps = [platform.config.log_keep_days, policies.shortest]
    with platform.database.read() as connection:
        for (folder, _), rule in held_documents(connection).items():
            # Also those of schemas that nobody has registered yet.
            if folder == "purge" and isinstance(rule, dict):
                keeps += [rule[name] for name in _KEEPS if name in rule]
    return moved(today, -min(keeps))


def first_unblanked(policies: Policies, today: str) -> str:
    """Return the first day of which no schema's unsealed lines are blanked."""
    everyone = [policies.default, *policies.own.values()]
    return max(one.unsealed_first_kept(today) for one in everyone)


def due(platform: Platform, cut_off: str) -> list[str]:
    """Return the days before `cut_off` that there is a log of, and that are loaded."""
    return [day for day in _days(platform.log_folder, cut_off) if not why_needed(platform, day)]


def retire(platform: Platform, cut_off: str, days: Sequence[str] | None = None) -> Retired:
    """Delete the days before `cut_off` that are loaded, or those of `days` alone.

    Raises StoreUnavailable, OSError.
    """
    gone: list[str] = []
    stay: list[str] = []
    loaded: list[str] = []
    for day in _days(platform.log_folder, cut_off):
        if days is not None and day not in days:
            continue
        if reason := why_needed(platform, day):
            stay.append(f"the log of {day} stays: {reason}")
        else:
            loaded += _segments_of(platform.log_folder, day)
            reader.retire_day(platform.log_folder, day)
            gone.append(day)
    # The folder goes first: checkpoints without a folder do no harm, a folder without its
    # checkpoints would be loaded once more. Only our own: other hosts have folders of theirs.
    _forget_checkpoints(platform.database, loaded)
    return Retired(tuple(gone), len(loaded), tuple(stay))


def needed(platform: Platform, cut_off: str) -> list[str]:
    """Return which days before `cut_off` stay, and why, in sentences."""
    reasons = {day: why_needed(platform, day) for day in _days(platform.log_folder, cut_off)}
    return [f"the log of {day} stays: {reason}" for day, reason in reasons.items() if reason]


def why_needed(platform: Platform, day: str) -> str | None:
    """Return what of a day is still to be loaded, None where nothing is."""
    segments = _segments_of(platform.log_folder, day)
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


def unsealed(platform: Platform, policies: Policies, today: str, cut_off: str) -> dict[str, int]:
    """Return segment → loaded lines to blank, of the days from `cut_off` on.

    They hold refused events whose private fields nobody could find and hash, and that are
    older than such events are kept.
    """
    found = {}
    spare = _parked(platform.database)
    for name, upto in _loaded(platform, policies, today, cut_off).items():
        lines = blank.lines_with(platform.log_folder, name, _UNSEALED, upto=upto)
        number = sum(
            _must_go(line, policies, today)
            for offset, line in lines
            if not any(start <= offset < end for start, end in spare[name])
        )
        if number:
            found[name] = number
    return found


def blank_unsealed(platform: Platform, policies: Policies, today: str, cut_off: str) -> int:
    """Blank those lines in place; return how many. Raises OSError, StoreUnavailable."""

    def change(line: bytes) -> bytes | None:
        return blank.contentless(line) if _must_go(line, policies, today) else None

    spare = _parked(platform.database)
    return sum(
        blank.blank(
            platform.log_folder, name, change, upto=upto, needles=_UNSEALED, spare=spare[name]
        )
        for name, upto in _loaded(platform, policies, today, cut_off).items()
    )


def _must_go(line: bytes, policies: Policies, today: str) -> bool:
    content = orjson.loads(line)
    if content.get("outcome") not in _REFUSED or content.get("sealed") is not False:
        return False
    received = clock.day(content["received"])
    return received < policies.of(content["schema"]).unsealed_first_kept(today)


def _loaded(platform: Platform, policies: Policies, today: str, cut_off: str) -> dict[str, int]:
    """Return segment → up to where it is loaded, of days in which lines may have to go."""
    end = first_unblanked(policies, today)
    c = checkpoint.c
    with platform.database.read() as connection:
        rows = connection.execute(sa.select(c.segment, c.position).where(c.segment < end))
        positions = {row.segment: int(row.position) for row in rows}
    return {
        name: positions[name]
        for name in reader.segments(platform.log_folder)
        if cut_off <= name[:10] < end and positions.get(name)
    }


def _parked(database: Database) -> defaultdict[str, list[tuple[int, int]]]:
    found: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    p = parked.c
    with database.read() as connection:
        for row in connection.execute(sa.select(p.segment, p.start, p.end)):
            found[row.segment].append((row.start, row.end))
    return found


def _days(folder: Path, cut_off: str) -> list[str]:
    days = sorted(path.name for path in folder.glob("????-??-??") if path.is_dir())
    return [day for day in days if day < cut_off]


def _segments_of(folder: Path, day: str) -> list[str]:
    return [name for name in reader.segments(folder) if name.startswith(f"{day}/")]


def _forget_checkpoints(database: Database, segments: Sequence[str]) -> None:
    with database.write() as connection:
        for start in range(0, len(segments), _CHUNK):
            chunk = segments[start : start + _CHUNK]
            connection.execute(sa.delete(checkpoint).where(checkpoint.c.segment.in_(chunk)))
