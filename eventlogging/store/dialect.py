"""What differs between databases, as one interface; nowhere else asks which one it is.

SQL of our own quotes names with backticks, which SQLite understands as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import sqlalchemy as sa

from eventlogging.schema.columns import Column

# "made": another process has made in the meantime what a statement was to make
Trouble = Literal["data", "table", "made", "server", "other"]


def quoted(name: str) -> str:
    """Return a table or column name for SQL text. Names are checked where they are made."""
    if "`" in name or "\0" in name:
        raise ValueError(f"not a name: {name!r}")
    return f"`{name}`"


# The capsule's columns around a payload, in table order: name and abstract type.
CAPSULE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("dt", "time"),
    ("id", "uuid"),
    ("received", "time"),
    ("version", "text32"),
    ("host", "text255"),
    ("wiki", "text64"),
    ("user_agent_browser", "text64"),
    ("user_agent_major", "text16"),
    ("user_agent_os", "text64"),
    ("user_agent_device", "text64"),
    ("user_agent_is_bot", "boolean"),
    ("sample_rate", "double"),
    ("client", "text64"),
)
CAPSULE_REQUIRED = frozenset({"dt", "id", "received", "version", "sample_rate"})
# Those that a table of stripped events has whatever else remains, and how its name ends.
SCRUBBED_REQUIRED = CAPSULE_REQUIRED - {"received"}
SCRUBBED = "_scrubbed"

# The columns of a table of invalid events.
INVALID_COLUMNS: tuple[tuple[str, str], ...] = (
    ("received", "time"),
    ("segment", "text100"),
    ("offset", "bigint"),
    ("index", "bigint"),
    ("schema", "text64"),  # as claimed by the sender
    ("version", "text32"),
    ("code", "text32"),
    ("message", "long"),
    ("errors", "long"),  # JSON list of problems
    ("id", "text255"),
    ("host", "text255"),
    ("wiki", "text64"),
    ("user_agent_browser", "text64"),
    ("client", "text64"),
    ("sealed", "boolean"),
    ("raw", "long"),  # the event as JSON, or as much of the body as can be kept
)
INVALID_KEY = ("received", "segment", "offset", "index")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a table that can be dropped at once: all rows before the day `until`.

    Those before the day `since` lie in the stretch before it; None: there is none before it.
    """

    name: str
    since: str | None
    until: str

    def holds(self, day: str) -> bool:
        """Whether rows of a day lie in it."""
        return (self.since is None or self.since <= day) and day < self.until


class Dialect(Protocol):
    """One kind of database. `now` texts are `2026-11-22 03:04:05.678`, days `2026-11-22`."""

    name: str
    remote: bool  # the work is done by another process, and ours can go on meanwhile

    def engine(self, url: str) -> sa.Engine:
        """Return an engine whose connections are strict, UTC and utf8mb4."""

    def begin(self, connection: sa.Connection, *, write: bool) -> None:
        """Begin a transaction so that a writer waits for its turn instead of failing."""

    def assert_fit(self, connection: sa.Connection) -> list[str]:
        """Return what is wrong with the server's settings, each with how to mend it."""

    def version(self, connection: sa.Connection) -> str:
        """Return what the server says it is."""

    def column_type(self, column: Column) -> str:
        """Return the SQL type of a payload column."""

    def event_table_ddl(self, table: str, columns: Sequence[Column], day: str) -> list[str]:
        """Return statements that create a table of valid events, if it does not exist."""

    def invalid_table_ddl(self, table: str, day: str) -> list[str]:
        """Return statements that create a table of invalid events, if it does not exist."""

    def existing_columns(self, connection: sa.Connection, table: str) -> dict[str, str]:
        """Return name → type of a table's columns; empty where there is no such table."""

    def alter_ddl(
        self, table: str, present: Mapping[str, str], columns: Sequence[Column]
    ) -> list[str]:
        """Return statements that add what `columns` has and `present` lacks, and widen texts."""

    def view_ddl(self, view: str, query: str) -> list[str]:
        """Return statements that create or replace a view."""

    def days_ddl(self, connection: sa.Connection, table: str, days: Iterable[str]) -> list[str]:
        """Return statements that make room for these days; none where days need no room."""

    def stretches(self, connection: sa.Connection, table: str) -> list[Stretch]:
        """Return the parts that can be dropped, the oldest first; none where rows are deleted.

        Never the newest of all, for a table cannot be without any.
        """

    def drop_stretch(
        self, connection: sa.Connection, table: str, stretch: Stretch, may: Callable[[], bool]
    ) -> bool:
        """Drop a part of a table where `may` still says so once nobody writes into the table.

        `may` can read this table alone on this connection. Returns whether the part is gone,
        which it also is where somebody else was faster.
        """

    def delete_some(
        self,
        connection: sa.Connection,
        table: str,
        key: Sequence[str],
        span: tuple[str, str],
        most: int,
        only: Mapping[str, int] | None = None,
    ) -> int:
        """Delete up to `most` rows, the oldest first, and return how many there were.

        Those whose first key column lies in `span` (from, to before), and whose columns have
        the values that `only` says.
        """

    def tidy(self, connection: sa.Connection) -> None:
        """Let go of what deleted rows left behind, outside of any transaction."""

    def insert_new(
        self,
        connection: sa.Connection,
        table: str,
        names: Sequence[str],
        rows: Sequence[Sequence[Any]],
        key: Sequence[str],
    ) -> int:
        """Insert rows whose key is not there yet; return how many were new. Strict otherwise."""

    def add_counts(
        self,
        connection: sa.Connection,
        table: str,
        key: Sequence[str],
        counts: Sequence[str],
        rows: Sequence[Sequence[Any]],
    ) -> None:
        """Add to counters: each row is its key's values followed by what to add."""

    def settle(self, connection: sa.Connection, tables: Sequence[str]) -> None:
        """Give fixed tables the collation that compares texts exactly."""

    def used_percent(self, connection: sa.Connection) -> tuple[float, str]:
        """Return how much of what it has room for is in use, and of what: `connections` …"""

    def trouble(self, error: BaseException) -> Trouble:
        """Say what an error of the driver is about: the row's data, the table, the server …"""

    def scrubbed_table_ddl(
        self,
        table: str,
        present: Mapping[str, str],
        capsule: Sequence[str],
        columns: Sequence[Column],
        day: str,
    ) -> list[str]:
        """Return statements that create a table of stripped events, or add what it lacks.

        `present` is what `existing_columns` says of it, `capsule` names the columns around the
        payload that remain beside SCRUBBED_REQUIRED.
        """

    def drop_columns_ddl(self, table: str, names: Sequence[str]) -> list[str]:
        """Return statements after which neither these columns nor their values are there."""


def scrubbed_capsule(capsule: Sequence[str]) -> list[tuple[str, str]]:
    """Return name and abstract type of the capsule's columns in a table of stripped events."""
    return [(n, kind) for n, kind in CAPSULE_COLUMNS if n in SCRUBBED_REQUIRED or n in capsule]
