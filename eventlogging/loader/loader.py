"""Load the log into the store, one short transaction after another.

Each transaction moves the checkpoint, then writes rows, ledger and table days;
all of it or nothing. Trouble of one table parks its lines while the others go
on; trouble of the server rolls back and waits.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import sqlalchemy as sa

from eventlogging.errors import StoreUnavailable, TableTrouble
from eventlogging.loader import books, forwarded
from eventlogging.loader.ahead import ReadAhead
from eventlogging.loader.books import Overtaken, ParkedLines
from eventlogging.loader.ensure import TableKeeper
from eventlogging.loader.insert import Stored, store_events, store_invalid
from eventlogging.loader.prepare import (
    InvalidRow,
    LedgerKey,
    Prepared,
    Preparer,
    TableRows,
    waiting_name,
)
from eventlogging.loader.trials import drop_old, store_trials
from eventlogging.loader.trouble import Troubles
from eventlogging.log import blank, reader
from eventlogging.log.forwarded import Marker
from eventlogging.log.segment import Batch
from eventlogging.registry.snapshot import RegistryCache
from eventlogging.store.database import Database

_logger = logging.getLogger(__name__)
_SERVER_WAIT = 1.0
_PARKED_SECONDS = 1.0
_REGISTRY_SECONDS = 1.0
_DROP_SECONDS = 60.0


class Loader:
    """Reads every segment of a log folder; several may run by mistake and do no harm."""

    def __init__(
        self,
        database: Database,
        registry: RegistryCache,
        folder: Path,
        *,
        load_rows: int = 5000,
        load_seconds: float = 0.2,
    ) -> None:
        self._database = database
        self._registry = registry
        self._folder = folder
        self._load_rows = load_rows
        self._ahead = ReadAhead(folder, load_rows, ahead=database.dialect.remote)
        self._load_seconds = load_seconds
        self._preparer = Preparer(registry.snapshot)
        self._keeper = TableKeeper(database)
        self._positions: dict[str, tuple[int, bool]] | None = None
        self._troubles = Troubles()
        self._next_look = 0.0
        self._next_drop = 0.0
        self._unreadable: set[str] = set()

    def run(self, stopped: Callable[[], bool]) -> None:
        """Load until `stopped` says so; waits out an unreachable database."""
        silent = False
        while not stopped():
            try:
                loaded = self.step()
                silent = False
            except StoreUnavailable as error:
                if not silent:
                    _logger.warning("waiting for the database: %s", error)
                silent = True
                self._positions = None
                time.sleep(_SERVER_WAIT)
                continue
            if loaded < self._load_rows // 2:
                time.sleep(self._load_seconds)

    def step(self) -> int:
        """Load what there is now, at most one transaction a segment; return how many lines.

        Raises StoreUnavailable when the database does not answer.
        """
        if self._registry.age_seconds() > _REGISTRY_SECONDS:
            self._read_registry()
        if self._positions is None:
            self._finish_blanking()
            self._positions = books.checkpoints(self._database)
        segments = reader.segments(self._folder)
        loaded = self._retry_parked(segments)
        self._drop_old_trials()
        for segment in segments:
            position, finished = self._positions.get(segment, (0, False))
            if finished:
                continue
            try:
                loaded += self._load_segment(segment, position)
            except Overtaken:
                self._positions = books.checkpoints(self._database)
            except StoreUnavailable:
                raise
            except Exception as error:  # of this segment alone; the others go on
                self._note_unreadable(segment, error)
        return loaded

    def _finish_blanking(self) -> None:
        """Before anything is read: a crash may have left lines half blanked."""
        try:
            blank.recover(self._folder)
        except OSError as error:
            _logger.error("an interrupted blanking of the log cannot be finished: %s", error)

    def _drop_old_trials(self) -> None:
        if time.monotonic() < self._next_drop:
            return
        self._next_drop = time.monotonic() + _DROP_SECONDS
        try:
            drop_old(self._database)
        except sa.exc.DBAPIError as error:  # of this table alone; events go on
            _logger.error("old events of test keys cannot be deleted: %s", error)

    def _note_unreadable(self, segment: str, error: Exception) -> None:
        if segment not in self._unreadable:
            self._unreadable.add(segment)
            fault = None if isinstance(error, OSError) else error
            _logger.error(
                "%s cannot be loaded, its events wait: %s", segment, error, exc_info=fault
            )

    def drain(self) -> int:
        """Load until nothing is left that can be loaded now; return how many lines."""
        total = 0
        while loaded := self.step():
            total += loaded
        return total

    def _read_registry(self) -> None:
        self._registry.refresh()
        if self._registry.snapshot is not self._preparer.snapshot:
            self._preparer = Preparer(self._registry.snapshot)

    def _load_segment(self, segment: str, position: int) -> int:
        assert self._positions is not None
        if segment not in self._positions:
            books.open_checkpoint(self._database, segment)
            self._positions.update(books.checkpoints(self._database))
            position = self._positions[segment][0]
        load = self._ahead.load(segment, position, self._preparer)
        sorted_out = forwarded.sort_out(self._database, segment, load.lines)
        if not load.batches:
            if load.finished:
                with self._database.write() as connection:
                    books.move_checkpoint(connection, segment, position, position, finished=True)
                self._positions[segment] = (position, True)
            return 0
        prepared = load.prepared
        if sorted_out.left_out or _holds_unknown(prepared):
            prepared = self._prepare(sorted_out.lines)
        self._store(segment, position, load.end, load.batches, prepared, sorted_out.new)
        self._positions[segment] = (load.end, False)
        return len(load.lines)

    def _prepare(self, lines: Sequence[tuple[int, bytes]]) -> Prepared:
        prepared = self._preparer.prepare(lines)
        if _holds_unknown(prepared):
            # Published a moment ago, perhaps: look before parking.
            self._read_registry()
            prepared = self._preparer.prepare(lines)
        return prepared

    def _store(
        self, segment: str, start: int, end: int, batches: Sequence[Batch], prepared: Prepared,
        new: Sequence[Marker],
    ) -> None:  # fmt: skip
        """Store a piece; tables in trouble are parked, and the piece is tried without them."""
        waiting = {
            name: "waits with earlier lines"
            for name in prepared.tables
            if self._troubles.waits(name)
        }
        while True:
            try:
                for name, rows in prepared.tables.items():
                    if name not in waiting:
                        self._ensure(rows)
                self._transact(segment, start, end, batches, prepared, waiting, new)
                break
            except TableTrouble as trouble:
                for name in self._blame(trouble, prepared.tables):
                    waiting[name] = trouble.reason
        for name in prepared.tables.keys() - waiting.keys():
            self._troubles.over(name)

    def _blame(self, trouble: TableTrouble, tables: Mapping[str, TableRows]) -> list[str]:
        """Note trouble; return the tables of a piece that cannot be stored because of it.

        A table of invalid events is also wanted by the table whose refusals it takes.
        """
        blamed = [
            name
            for name, rows in tables.items()
            if trouble.table in (name, rows.schema.invalid_table if rows.schema else "")
        ]
        self._troubles.note(trouble)
        for name in blamed:
            self._keeper.forget(tables[name])
            if name != trouble.table:
                self._troubles.note(TableTrouble(name, trouble.reason))
        return blamed

    def _ensure(self, rows: TableRows) -> None:
        if rows.table.startswith("("):
            raise TableTrouble(rows.table, "the registry does not know this schema version")
        self._keeper.ensure(rows)

    def _transact(
        self,
        segment: str,
        start: int,
        end: int,
        batches: Sequence[Batch],
        prepared: Prepared,
        waiting: Mapping[str, str],
        new: Sequence[Marker],
    ) -> None:
        counts: Counter[LedgerKey] = Counter(prepared.counted)
        for batch in batches:
            counts.update(books.sent_counts(batch.sent))
        for marker in new:
            counts.update(books.sent_counts(marker.sent))
        with self._database.write() as connection:
            books.move_checkpoint(connection, segment, start, end)
            forwarded.book(self._database, connection, segment, new)
            books.write_reports(self._database, connection, prepared.reports)
            for name, reason in waiting.items():
                rows = prepared.tables[name]
                books.park(connection, segment, start, end, rows, reason)
                counts.update(books.pending(rows))
            ready = [rows for name, rows in prepared.tables.items() if name not in waiting]
            self._write(connection, segment, ready, counts)

    def _write(
        self,
        connection: sa.Connection,
        segment: str,
        tables: Sequence[TableRows],
        counts: Counter[LedgerKey],
    ) -> None:
        """Write the rows of these tables, and the books with what came of them."""
        stored = Stored()
        for rows in tables:
            if rows.events:
                store_events(self._database, connection, rows, stored)
            if rows.trials:
                store_trials(self._database, connection, segment, rows.trials)
        refused: dict[str, list[InvalidRow]] = {}
        for row in stored.conflicts:
            table = self._preparer.snapshot.schemas[row.schema].invalid_table
            refused.setdefault(table, []).append(row)
        for rows in tables:
            if rows.invalid:
                refused.setdefault(rows.table, []).extend(rows.invalid)
        for table, invalid in refused.items():
            store_invalid(self._database, connection, table, segment, invalid, stored)
        counts.update(stored.ledger)
        books.write_ledger(self._database, connection, counts, stored.kept)
        books.write_days(self._database, connection, stored)

    def _retry_parked(self, segments: Sequence[str]) -> int:
        """Try again what waits for its table, where the time for it has come.

        What waits in segments of another host is for that host's loader.
        """
        if time.monotonic() < self._next_look:
            return 0
        self._next_look = time.monotonic() + _PARKED_SECONDS
        return sum(
            self._store_parked(lines)
            for lines in books.parked(self._database)
            if lines.segment in segments and not self._troubles.waits(lines.table)
        )

    def _store_parked(self, parked: ParkedLines) -> int:
        try:
            lines = reader.read_lines(self._folder, parked.segment, parked.start, parked.end)
            lines = list(forwarded.sort_out(self._database, parked.segment, lines).lines)
        except OSError as error:
            self._note_unreadable(parked.segment, error)
            return 0
        if parked.table.startswith("("):
            lines = [line for line in lines if waiting_name(line[1]) == parked.table]
            tables = self._prepare(lines).tables
        else:
            prepared = self._prepare(lines).tables
            tables = {name: rows for name, rows in prepared.items() if name == parked.table}
        counts: Counter[LedgerKey] = Counter()
        for rows in tables.values():
            counts.update(books.pending(rows, -1))
        try:
            for rows in tables.values():
                self._ensure(rows)
            with self._database.write() as connection:
                books.unpark(connection, parked)
                self._write(connection, parked.segment, list(tables.values()), counts)
        except TableTrouble as trouble:
            self._blame(trouble, tables)
            return 0
        except Overtaken:
            return 0
        self._troubles.over(parked.table)
        return parked.lines


def _holds_unknown(prepared: Prepared) -> bool:
    """Whether any line is of a schema version that the snapshot does not know."""
    return any(name.startswith("(") for name in prepared.tables)
