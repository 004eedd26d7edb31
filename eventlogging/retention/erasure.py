"""Erase one person: from tables, log and texts, with a receipt; again after a restore.

Each step may be interrupted anywhere, repeated, and done by two machines at once. A wish waits
while something of the person is in the log and in no table yet, while another host has not looked
through its own log, and while a legal hold keeps a schema.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from eventlogging.platform import Platform
from eventlogging.receipts import chain
from eventlogging.receipts.chain import Receipt
from eventlogging.registry import audit
from eventlogging.retention import (
    arrivals,
    erasure_book,
    person,
    person_log,
    person_rows,
    person_texts,
)
from eventlogging.retention.erasure_book import ASKED, DONE, Erasure
from eventlogging.retention.hosts import hosts, this_host
from eventlogging.retention.identity import Identity, Span
from eventlogging.retention.person_rows import Hit, Place
from eventlogging.retention.policy import read_policies
from eventlogging.store.database import Database
from eventlogging.store.dialect import quoted
from eventlogging.store.fixed import recent_id, table_day
from eventlogging.store.leavings import scour
from eventlogging.store.row_keys import MOST_ROWS, keys_where

KIND = "erasure"
# Of all jobs of each host these run so often that a host that is there has a run of them.
HOST_JOBS = ("erasures", "alerts-host")
_LOG = "log"  # among tables that a hold keeps
_MOST_NEEDLES = 20
Recompute = Callable[[str, Sequence[str]], object]


def ask(platform: Platform, ids: Sequence[str], who: str) -> Erasure:
    """Write a wish down: as hashes, never as ids. It counts from now on, restores included.

    Raises EventLoggingError where there is no id, StoreUnavailable, OSError.
    """
    meant = person.identity(platform, ids)
    with platform.database.write() as connection:
        wish = erasure_book.enter(connection, meant.hashes, who)
        audit.record(connection, who, "erasure.ask", wish.id, {})
        _receipt(platform, wish, ASKED, {})
    return wish


def ask_ids(platform: Platform, spans: Sequence[Span], who: str) -> tuple[Erasure, Receipt]:
    """Write down that events go whose ids are given, with the receipt of it.

    The ids name nobody. Raises StoreUnavailable, OSError.
    """
    with platform.database.write() as connection:
        wish = erasure_book.enter(connection, (), who, spans=spans)
        audit.record(connection, who, "erasure.ask", wish.id, {})
        receipt = _receipt(platform, wish, ASKED, {})
    return wish, receipt


def carry_out(
    platform: Platform,
    wish: Erasure,
    *,
    plain: Sequence[str] = (),
    recompute: Recompute | None = None,
) -> Erasure:
    """Erase what can be erased now; return the wish as it stands then.

    `plain` ids spare the hashing of every word of rows that nobody sealed. `recompute` gets each
    schema with its days of which rows went. Raises StoreUnavailable, OSError.
    """
    database = platform.database
    if wish.state == DONE:
        return _look_after_leavings(platform, wish)
    host = this_host()
    if host not in wish.detail.get("hosts", {}):
        witness(platform, wish)
    who = identity_of(platform, wish, plain)
    with database.read() as connection:
        held = held_schemas(connection)
        # Read before anything is looked at: what arrives meanwhile makes another mark.
        mark = arrivals.mark(arrivals.booked(connection, [wish.asked_at])[wish.asked_at], held)
    if has_looked(wish, host, mark):
        return _finish(platform, wish)
    # How far the log is loaded is read first: what is loaded later counts as waiting still.
    done = person_log.progress(database)
    lines = person_log.look(platform.log_folder, done, who, held)
    kept, days = _erase_rows(platform, wish, who, held)
    for name in lines.segments:
        blanked = person_log.erase(platform.log_folder, name, done, who, held)
        erasure_book.noted(database, wish.id, _adding("log_lines", blanked))
    outbox = platform.config.var / "outbox"
    texts = person_texts.take_out(database, outbox, who.hashes) if who.hashes else 0
    if recompute is not None:
        for schema in sorted(days):
            recompute(schema, sorted(days[schema]))
    if lines.held and not kept:
        kept = {_LOG: lines.held}
    reason = f"{lines.waiting} lines of its log are in no table yet" if lines.waiting else ""
    unreachable = list(person.out_of_reach(platform))

    def standing(detail: dict[str, Any]) -> None:
        note_look(detail, host, mark, reason)
        detail["held_by"] = _held_by(detail) | {host: kept}
        detail["held"] = _together(detail["held_by"].values())
        detail["out_of_reach"] = unreachable
        detail["texts"] = detail.get("texts", 0) + texts

    erasure_book.noted(database, wish.id, standing)
    return _finish(platform, wish)


def replay(
    platform: Platform, receipts: Iterable[Receipt], *, recompute: Recompute | None = None
) -> int:
    """Erase again, in a database that was restored, whom receipts name; return how many rows went.

    What the restored database knows to be done was done before its backup was made. Raises
    StoreUnavailable, OSError.
    """
    erased = 0
    named = {str(r.body.get("erasure", "")): r for r in receipts if _says_who(r)}
    for id, receipt in named.items():
        hashes = [str(one) for one in receipt.body.get("hashes", ())]
        spans = erasure_book.spans_of(receipt.body.get("ids"))
        if not id:
            continue
        with platform.database.write() as connection:
            wish = erasure_book.read(connection, id)
            if wish is None:
                asked_at = str(receipt.body.get("asked_at") or receipt.at)
                wish = erasure_book.enter(
                    connection, hashes, "a restore", id=id, asked_at=asked_at, spans=spans
                )
        if wish.state == ASKED:
            before = wish.rows
            erased += carry_out(platform, wish, recompute=recompute).rows - before
    return erased


def identity_of(platform: Platform, wish: Erasure, plain: Sequence[str] = ()) -> Identity:
    """Return whom a wish is about: what they sent afterwards is not meant."""
    keys = person.keys_of(platform)
    return Identity(wish.hashes, keys, frozenset(plain), before=wish.asked_at, spans=wish.spans)


def held_schemas(connection: sa.Connection) -> set[str]:
    """Return the schemas that a legal hold keeps. Raises StoreUnavailable."""
    return {name for name, policy in read_policies(connection).own.items() if policy.held}


def has_looked(wish: Erasure, host: str, mark: object) -> bool:
    """Whether a host would find no more than when it looked, and nothing of its log waits."""
    marks, reasons = wish.detail.get("marks", {}), wish.detail.get("hosts", {})
    return reasons.get(host) == "" and marks.get(host) == mark


def note_look(detail: dict[str, Any], host: str, mark: object, reason: str = "") -> None:
    """Note that a host has looked, what had arrived then, and what of its log still waits."""
    detail.setdefault("hosts", {})[host] = reason
    detail.setdefault("marks", {})[host] = mark


def find(database: Database, id: str) -> Erasure | None:
    """Return one erasure. Raises StoreUnavailable."""
    with database.read() as connection:
        return erasure_book.read(connection, id)


def unfinished(database: Database) -> list[Erasure]:
    """Return what `carry_out` still has to do with. Raises StoreUnavailable."""
    with database.read() as connection:
        return erasure_book.unfinished(connection)


def _erase_rows(
    platform: Platform, wish: Erasure, who: Identity, held: Collection[str]
) -> tuple[dict[str, int], dict[str, set[str]]]:
    """Delete rows; return table → rows that a hold keeps, and schema → days that lost rows."""
    database = platform.database
    kept: dict[str, int] = {}
    days: dict[str, set[str]] = {}
    for place in person_rows.places(database, person_rows.refreshed(platform)):
        hits = list(dict.fromkeys(person_rows.find(database, place, who)))
        if place.schema in held:
            if hits:
                kept[place.table] = len(hits)
            continue
        for day in sorted({_booked_day(hit) for hit in hits}):
            of_day = [hit for hit in hits if _booked_day(hit) == day]
            for start in range(0, len(of_day), MOST_ROWS):
                _delete(database, wish, place, day, of_day[start : start + MOST_ROWS])
            if place.kind == "valid":
                days.setdefault(place.schema, set()).add(day)
    return kept, days


def _delete(database: Database, wish: Erasure, place: Place, day: str, hits: Sequence[Hit]) -> None:
    """Delete rows of one table and day, and write it into the books, in one transaction."""
    where, values = keys_where(place.key, [hit.key for hit in hits])
    with database.write() as connection:
        gone = connection.execute(
            sa.text(f"DELETE FROM {quoted(place.table)} WHERE {where}"), values
        ).rowcount
        if not gone:
            return  # another machine was faster
        if place.kind != "test":
            c = table_day.c
            connection.execute(
                sa.update(table_day)
                .where(c.table_name == place.table, c.day == day)
                .values(rows_out=c.rows_out + gone)
            )
        if place.kind == "valid":
            ids = [hit.key[1] for hit in hits]
            connection.execute(
                sa.delete(recent_id).where(
                    recent_id.c.table_name == place.table, recent_id.c.id.in_(ids)
                )
            )
        erasure_book.note(connection, wish.id, _adding_row(place.table, gone))


def _held_by(detail: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    return dict(detail.get("held_by", {}))


def _together(kept: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return what a hold keeps on all hosts: the same tables, each host's own log."""
    found: dict[str, int] = {}
    for of_host in kept:
        for name, rows in of_host.items():
            before = found.get(name, 0)
            found[name] = before + rows if name == _LOG else max(before, rows)
    return found


def _booked_day(hit: Hit) -> str:
    return hit.day if hit.place.kind != "test" else ""


def _finish(platform: Platform, wish: Erasure) -> Erasure:
    """Say that it is done, where nothing waits on any host; one machine does."""
    database = platform.database
    with database.read() as connection:
        wish = erasure_book.read(connection, wish.id) or wish
    if wish.state == DONE:
        return wish
    seen = wish.detail.get("hosts", {})
    present = hosts(database, HOST_JOBS)
    if any(host not in seen for host in present):
        return wish
    if any(seen.values()):
        return wish
    if any(rows for host, rows in _held_by(wish.detail).items() if host in present):
        if not wish.detail.get("receipt"):
            _tell_of_hold(platform, wish)
        return find(database, wish.id) or wish
    if wish.detail.get("held"):  # on hosts that are away: when they come back, they look again
        erasure_book.noted(database, wish.id, lambda detail: detail.update(held={}))
        wish = find(database, wish.id) or wish
    with database.write() as connection:
        if erasure_book.finish(connection, wish):
            receipt = _receipt(platform, wish, DONE, _told(wish))
            erasure_book.note(connection, wish.id, lambda detail: _stamp(detail, receipt))
            audit.record(connection, wish.asked_by, "erasure.done", wish.id, _told(wish))
    ended = find(database, wish.id) or wish
    return _look_after_leavings(platform, ended, _needles(wish.hashes, wish.spans))


def _tell_of_hold(platform: Platform, wish: Erasure) -> None:
    """Write a receipt of all that went but what a hold keeps."""
    with platform.database.write() as connection:
        receipt = _receipt(platform, wish, "held", _told(wish))
        erasure_book.note(connection, wish.id, lambda detail: _stamp(detail, receipt))


def _stamp(detail: dict[str, Any], receipt: Receipt) -> None:
    detail.update(receipt=receipt.number, digest=receipt.digest)


def _told(wish: Erasure) -> dict[str, Any]:
    detail = wish.detail
    return {
        "tables": detail.get("tables", {}), "log_lines": detail.get("log_lines", 0),
        "texts": detail.get("texts", 0), "held": detail.get("held", {}),
        "out_of_reach": detail.get("out_of_reach", []), "hosts": sorted(detail.get("hosts", {})),
    }  # fmt: skip


def _look_after_leavings(platform: Platform, wish: Erasure, needles: Sequence[str] = ()) -> Erasure:
    if wish.detail.get("leavings"):
        return wish
    if not needles and (said := _said_who(platform, wish.id)) is not None:
        needles = _needles(said.body["hashes"], erasure_book.spans_of(said.body.get("ids")))
    left = scour(platform.database, [one.encode() for one in needles])
    if left.settled:
        erasure_book.noted(
            platform.database, wish.id, lambda detail: detail.update(leavings=left.words)
        )
    return find(platform.database, wish.id) or wish


def _needles(hashes: Sequence[str], spans: Sequence[Span]) -> tuple[str, ...]:
    """Return what to look for in free pages: of many ids a few, for they go alike."""
    ids = sorted(id for span in spans for id in span.ids)
    return (*hashes, *ids[:_MOST_NEEDLES])


def _says_who(receipt: Receipt) -> bool:
    return receipt.kind == KIND and bool(receipt.body.get("hashes") or receipt.body.get("ids"))


def _said_who(platform: Platform, id: str) -> Receipt | None:
    """Return a receipt of this host that says who is to be erased."""
    for receipt in chain.read(chain.folder_of(platform.config.var)):
        if _says_who(receipt) and receipt.body.get("erasure") == id:
            return receipt
    return None


def witness(platform: Platform, wish: Erasure) -> None:
    """Have this host's receipts name the person too: a restore may happen on any host."""
    if _said_who(platform, wish.id) is None:
        _receipt(platform, wish, ASKED, {})


def _receipt(platform: Platform, wish: Erasure, state: str, more: dict[str, Any]) -> Receipt:
    body = {
        "erasure": wish.id, "state": state, "asked_at": wish.asked_at,
        "hashes": list(wish.hashes), **more,
    }  # fmt: skip
    if wish.spans and state == ASKED:  # once: they are many
        body["ids"] = erasure_book.written(wish.spans)
    return chain.append(chain.folder_of(platform.config.var), KIND, body)


def _adding(name: str, number: int) -> Callable[[dict[str, Any]], None]:
    def add(detail: dict[str, Any]) -> None:
        detail[name] = detail.get(name, 0) + number

    return add


def _adding_row(name: str, number: int) -> Callable[[dict[str, Any]], None]:
    def add(detail: dict[str, Any]) -> None:
        tables = detail.setdefault("tables", {})
        tables[name] = tables.get(name, 0) + number

    return add
