"""One person's lines in this host's log: found by bytes, blanked in place."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.log import blank, reader, segment
from eventlogging.retention.identity import Identity
from eventlogging.store.database import Database
from eventlogging.store.fixed import checkpoint, parked

# Lines that nobody sealed may hold the id itself.
_UNSEALED = (b'"sealed":false', b'"outcome":"test"')
_ANY_ID = b'"id":"'
_ID = re.compile(_ANY_ID + rb'([0-9a-f-]{36})"')
_MOST_NEEDLES = 40  # looked for one by one


@dataclass(frozen=True)
class Progress:
    """How far each segment is loaded, and the stretches of it that wait for their tables."""

    positions: dict[str, int] = field(default_factory=dict)
    parked: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def is_loaded(self, name: str, offset: int) -> bool:
        """Whether what is in this line is in its table."""
        waits = any(start <= offset < end for start, end in self.parked.get(name, ()))
        return offset < self.positions.get(name, 0) and not waits


@dataclass
class Lines:
    """What was found in the log: lines that are loaded, that wait, that a hold keeps."""

    loaded: int = 0
    waiting: int = 0
    held: int = 0
    segments: list[str] = field(default_factory=list)  # with something to blank


def progress(database: Database) -> Progress:
    """Read how far the log is loaded, at one moment. Raises StoreUnavailable."""
    with database.read() as connection:
        rows = connection.execute(sa.select(checkpoint.c.segment, checkpoint.c.position))
        found = Progress({row[0]: row[1] for row in rows})
        p = parked.c
        for name, start, end in connection.execute(sa.select(p.segment, p.start, p.end)):
            found.parked.setdefault(name, []).append((start, end))
    return found


def look(folder: Path, done: Progress, who: Identity, held: Collection[str] = ()) -> Lines:
    """Find the person's lines in all segments, and change nothing. Raises OSError."""
    found = Lines()
    for name in reader.segments(folder):
        loaded = found.loaded
        for offset, content in _contents(folder, name, who):
            if not done.is_loaded(name, offset):
                found.waiting += 1  # even of a held schema: its row is found once it is there
            elif content["schema"] in held:
                found.held += 1
            else:
                found.loaded += 1
        if found.loaded > loaded:
            found.segments.append(name)
    return found


def erase(
    folder: Path, name: str, done: Progress, who: Identity, held: Collection[str] = ()
) -> int:
    """Blank the person's loaded lines of a segment; return how many. Raises OSError."""

    needles = _needles(folder, name, who)
    if not needles:
        return 0

    def change(line: bytes) -> bytes | None:
        content = _meant(line, who)
        if content is None or content["schema"] in held:
            return None
        return blank.contentless(line)

    return blank.blank(
        folder, name, change, upto=done.positions.get(name, 0), needles=needles,
        spare=done.parked.get(name, ()),
    )  # fmt: skip


def waiting(folder: Path, done: Progress, who: Identity) -> Iterator[dict[str, Any]]:
    """Yield the person's lines that are in no table yet, as the log has them. Raises OSError."""
    for name in reader.segments(folder):
        for offset, content in _contents(folder, name, who):
            if not done.is_loaded(name, offset):
                yield content


def _contents(folder: Path, name: str, who: Identity) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        needles = _needles(folder, name, who)
        for offset, line in blank.lines_with(folder, name, needles) if needles else ():
            content = _meant(line, who)
            if content is not None:
                yield offset, content
    except FileNotFoundError:
        return  # retired meanwhile


def _needles(folder: Path, name: str, who: Identity) -> tuple[bytes, ...]:
    """Return what all lines about the person hold one of; nothing: there is none in this segment.

    Of the many ids of a device only those that are here are looked for one by one.
    """
    if not who.spans:
        return (*(one.encode() for one in who.hashes), *_UNSEALED)
    with segment.data_path(folder, name).open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return ()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            here = {m[1] for m in _ID.finditer(data) if m[1] in who.event_ids}
    return tuple(sorted(here)) if len(here) <= _MOST_NEEDLES else (_ANY_ID,)


def _meant(line: bytes, who: Identity) -> dict[str, Any] | None:
    """Return a line's content where it is about the person and came in time."""
    if who.spans:
        return _of_device(line, who)
    sealed = any(one.encode() in line for one in who.hashes)
    if not sealed and not any(mark in line for mark in _UNSEALED):
        return None
    content: dict[str, Any] = orjson.loads(line)
    if not content.get("kept", True) or clock.iso(content["received"]) > who.before:
        return None
    if sealed:
        return content
    texts = [content.get("raw") or content.get("event") or "", content.get("message") or ""]
    texts.append(orjson.dumps(content.get("errors") or []).decode())
    meant = any(who.in_unsealed(text) for text in texts if isinstance(text, str))
    return content if meant else None


def _of_device(line: bytes, who: Identity) -> dict[str, Any] | None:
    # The first is the line's own: what an event says stands behind it, or is quoted.
    id = _ID.search(line)
    if id is None or id[1] not in who.event_ids:
        return None
    content: dict[str, Any] = orjson.loads(line)
    is_meant = content.get("kept", True) and clock.iso(content["received"]) <= who.before
    return content if is_meant else None
