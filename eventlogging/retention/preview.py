"""What a changed policy would do at the next pass, before anybody saves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging.governance.model import field_of
from eventlogging.ledger.sentence import grouped
from eventlogging.registry.model import RegisteredSchema
from eventlogging.retention.policy import Kept, Policies, Policy, policy_of
from eventlogging.retention.scrub import stripped_name
from eventlogging.retention.scrub_fields import form
from eventlogging.store.fixed import table_day

EVENTS, REFUSED, UNSEALED, STRIPPED = "events", "refused", "unsealed", "stripped"


@dataclass(frozen=True)
class Moved:
    """Rows of one table that a change moves. `kind`: events, refused, unsealed or stripped."""

    table: str
    kind: str
    rows: int
    days: tuple[str, ...]  # in order, at least one


@dataclass(frozen=True)
class Effect:
    """What a change does: `going` at the next pass and not before, `staying` instead of going.

    `notes` are sentences about fields and aggregates.
    """

    going: tuple[Moved, ...] = ()
    staying: tuple[Moved, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def rows_going(self) -> int:
        """Rows that would go."""
        return sum(one.rows for one in self.going)


def changed(
    policies: Policies, schema: str, own: Mapping[str, Any], rule: Mapping[str, Any],
    default: Mapping[str, Any],
) -> Policy:  # fmt: skip
    """Return the policy that a rule would make; `own` is the schema's rule that stands.

    Granted extensions and a hold stay as they are.
    """
    standing = policies.of(schema)
    granted = standing.extensions[1:] if "extension" in own else standing.extensions
    return policy_of(schema, rule, default, granted, held=standing.held)


def effect(
    connection: sa.Connection, schema: RegisteredSchema, old: Policy, new: Policy, today: str
) -> Effect:
    """Return what `new` does that `old` does not, by the books. Raises StoreUnavailable."""
    tables = _tables(schema)
    books = _books(connection, [table for table, _ in tables])
    going: list[Moved] = []
    staying: list[Moved] = []
    for table, kind in tables:
        rows = books.get(table, {})
        was, would = ({day for day in rows if _due(p, kind, day, today)} for p in (old, new))
        going += _moved(table, kind, rows, would - was)
        staying += _moved(table, kind, rows, was - would)
    rows = books.get(schema.invalid_table, {})
    going += _unsealed(connection, schema.invalid_table, rows, old, new, today)
    staying += _unsealed(connection, schema.invalid_table, rows, new, old, today)
    notes = (*_field_notes(books, tables, old, new), *_aggregate_notes(books, tables, old, new))
    return Effect(tuple(going), tuple(staying), notes)


def _tables(schema: RegisteredSchema) -> list[tuple[str, str]]:
    own = list(dict.fromkeys(version.table for version in schema.versions.values()))
    return [
        *((table, EVENTS) for table in own),
        (schema.invalid_table, REFUSED),
        *((stripped_name(table), STRIPPED) for table in own),
    ]


def _books(connection: sa.Connection, tables: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return table → day → rows that lie there."""
    t = table_day.c
    query = sa.select(t.table_name, t.day, t.rows_in - t.rows_out).where(
        t.table_name.in_(tables), t.rows_in > t.rows_out
    )
    found: dict[str, dict[str, int]] = {}
    for table, day, rows in connection.execute(query.order_by(t.table_name, t.day)):
        found.setdefault(table, {})[day] = rows
    return found


def _due(policy: Policy, kind: str, day: str, today: str) -> bool:
    if kind == EVENTS:
        return policy.is_due(day, today)
    if kind == REFUSED:
        return day < policy.invalid_first_kept(today)
    return day < policy.scrubbed_first_kept(today)


def _moved(table: str, kind: str, rows: Mapping[str, int], days: set[str]) -> Iterator[Moved]:
    if days:
        yield Moved(table, kind, sum(rows[day] for day in days), tuple(sorted(days)))


def _unsealed(
    connection: sa.Connection, table: str, rows: Mapping[str, int], old: Policy, new: Policy,
    today: str,
) -> Iterator[Moved]:  # fmt: skip
    """Yield the refused rows that go because nobody could hash what is private in them."""
    first = max(old.unsealed_first_kept(today), new.invalid_first_kept(today))
    last = new.unsealed_first_kept(today)
    days = sorted(day for day in rows if first <= day < last)
    if not days:
        return
    found: dict[str, int] = {}
    place = sa.table(table, sa.column("received"), sa.column("sealed"))
    day_of = sa.func.substr(sa.cast(place.c.received, sa.String(40)), 1, 10)
    query = (
        sa.select(day_of, sa.func.count())
        .where(place.c.received >= days[0], place.c.received < last, place.c.sealed == 0)
        .group_by(day_of)
    )
    for day, count in connection.execute(query):
        found[str(day)] = count
    yield from _moved(table, UNSEALED, found, set(found))


def _field_notes(
    books: Mapping[str, Mapping[str, int]], tables: Sequence[tuple[str, str]], old: Policy,
    new: Policy,
) -> Iterator[str]:  # fmt: skip
    if old.scrub is None or new.scrub is None:
        return
    days = {day for table, kind in tables if kind == STRIPPED for day in books.get(table, {})}
    rows = sum(sum(books.get(table, {}).values()) for table, kind in tables if kind == STRIPPED)
    was = {_way(one): one for one in old.scrub.fields}
    would = {_way(one): one for one in new.scrub.fields}
    gone = [field_of(way[0]) for way in was if way not in would]
    gone += [name for name in old.scrub.capsule if name not in new.scrub.capsule]
    fresh = [field_of(way[0]) for way in would if way not in was]
    fresh += [name for name in new.scrub.capsule if name not in old.scrub.capsule]
    other = [field_of(way[0]) for way in would if way in was and would[way] != was[way]]
    if gone and rows:
        yield f"{_listed(gone)} also {_goes(gone)} from {_rows(rows)} that are stripped already."
    if fresh and rows:
        yield f"{_listed(fresh)}: {_span(days)} stripped already, and {_lack(days)} that for good."
    if other and rows:
        yield f"{_listed(other)}: {_rows(rows)} that are stripped already are cut once more."


def _way(kept: Kept) -> tuple[str, str]:
    """Return what tells one column of a stripped table from another: the field, what is left."""
    return kept.pointer, form(kept)


def _aggregate_notes(
    books: Mapping[str, Mapping[str, int]], tables: Sequence[tuple[str, str]], old: Policy,
    new: Policy,
) -> Iterator[str]:  # fmt: skip
    was = {one.name: one.definition for one in old.aggregates}
    would = {one.name: one.definition for one in new.aggregates}
    days = sorted(day for table, kind in tables if kind == EVENTS for day in books.get(table, {}))
    since = f"from {days[0]} on" if days else "from the first event on"
    for name, definition in would.items():
        if name not in was:
            yield f"`{name}` is computed {since}; what is older is gone."
        elif was[name] != definition:
            yield f"`{name}` is computed anew {since}."
    for name in was:
        if name not in would:
            yield f"`{name}` is computed no more."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _goes(names: Sequence[str]) -> str:
    return "goes" if len(names) == 1 else "go"


def _rows(number: int) -> str:
    return f"{grouped(number)} {'event' if number == 1 else 'events'}"


def _span(days: set[str]) -> str:
    return "1 day is" if len(days) == 1 else f"{grouped(len(days))} days are"


def _lack(days: set[str]) -> str:
    return "lacks" if len(days) == 1 else "lack"
