"""Checks of the clock: against itself, and against what was received last."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.doctor.finding import Finding, ok, span, warning
from eventlogging.store.database import Database
from eventlogging.store.fixed import ledger

_SAMPLE_SECONDS = 0.2
_DRIFT_MS = 100


def steady_clock(config: Config) -> Iterator[Finding]:
    """The clock goes as fast as time does, and nobody shifted it."""
    if offset := os.environ.get("EVENTLOGGING_CLOCK_OFFSET"):
        yield warning(
            "clock",
            f"EVENTLOGGING_CLOCK_OFFSET shifts the clock by {offset} s",
            "unset it outside of tests and drills",
        )
    wall, steady = clock.now_ms(), time.monotonic()
    time.sleep(_SAMPLE_SECONDS)
    passed = (time.monotonic() - steady) * 1000
    drift = abs(clock.now_ms() - wall - passed)
    if drift > _DRIFT_MS:
        yield warning(
            "clock",
            f"the clock moved {drift:.0f} ms against time within {passed:.0f} ms",
            "let one NTP service alone set the clock, by slewing",
        )
    else:
        yield ok("clock", f"the clock is steady; it is {clock.iso(clock.now_ms())}")


def newest_receipt(config: Config, database: Database) -> Iterator[Finding]:
    """Nothing was received in the future."""
    with database.read() as connection:
        newest = connection.execute(sa.select(sa.func.max(ledger.c.minute))).scalar()
    if newest is None:
        yield ok("newest receipt", "nothing was received yet")
        return
    moment = datetime.strptime(newest, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    ahead = moment.timestamp() * 1000 - clock.now_ms()
    if ahead > clock.DAY_MS:
        yield warning(
            "newest receipt",
            f"the clock jumps: the newest event was received at {newest} UTC, "
            f"{span(ahead / 1000)} from now",
            "set the clock by NTP on every machine; scheduled purges refuse to run until then",
        )
    else:
        ago = f", {span(-ahead / 1000)} ago" if ahead < 0 else ""
        yield ok("newest receipt", f"the newest event was received at {newest} UTC{ago}")
