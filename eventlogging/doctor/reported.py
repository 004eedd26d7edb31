"""A check of what clients report: no more was sent than arrived."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.doctor.finding import Finding, ok, several, warning
from eventlogging.ledger.closing import overdrawn_schemas, read_closings, summed
from eventlogging.ledger.lag import read_lag
from eventlogging.store.database import Database

_DAYS = 14
_CHECK = "clients"


def reported_by_clients(config: Config, database: Database) -> Iterator[Finding]:
    """What clients report as sent has arrived."""
    today = clock.day(clock.now_ms())
    first = (date.fromisoformat(today) - timedelta(days=_DAYS - 1)).isoformat()
    with database.read() as connection:
        # The lag first: what is loaded in between is then no surprise.
        behind = not read_lag(connection, config.var / "log").is_loaded
        closings = read_closings(connection, first, today)
    lost = overdrawn_schemas(closings)
    said = summed(closings).said
    sent = several(said.sent, "event")
    if not said.attempted and not said.sent:
        yield ok(_CHECK, f"no client reported anything in {_DAYS} days")
    elif not lost:
        yield ok(_CHECK, f"clients reported {sent} as sent in {_DAYS} days, and all arrived")
    elif behind:
        yield ok(_CHECK, f"clients reported {sent} as sent in {_DAYS} days; not all is loaded yet")
    else:
        number = several(sum(lost.values()), "event")
        names = ", ".join(list(lost)[:5])
        yield warning(
            _CHECK,
            f"{number} reported as sent and never arrived, of {names}: lost after they were "
            "acknowledged, or a client counts wrongly",
            "look at /balance for the day, and into client_count for the client; then run "
            "`eventlogging ledger --prove`",
        )
