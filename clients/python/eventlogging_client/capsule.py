"""The bytes of an event as it travels, made when it is logged: a retry sends the very same."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

MOST_BYTES = 1_000_000  # of one event; what servers refuse as too large, they shall see and count
_DEEPEST = 300  # servers take 64; much more would make the whole parcel unreadable
_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*"')


class Event:
    """An event that waits to be sent."""

    __slots__ = ("at", "body", "decided", "name", "number", "unit", "unit_stated")

    def __init__(
        self, name: str, unit: str, body: bytes, *, decided: bool, unit_stated: bool = False
    ) -> None:
        self.name = name  # under which it is counted
        self.unit = unit  # by which it is sampled
        self.unit_stated = unit_stated  # whether the body says so
        self.body = body
        self.decided = decided  # whether it was sampled
        self.number = 0  # in the spool
        self.at = time.monotonic()

    def state_rate(self, rate: float) -> None:
        """State the rate of the sample that it is in."""
        stated = {} if self.unit_stated else {"sample_unit_id": self.unit}
        more = encoded({"sample_rate": rate, **stated})
        self.body = self.body[:-1] + b"," + more[1:]


def capsule(
    schema: str,
    event: Mapping[str, Any],
    id: str,
    dt: Any,
    **more: str | None,
) -> bytes:
    """Return the capsule of an event.

    Raises ValueError, TypeError or RecursionError for what is not JSON or cannot be sent.
    """
    if not isinstance(schema, str):
        raise TypeError("the schema's name is not a text")
    if not isinstance(event, Mapping):
        raise TypeError("the event is not a mapping")
    content = {"schema": schema, "event": dict(event), "id": id, "dt": time_of(dt)}
    content.update((key, value) for key, value in more.items() if value)
    body = encoded(content)
    if len(body) > MOST_BYTES:
        raise ValueError(f"the event is larger than {MOST_BYTES} bytes")
    if body.count(b"[") + body.count(b"{") > _DEEPEST and _depth(body) > _DEEPEST:
        raise ValueError("the event is nested too deeply")
    return body


def encoded(value: Any) -> bytes:
    """Return compact JSON; raises where a value has none, NaN and half characters included."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8")


def time_of(dt: Any) -> Any:
    """Return when an event happened, as servers read it; a time without a zone is UTC."""
    if dt is None:
        dt = datetime.now(timezone.utc)
    if isinstance(dt, datetime):
        aware = dt if dt.tzinfo else dt.replace(tzinfo=timezone.utc)
        text = aware.astimezone(timezone.utc).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")
    return dt if isinstance(dt, (int, float)) else str(dt)


def new_id() -> str:
    """Return an id that nothing else has."""
    return str(uuid.uuid4())


def _depth(body: bytes) -> int:
    deepest = depth = 0
    for sign in _TEXTS.sub(b"", body):
        if sign in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in b"]}":
            depth -= 1
    return deepest
