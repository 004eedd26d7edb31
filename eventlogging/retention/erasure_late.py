"""Look again for who was erased: what comes late goes too, as long as the wish says who it was.

A forwarder that was cut off, or a host that was away, brings events that were received before
somebody asked, when everybody else has looked already. What the same person sent afterwards stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from eventlogging import clock
from eventlogging.platform import Platform
from eventlogging.retention import arrivals, erasure, erasure_book, person_log, person_rows
from eventlogging.retention.erasure import Recompute
from eventlogging.retention.erasure_book import DONE, Erasure
from eventlogging.retention.hosts import this_host
from eventlogging.retention.identity import Identity

_HASHES, _IDS = 20, 20_000  # looked for together


def look_again(platform: Platform, *, recompute: Recompute | None = None) -> list[Erasure]:
    """Erase what came late, in tables and in this host's log; return the erasures it was of.

    Tables and log are looked through only for wishes that something came after which was received
    before them, and for those that this host never looked for. Raises StoreUnavailable, OSError.
    """
    host = this_host()
    due = _due(platform, host)
    late = []
    for group in _groups(platform, list(due)):
        # Mostly what came is somebody else's: one look for all of them shows that.
        is_any = _is_there(platform, _everybody(platform, group))
        for wish in group:
            if is_any and _is_there(platform, erasure.identity_of(platform, wish)):
                late.append(_once_more(platform, wish, recompute))
            else:
                _looked(platform, wish, host, due[wish.id])
    return late


def forget(platform: Platform) -> None:
    """Forget who they were whose erasure is done for longer than the log is kept.

    Raises StoreUnavailable.
    """
    until = clock.iso(clock.now_ms() - platform.config.log_keep_days * clock.DAY_MS)
    with platform.database.read() as connection:
        is_due = any((wish.done_at or "") <= until for wish in erasure_book.kept(connection))
    if is_due:
        with platform.database.write() as connection:
            erasure_book.forget(connection, until)


def _due(platform: Platform, host: str) -> Mapping[str, object]:
    """Return the wishes that this host has to look for once more, with the mark of this look."""
    with platform.database.read() as connection:
        kept = erasure_book.kept(connection)
        held = erasure.held_schemas(connection) if kept else set()
        numbers = arrivals.booked(connection, [wish.asked_at for wish in kept])
    marks = {wish.id: arrivals.mark(numbers[wish.asked_at], held) for wish in kept}
    return {
        wish.id: marks[wish.id]
        for wish in kept
        if not erasure.has_looked(wish, host, marks[wish.id])
    }


def _groups(platform: Platform, ids: Sequence[str]) -> Iterator[list[Erasure]]:
    """Yield wishes that can be looked for at once: persons, or devices, and not too many."""
    group: list[Erasure] = []
    for id in ids:
        wish = erasure.find(platform.database, id)
        if wish is None or wish.state != DONE or not (wish.hashes or wish.spans):
            continue
        if group and (bool(wish.spans) != bool(group[0].spans) or _is_full([*group, wish])):
            yield group
            group = []
        group.append(wish)
    if group:
        yield group


def _is_full(group: Sequence[Erasure]) -> bool:
    hashes = sum(len(wish.hashes) for wish in group)
    return hashes > _HASHES or sum(len(s.ids) for wish in group for s in wish.spans) > _IDS


def _everybody(platform: Platform, group: Sequence[Erasure]) -> Identity:
    """Return all of them as one, as far as any of them is meant."""
    return replace(
        erasure.identity_of(platform, group[0]),
        hashes=tuple(one for wish in group for one in wish.hashes),
        spans=tuple(span for wish in group for span in wish.spans),
        before=max(wish.asked_at for wish in group),
    )


def _is_there(platform: Platform, who: Identity) -> bool:
    database = platform.database
    for place in person_rows.places(database, person_rows.refreshed(platform)):
        if next(person_rows.find(database, place, who), None) is not None:
            return True
    lines = person_log.look(platform.log_folder, person_log.progress(database), who)
    return bool(lines.loaded or lines.waiting)


def _once_more(platform: Platform, wish: Erasure, recompute: Recompute | None) -> Erasure:
    with platform.database.write() as connection:
        erasure_book.reopen(connection, wish)
        again = erasure_book.read(connection, wish.id) or wish
    return erasure.carry_out(platform, again, recompute=recompute)


def _looked(platform: Platform, wish: Erasure, host: str, mark: object) -> None:
    """Note that there was nothing, so that it is not looked for until something comes."""
    if host not in wish.detail.get("hosts", {}):
        erasure.witness(platform, wish)
    erasure_book.noted(
        platform.database, wish.id, lambda detail: erasure.note_look(detail, host, mark)
    )
