"""A day's report as a value, which becomes JSON and comes back.

It holds counts, names and paths, and no value of any event: samples are named by their place in
a table and read when they are shown, so that a report outlives no event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from eventlogging.event import UNKNOWN
from eventlogging.ledger.reading import OUTCOMES, PENDING, LineOfTruth, total
from eventlogging.ledger.sentence import grouped

KINDS = (*OUTCOMES, PENDING)  # in the order of the line of truth
_ALL = "all"


@dataclass(frozen=True)
class Cause:
    """Why events were invalid: a code, and the path of the first problem, with what was expected.

    `place` is the key of the newest such row: received, segment, offset, index.
    """

    code: str
    pointer: str
    expected: str
    count: int
    place: tuple[str, str, int, int]


@dataclass(frozen=True)
class SchemaDay:
    """One schema's day, beside the day before and the same weekday of the week before.

    `history` maps an outcome to its count on each of the report's `days`. `causes` are the most
    frequent ones, counted among the newest `looked_at` invalid events; `more_causes` are left out.
    """

    line: LineOfTruth
    day_before: LineOfTruth
    week_before: LineOfTruth
    owners: tuple[str, ...]
    history: Mapping[str, tuple[int, ...]]
    causes: tuple[Cause, ...] = ()
    more_causes: int = 0
    looked_at: int = 0

    @property
    def name(self) -> str:
        """The schema's name, or `(unknown)`."""
        return self.line.schema

    @property
    def is_active(self) -> bool:
        """Whether anything was booked under it on the day."""
        line = self.line
        return bool(line.sent or line.explained or line.pending)


@dataclass(frozen=True)
class Due:
    """What is due: a `review`, `retention` or `token`, in words; `schema` may be empty."""

    kind: str
    schema: str
    text: str


@dataclass(frozen=True)
class Waiting:
    """What the loader had still to do when the report was made.

    `age_seconds` is how long the oldest waited; None where nothing did. `parked` lines wait for
    their tables.
    """

    bytes: int = 0
    age_seconds: float | None = None
    parked: int = 0


@dataclass(frozen=True)
class Reported:
    """What clients reported of one schema on the day.

    `overdrawn` were reported as sent and never arrived.
    """

    schema: str
    attempted: int
    sent: int
    waiting: int
    overdrawn: int


@dataclass(frozen=True)
class Receipts:
    """How many receipts of what was forgotten there are, and the digest of the newest.

    With it in many mailboxes, nobody changes a receipt unseen. `trouble`: why they cannot be read.
    """

    number: int = 0
    digest: str = ""
    trouble: str = ""

    @property
    def words(self) -> str:
        """The line that says so; empty where there are none."""
        if self.trouble:
            return f"Receipts cannot be trusted: {self.trouble}"
        if not self.number:
            return ""
        return f"Receipts: {grouped(self.number)}, newest digest {self.digest}"


@dataclass(frozen=True)
class Report:
    """A UTC day of receipt. `schemas` are all that are registered or had events, the most first.

    `note` says why it is not complete. `days` are the day and those before it, the oldest first.
    `new` are schemas whose first event ever came on that day; `silent` those without an event
    that had some on the same weekday of the week before, the most first.
    """

    day: str
    made_at: str
    complete: bool
    note: str
    days: tuple[str, ...]
    schemas: tuple[SchemaDay, ...]
    new: tuple[str, ...]
    silent: tuple[str, ...]
    waiting: Waiting
    due: tuple[Due, ...]
    left_out: int = 0  # schemas whose causes nobody counted, for there were too many
    receipts: Receipts = Receipts()
    clients: tuple[Reported, ...] = ()

    @property
    def never_arrived(self) -> int:
        """How many events clients reported as sent that never arrived."""
        return sum(one.overdrawn for one in self.clients)

    @property
    def clients_words(self) -> str:
        """The line that says what clients count; empty where none reported."""
        if not self.clients:
            return ""
        attempted = sum(one.attempted for one in self.clients)
        sent = sum(one.sent for one in self.clients)
        waiting = sum(max(0, one.waiting) for one in self.clients)
        return (
            f"Clients: {grouped(attempted)} attempted, {grouped(sent)} reported as sent, "
            f"{grouped(waiting)} waiting"
        )

    @property
    def active(self) -> tuple[SchemaDay, ...]:
        """The schemas that something was sent of on the day."""
        return tuple(one for one in self.schemas if one.is_active)

    @property
    def total(self) -> LineOfTruth:
        """All schemas together."""
        return total((one.line for one in self.schemas), _ALL)

    @property
    def day_before(self) -> LineOfTruth:
        """All schemas together, the day before."""
        return total((one.day_before for one in self.schemas), _ALL)

    @property
    def week_before(self) -> LineOfTruth:
        """All schemas together, on the same weekday of the week before."""
        return total((one.week_before for one in self.schemas), _ALL)

    @property
    def history(self) -> dict[str, list[int]]:
        """Outcome → count on each of `days`, all schemas together."""
        sums: dict[str, list[int]] = {}
        for one in self.schemas:
            for kind, counts in one.history.items():
                known = sums.setdefault(kind, [0] * len(self.days))
                sums[kind] = [a + b for a, b in zip(known, counts, strict=True)]
        return sums

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to say."""
        return not (self.active or self.silent or self.due)

    @property
    def owners(self) -> dict[str, frozenset[str]]:
        """Case-folded address → the schemas that it owns."""
        found: dict[str, frozenset[str]] = {}
        for one in self.schemas:
            for owner in one.owners:
                name = owner.casefold()
                found[name] = found.get(name, frozenset()) | {one.name}
        return found

    def find(self, name: str) -> SchemaDay | None:
        """Return one schema's day."""
        return next((one for one in self.schemas if one.name == name), None)

    def part_of(self, names: Collection[str]) -> Report:
        """Return what of the report is about these schemas."""
        return replace(
            self,
            schemas=tuple(one for one in self.schemas if one.name in names),
            new=tuple(name for name in self.new if name in names),
            silent=tuple(name for name in self.silent if name in names),
            due=tuple(one for one in self.due if one.schema in names),
            clients=tuple(one for one in self.clients if one.schema in names),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it; `from_dict` reads that back."""
        return asdict(self)


def from_dict(body: Mapping[str, Any]) -> Report:
    """Return the report that `as_dict` wrote."""
    return Report(
        **{
            **body,
            "days": tuple(body["days"]),
            "schemas": tuple(_schema_day(one) for one in body["schemas"]),
            "new": tuple(body["new"]),
            "silent": tuple(body["silent"]),
            "waiting": Waiting(**body["waiting"]),
            "due": tuple(Due(**one) for one in body["due"]),
            "receipts": Receipts(**body.get("receipts", {})),
            "clients": tuple(Reported(**one) for one in body.get("clients", ())),
        }
    )


def _schema_day(body: Mapping[str, Any]) -> SchemaDay:
    lines = {name: LineOfTruth(**body[name]) for name in ("line", "day_before", "week_before")}
    return SchemaDay(
        **{
            **body,
            **lines,
            "owners": tuple(body["owners"]),
            "history": {kind: tuple(counts) for kind, counts in body["history"].items()},
            "causes": tuple(_cause(one) for one in body["causes"]),
        }
    )


def _cause(body: Mapping[str, Any]) -> Cause:
    return Cause(**{**body, "place": tuple(body["place"])})


def line_of(schema: str, counts: Mapping[str, int]) -> LineOfTruth:
    """Return a line of truth from `sent`, the outcomes, `pending` and `kept`."""
    known = Counter(counts)
    return LineOfTruth(schema, **{name: known[name] for name in ("sent", *KINDS, "kept")})


def most_frequent(schemas: Sequence[SchemaDay], most: int) -> list[tuple[SchemaDay, Cause]]:
    """Return the most frequent causes of all schemas, with whose each is."""
    pairs = [(one, cause) for one in schemas for cause in one.causes]
    return sorted(pairs, key=lambda pair: (-pair[1].count, pair[0].name, pair[1].code))[:most]


def is_registered(name: str) -> bool:
    """Whether a name of the ledger is a schema's."""
    return name != UNKNOWN
