"""What a request for rows asks for: the times, how many, in which form, from where on."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from eventlogging import clock
from eventlogging.console.row_pages import Window, time_text

FORMATS = ("ndjson", "json", "csv")
DEFAULT_LIMIT, MAX_LIMIT = 1000, 10_000

_TIME = re.compile(r"[1-9]\d{3}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\Z", re.ASCII)
_LONGEST_TEXT = 100  # of a key's values
_INT64 = 2**63


@dataclass(frozen=True)
class RowRequest:
    """A request that can be answered. `after` is the position that the last page ended with."""

    window: Window
    limit: int
    format: str
    after: tuple[Any, ...] | None


def read_request(arguments: Mapping[str, str], of: str) -> tuple[RowRequest | None, list[str]]:
    """Return what the query parameters ask for, or what is wrong with them, in sentences.

    `of` names what is read; another's cursor is refused.
    """
    problems: list[str] = []
    start, end = (_moment(name, arguments.get(name, ""), problems) for name in ("start", "end"))
    if start is not None and end is not None and start >= end:
        problems.append("end is not part of the answer and must lie after start: one day is "
                        "start=2026-11-22&end=2026-11-23")  # fmt: skip
    limit = _limit(arguments.get("limit", ""), problems)
    form = arguments.get("format") or FORMATS[0]
    if form not in FORMATS:
        problems.append(f"format is one of {', '.join(FORMATS)}, not {form[:40]!r}")
    after = None
    if text := arguments.get("cursor"):
        after = _position(text, of)
        if after is None:
            problems.append("this cursor does not fit; take it from X-Next-Cursor of the last "
                            "answer of the same address, or leave it out")  # fmt: skip
    if problems:
        return None, problems
    return RowRequest(Window(start, end), limit, form, after), []


def cursor_text(of: str, position: tuple[Any, ...]) -> str:
    """Return a position as the opaque text that clients send back."""
    at = [time_text(position[0]), *position[1:]]
    content = json.dumps({"of": of, "at": at}, separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def _position(text: str, of: str) -> tuple[Any, ...] | None:
    try:
        padded = text + "=" * (-len(text) % 4)
        content = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.get("of") != of:
        return None
    at = content.get("at")
    kinds = [str, str, int, int, int] if of.endswith("/invalid") else [str, str, int]
    if not isinstance(at, list) or [type(value) for value in at] != kinds:
        return None
    texts_fit = all(len(v) <= _LONGEST_TEXT and v.isprintable() for v in at if type(v) is str)
    numbers_fit = all(0 <= v < _INT64 for v in at if type(v) is int)
    return tuple(at) if texts_fit and numbers_fit and _TIME.match(at[0]) else None


def _limit(text: str, problems: list[str]) -> int:
    if not text:
        return DEFAULT_LIMIT
    if not re.fullmatch(r"[1-9]\d{0,4}", text, re.ASCII) or int(text) > MAX_LIMIT:
        problems.append(f"limit is a whole number from 1 to {MAX_LIMIT}, not {text[:40]!r}")
        return DEFAULT_LIMIT
    return int(text)


def _moment(name: str, text: str, problems: list[str]) -> str | None:
    """Return a day or a time as the tables write it, UTC where it names no zone."""
    if not text:
        return None
    try:
        # In a query, the + of an offset arrives as a blank.
        text = text.replace(" ", "+") if "T" in text else text
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=moment.tzinfo or UTC)
        if not date(1970, 1, 2) <= moment.date() <= date(9000, 1, 1):
            raise ValueError
        return clock.sql_time(int(moment.timestamp() * 1000))
    except (ValueError, OverflowError):
        problems.append(f"{name} is a day or a time such as 2026-11-22 or 2026-11-22T03:04Z, "
                        f"not {text[:40]!r}")  # fmt: skip
        return None
