"""The receipts: whole, and what they say was erased is nowhere any more."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.receipts import chain
from eventlogging.receipts.chain import BrokenChain, Receipt
from eventlogging.store.database import Database
from eventlogging.store.dialect import quoted
from eventlogging.store.fixed import schema_column
from eventlogging.verify import files
from eventlogging.verify.catalogue import UNKNOWN_TABLE, Catalogue, columns_of
from eventlogging.verify.certificate import Finding
from eventlogging.verify.rules import Rules, Schema

_HASH = re.compile(r"[0-9a-f]{6}:[0-9a-f]{32}", re.ASCII)
_EQUAL, _ALIKE = 400, 40  # hashes asked for in one query: by equality, within a text
_SLACK_DAYS = 3
_MORE = "event_more"
_ANY_ID = rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ERASE = "eventlogging job run erasures; then look again"


@dataclass(frozen=True)
class Erasure:
    """Who was forgotten, as keyed hashes: nothing received before `asked_ms` may hold them.

    Of a device that asked, instead, which events: their ids, with the first and last day of each
    group.
    """

    hashes: frozenset[str]
    asked_ms: int
    number: int  # of its newest receipt
    state: str | None = None
    ids: tuple[tuple[str, str, tuple[str, ...]], ...] = ()


def read_receipts(folder: Path, looked: dict[str, int]) -> tuple[list[Receipt], list[Finding]]:
    """Return all receipts, and what is wrong with their chain."""
    try:
        found = chain.read(folder)
    except BrokenChain as broken:
        mend = "find out who wrote into it; put the folder back from the copy of yesterday"
        return [], [Finding("receipt", str(folder / chain.FILE), str(broken), mend)]
    looked["receipts"] = len(found)
    return found, []


def erasures_of(
    receipts: Sequence[Receipt], now_ms: int, grace_days: int
) -> tuple[list[Erasure], list[Finding]]:
    """Return the erasures that must be done, by what receipts say, and what is unclear.

    One that was asked for within the days of grace may still be under way.
    """
    wrong = []
    found: dict[str, Erasure] = {}
    for receipt in receipts:
        if receipt.kind != "erasure":
            continue
        body = receipt.body
        hashes, asked = body.get("hashes"), body.get("asked_at")
        if not _are_hashes(hashes) or not isinstance(asked, str):
            what = f"receipt {receipt.number} tells of an erasure without saying of whom or when"
            wrong.append(Finding("receipt", chain.FILE, what, "see who wrote it"))
            continue
        moment = round(datetime.fromisoformat(asked).timestamp() * 1000)
        name = str(body.get("erasure") or receipt.number)
        # Only the first receipt of a wish names the events.
        ids = _ids(body.get("ids")) or (found[name].ids if name in found else ())
        whose = frozenset(hashes or ())
        found[name] = Erasure(whose, moment, receipt.number, body.get("state"), ids)
    since = now_ms - grace_days * clock.DAY_MS
    due = [one for one in found.values() if one.state != "asked" or one.asked_ms <= since]
    return due, wrong


def _ids(value: Any) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    groups = value if isinstance(value, list) else []
    return tuple((str(first), str(last), tuple(map(str, ids))) for first, last, ids in groups)


def _are_hashes(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, str) and _HASH.fullmatch(one) for one in value
    )


def back_in_tables(
    database: Database, catalogue: Catalogue, rules: Rules, erasures: Sequence[Erasure]
) -> Iterator[Finding]:
    """Yield the tables that hold rows of a person who was erased, received before they asked.

    Rows of a held schema wait for its end. Of erasures so long ago that nothing from before them
    may be there at all, the age of rows says enough.
    """
    since_ms = clock.now_ms() - (rules.longest_days + _SLACK_DAYS) * clock.DAY_MS
    erasures = [one for one in erasures if one.asked_ms >= since_ms]
    if not erasures:
        return
    columns: dict[str, dict[str, str]] = {}
    with database.read() as connection:
        for row in connection.execute(sa.select(schema_column)):
            columns.setdefault(row.table_name, {})[row.pointer] = row.name
    for schema in rules.schemas:
        if schema.rule.is_held:
            continue
        for table in sorted({*schema.tables.values()} & catalogue.tables):
            equal, alike = _places(database, schema, table, columns.get(table, {}))
            yield from _back(database, table, equal, alike, erasures)
            yield from _events_back(database, table, erasures)
        if schema.invalid_table in catalogue.tables:
            yield from _back(database, schema.invalid_table, (), ("raw",), erasures)
    if UNKNOWN_TABLE in catalogue.tables:
        yield from _back(database, UNKNOWN_TABLE, (), ("raw",), erasures)


def _places(
    database: Database, schema: Schema, table: str, columns: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Return the columns that are hashes, and those in which hashes may stand among others."""
    hashed = [pointer for pointer, how in schema.privacy.items() if how == "hmac"]
    if not hashed:
        return [], []
    with database.read() as connection:
        present = columns_of(connection, table)
    equal = [columns[pointer] for pointer in hashed if columns.get(pointer) in present]
    alike = {_MORE}
    for pointer, name in columns.items():
        if any(one.startswith(pointer + "/") for one in hashed) and name in present:
            alike.add(name)
    return equal, sorted(alike)


def _back(
    database: Database, table: str, equal: Sequence[str], alike: Sequence[str],
    erasures: Sequence[Erasure],
) -> Iterator[Finding]:  # fmt: skip
    every = frozenset(one for erasure in erasures for one in erasure.hashes)
    if not every:
        return
    together = Erasure(every, max(one.asked_ms for one in erasures), 0)
    # One look for all of them: mostly nobody is back, and then no more is needed.
    if not _is_back(database, table, equal, alike, together):
        return
    for erasure in erasures:
        if _is_back(database, table, equal, alike, erasure):
            what = f"events of a person who was erased by receipt {erasure.number}"
            yield Finding("erasure", table, what, _ERASE)


def _events_back(database: Database, table: str, erasures: Sequence[Erasure]) -> Iterator[Finding]:
    """Look for events that their device had erased, by id, on the days that they are of."""
    together: dict[tuple[str, str], set[str]] = {}
    for erasure in erasures:
        for first, last, ids in erasure.ids:
            together.setdefault((first, last), set()).update(ids)
    newest = max((one.asked_ms for one in erasures), default=0)
    # One look for all of them, as above; then those alone whose ids are there.
    back: set[str] = set()
    for (first, last), every in sorted(together.items()):
        back |= _there(database, table, (first, last, sorted(every)), newest)
    for erasure in erasures if back else ():
        own = [(first, last, sorted(back & {*ids})) for first, last, ids in erasure.ids]
        if any(_there(database, table, group, erasure.asked_ms) for group in own):
            what = f"events that their device had erased by receipt {erasure.number}"
            yield Finding("erasure", table, what, _ERASE)


def _there(
    database: Database, table: str, group: tuple[str, str, Sequence[str]], asked_ms: int
) -> set[str]:
    """Return which ids of a group are in a table, received before somebody asked."""
    first, last, ids = group
    after = (date.fromisoformat(last) + timedelta(1)).isoformat()
    span = {"first": first, "after": after, "before": clock.sql_time(asked_ms)}
    found: set[str] = set()
    for start in range(0, len(ids), _EQUAL):
        values = {f"i{n}": one for n, one in enumerate(ids[start : start + _EQUAL])}
        keys = ", ".join(f":{key}" for key in values)
        query = (
            f"SELECT id FROM {quoted(table)} WHERE dt >= :first AND dt < :after "
            f"AND received < :before AND id IN ({keys})"
        )
        with database.read() as connection:
            found.update(connection.execute(sa.text(query), {**values, **span}).scalars())
    return found


def _is_back(
    database: Database, table: str, equal: Sequence[str], alike: Sequence[str], erasure: Erasure
) -> bool:
    before = {"before": clock.sql_time(erasure.asked_ms)}
    hashes = sorted(erasure.hashes)
    return any(
        _exists(database, table, columns, hashes[start : start + most], operator, before)
        for columns, most, operator in ((equal, _EQUAL, "="), (alike, _ALIKE, "LIKE"))
        for start in range(0, len(hashes), most)
        if columns
    )


def _exists(
    database: Database, table: str, columns: Sequence[str], hashes: Sequence[str],
    operator: str, before: Mapping[str, str],
) -> bool:  # fmt: skip
    values = {f"h{i}": f"%{one}%" if operator == "LIKE" else one for i, one in enumerate(hashes)}
    if operator == "LIKE":
        tests = " OR ".join(f"{quoted(name)} LIKE :{key}" for name in columns for key in values)
    else:
        keys = ", ".join(f":{key}" for key in values)
        tests = " OR ".join(f"{quoted(name)} IN ({keys})" for name in columns)
    query = f"SELECT 1 FROM {quoted(table)} WHERE received < :before AND ({tests}) LIMIT 1"
    with database.read() as connection:
        return connection.execute(sa.text(query), {**values, **before}).first() is not None


def back_in_log(folder: Path, rules: Rules, erasures: Sequence[Erasure]) -> Iterator[Finding]:
    """Yield the segments that hold lines of a person who was erased, received before they asked."""
    if not erasures:
        return
    asked: dict[bytes, Erasure] = {}
    for erasure in sorted(erasures, key=lambda one: one.asked_ms):
        asked |= {one.encode(): erasure for one in erasure.hashes}  # the last time counts
        asked |= {one.encode(): erasure for _, _, ids in erasure.ids for one in ids}
    if not asked:
        return
    held = {one.name for one in rules.schemas if one.rule.is_held}
    keys = sorted({one.partition(b":")[0] for one in asked if b":" in one})
    hashed = [b"(?:%b):[0-9a-f]{32}" % b"|".join(keys)] if keys else []
    named = [_ANY_ID] if any(b":" not in one for one in asked) else []
    anybody = re.compile(b"|".join([*hashed, *named]))
    until = date.fromisoformat(clock.day(max(one.asked_ms for one in erasures)))
    for day in files.day_folders(folder, until):
        for file in sorted(day.iterdir()):
            number = _first_back(file, anybody, asked, held)
            if number:
                what = f"lines of a person who was erased by receipt {number}"
                yield Finding("erasure", str(file), what, _ERASE)


def _first_back(
    file: Path, anybody: re.Pattern[bytes], asked: Mapping[bytes, Erasure], held: set[str]
) -> int:
    """Return the number of the receipt that a line of this file contradicts, 0: there is none."""
    with files.mapped(file) as data:
        for match in anybody.finditer(data) if data is not None else ():
            erasure = asked.get(match[0])
            if erasure is None or data is None:
                continue
            start = data.rfind(b"\n", 0, match.start()) + 1
            end = data.find(b"\n", match.end())
            schema, received = _about(data[start : end if end >= 0 else len(data)])
            if received < erasure.asked_ms and schema not in held:
                return erasure.number
    return 0


def _about(line: bytes) -> tuple[str, int]:
    """Return a line's schema and when it was received; one that cannot be read is an old one."""
    try:
        content = orjson.loads(line)
        return str(content.get("schema", "")), int(content.get("received", 0))
    except (orjson.JSONDecodeError, AttributeError, TypeError, ValueError):
        return "", 0
