"""What clients say they attempted, beside what arrived: the balance that closes the books.

    attempted = sent + sampled out + suppressed + dropped + waiting
    sent      = valid + invalid + duplicate + sampled out + suppressed, as the ledger says

The first line is the clients' own count, as of their last reports; *waiting* is what they had not
settled then. The second is ours. Events of senders that report nothing arrive as well, and what a
client that never came back attempted is not known: neither is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging.store.fixed import client_count

KINDS = ("attempted", "sampled_out", "suppressed", "dropped", "sent")


@dataclass(frozen=True, slots=True)
class Balance:
    """What clients reported of one schema, of one day or of several (`day` is empty then)."""

    schema: str
    day: str = ""
    attempted: int = 0
    sampled_out: int = 0
    suppressed: int = 0
    dropped: int = 0
    sent: int = 0

    @property
    def waiting(self) -> int:
        """What was attempted and not settled when the clients reported last."""
        return self.attempted - self.sampled_out - self.suppressed - self.dropped - self.sent

    def as_dict(self) -> dict[str, Any]:
        """Return all figures, `waiting` among them."""
        return asdict(self) | {"waiting": self.waiting}


def balances(
    connection: sa.Connection,
    *,
    start: str | None = None,
    end: str | None = None,
    schema: str | None = None,
    by_day: bool = False,
) -> list[Balance]:
    """Return what clients reported, by schema and perhaps by day of receipt.

    `start` (included) and `end` (excluded) are days, or longer texts that begin with one; a day
    that `end` lies within counts whole.
    """
    c = client_count.c
    keys = [c.schema, c.day] if by_day else [c.schema]
    query = sa.select(*keys, *(sa.func.sum(c[kind]) for kind in KINDS))
    query = query.group_by(*keys).order_by(*keys)
    if start is not None:
        query = query.where(c.day >= start[:10])
    if end is not None:
        midnight = end[10:].strip("T :0Z.") == ""
        query = query.where(c.day < end[:10] if midnight else c.day <= end[:10])
    if schema is not None:
        query = query.where(c.schema == schema)
    return [
        Balance(row[0], row[1] if by_day else "", *map(int, row[len(keys) :]))
        for row in connection.execute(query)
    ]


def total(found: Iterable[Balance], name: str = "all") -> Balance:
    """Return the sum, under a name of its own."""
    lines = list(found)
    return Balance(name, "", *(sum(getattr(one, kind) for one in lines) for kind in KINDS))
