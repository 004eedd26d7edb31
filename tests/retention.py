"""What tests of retention share: moved time, books written by hand, mails and receipts read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.clock import moved
from eventlogging.mail.letter import Letter, of_row
from eventlogging.receipts import chain
from eventlogging.retention.letter import Post
from eventlogging.retention.wish import Wish
from eventlogging.store.fixed import mail, table_day
from tests.console import House

POST = Post("https://events.example.org", "a key")
OWNER, REVIEWER = "owner@example.org", "rex@example.org"


def today() -> str:
    return clock.day(clock.now_ms())


def days_ago(days: int) -> str:
    return moved(today(), -days)


def after(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """Go so many days ahead from where the clock stands."""
    monkeypatch.setattr(clock, "offset_ms", clock.offset_ms + round(days * clock.DAY_MS))


def book(house: House, rows: Mapping[str, int | tuple[int, int]], table: str = "Click_1") -> None:
    """Write day → rows (or rows in and out) into the books, as the loader does."""
    values = [
        {"table_name": table, "day": day, "rows_in": n[0], "rows_out": n[1]}
        if isinstance(n, tuple)
        else {"table_name": table, "day": day, "rows_in": n, "rows_out": 0}
        for day, n in rows.items()
    ]
    with house.platform.database.write() as connection:
        connection.execute(sa.insert(table_day), values)


def wish(**more: Any) -> Wish:
    values: dict[str, Any] = {
        "schemas": ("Click",),
        "first_day": days_ago(60),
        "last_day": days_ago(1),
        "keep_days": 180,
        "until": moved(today(), 120),
        "reason": "The study of clicks runs for four more months.",
        "why_not_less": "It follows single visits, which neither fields nor counts give.",
    }
    return Wish(**{**values, **more})


def mails(house: House, recipient: str | None = None) -> list[Letter]:
    query = sa.select(mail).order_by(mail.c.id)
    with house.platform.database.read() as connection:
        found = [of_row(row) for row in connection.execute(query).mappings()]
    return [one for one in found if recipient in (None, one.recipient)]


def receipts_of(house: House, kind: str) -> list[dict[str, Any]]:
    folder = chain.folder_of(house.config.var)
    return [dict(one.body) for one in chain.read(folder) if one.kind == kind]
