"""The times that access logs write, as milliseconds since the epoch."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_MOST_KNOWN = 4096
_LONGEST = 64
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# By hand and not by strptime, for which the language of the host decides what a month is called.
_NCSA = re.compile(
    r"(\d{1,2})/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d)(?: ([+-])(\d\d)(\d\d))?\Z", re.ASCII
)
_EPOCH = re.compile(r"\d{9,11}(?:\.\d{1,9})?\Z", re.ASCII)


class Times:
    """Reads times, and remembers them: many lines of a log have the same second."""

    def __init__(self) -> None:
        self._known: dict[bytes, int | None] = {}

    def ms(self, text: bytes) -> int | None:
        """Return milliseconds since the epoch, None for what is no time. Without a zone: UTC."""
        try:
            return self._known[text]
        except KeyError:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = _read(text.decode("latin-1")) if len(text) <= _LONGEST else None
            self._known[text] = found
            return found


def _read(text: str) -> int | None:
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        if match := _NCSA.match(text):
            return _ncsa(match)
        if _EPOCH.match(text):
            return int(float(text) * 1000 + 0.0005)
        moment = datetime.fromisoformat(text)
        return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000 + 0.0005)
    except (ValueError, OverflowError):
        return None


def _ncsa(match: re.Match[str]) -> int:
    zone: timezone = UTC
    if match[7]:
        offset = timedelta(hours=int(match[8]), minutes=int(match[9]))
        zone = timezone(offset if match[7] == "+" else -offset)
    moment = datetime(
        int(match[3]), _MONTHS.index(match[2]) + 1, int(match[1]),
        int(match[4]), int(match[5]), int(match[6]), tzinfo=zone,
    )  # fmt: skip
    return int(moment.timestamp()) * 1000
