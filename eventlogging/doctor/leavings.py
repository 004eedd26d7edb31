"""Checks of what the database server keeps of deleted rows in its own logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eventlogging.config import Config
from eventlogging.doctor.finding import Finding, ok, span, warning
from eventlogging.retention.policy import read_policies
from eventlogging.store.database import Database

_DAY = 86_400
_CHECK = "binary log"


def binary_log(config: Config, database: Database) -> Iterator[Finding]:
    """The server's binary log forgets no later than the events do."""
    if not database.dialect.remote:
        return
    with database.read() as connection:
        rows = connection.exec_driver_sql(
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN "
            "('log_bin', 'binlog_expire_logs_seconds', 'expire_logs_days')"
        )
        values = {str(row[0]): str(row[1]) for row in rows}
        shortest = read_policies(connection).shortest
    yield judged(values, shortest)


def judged(values: Mapping[str, str], shortest: int) -> Finding:
    """Return what the server's variables mean where some events are kept `shortest` days."""
    if values.get("log_bin", "OFF").upper() in ("OFF", "0"):
        return ok(_CHECK, "the server keeps no binary log; what is deleted is gone with its undo")
    seconds = float(values.get("binlog_expire_logs_seconds") or 0)
    seconds = seconds or float(values.get("expire_logs_days") or 0) * _DAY
    wanted = f"SET GLOBAL binlog_expire_logs_seconds = {shortest * _DAY} and in the server's file"
    if not seconds:
        return warning(
            _CHECK,
            "the server's binary log is kept for ever: it holds every event that was deleted",
            f"{wanted}; PURGE BINARY LOGS BEFORE removes what is there",
        )
    if seconds > shortest * _DAY:
        return warning(
            _CHECK,
            f"the server's binary log is kept for {span(seconds)}, and some events for "
            f"{shortest} days: it holds what was deleted",
            wanted,
        )
    return ok(
        _CHECK,
        f"the server's binary log is kept for {span(seconds)}; what is deleted is in it till then",
    )
