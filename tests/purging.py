"""A house whose days are moved, for tests of what goes when."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.clock import moved
from eventlogging.jobs import retention_duties
from eventlogging.ledger.proof import prove
from eventlogging.receipts import chain
from eventlogging.receipts.chain import Receipt
from eventlogging.retention.passes import Outcome
from eventlogging.retention.plan import Plan
from eventlogging.store.fixed import extension, governance, legal_hold, table_day
from tests.console import House

DAY = 86_400


class Past:
    """A house with a clock that the test moves, in days from now."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.house = house
        self.platform = house.platform
        self._monkeypatch = monkeypatch

    def go(self, days: float) -> None:
        self._monkeypatch.setattr(clock, "offset_ms", round(days * DAY * 1000))

    def rule(self, name: str, **rule: Any) -> None:
        """Put a rule into purge/, as apply does."""
        key = sa.and_(governance.c.folder == "purge", governance.c.name == f"{name}.toml")
        row = {"folder": "purge", "name": f"{name}.toml", "updated_at": ""}
        with self.platform.database.write() as connection:
            connection.execute(sa.delete(governance).where(key))
            connection.execute(sa.insert(governance), [{**row, "document": json.dumps(rule)}])

    def extend(self, first: str, last: str, keep_days: int, until: str = "9999-01-01") -> None:
        """Grant a longer keep to the days of Click."""
        row = {
            "schemas": '["Click"]', "first_day": first, "last_day": last, "keep_days": keep_days,
            "until": until, "reason": "", "why_not_less": "", "state": "granted",
            "asked_by": "", "asked_at": "", "decision": "",
        }  # fmt: skip
        with self.platform.database.write() as connection:
            connection.execute(sa.insert(extension), [row])

    def hold(self, schema: str) -> None:
        row = {"schema": schema, "reason": "", "placed_by": "", "placed_at": ""}
        with self.platform.database.write() as connection:
            connection.execute(sa.insert(legal_hold), [row])

    def lift(self, schema: str) -> None:
        with self.platform.database.write() as connection:
            connection.execute(sa.update(legal_hold).values(lifted_at="now"))

    def clicks(self, days: float, count: int = 3, schema: str = "Click", **more: Any) -> None:
        """Send events on a day so many days from now (before it: negative), and load them."""
        self.go(days)
        made = [{"schema": schema, "event": {"target": f"t{n}"}, **more} for n in range(count)]
        self.house.send(*({**one, "id": str(uuid.uuid4())} for one in made))

    def plan(self, **wanted: Any) -> Plan:
        return retention_duties.plan_of(self.platform, clock.now_ms(), **wanted)

    def run(self, plan: Plan | None = None, **wanted: Any) -> Outcome:
        return retention_duties.carry_out(self.platform, plan or self.plan(), **wanted)

    def days_of(self, table: str, time: str = "dt") -> dict[str, int]:
        query = f"SELECT {time} FROM {table}"
        found: dict[str, int] = {}
        with self.platform.database.read() as connection:
            for (moment,) in connection.execute(sa.text(query)):
                day = str(moment)[:10]
                found[day] = found.get(day, 0) + 1
        return dict(sorted(found.items()))

    def book(self, table: str, day: str) -> tuple[int, int]:
        c = table_day.c
        query = sa.select(c.rows_in, c.rows_out).where(c.table_name == table, c.day == day)
        with self.platform.database.read() as connection:
            row = connection.execute(query).one()
        return int(row[0]), int(row[1])

    def receipts(self, *kinds: str) -> list[Receipt]:
        every = chain.read(chain.folder_of(self.house.config.var))
        return [one for one in every if not kinds or one.kind in kinds]

    def assert_books_hold(self) -> None:
        proof = prove(self.platform.database)
        assert proof.holds, proof.discrepancies


def today() -> str:
    return clock.day(clock.now_ms())


def ago(days: int) -> str:
    """The day so many days before the clock's present."""
    return moved(today(), -days)


def hindered(monkeypatch: pytest.MonkeyPatch, target: Any, name: str) -> Callable[[], None]:
    """Let a function fail from now on; return what lets it work again."""

    def fail(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    kept = getattr(target, name)
    monkeypatch.setattr(target, name, fail)
    return lambda: monkeypatch.setattr(target, name, kept)
