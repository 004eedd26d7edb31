"""The database's own catalogue: what tables, views and partitions there really are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from eventlogging.store.dialect import quoted
from eventlogging.store.fixed import metadata
from eventlogging.verify.certificate import Finding
from eventlogging.verify.rules import Rules, Schema

STRIPPED = "_scrubbed"
UNKNOWN_TABLE = "unknown_invalid"
_DRILL = "_drill"
_MIGRATIONS = "alembic_version"
_ASK = "find out who made it; delete it, or register the schema that it belongs to"


@dataclass(frozen=True)
class Catalogue:
    """All that the database holds, by name."""

    tables: frozenset[str]
    views: frozenset[str]


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition by days: it holds what lies before `bound`."""

    name: str
    bound: date


def read_catalogue(connection: sa.Connection) -> Catalogue:
    """Return what there is now, whoever made it."""
    inspector = sa.inspect(connection)
    return Catalogue(frozenset(inspector.get_table_names()), frozenset(inspector.get_view_names()))


def unexplained(connection: sa.Connection, catalogue: Catalogue, rules: Rules) -> Iterator[Finding]:
    """Yield each table and view that belongs to nothing."""
    tables = {*metadata.tables, _MIGRATIONS, UNKNOWN_TABLE}
    views = set()
    stripped: dict[str, Schema] = {}
    for schema in rules.schemas:
        tables |= {*schema.tables.values(), schema.invalid_table}
        views.add(schema.stem)
        stripped |= {f"{table}{STRIPPED}": schema for table in schema.tables.values()}
    for table in sorted(catalogue.tables - tables):
        owner = stripped.get(table)
        if owner is None:
            yield Finding("table", table, "a table that belongs to no schema", _ASK)
        elif not owner.rule.stripping and not owner.rule.is_held and _has_rows(connection, table):
            what = f"stripped events, and the rule of {owner.name} has no [scrub] any more"
            yield Finding("table", table, what, "eventlogging purge --dry-run shows what goes")
    for view in sorted(catalogue.views - views):
        yield Finding("table", view, "a view that belongs to no schema", _ASK)


def left_of_drills(connection: sa.Connection, grace_days: int) -> Iterator[Finding]:
    """Yield the scratch database of a restore drill that did not clean up after itself."""
    if connection.dialect.name == "sqlite":
        return  # there it is a folder among the backups
    query = sa.text(
        "SELECT MIN(table_schema) FROM information_schema.tables "
        "WHERE table_schema = CONCAT(DATABASE(), :ending) "
        "AND create_time <= NOW() - INTERVAL :days DAY"
    )
    values = {"ending": _DRILL, "days": grace_days}
    if name := connection.execute(query, values).scalar():
        what = "a database that a restore drill has left, with all that was in a backup"
        yield Finding("table", str(name), what, f"DROP DATABASE {quoted(str(name))}")


def columns_of(connection: sa.Connection, table: str) -> list[str]:
    """Return the names of a table's columns."""
    return [column["name"] for column in sa.inspect(connection).get_columns(table)]


def text_columns_of(connection: sa.Connection, table: str) -> list[str]:
    """Return the names of a table's columns that may hold a text."""
    return [
        column["name"]
        for column in sa.inspect(connection).get_columns(table)
        if isinstance(column["type"], sa.String | sa.JSON | sa.LargeBinary | sa.types.NullType)
    ]


def partitions_of(connection: sa.Connection, table: str) -> list[Partition]:
    """Return a table's partitions; none where this kind of database has none."""
    if connection.dialect.name == "sqlite":
        return []
    query = sa.text(
        "SELECT partition_name, partition_description FROM information_schema.partitions "
        "WHERE table_schema = DATABASE() AND table_name = :table AND partition_name IS NOT NULL"
    )
    return [
        Partition(name, date.fromisoformat(str(bound).strip("'")[:10]))
        for name, bound in connection.execute(query, {"table": table})
    ]


def partition_has_rows(connection: sa.Connection, table: str, partition: Partition) -> bool:
    """Whether a partition holds anything: one step, for the catalogue's counts are guesses."""
    query = f"SELECT 1 FROM {quoted(table)} PARTITION ({quoted(partition.name)}) LIMIT 1"
    return connection.exec_driver_sql(query).first() is not None


def _has_rows(connection: sa.Connection, table: str) -> bool:
    return connection.exec_driver_sql(f"SELECT 1 FROM {quoted(table)} LIMIT 1").first() is not None
