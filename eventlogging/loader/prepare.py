"""From lines of the log to rows by table: pure, touches no database."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from eventlogging import clock
from eventlogging.event import UNKNOWN, Outcome
from eventlogging.registry.model import RegisteredSchema, Snapshot
from eventlogging.schema.codec import compile_encoder
from eventlogging.schema.columns import ColumnPlan

UNKNOWN_TABLE = "unknown_invalid"
TRIALS_TABLE = "test_event"
COUNTERS = "counters"  # the outcome of lines that hold what clients counted, as intake writes them
TEST = "test"  # the outcome of lines that test keys caused, as intake writes them
_SHOWN = (Outcome.VALID, Outcome.INVALID)  # of a test key's events, those that have content
LedgerKey = tuple[str, str, str, str, str]  # minute, schema, version, outcome, reason
Encoder = Callable[[dict[str, Any]], tuple[list[Any], str | None]]
Layout = tuple[RegisteredSchema, str, int, Encoder]  # of a version: schema, table, major, encoder
_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class EventRow:
    """A valid event on its way into its table. `dt` may still move to that of a retry.

    `made` are JSON pointers to what intake put into the event, otherwise at each arrival.
    """

    dt: str
    id: str
    received: str
    version: str
    schema: str
    capsule: tuple[Any, ...]
    values: list[Any]
    more: str | None
    event: dict[str, Any]
    remember: bool
    offset: int
    index: int
    made: tuple[str, ...] = ()

    @property
    def minute(self) -> str:
        return self.received[:16]


@dataclass(frozen=True, slots=True)
class InvalidRow:
    """An invalid event on its way into a table of invalid events."""

    received: str
    offset: int
    index: int
    schema: str  # booked under
    claimed: str
    version: str
    code: str
    message: str
    errors: str
    id: str | None
    host: str | None
    wiki: str | None
    browser: str | None
    client: str | None
    sealed: int  # 0 or 1
    raw: str

    @property
    def minute(self) -> str:
        return self.received[:16]


@dataclass(frozen=True, slots=True)
class TrialRow:
    """An event of a test key on its way into `test_event`; counted nowhere."""

    received: str  # ISO
    offset: int
    index: int
    key: str
    schema: str
    version: str
    outcome: str  # valid | invalid
    code: str
    errors: str
    event: str


@dataclass
class TableRows:
    """What goes into one table; valid, invalid and test keys' events never share one."""

    table: str
    schema: RegisteredSchema | None
    major: int = 0  # 0: a table of invalid events
    events: list[EventRow] = field(default_factory=list)
    invalid: list[InvalidRow] = field(default_factory=list)
    trials: list[TrialRow] = field(default_factory=list)
    # minute, schema, version of lines that wait for their schema and are no rows yet
    unknown: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    @property
    def booked(self) -> Counter[tuple[str, str, str]]:
        """Minute, schema, version of every line, for the ledger's `pending`; not of trials."""
        rows: list[EventRow | InvalidRow] = [*self.events, *self.invalid]
        return self.unknown + Counter((row.minute, row.schema, row.version) for row in rows)

    @property
    def lines(self) -> int:
        return self.unknown.total() + len(self.events) + len(self.invalid) + len(self.trials)

    @property
    def plan(self) -> ColumnPlan:
        assert self.schema is not None
        return self.schema.plans[self.major]


@dataclass(frozen=True, slots=True)
class Report:
    """What a client counted since its last report: schema → numbers in the order of `KINDS`."""

    id: str
    client: str
    day: str
    counts: dict[str, list[int]]


@dataclass
class Prepared:
    """A piece of the log, sorted by table; `counted` are lines that become no row."""

    tables: dict[str, TableRows] = field(default_factory=dict)
    counted: Counter[LedgerKey] = field(default_factory=Counter)
    reports: list[Report] = field(default_factory=list)

    def rows_of(self, table: str, schema: RegisteredSchema | None, major: int = 0) -> TableRows:
        """Return the rows of one table, none yet if it is the first time."""
        rows = self.tables.get(table)
        if rows is None:
            rows = self.tables[table] = TableRows(table, schema, major)
        return rows


class Preparer:
    """Sorts lines into rows by one snapshot of the registry.

    A schema or version that is not registered (yet) gets a table name that no
    table has, in brackets, so that its lines wait instead of being lost.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._encoders: dict[str, Encoder] = {}
        self._layouts: dict[tuple[str, str], Layout] = {}

    def prepare(self, lines: Iterable[tuple[int, bytes]]) -> Prepared:
        """Return the rows that (offset, line) pairs become.

        A line that cannot be read raises, and all of its segment waits: a newer EventLogging may
        have written it, and nothing else has the event.
        """
        prepared = Prepared()
        for offset, line in lines:
            content = orjson.loads(line)
            outcome = content["outcome"]
            if not content.get("kept", True):
                minute = clock.minute(content["received"])
                key = (minute, content["schema"], content["version"], outcome, content["code"])
                prepared.counted[key] += 1
            elif outcome == Outcome.VALID:
                self._valid(prepared, offset, content)
            elif outcome == Outcome.INVALID:
                self._invalid(prepared, offset, content)
            elif outcome == COUNTERS:
                day, counts = clock.day(content["received"]), content["counts"]
                report = Report(content["id"], content["client"], day, counts)
                prepared.reports.append(report)
            elif outcome == TEST and content["verdict"] in _SHOWN:
                prepared.rows_of(TRIALS_TABLE, None).trials.append(_trial_row(offset, content))
        return prepared

    def _valid(self, prepared: Prepared, offset: int, content: dict[str, Any]) -> None:
        name, number = content["schema"], content["version"]
        layout = self._layouts.get((name, number)) or self._layout(name, number)
        received = clock.sql_time(content["received"])
        if layout is None:
            waiting = prepared.rows_of(f"({name} {number})", None)
            waiting.unknown[received[:16], name, number] += 1
            return
        schema, table, major, encode = layout
        row = _event_row(offset, content, received)
        try:
            row.values, row.more = encode(row.event)
        except Exception as error:
            # An event that passed the gate and cannot be laid into columns is our fault, not a
            # reason to hold up the others: it is kept, with the reason, where its owner sees it.
            _logger.exception("an event of %s %s cannot be laid into columns", name, number)
            refused = prepared.rows_of(schema.invalid_table, schema)
            refused.invalid.append(invalid_from(row, "storage_error", str(error)))
            return
        prepared.rows_of(table, schema, major).events.append(row)

    def _layout(self, name: str, number: str) -> Layout | None:
        schema = self.snapshot.schemas.get(name)
        version = schema.versions.get(number) if schema else None
        if schema is None or version is None:
            return None
        major = version.version.major
        encode = self._encoders.get(version.table)
        if encode is None:
            encode = self._encoders[version.table] = compile_encoder(schema.plans[major])
        layout = self._layouts[name, number] = schema, version.table, major, encode
        return layout

    def _invalid(self, prepared: Prepared, offset: int, content: dict[str, Any]) -> None:
        name, version = content["schema"], content["version"]
        schema = self.snapshot.schemas.get(name)
        received = clock.sql_time(content["received"])
        if schema is None and name != UNKNOWN:
            waiting = prepared.rows_of(f"({name} {version})", None)
            waiting.unknown[received[:16], name, version] += 1
            return
        table = schema.invalid_table if schema else UNKNOWN_TABLE
        prepared.rows_of(table, schema).invalid.append(_invalid_row(offset, content, received))


def _event_row(offset: int, content: dict[str, Any], received: str) -> EventRow:
    capsule = content["capsule"]
    if capsule["user_agent_is_bot"] is not None:
        capsule["user_agent_is_bot"] = int(capsule["user_agent_is_bot"])  # as all columns' booleans
    return EventRow(
        dt=clock.sql_time(content["dt"]),
        id=content["id"],
        received=received,
        version=content["version"],
        schema=content["schema"],
        capsule=tuple(capsule.values()),
        values=[],
        more=None,
        event=content["event"],
        remember=content["remember"],
        offset=offset,
        index=content["index"],
        made=tuple(content.get("made", ())),
    )


def _invalid_row(offset: int, content: dict[str, Any], received: str) -> InvalidRow:
    capsule = content["capsule"]
    return InvalidRow(
        received=received,
        offset=offset,
        index=content["index"],
        schema=content["schema"],
        claimed=content["claimed"],
        version=content["version"],
        code=content["code"],
        message=content["message"],
        errors=orjson.dumps(content["errors"]).decode(),
        id=content["id"],
        host=capsule["host"],
        wiki=capsule["wiki"],
        browser=capsule["user_agent_browser"],
        client=capsule["client"],
        sealed=int(content["sealed"]),
        raw=content["raw"],
    )


def _trial_row(offset: int, content: dict[str, Any]) -> TrialRow:
    return TrialRow(
        received=clock.iso(content["received"]),
        offset=offset,
        index=content["index"],
        key=content["test_key"],
        schema=content["schema"],
        version=content["version"],
        outcome=content["verdict"],
        code=content["code"],
        errors=orjson.dumps(content["errors"]).decode(),
        event=content["event"],
    )


def invalid_from(row: EventRow, code: str, message: str) -> InvalidRow:
    """Return the row of an event that passed the gate and could not be stored as valid."""
    host, wiki, browser, *_, client = row.capsule
    raw = orjson.dumps(
        {
            "schema": row.schema,
            "version": row.version,
            "id": row.id,
            "dt": row.dt,
            "event": row.event,
        }
    ).decode()
    return InvalidRow(
        row.received, row.offset, row.index, row.schema, row.schema, row.version, code, message,
        "[]", row.id, host, wiki, browser, client, 1, raw,
    )  # fmt: skip


def waiting_name(line: bytes) -> str:
    """Return the name in brackets that a line waits under while its schema is not registered."""
    content = orjson.loads(line)
    return f"({content.get('schema', '')} {content.get('version', '')})"
