"""What one device sent, by the ids that it alone can derive: found, shown, and asked to be erased.

A device keeps a random token and, for each page load, (day, tag, number of events); the id of the
n-th event is SHA-256 of `<token>:<tag>:<n>`. Nothing of that is in the events, so that nobody else
can tell which of them belong together. Neither token nor tags are kept here.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.clock import moved
from eventlogging.platform import Platform
from eventlogging.receipts.chain import Receipt
from eventlogging.retention import erasure, person, person_rows
from eventlogging.retention.erasure_book import Erasure
from eventlogging.retention.identity import Span
from eventlogging.retention.person_rows import Hit, Place
from eventlogging.retention.wish import is_day
from eventlogging.store.fixed import recent_id

WHO = "the device itself"  # as audit and books name who asked
MOST_PAGES = 400
MOST_IDS = 5_000  # looked for at once
_MOST_EVENTS = 10_000_000  # that a device may have logged on the pages that it remembers
_BEFORE, _AFTER = 1, 8  # days around that of a page load in which its events may have happened
_LATE_DAYS = 2  # of page loads, of which something may be in no table yet
_ENOUGH = 1_000  # rows, after which an answer ends
_TOKEN = re.compile(r"[0-9a-f]{32}", re.ASCII)
_TAG = re.compile(r"[0-9a-f]{16}", re.ASCII)
_LISTS = {"valid": "events", "refused": "refused", "stripped": "stripped"}


@dataclass(frozen=True)
class Device:
    """What a device says of itself: its token, and page loads as (day, tag, number of events)."""

    token: str = field(repr=False)
    pages: tuple[tuple[str, str, int], ...] = field(repr=False)

    @property
    def number(self) -> int:
        """How many events it logged."""
        return sum(count for _, _, count in self.pages)

    def portion(self, start: int) -> Claim:
        """Return the ids of the events from the `start`-th on, as many as are looked for at once.

        They are counted through all page loads, in their order.
        """
        by_day: dict[str, set[str]] = {}
        before = 0
        for day, tag, count in self.pages:
            mine = range(max(0, start - before), min(count, start + MOST_IDS - before))
            by_day.setdefault(day, set()).update(event_id(self.token, tag, n) for n in mine)
            before += count
        return Claim({day: frozenset(ids) for day, ids in by_day.items() if ids})


@dataclass(frozen=True)
class Claim:
    """Events that a device says are its own: their ids, by the day of the page load."""

    by_day: Mapping[str, frozenset[str]]

    @property
    def spans(self) -> tuple[Span, ...]:
        """The ids with the days in which their events may have happened."""
        return tuple(
            Span(moved(day, -_BEFORE), moved(day, _AFTER), ids)
            for day, ids in sorted(self.by_day.items())
        )


@dataclass(frozen=True)
class Looked:
    """Rows of a device. `following` says where to go on; empty: everything was looked through."""

    hits: tuple[Hit, ...]
    following: str = ""


def device_of(token: Any, pages: Any) -> Device | str:
    """Return the device that says so of itself, or what is wrong with how it does."""
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        return "token is 32 hexadecimal digits, as the browser keeps them"
    if not isinstance(pages, list) or len(pages) > MOST_PAGES:
        return f"pages is a list of at most {MOST_PAGES} page loads"
    if not all(_is_page(page) for page in pages):
        return 'each of pages is [day, tag, events], such as ["2026-11-22", "0f…", 3]'
    device = Device(token, tuple((day, tag, count) for day, tag, count in pages))
    if device.number > _MOST_EVENTS:
        return f"these are more than {_MOST_EVENTS} events; ask for fewer pages at once"
    return device


def event_id(token: str, tag: str, n: int) -> str:
    """Return the id of the n-th event of a page load, as clients derive it."""
    text = hashlib.sha256(f"{token}:{tag}:{n}".encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


def look(platform: Platform, claim: Claim, after: str = "", *, seconds: float = 10.0) -> Looked:
    """Find a device's rows, the newest days first, for so many seconds and at least one table.

    `after` is what an earlier look said as `following`. Raises StoreUnavailable.
    """
    until = time.monotonic() + seconds
    spans = claim.spans
    places = {
        place.table: place
        for place in person_rows.places(platform.database, person_rows.refreshed(platform))
        if place.kind in _LISTS
    }
    secrets = person_rows.month_secrets(platform.database)
    found = list(_dated_otherwise(platform, spans, places)) if not after else []
    units = sorted(_units(platform, spans, places), reverse=True)
    for day, table, ids in units:
        name = f"{day} {table}"
        if after and name >= after:
            continue
        found += person_rows.find_ids(platform.database, places[table], day, ids, secrets)
        if (time.monotonic() > until or len(found) >= _ENOUGH) and name != _name(units[-1]):
            return Looked(tuple(dict.fromkeys(found)), name)
    return Looked(tuple(dict.fromkeys(found)))


def shown(platform: Platform, hits: Sequence[Hit]) -> dict[str, list[dict[str, Any]]]:
    """Return rows as people read them: `events`, `refused`, `stripped`. Raises StoreUnavailable."""
    lists: dict[str, list[dict[str, Any]]] = {name: [] for name in _LISTS.values()}
    for table in dict.fromkeys(hit.place.table for hit in hits):
        of_table = [hit for hit in hits if hit.place.table == table]
        place = of_table[0].place
        rows = person_rows.read(platform.database, of_table)
        lists[_LISTS[place.kind]] += [person.shown(place, row) for row in rows]
    return lists


def ask(
    platform: Platform, claim: Claim, hits: Sequence[Hit], *, is_first: bool
) -> tuple[Erasure, Receipt]:
    """Have rows erased that were found, and, at first, what may be in no table yet.

    Raises StoreUnavailable, OSError.
    """
    ids: dict[str, set[str]] = {}
    own = {id for ids_of_day in claim.by_day.values() for id in ids_of_day}
    for hit in hits:
        # Of refused and stripped rows the id is no part of the key, or not the event's.
        mine = {str(hit.key[1])} if hit.place.kind == "valid" else _near(claim, hit.day)
        ids.setdefault(hit.day, set()).update(mine & own)
    spans = [Span(day, day, frozenset(of_day)) for day, of_day in sorted(ids.items())]
    today = clock.day(clock.now_ms())
    since = moved(today, -_LATE_DAYS)
    late = {id for day, of_day in claim.by_day.items() if day >= since for id in of_day}
    if is_first and late:
        spans.append(Span(moved(since, -_BEFORE), moved(today, 1), frozenset(late)))
    return erasure.ask_ids(platform, spans, WHO)


def _near(claim: Claim, day: str) -> frozenset[str]:
    """The ids that a row of a day may have."""
    return frozenset().union(*(span.ids for span in claim.spans if span.first <= day <= span.last))


def _units(
    platform: Platform, spans: Sequence[Span], places: Mapping[str, Place]
) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Yield the days of tables to look through, with the ids to look for."""
    for table in places:
        for day in person_rows.booked_days(platform.database, table):
            ids = frozenset[str]().union(*(s.ids for s in spans if s.first <= day <= s.last))
            if ids:
                yield day, table, ids


def _name(unit: tuple[str, str, frozenset[str]]) -> str:
    return f"{unit[0]} {unit[1]}"


def _dated_otherwise(
    platform: Platform, spans: Sequence[Span], places: Mapping[str, Place]
) -> Iterator[Hit]:
    """Yield rows that stand under another day than that of the device's clock, while we know."""
    c = recent_id.c
    valid = [place.table for place in places.values() if place.kind == "valid"]
    for span in spans:
        ids = sorted(span.ids)
        for start in range(0, len(ids), 400):
            some = c.id.in_(ids[start : start + 400])
            query = sa.select(c.table_name, c.dt, c.id).where(c.table_name.in_(valid), some)
            with platform.database.read() as connection:
                rows = connection.execute(query).all()
            for table, dt, id in rows:
                if not span.first <= dt[:10] <= span.last:
                    yield Hit(places[table], (dt, id))


def _is_page(page: Any) -> bool:
    if not isinstance(page, list) or len(page) != 3:
        return False
    day, tag, count = page
    if not isinstance(day, str) or not is_day(day) or day > "9000":
        return False
    is_tag = isinstance(tag, str) and _TAG.fullmatch(tag) is not None
    return is_tag and type(count) is int and count >= 0
