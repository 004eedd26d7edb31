"""Of the copies of a forwarded batch, load one: the database remembers which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.loader.books import Overtaken
from eventlogging.log.forwarded import Marker, markers, without
from eventlogging.store import fixed
from eventlogging.store.database import Database

_NAMES = ("origin", "start", "segment", "offset", "added")
Lines = Sequence[tuple[int, bytes]]


@dataclass(frozen=True)
class Sorted:
    """The lines that count, the batches that are new among them, and whether any was left out."""

    lines: Lines
    new: tuple[Marker, ...] = ()
    left_out: bool = False


def sort_out(database: Database, segment: str, lines: Lines) -> Sorted:
    """Leave out the batches that are loaded already from elsewhere, or from an earlier place."""
    found = markers(lines)
    if not found:
        return Sorted(lines)
    places = _known(database, {one.origin for one in found})
    new: dict[tuple[str, int], Marker] = {}
    copies = []
    for one in found:
        place = places.get(one.key)
        if place is None and one.key not in new:
            new[one.key] = one
        elif place != (segment, one.offset):
            copies.append(one)
    return Sorted(without(lines, copies), tuple(new.values()), bool(copies))


def book(
    database: Database, connection: sa.Connection, segment: str, new: Sequence[Marker]
) -> None:
    """Remember where the batches stand that this transaction loads.

    Raises Overtaken when another loader has loaded a copy in the meantime.
    """
    day = clock.day(clock.now_ms())
    rows = [(one.origin, one.start, segment, one.offset, day) for one in new]
    if rows:
        key = ("origin", "start")
        if database.dialect.insert_new(connection, "forwarded", _NAMES, rows, key) != len(rows):
            raise Overtaken(segment)


def _known(database: Database, origins: set[str]) -> dict[tuple[str, int], tuple[str, int]]:
    c = fixed.forwarded.c
    query = sa.select(c.origin, c.start, c.segment, c.offset).where(c.origin.in_(origins))
    with database.read() as connection:
        return {(row[0], row[1]): (row[2], row[3]) for row in connection.execute(query)}
