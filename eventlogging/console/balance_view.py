"""What the balance page says: the answer, the clients' line, and what joins it to ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.alerts import episodes
from eventlogging.clock import moved
from eventlogging.console.line_view import LineView, Piece, Term, label_count, pieces_of
from eventlogging.console.parts import Parts
from eventlogging.console.teaching import script_lines
from eventlogging.ledger import closing
from eventlogging.ledger.closing import Closing
from eventlogging.ledger.lag import read_lag
from eventlogging.ledger.sentence import grouped
from eventlogging.registry.model import Snapshot

DAYS = 14
MOST_ROWS = 60
# column → its word; those that stand for nothing in any row are left out
SAID = {
    "attempted": "Attempted", "said_sampled_out": "Sampled out", "said_suppressed": "Suppressed",
    "dropped": "Dropped", "waiting": "Waiting", "reported": "Sent",
}  # fmt: skip
COUNTED = {
    "arrived": "Arrived", "valid": "Valid", "invalid": "Invalid", "sampled_out": "Left out",
    "suppressed": "Opted out", "pending": "Pending", "unreported": "Not reported",
    "overdrawn": "Lost", "residual": "Unexplained",
}  # fmt: skip
_ALWAYS = frozenset({"attempted", "waiting", "reported", "arrived", "unreported", "residual"})
_WAITING = frozenset({"lag", "stored"})  # alerts that say so of a host
_ALARMS = frozenset({"overdrawn", "residual"})


@dataclass(frozen=True)
class Row:
    """One line of a table: a schema, a day, or one day of one schema."""

    name: str
    closing: Closing

    def figure(self, column: str) -> int:
        """Return one of its figures."""
        said, line = self.closing.said, self.closing.line
        if column in ("attempted", "dropped"):
            return int(getattr(said, column))
        if column.startswith("said_"):
            return int(getattr(said, column.removeprefix("said_")))
        if column == "waiting":
            return self.closing.waiting - self.closing.earlier
        if column == "reported":
            return said.sent
        if column in ("arrived", "unreported", "overdrawn"):
            return int(getattr(self.closing, column))
        return int(getattr(line, column))


@dataclass(frozen=True)
class Table:
    """Rows under a word for what they are: `Schema` or `Day`; `left_out` are more."""

    word: str
    rows: Sequence[Row]
    left_out: int = 0

    @property
    def said(self) -> dict[str, str]:
        """The columns of the clients' count."""
        return self._of(SAID)

    @property
    def counted(self) -> dict[str, str]:
        """The columns of ours."""
        return self._of(COUNTED)

    def _of(self, columns: dict[str, str]) -> dict[str, str]:
        return {
            column: word
            for column, word in columns.items()
            if column in _ALWAYS or any(row.figure(column) for row in self.rows)
        }


@dataclass(frozen=True)
class View:
    """All of it. `behind` says that some of the log waits to be loaded: nothing is lost then."""

    heading: str
    days: str
    first: str
    last: str
    ever: bool
    behind: bool
    whole: Closing
    counted: LineView
    tables: Sequence[Table]
    closings: Sequence[Closing]
    script: str | None  # set where no client ever reported: lines that put one on a page

    @property
    def terms(self) -> list[Term]:
        """The clients' line in parts, `attempted` aside."""
        said = self.whole.said
        named = (
            ("reported", "sent", said.sent), ("sampled_out", "sampled out", said.sampled_out),
            ("suppressed", "suppressed", said.suppressed), ("dropped", "dropped", said.dropped),
            ("pending", "waiting", self.whole.waiting),
        )  # fmt: skip
        found = [
            Term(kind, "=" if kind == "reported" else "+", number, word)
            for kind, word, number in named
            if number or kind in ("reported", "pending")
        ]
        if self.whole.earlier:
            found.append(Term("earlier", "\N{MINUS SIGN}", self.whole.earlier, "attempted before"))
        return found

    @property
    def pieces(self) -> list[Piece]:
        """The clients' bar."""
        return list(
            pieces_of({one.kind: max(0, one.number) for one in self.terms if one.kind != "earlier"})
        )

    @property
    def sentence(self) -> str:
        """The clients' line as plain text."""
        terms = " ".join(f"{one.sign} {grouped(one.number)} {one.word}" for one in self.terms)
        return f"{grouped(self.whole.said.attempted)} attempted {terms}"


def read_view(parts: Parts, snapshot: Snapshot, schema: str | None, day: str | None) -> View:
    """Return the balance of 14 days, or of one, of all schemas or of one.

    Raises StoreUnavailable.
    """
    last = day or clock.day(clock.now_ms())
    first = day or moved(last, -(DAYS - 1))
    with parts.database.read() as connection:
        behind = _is_behind(parts, connection)  # before the figures, which may be newer
        closings = closing.read_closings(connection, first, last, schema)
        ever = closing.ever_reported(connection)
        script = None if ever else script_lines(connection, parts.config, snapshot, schema)
    whole = closing.summed(closings)
    span = f"on {day}" if day else f"in {DAYS} days"
    days = last if day else f"{first} to {last}"
    return View(
        heading=_heading(closings, whole, span, ever=ever, behind=behind),
        days=days,
        first=first,
        last=last,
        ever=ever,
        behind=behind,
        whole=whole,
        counted=LineView("counted here", days, whole.line),
        tables=_tables(closings, schema, day),
        closings=closings,
        script=script,
    )


def is_alarm(column: str, number: int) -> bool:
    """Whether a figure is a fault."""
    return column in _ALARMS and number != 0


def _tables(closings: Sequence[Closing], schema: str | None, day: str | None) -> list[Table]:
    by_schema = sorted(
        closing.by_schema(closings),
        key=lambda one: (-one.overdrawn - abs(one.line.residual), -one.arrived, one.schema),
    )
    by_day = closing.by_day(closings)
    found = []
    if schema is None and by_schema:
        rows = [Row(one.schema, one) for one in by_schema[:MOST_ROWS]]
        found.append(Table("Schema", rows, max(0, len(by_schema) - MOST_ROWS)))
    if day is None and by_day:
        found.append(Table("Day", [Row(one.day, one) for one in by_day]))
    return found


def _heading(
    closings: Sequence[Closing], whole: Closing, span: str, *, ever: bool, behind: bool
) -> str:
    if whole.overdrawn and not behind:
        words = label_count(whole.overdrawn, "event was", "events were")
        return f"{words} acknowledged and did not arrive"
    # By schema and day, for what one has too many must not hide what another lacks.
    if residual := sum(abs(one.line.residual) for one in closings):
        return f"{label_count(residual, 'event is', 'events are')} unexplained"
    if not ever:
        return "No client has reported yet"
    attempted = whole.said.attempted
    if not attempted and not whole.said.sent:
        return f"No client reported anything {span}"
    if whole.waiting:
        number = grouped(whole.waiting)
        wait = "waits" if whole.waiting == 1 else "wait"
        return (
            f"Of {grouped(attempted)} attempted, all but {number} are accounted for; "
            f"{number} {wait} in clients"
        )
    if attempted == 1:
        return "The 1 attempted event is accounted for"
    return f"All {grouped(attempted)} attempted events are accounted for"


def _is_behind(parts: Parts, connection: sa.Connection) -> bool:
    """Whether something waits to be loaded: here, for a table, or on a host that has an alert.

    A little that waits on another host is in no table yet, and cannot be known.
    """
    if any(one.rule in _WAITING for one in episodes.opened(connection)):
        return True
    try:
        return not read_lag(connection, parts.config.var / "log").is_loaded
    except OSError:
        return False  # the log lies elsewhere: its loader says so
