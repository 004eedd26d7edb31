"""What explains a row, a line or a file: read for the certificate alone, from the documents.

Nothing here is shared with what deletes: a mistake there must not hide itself here.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from eventlogging.governance.model import (
    DEFAULT_CAP_DAYS,
    DEFAULT_INVALID_KEEP_DAYS,
    DEFAULT_KEEP_DAYS,
    DEFAULT_MIN_CELL,
    DEFAULT_UNSEALED_KEEP_DAYS,
    pointer_of,
)
from eventlogging.store.fixed import event_schema, extension, governance, legal_hold, schema_table

_EVER = date.min, date.max
_FORMS = {"browser": "browser"}  # of buckets with a name; all others are of time


@dataclass(frozen=True)
class Longer:
    """Events of some days are kept longer, up to and with the day `until`."""

    first: date
    last: date
    keep_days: int
    until: date


@dataclass(frozen=True)
class Stripping:
    """What may remain of a stripped event.

    `fields` maps JSON pointers to what may remain of them: `event` (all), `hash`, `bucket`, `time`
    or `browser`. `keep_days` None: for good.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    capsule: frozenset[str] = frozenset()
    keep_days: int | None = None


@dataclass(frozen=True)
class Rule:
    """What explains the events of one schema."""

    keep_days: int = DEFAULT_KEEP_DAYS
    invalid_days: int = DEFAULT_INVALID_KEEP_DAYS
    unsealed_days: int = DEFAULT_UNSEALED_KEEP_DAYS
    longer: tuple[Longer, ...] = ()
    stripping: Stripping | None = None
    is_held: bool = False
    min_cell: int = DEFAULT_MIN_CELL
    min_cells: Mapping[str, int] = field(default_factory=dict)  # of aggregates with their own

    def explains(self, day: date, today: date, grace_days: int) -> bool:
        """Whether events of a day may be there: today, or on one of the days of grace."""
        return any(self._explains(day, today - timedelta(g)) for g in range(grace_days + 1))

    def _explains(self, day: date, at: date) -> bool:
        days = (at - day).days
        return (
            self.is_held
            or days <= self.keep_days
            or any(
                days <= one.keep_days and one.first <= day <= one.last and at <= one.until
                for one in self.longer
            )
        )


@dataclass(frozen=True)
class Schema:
    """A registered schema as far as it concerns what is forgotten. `tables`: major → table."""

    name: str
    stem: str
    privacy: Mapping[str, str]
    rule: Rule
    tables: Mapping[int, str]

    @property
    def invalid_table(self) -> str:
        """The table of its refused events."""
        return f"{self.stem}_invalid"


@dataclass(frozen=True)
class Rules:
    """What explains anything. `default` is the rule of events that name no known schema."""

    default: Rule
    schemas: tuple[Schema, ...]

    @property
    def shortest_days(self) -> int:
        """The least number of days that any event with content is kept."""
        every = [self.default, *(one.rule for one in self.schemas)]
        return min(min(one.keep_days, one.invalid_days) for one in every)

    @property
    def longest_days(self) -> int:
        """The largest number of days that any event with content is kept."""
        every = [self.default, *(one.rule for one in self.schemas)]
        return max(
            max([one.keep_days, one.invalid_days, *(x.keep_days for x in one.longer)])
            for one in every
        )

    def of(self, name: str) -> Rule:
        """Return the rule of a schema, whether it is registered or not."""
        return next((one.rule for one in self.schemas if one.name == name), self.default)


def read_rules(connection: sa.Connection) -> Rules:
    """Return what is in force. Raises StoreUnavailable."""
    c, e, h = governance.c, extension.c, legal_hold.c
    query = sa.select(c.name, c.document).where(c.folder == "purge")
    documents = {str(name): json.loads(text) for name, text in connection.execute(query)}
    default = _table(documents.get("default.toml"))
    granted: defaultdict[str, list[Longer]] = defaultdict(list)
    for row in connection.execute(sa.select(extension).where(e.state == "granted")):
        one = Longer(_day(row.first_day), _day(row.last_day), row.keep_days, _day(row.until))
        for name in json.loads(row.schemas):
            granted[name].append(one)
    open_holds = sa.select(h.schema).where(h.lifted_at.is_(None))
    held = set(connection.execute(open_holds).scalars())
    tables: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for row in connection.execute(sa.select(schema_table)):
        tables[row.schema][row.major] = row.table_name
    s = event_schema.c
    schemas = []
    for row in connection.execute(sa.select(s.name, s.stem, s.privacy).order_by(s.name)):
        own = _table(documents.get(f"{row.name}.toml"))
        rule = _rule(own, default, granted[row.name], is_held=row.name in held)
        schemas.append(Schema(row.name, row.stem, json.loads(row.privacy), rule, tables[row.name]))
    return Rules(_rule({}, default, []), tuple(schemas))


def _rule(
    own: Mapping[str, Any], default: Mapping[str, Any], granted: list[Longer], *,
    is_held: bool = False,
) -> Rule:  # fmt: skip
    def days(key: str, otherwise: int) -> int:
        for document in (own, default):
            if isinstance(document.get(key), int):
                return int(document[key])
        return otherwise

    cap = int(default.get("cap_days", DEFAULT_CAP_DAYS))
    longer = [*granted, *_stated(own.get("extension"))]
    invalid = min(days("invalid_keep_days", DEFAULT_INVALID_KEEP_DAYS), cap)
    min_cell = days("min_cell", DEFAULT_MIN_CELL)
    return Rule(
        keep_days=min(days("keep_days", DEFAULT_KEEP_DAYS), cap),
        invalid_days=invalid,
        unsealed_days=min(days("unsealed_keep_days", DEFAULT_UNSEALED_KEEP_DAYS), invalid),
        longer=tuple(Longer(x.first, x.last, min(x.keep_days, cap), x.until) for x in longer),
        stripping=_stripping(own["scrub"]) if "scrub" in own else None,
        is_held=is_held,
        min_cell=min_cell,
        min_cells={
            one["name"]: int(one.get("min_cell", min_cell)) for one in own.get("aggregate", ())
        },
    )


def _stated(table: Any) -> Iterator[Longer]:
    if isinstance(table, dict):
        yield Longer(*_EVER, int(table["keep_days"]), _day(table["until"]))


def _stripping(table: Mapping[str, Any]) -> Stripping:
    fields = {pointer_of(name): "event" for name in table.get("keep", ())}
    fields |= {pointer_of(name): "hash" for name in table.get("hash", ())}
    for name, bucket in table.get("bucket", {}).items():
        form = "bucket" if not isinstance(bucket, str) else _FORMS.get(bucket, "time")
        fields[pointer_of(name)] = form
    return Stripping(fields, frozenset(table.get("capsule", ())), table.get("keep_days"))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:  # `0000-00-00`, `9999-99-99`: from the beginning, without end
        return date.min if text < "0001-01-01" else date.max


def _table(document: Any) -> Mapping[str, Any]:
    return document if isinstance(document, dict) else {}
