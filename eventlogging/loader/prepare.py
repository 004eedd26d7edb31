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
LedgerKey = tuple[str, str, str, str, str]  # minute, schema, version, outcome, reason
Encoder = Callable[[dict[str, Any]], tuple[list[Any], str | None]]
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
    sealed: bool
    raw: str

    @property
    def minute(self) -> str:
        return self.received[:16]


@dataclass
class TableRows:
    """What goes into one table; valid and invalid events never share one."""

    table: str
    schema: RegisteredSchema | None
    major: int = 0  # 0: a table of invalid events
    events: list[EventRow] = field(default_factory=list)
    invalid: list[InvalidRow] = field(default_factory=list)
    # minute, schema, version of every line, for the ledger's `pending`
    booked: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    @property
    def lines(self) -> int:
        return sum(self.booked.values())

    @property
    def plan(self) -> ColumnPlan:
        assert self.schema is not None
        return self.schema.plans[self.major]


@dataclass
class Prepared:
    """A piece of the log, sorted by table; `counted` are lines that become no row."""

    tables: dict[str, TableRows] = field(default_factory=dict)
    counted: Counter[LedgerKey] = field(default_factory=Counter)

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

    def prepare(self, lines: Iterable[tuple[int, bytes]]) -> Prepared:
        """Return the rows that (offset, line) pairs become."""
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
        return prepared

    def _valid(self, prepared: Prepared, offset: int, content: dict[str, Any]) -> None:
        name, number = content["schema"], content["version"]
        schema = self.snapshot.schemas.get(name)
        version = schema.versions.get(number) if schema else None
        received = clock.sql_time(content["received"])
        if schema is None or version is None:
            waiting = prepared.rows_of(f"({name} {number})", None)
            waiting.booked[received[:16], name, number] += 1
            return
        major = version.version.major
        row = _event_row(offset, content, received)
        try:
            row.values, row.more = self._encoder(version.table, schema, major)(row.event)
        except Exception as error:
            # An event that passed the gate and cannot be laid into columns is our fault, not a
            # reason to hold up the others: it is kept, with the reason, where its owner sees it.
            _logger.exception("an event of %s %s cannot be laid into columns", name, number)
            refused = prepared.rows_of(schema.invalid_table, schema)
            refused.booked[received[:16], name, number] += 1
            refused.invalid.append(invalid_from(row, "storage_error", str(error)))
            return
        rows = prepared.rows_of(version.table, schema, major)
        rows.booked[received[:16], name, number] += 1
        rows.events.append(row)

    def _encoder(self, table: str, schema: RegisteredSchema, major: int) -> Encoder:
        encoder = self._encoders.get(table)
        if encoder is None:
            encoder = self._encoders[table] = compile_encoder(schema.plans[major])
        return encoder

    def _invalid(self, prepared: Prepared, offset: int, content: dict[str, Any]) -> None:
        name, version = content["schema"], content["version"]
        schema = self.snapshot.schemas.get(name)
        received = clock.sql_time(content["received"])
        if schema is not None:
            rows = prepared.rows_of(schema.invalid_table, schema)
        elif name == UNKNOWN:
            rows = prepared.rows_of(UNKNOWN_TABLE, None)
        else:
            rows = prepared.rows_of(f"({name} {version})", None)
        rows.booked[received[:16], name, version] += 1
        rows.invalid.append(_invalid_row(offset, content, received))


def _event_row(offset: int, content: dict[str, Any], received: str) -> EventRow:
    return EventRow(
        dt=clock.sql_time(content["dt"]),
        id=content["id"],
        received=received,
        version=content["version"],
        schema=content["schema"],
        capsule=tuple(content["capsule"].values()),
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
        sealed=content["sealed"],
        raw=content["raw"],
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
        "[]", row.id, host, wiki, browser, client, True, raw,
    )  # fmt: skip


def waiting_name(line: bytes) -> str:
    """Return the name in brackets that a line waits under while its schema is not registered."""
    content = orjson.loads(line)
    return f"({content.get('schema', '')} {content.get('version', '')})"
