"""The privacy cost: what the fields of a schema tell of people, measured on what was sent."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.event import Outcome
from eventlogging.governance.fields import subschemas
from eventlogging.registry.judge import whole_document
from eventlogging.registry.model import RegisteredSchema, Snapshot
from eventlogging.registry.proposal import examples_of
from eventlogging.review import personal, samples
from eventlogging.review.field_table import FieldTable
from eventlogging.review.lookup import lookup_in
from eventlogging.schema.masking import lies_in
from eventlogging.schema.plan import wanted_columns
from eventlogging.schema.walk import tokens_of
from eventlogging.store.database import Database
from eventlogging.store.fixed import ledger

_DAYS = 7
_LEAST_ROWS = 100  # below it, everybody is alone with everything, which says nothing
_ALONE = 0.5  # a field that singles out so many rows by itself needs no others
_LEAST_SHARE = 0.01
_MOST_COMBINED = 8  # fields that are tried together
_MOST_NAMED = 10  # combinations told
_COMBINED_PART = 0.7  # of the time, after which no more combinations are tried
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class FieldCost:
    """What one field holds: what its values look like, in sentences, and how many differ.

    `pointer` names items of an array with `*`. `distinct` is None where no event came.
    `treatment` is `hmac` or `drop` where privacy says so; of what is stored of such a field
    nothing is looked at.
    """

    pointer: str
    findings: tuple[str, ...]
    distinct: int | None
    treatment: str | None


@dataclass(frozen=True)
class PrivacyCost:
    """What the fields tell, by themselves and together.

    `looked_at` stored events were looked at. `singled_out` are combinations of fields with the
    share of those events that are alone with their values, the greatest first. `rows_per_day` and
    `mb_per_day` are what the sampling rate lets expect; None where no event came.
    """

    looked_at: int
    fields: tuple[FieldCost, ...]
    singled_out: tuple[tuple[tuple[str, ...], float], ...]
    rows_per_day: float | None
    mb_per_day: float | None
    complete: bool = True


def privacy_cost(
    database: Database,
    snapshot: Snapshot,
    name: str,
    document: Any,
    *,
    privacy: Mapping[str, str],
    examples: Any,
    sampling_rate: float,
    now_ms: int,
    most: int = 20_000,
    seconds: float = 5.0,
) -> PrivacyCost:
    """Measure what a proposed schema tells of people, on its examples and on past traffic.

    `examples` are in any form that a proposal takes, or payloads. At most `most` events of the
    last seven days are looked at, for about `seconds`. Raises StoreUnavailable.
    """
    until = time.monotonic() + seconds
    whole, _, _ = whole_document(document, lookup_in(snapshot))
    declared = [column.pointer for column in wanted_columns(whole, {})] if whole else []
    table = FieldTable()
    shown = FieldTable()
    for payload in _payloads(examples):
        shown.add(payload)
    schema = snapshot.schemas.get(name)
    weight = size = 0.0
    complete = True
    if schema is not None:
        past = samples.Span(now_ms - _DAYS * clock.DAY_MS, now_ms + clock.DAY_MS)
        for page in samples.valid_events(database, schema, past).read(most):
            for event in page:
                table.add(event.payload)
                weight += 1 / (event.sample_rate or 1.0)
                size += event.bytes
            if time.monotonic() > until - seconds * (1 - _COMBINED_PART):
                complete = False
                break
    fields = tuple(
        _field_cost(pointer, whole, table, shown, privacy)
        for pointer in dict.fromkeys([*declared, *shown.columns, *table.columns, *table.items])
    )
    rows = mb = None
    if schema is not None and table.rows:
        per_day = _stored_per_day(database, schema, now_ms)
        rows = per_day * weight / table.rows * sampling_rate
        mb = rows * size / table.rows / _MEGABYTE
    return PrivacyCost(
        looked_at=table.rows,
        fields=fields,
        singled_out=_singled_out(table, privacy, until),
        rows_per_day=rows,
        mb_per_day=mb,
        complete=complete,
    )


def _payloads(examples: Any) -> list[Mapping[str, Any]]:
    """Return the payloads that pass, of whatever form the examples are."""
    found, problems = examples_of(examples)
    if found is None or problems:
        given = examples if isinstance(examples, Sequence) else ()
        return [payload for payload in given if isinstance(payload, Mapping)]
    return [one.payload for one in found if one.passes and isinstance(one.payload, Mapping)]


def _field_cost(
    pointer: str,
    document: Mapping[str, Any] | None,
    table: FieldTable,
    shown: FieldTable,
    privacy: Mapping[str, str],
) -> FieldCost:
    treatment = _treatment(pointer, privacy)
    name = tokens_of(pointer.removesuffix("/*"))[-1]
    found = [
        what
        for what in (
            personal.named_like(name),
            "takes any text"
            if document
            and any(personal.takes_any_text(node) for node in subschemas(document, pointer))
            else None,
        )
        if what
    ]
    found += personal.findings(shown.values(pointer), "values in the examples")
    values = table.values(pointer)
    if treatment is None and not any(map(personal.is_hash, list(values)[:20])):
        found += personal.findings(values, "distinct values that came")
    distinct = len(values) if table.rows else None
    return FieldCost(pointer, tuple(found), distinct, treatment)


def _treatment(pointer: str, privacy: Mapping[str, str]) -> str | None:
    """Return what privacy does with a field or with what holds it."""
    place = tokens_of(pointer)
    rules = (rule for own, rule in privacy.items() if lies_in(place, tokens_of(own)))
    return next(rules, None)


def _singled_out(
    table: FieldTable, privacy: Mapping[str, str], until: float
) -> tuple[tuple[tuple[str, ...], float], ...]:
    """Return which fields, pairs and triples single out events, and what share of them.

    A field that does so by itself is not tried with others, nor is what privacy treats.
    """
    if table.rows < _LEAST_ROWS:
        return ()
    rows = {
        pointer: [*column.rows, *[0] * (table.rows - len(column.rows))]
        for pointer, column in table.columns.items()
        if len(column.codes) > 1 and _treatment(pointer, privacy) is None
    }
    shares: dict[tuple[str, ...], float] = {
        (pointer,): _alone([values], table.rows) for pointer, values in rows.items()
    }
    tried = sorted(
        (pointer for pointer in rows if shares[pointer,] < _ALONE),
        key=lambda pointer: (-shares[pointer,], -len(table.columns[pointer].codes)),
    )[:_MOST_COMBINED]
    for size in (2, 3):
        for group in combinations(tried, size):
            if time.monotonic() > until:
                break
            share = _alone([rows[pointer] for pointer in group], table.rows)
            best = max(
                shares.get(part, 0.0)
                for length in range(1, size)
                for part in combinations(group, length)
            )
            # Another field is told of where it adds something.
            if share >= max(_LEAST_SHARE, 1.2 * best):
                shares[group] = share
    told = [(group, share) for group, share in shares.items() if share >= _LEAST_SHARE]
    told.sort(key=lambda item: (-item[1], len(item[0]), item[0]))
    return tuple(told[:_MOST_NAMED])


def _alone(columns: Sequence[Sequence[int]], rows: int) -> float:
    """Return the share of rows that no other row is like."""
    values: Any = columns[0] if len(columns) == 1 else zip(*columns, strict=True)
    counts = Counter(values)
    if len(columns) == 1:
        del counts[0]  # to leave a field out tells nothing by itself
    return sum(1 for count in counts.values() if count == 1) / rows


def _stored_per_day(database: Database, schema: RegisteredSchema, now_ms: int) -> float:
    """Return how many valid events were stored on a day, over the last week or since the first."""
    c = ledger.c
    query = sa.select(sa.func.sum(c.kept), sa.func.min(c.minute)).where(
        c.schema == schema.name,
        c.outcome == str(Outcome.VALID),
        c.minute >= clock.minute(now_ms - _DAYS * clock.DAY_MS),
    )
    with database.read() as connection:
        kept, first = connection.execute(query).one()
    if not kept:
        return 0.0
    since = datetime.fromisoformat(f"{first}+00:00")
    days = (clock.from_ms(now_ms) - since) / timedelta(days=1)
    return int(kept) / min(max(days, 1.0), _DAYS)
