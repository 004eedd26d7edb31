"""Stripped tables: no column and no field that the rule does not list, nothing private unhashed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from eventlogging.store.database import Database
from eventlogging.store.dialect import quoted
from eventlogging.store.fixed import schema_column
from eventlogging.verify.catalogue import STRIPPED, Catalogue, columns_of
from eventlogging.verify.certificate import Finding
from eventlogging.verify.rules import Rules, Schema, Stripping

_ALWAYS = frozenset({"dt", "id", "version", "sample_rate", "event_more"})
_CAPSULE = {
    "host": ("host",),
    "wiki": ("wiki",),
    "client": ("client",),
    "user_agent": (
        "user_agent_browser", "user_agent_major", "user_agent_os", "user_agent_device",
        "user_agent_is_bot",
    ),
}  # fmt: skip
_MORE = "event_more"
_PAGE = 5000
# What a field hashed under a key of the month looks like; intake's own hashes hold for longer.
_OF_A_MONTH = re.compile(r"(\d{4}-\d\d):[0-9a-f]{32,64}", re.ASCII)
_SHORTEST = len("2026-11:") + 32
_CUT = re.compile(r"(.+)_[0-9a-f]{8}", re.ASCII)  # a name that would be too long, or not unique
_LONGEST = 64 - 9
_UNSAFE = re.compile(r"[^A-Za-z0-9_]", re.ASCII)
_RAW = "event_"
_ITEMS = "*"
_STRIP = "eventlogging purge --dry-run shows what the next pass takes away"


def wrong_content(
    database: Database, catalogue: Catalogue, rules: Rules, looked: dict[str, int]
) -> Iterator[Finding]:
    """Yield what stripped tables hold beyond their rule. Raises StoreUnavailable."""
    pointers: dict[str, dict[str, str]] = {}
    with database.read() as connection:
        for row in connection.execute(sa.select(schema_column)):
            pointers.setdefault(row.table_name, {})[row.name] = row.pointer
    for schema in rules.schemas:
        if schema.rule.stripping is None or schema.rule.is_held:
            continue
        for raw in sorted(schema.tables.values()):
            if raw + STRIPPED in catalogue.tables:
                known = pointers.get(raw, {})
                yield from _table(database, schema, raw + STRIPPED, known, looked)


def _table(
    database: Database, schema: Schema, table: str, pointers: dict[str, str],
    looked: dict[str, int],
) -> Iterator[Finding]:  # fmt: skip
    rule = schema.rule.stripping
    assert rule is not None
    listed = {*_ALWAYS, *(name for one in rule.capsule for name in _CAPSULE.get(one, ()))}
    hashed: list[str] = []
    inside: dict[str, str] = {}  # columns of JSON, with the field that they hold
    with database.read() as connection:
        columns = columns_of(connection, table)
        # What stands for an id is made by us: a UUID of version 8.
        query = f"SELECT 1 FROM {quoted(table)} WHERE SUBSTR(id, 15, 1) <> '8' LIMIT 1"
        if connection.exec_driver_sql(query).first() is not None:
            yield Finding("stripped", table, "events with the ids that they were sent with", _STRIP)
    for column in columns:
        if column == _MORE:
            inside[column] = ""
        if column in listed:
            continue
        found = [one for one in rule.fields if _may_be(column, one, rule.fields[one], pointers)]
        if not found:
            what = f"the column {column}, which the rule of {schema.name} does not list"
            yield Finding("stripped", table, what, _STRIP)
        elif any(_ITEMS in one.split("/") for one in found) or _holds_more(column, found, pointers):
            inside[column] = pointers.get(column) or _before_items(found[0])
        elif rule.fields[found[0]] == "hash":
            hashed.append(column)
        elif private := _private(found[0], schema):
            what = f"the column {column} holds the private field {private} as it is"
            yield Finding("stripped", table, what, _STRIP)
    yield from _hashes(database, table, hashed)
    yield from _values(database, table, inside, rule, schema, looked)


def _hashes(database: Database, table: str, columns: Sequence[str]) -> Iterator[Finding]:
    """Look at columns of hashes: each must be one under the key of its event's own month."""
    for column in columns:
        name = quoted(column)
        query = (
            f"SELECT 1 FROM {quoted(table)} WHERE {name} IS NOT NULL AND ("
            f"SUBSTR({name}, 1, 7) <> SUBSTR(dt, 1, 7) OR SUBSTR({name}, 8, 1) <> ':' "
            f"OR LENGTH({name}) NOT BETWEEN {_SHORTEST} AND {_SHORTEST + 32}) LIMIT 1"
        )
        with database.read() as connection:
            if connection.exec_driver_sql(query).first() is not None:
                what = f"{column} holds values that are no hash of a month"
                yield Finding("stripped", table, what, _STRIP)


def _may_be(column: str, field: str, form: str, pointers: dict[str, str]) -> bool:
    """Whether a column may hold what remains of a field, by its name."""
    known = pointers.get(column)
    items = _ITEMS in field.split("/")
    if form == "event" or items:
        if known is not None:
            return _overlap(known, field)
        form = "event"
    place = _before_items(field)
    tokens = [part.replace("~1", "/").replace("~0", "~") for part in place.split("/")[1:]]
    rests = ["_".join(_UNSAFE.sub("_", token) for token in tokens)]
    rests += [n.removeprefix(_RAW) for n, pointer in pointers.items() if pointer == place]
    cut = _CUT.fullmatch(column)
    return any(
        column == plain or (cut is not None and cut[1] == plain[:_LONGEST])
        for plain in (f"{form}_{rest}" for rest in rests)
    )


def _holds_more(column: str, fields: Sequence[str], pointers: dict[str, str]) -> bool:
    """Whether a column has values of which only a part is listed."""
    known = pointers.get(column)
    return known is not None and not any(_lies_in(known, one) for one in fields)


def _before_items(field: str) -> str:
    """Return the pointer of the outermost array that a field lies in, or its own."""
    return field.split(f"/{_ITEMS}", 1)[0]


def _values(
    database: Database, table: str, inside: dict[str, str], rule: Stripping, schema: Schema,
    looked: dict[str, int],
) -> Iterator[Finding]:  # fmt: skip
    """Look at all values that the columns' names do not vouch for, each fault told once."""
    told: set[str] = set()
    for row in _pages(database, table, list(inside)):
        looked["stripped_rows"] = looked.get("stripped_rows", 0) + 1
        for (column, pointer), value in zip(inside.items(), row[2:], strict=True):
            if value is None or column in told:
                continue
            if found := _unlisted(value, pointer, rule, schema, str(row[0])):
                told.add(column)
                what = f"{column} of an event of {str(row[0])[:10]} holds {found}"
                yield Finding("stripped", table, what, _STRIP)


def _pages(database: Database, table: str, columns: Sequence[str]) -> Iterator[Any]:
    """Yield (dt, id, …) of the rows in which one of these columns holds anything.

    By short pages, so that nobody waits for a lock of ours.
    """
    if not columns:
        return
    names = ", ".join(map(quoted, ["dt", "id", *columns]))
    some = " OR ".join(f"{quoted(name)} IS NOT NULL" for name in columns)
    query = sa.text(
        f"SELECT {names} FROM {quoted(table)} WHERE dt >= :dt AND (dt > :dt OR id > :id) "
        f"AND ({some}) ORDER BY dt, id LIMIT {_PAGE}"
    )
    at: tuple[Any, str] = ("1000-01-01", "")
    while True:
        with database.read() as connection:
            rows = connection.execute(query, {"dt": at[0], "id": at[1]}).all()
        yield from rows
        if len(rows) < _PAGE:
            return
        at = rows[-1][0], rows[-1][1]


def _unlisted(value: Any, above: str, rule: Stripping, schema: Schema, dt: str) -> str:
    """Return the first field in a JSON text that may not be there, or an empty text."""
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        return "what is not JSON"
    for pointer, leaf in _leaves(document, above):
        forms = {form for one, form in rule.fields.items() if _lies_in(pointer, one)}
        if not forms:
            if leaf in ({}, []) and any(_lies_in(one, pointer) for one in rule.fields):
                continue  # nothing, above something that is listed
            return f"{pointer or 'a value'}, which the rule does not list"
        if leaf is None:
            continue
        if forms == {"hash"}:
            if not _is_hash(leaf, dt):
                return f"{pointer}, which is no hash of a month"
        elif private := _private(pointer, schema):
            return f"the private field {private} as it is"
    return ""


def _is_hash(value: Any, dt: str) -> bool:
    """Whether a value is a hash under the key of the month that its event lies in."""
    match = _OF_A_MONTH.fullmatch(str(value))
    return match is not None and match[1] == dt[:7]


def _leaves(value: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            escaped = key.replace("~", "~0").replace("/", "~1")
            yield from _leaves(item, f"{pointer}/{escaped}")
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, f"{pointer}/{index}")
    else:
        yield pointer, value


def _private(pointer: str, schema: Schema) -> str:
    """Return the private field that a field is, lies in or holds; an empty text: none."""
    return next((one for one in schema.privacy if _overlap(pointer, one)), "")


def _overlap(one: str, other: str) -> bool:
    return _lies_in(one, other) or _lies_in(other, one)


def _lies_in(pointer: str, above: str) -> bool:
    """Whether a field is another one or lies in it; `*` stands for each item of an array."""
    parts, wanted = pointer.split("/"), above.split("/")
    return len(parts) >= len(wanted) and all(
        have == want or "*" in (have, want) for have, want in zip(parts, wanted, strict=False)
    )
