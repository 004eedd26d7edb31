"""Of the copies of a forwarded batch, load one: the database remembers which."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.loader.books import Overtaken
from eventlogging.log.forwarded import Marker, markers, without
from eventlogging.store import fixed
from eventlogging.store.database import Database

_LOOKUP = 100  # origins in one query
_logger = logging.getLogger(__name__)
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
    places = _known(database, found)
    new: dict[tuple[str, int], Marker] = {}
    copies = []
    for one in found:
        if not _can_be_booked(one):
            _logger.error(
                "%s: a batch at %d has no place of its own, left out", segment, one.offset
            )
            copies.append(one)
            continue
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


def _can_be_booked(marker: Marker) -> bool:
    return type(marker.start) is int and 0 <= marker.start < 2**63


def _known(database: Database, found: Sequence[Marker]) -> dict[tuple[str, int], tuple[str, int]]:
    """Return where batches stand that are loaded, around those that were found.

    An origin may have had very many of them: none but its stretch is read.
    """
    starts: dict[str, list[int]] = {}
    for one in filter(_can_be_booked, found):
        starts.setdefault(one.origin, []).append(one.start)
    c = fixed.forwarded.c
    query = sa.select(c.origin, c.start, c.segment, c.offset)
    places = {}
    with database.read() as connection:
        stretches = [
            sa.and_(c.origin == origin, c.start.between(min(its), max(its)))
            for origin, its in starts.items()
        ]
        for first in range(0, len(stretches), _LOOKUP):
            some = stretches[first : first + _LOOKUP]
            for row in connection.execute(query.where(sa.or_(*some))):
                places[row[0], row[1]] = row[2], row[3]
    return places
