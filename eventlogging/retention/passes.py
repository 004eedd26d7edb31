"""Carry out a plan, step by step: what is to be kept is made first, then rows go, then a receipt.

Each step can be done again, and by two machines at once: what is gone is gone, books are made to
agree by counting, aggregates and stripped rows are there once. What somebody holds is left for
the next pass.

A pass may take hours. So the policy and the legal hold of a schema are read anew before each group
of its days and in each transaction that deletes: where they are not what the plan saw, the rest
stays.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from socket import gethostname
from typing import Any, Protocol

import sqlalchemy as sa

from eventlogging.errors import StoreUnavailable, TableTrouble
from eventlogging.ledger.sentence import grouped
from eventlogging.platform import Platform
from eventlogging.receipts import chain
from eventlogging.registry.model import RegisteredSchema
from eventlogging.retention import held_rows, log_days, purge, unfinished
from eventlogging.retention.held_rows import EventTable
from eventlogging.retention.plan import LOG, TABLES, UNSEALED, Plan, Step
from eventlogging.retention.policy import LAST_DAY, Policy, read_policies, read_policy
from eventlogging.retention.purge import Changed, May
from eventlogging.retention.throttle import Throttle
from eventlogging.retention.unfinished import Note
from eventlogging.store.database import Database

_TRIES = 3  # of a day into which rows come while it goes
_WAIT_SECONDS = 600.0  # for another pass
_logger = logging.getLogger(__name__)


class Stripped(Protocol):
    """What stripping the rows of a day came to."""

    @property
    def new(self) -> int: ...
    @property
    def columns_filled(self) -> Iterable[str]: ...
    @property
    def emptied(self) -> int: ...


Settle = Callable[[Database, RegisteredSchema, Policy, str], int]
Strip = Callable[[Database, RegisteredSchema, str, Policy, str], Stripped]
More = Mapping[str, Callable[[Step], int]]  # kind of step → who does it, and how many things went
Progress = Callable[[int], None]  # told how many rows went since the last time


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pass came to: `rows` went by `steps`; `deferred` says in sentences what did not."""

    today: str
    steps: int = 0
    rows: int = 0
    deferred: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """All of it in words."""
        if not self.steps and not self.deferred:
            return "nothing was due"
        steps = "1 step" if self.steps == 1 else f"{grouped(self.steps)} steps"
        return f"{grouped(self.rows)} rows gone in {steps}"

    def as_dict(self) -> dict[str, Any]:
        """Return all of it."""
        return {"today": self.today, "steps": self.steps, "rows": self.rows,
                "deferred": list(self.deferred)}  # fmt: skip


def run(
    platform: Platform,
    plan: Plan,
    *,
    settle: Settle,
    strip: Strip,
    more: More | None = None,
    progress: Progress = lambda rows: None,
    pause: Callable[[], None] | None = None,
    wait_seconds: float = _WAIT_SECONDS,
) -> Outcome:
    """Do what a plan says; return what it came to.

    `settle` makes the aggregates of a day final, `strip` copies the stripped rows of a day. Steps
    whose policy is another one by now are left for the next plan. Raises StoreUnavailable,
    BrokenChain and OSError of the receipts, PassRunning where another one does not end.
    """
    folder = chain.folder_of(platform.config.var)
    with unfinished.alone(folder, wait_seconds):
        newest = chain.newest(folder)
        if newest is None:
            newest = chain.append(folder, "begin", {"today": plan.today})
        platform.registry.refresh()
        with platform.database.read() as connection:
            tables = {one.name: one for one in held_rows.event_tables(connection)}
        one = _Pass(
            platform, folder, tables, settle, strip, more or {}, progress,
            pause or Throttle(platform), newest.number,
        )  # fmt: skip
        one.finish_former()
        for step in plan.steps:
            one.do(step)
        purge.tidy(platform.database)
        outcome = Outcome(plan.today, one.steps, one.rows, tuple(one.deferred))
        # The kinds tell a pass over tables from one over a host's files; old receipts lack them.
        body = {"checksum": plan.checksum, "kinds": list(plan.kinds), **outcome.as_dict()}
        chain.append(folder, "pass", body)
    for sentence in outcome.deferred:
        _logger.warning("purge: %s", sentence)
    return outcome


@dataclass
class _Made:
    """What was made of the events of a step before they went."""

    stripped: int = 0
    emptied: int = 0
    columns: set[str] = field(default_factory=set)

    def as_body(self) -> dict[str, Any]:
        """Return it as its receipt says it."""
        emptied = {"emptied": self.emptied} if self.emptied else {}
        return {"stripped": self.stripped, "columns_filled": sorted(self.columns), **emptied}


@dataclass
class _Pass:
    """One pass: what it works with, and what it came to so far."""

    platform: Platform
    folder: Path
    tables: Mapping[str, EventTable]
    settle: Settle
    strip: Strip
    more: More
    progress: Progress
    pause: Callable[[], None]
    number: int  # of the newest receipt
    steps: int = 0
    rows: int = 0
    deferred: list[str] = field(default_factory=list)

    def finish_former(self) -> None:
        """Write the receipt of a step that was interrupted; what is left of it, a plan knows."""
        note = unfinished.read(self.folder)
        if note is not None and not self._has_receipt(note):
            table = self.tables.get(str(note.body["table"]))
            if table is not None:
                purge.settle_books(self.platform.database, table, list(note.out))
                self._receipt_of_rows(table, note)
            elif note.kind == "log":
                self._receipt_of_log(note)
        unfinished.forget(self.folder)

    def do(self, step: Step) -> None:
        """Carry out a step, or note why not."""
        try:
            self.pause()
            self._do(step)
        except TableTrouble as error:
            self.deferred.append(f"{step.table} waits for the next pass: {error.reason}")
        except Changed as error:
            self.deferred.append(f"{error}; what is left waits for the next pass")
        except sa.exc.DBAPIError as error:  # of this table alone
            self.deferred.append(f"{step.table} waits for the next pass: {error.orig}")
        else:
            self.steps += 1

    def _do(self, step: Step) -> None:
        if step.kind in TABLES:
            table = self.tables.get(step.table)
            if table is None:
                raise TableTrouble(step.table, "nobody knows this table")
            with self.platform.database.read() as connection:
                policy = _as_planned(connection, step)
            self._table(step, table, policy)
        elif step.kind in LOG:
            self._log(step)
        elif step.kind in self.more:
            self.rows += self.more[step.kind](step)
        else:
            raise TableTrouble(step.table, f"nobody here does steps of the kind {step.kind}")

    def _table(self, step: Step, table: EventTable, policy: Policy) -> None:
        database = self.platform.database
        kind = "scrub" if step.kind == "scrub" else "purge"
        books = held_rows.books(database, table.name, step.days)
        out = {day: rows_out for day, (_, rows_out) in books.items()}
        body = {
            "schema": step.schema, "table": step.table, "what": step.kind,
            "policy": step.policy, "cut_off": step.cut_off, "days": list(step.days),
        }  # fmt: skip
        note = Note(kind, body, out, self.number)
        unfinished.write(self.folder, note)
        made = _Made()

        def may(connection: sa.Connection) -> None:
            _as_planned(connection, step)

        try:
            if step.kind == "unsealed":
                for day in step.days:
                    span = purge.span_of(day)
                    purge.delete(
                        database, table, span, UNSEALED,
                        may=may, pause=self.pause, gone=self.progress,
                    )  # fmt: skip
            elif step.kind == "scrubbed" and step.cut_off == LAST_DAY:
                self.progress(purge.drop_table(database, table, step.days, may=may))
            else:
                for group in purge.groups(database, table, step.days):
                    with database.read() as connection:
                        may(connection)
                    self._group(table, policy, group, made, may)
        finally:
            # Also of what was deleted before something went wrong.
            self._receipt_of_rows(table, note, made if kind == "scrub" else None)
            unfinished.forget(self.folder)

    def _group(
        self, table: EventTable, policy: Policy, group: purge.Group, made: _Made, may: May
    ) -> None:
        """Keep what is to be kept of some days, and delete them."""
        database = self.platform.database
        keeps = table.what == "valid" and (policy.aggregates or policy.scrub)
        for tries_left in range(_TRIES - 1, -1, -1):
            seen = None
            if keeps:
                books = held_rows.books(database, table.name, group.days)
                seen = {day: book[0] for day, book in books.items()}
                for day in group.days:
                    self._keep(table, policy, day, made)
            try:
                purge.clear(
                    database, table, group,
                    seen=seen, may=may, pause=self.pause, gone=self.progress,
                )  # fmt: skip
            except Changed:
                if not tries_left:
                    raise
                continue
            self.pause()
            return

    def _keep(self, table: EventTable, policy: Policy, day: str, made: _Made) -> None:
        """Make what outlives a day of events. Whatever goes wrong with it, the events stay."""
        schema = self.platform.registry.snapshot.schemas.get(table.schema)
        if schema is None:
            raise TableTrouble(table.name, "its schema is not in the registry yet")
        database = self.platform.database
        try:
            if policy.aggregates:
                self.settle(database, schema, policy, day)
            if policy.scrub:
                stripped = self.strip(database, schema, table.name, policy, day)
                made.stripped += stripped.new
                made.emptied += stripped.emptied
                made.columns.update(stripped.columns_filled)
        except StoreUnavailable:
            raise
        except Exception as error:
            _logger.exception("what is to be kept of %s of %s cannot be made", table.name, day)
            reason = f"what is to be kept of {day} cannot be made: {type(error).__name__}: {error}"
            raise TableTrouble(table.name, reason) from error

    def _receipt_of_rows(self, table: EventTable, note: Note, made: _Made | None = None) -> None:
        database = self.platform.database
        books = held_rows.books(database, table.name, note.out)
        before = sum(rows_in - note.out[day] for day, (rows_in, _) in books.items())
        after = sum(rows_in - rows_out for rows_in, rows_out in books.values())
        if before == after:
            return
        with database.read() as connection:
            present = {one.name: one for one in held_rows.event_tables(connection)}
            remaining = held_rows.oldest(connection, present.get(table.name, table))
        rows = {"rows_before": before, "rows_after": after, "oldest_remaining": remaining}
        self._append(note.kind, {**note.body, **rows, **(made.as_body() if made else {})})
        self.rows += before - after

    def _log(self, step: Step) -> None:
        if step.kind == "log":
            note = Note("log", _log_body("retired", step.days, step.cut_off), {}, self.number)
            unfinished.write(self.folder, note)
            retired = log_days.retire(self.platform, step.cut_off, step.days)
            self._receipt_of_log(note)
            unfinished.forget(self.folder)
            self.deferred += retired.stay
        else:
            with self.platform.database.read() as connection:
                policies = read_policies(connection)
            today = log_days.today()
            first = log_days.first_kept(self.platform, policies, today)
            lines = log_days.blank_unsealed(self.platform, policies, today, first)
            if lines:
                body = _log_body("blanked", step.days, step.cut_off)
                self._append("log", {**body, "lines": lines})
            self.progress(lines)

    def _receipt_of_log(self, note: Note) -> None:
        planned = note.body["days"]
        assert isinstance(planned, list)
        gone = [day for day in planned if not (self.platform.log_folder / day).exists()]
        if gone:
            oldest = log_days.oldest(self.platform.log_folder)
            self._append("log", {**note.body, "days": gone, "oldest_remaining": oldest})

    def _append(self, kind: str, body: Mapping[str, Any]) -> None:
        self.number = chain.append(self.folder, kind, body).number

    def _has_receipt(self, note: Note) -> bool:
        return any(
            one.number > note.number
            and one.kind == note.kind
            and one.body.get("table") == note.body.get("table")
            and one.body.get("what") == note.body.get("what")
            for one in chain.read(self.folder)
        )


def _as_planned(connection: sa.Connection, step: Step) -> Policy:
    """Return the policy of a step; raise TableTrouble where it is another one by now, or a hold."""
    policy = read_policy(connection, step.schema)
    if policy.version != step.policy:
        raise TableTrouble(step.table, "its policy is another one by now")
    return policy


def _log_body(what: str, days: tuple[str, ...], cut_off: str) -> dict[str, object]:
    return {"table": "log", "what": what, "host": gethostname(), "days": list(days),
            "cut_off": cut_off}  # fmt: skip
