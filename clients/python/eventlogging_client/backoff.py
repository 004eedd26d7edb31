"""When to try again, and what an answer means for what was sent."""

from __future__ import annotations

import re

_FIRST = 1000
_LONGEST = 300_000
_SETTLED = frozenset({201, 202, 207, 400})
_SECONDS = re.compile(r"[0-9]+\Z")


def delay(attempt: int, said: str | None, jitter: float) -> int:
    """Milliseconds to wait before try `attempt` (from 1 on).

    `said` is the header Retry-After, of which seconds are understood; `jitter` is 0 to 1.
    """
    asked = int(said[:12]) * 1000 if said and _SECONDS.match(said) else 0
    grown = min(_LONGEST, _FIRST * 2 ** min(attempt - 1, 20))
    return min(_LONGEST, max(asked, int(grown * (0.5 + jitter / 2) + 0.5)))


def meaning(status: int) -> str:
    """What an answer's status means for all that was sent: `settled`, `split` or `again`."""
    if status in _SETTLED:
        return "settled"
    return "split" if status == 413 else "again"
