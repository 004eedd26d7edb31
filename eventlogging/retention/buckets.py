"""Values made coarser: numbers cut to a width, times to a part, user agents to their family.

Each function returns None where a value has another form than it can cut: then nothing of it
may remain. Cutting what was cut already changes nothing, and a wider cut may follow a narrower.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Any

from eventlogging.intake.useragent import coarse

TIMES = ("hour", "day", "month", "year")
BROWSER = "browser"

_INT64 = 2**63  # no JSON that we write holds integers beyond
_LENGTHS = {"hour": 13, "day": 10, "month": 7, "year": 4}  # of `2026-11-22T03`
_CUT_TIME = re.compile(r"\d{4}(?:-\d\d){0,2}", re.ASCII)
_LEAP = re.compile(r"(\d\d:\d\d):60", re.ASCII)


def floor_to(value: Any, width: float) -> int | float | None:
    """Return the greatest multiple of `width` that is not above a number.

    Beyond 64 bits it is a float, the least that is not below the multiple.
    """
    if type(value) not in (int, float) or not math.isfinite(value):
        return None
    if float(width).is_integer():
        found = int(value // 1) // int(width) * int(width)
        return found if -_INT64 <= found < _INT64 else _float_from(found)
    # By its digits: 0.3 is three times 0.1, and not a little less.
    digits = Decimal(repr(width))
    cut = float((Decimal(repr(value)) / digits).to_integral_value(ROUND_FLOOR) * digits)
    return cut if math.isfinite(cut) else None


def _float_from(number: int) -> float | None:
    """Return the least float that is not below a number; None where there is none."""
    try:
        near = float(number)
    except OverflowError:
        return None
    # Never below: cut again, it would move down a width each time.
    return near if near >= number else math.nextafter(near, math.inf)


def cut_time(value: Any, part: str) -> str | None:
    """Return an ISO time cut to its hour, day, month or year in UTC: `2026-11-22T03`.

    A time without a zone counts as UTC. One that is coarser already stays as it is.
    """
    if type(value) is not str:
        return None
    length = _LENGTHS[part]
    if _CUT_TIME.fullmatch(value):
        return value[:length]
    try:
        moment = datetime.fromisoformat(_LEAP.sub(r"\1:59", value))
        moment = moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None
    return moment.isoformat()[:length]


def browser_of(value: Any) -> str | None:
    """Return the family of a user agent, such as `Firefox`; no version."""
    return _family(value) if type(value) is str and value else None


@lru_cache(maxsize=4096)
def _family(header: str) -> str | None:
    return coarse(header).browser
