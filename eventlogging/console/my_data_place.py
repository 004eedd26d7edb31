"""Where a look through a device's events goes on: signed, so that only who began it can go on.

The place holds for the same token and page loads, and for an hour.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass

from eventlogging import clock
from eventlogging.retention.device import MOST_IDS, Device

_HOURS_MS = 3_600_000
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Place:
    """The portion that begins with the `start`-th event; of it, what follows `after`."""

    start: int = 0
    after: str = ""


def following(place: Place, device: Device, after: str) -> Place | None:
    """Return where to go on, None at the end; `after` is empty where the portion is through."""
    if after:
        return Place(place.start, after)
    start = place.start + MOST_IDS
    return Place(start) if start < device.number else None


def written(session_key: str, device: Device, place: Place) -> str:
    """Return a place as the answer has it."""
    text = f"{clock.now_ms() + _HOURS_MS}.{place.start}.{place.after}"
    return f"{_signature(session_key, device, text)}.{text}"


def read(session_key: str, device: Device, text: object) -> Place | None:
    """Return the place that `written` gave for this device, None where it is none, or too old."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    signature, _, content = text.partition(".")
    if not hmac.compare_digest(
        signature.encode(errors="replace"), _signature(session_key, device, content).encode()
    ):
        return None
    until, start, after = content.split(".", 2)
    return Place(int(start), after) if clock.now_ms() <= int(until) else None


def _signature(session_key: str, device: Device, text: str) -> str:
    content = json.dumps(["my data", device.token, device.pages, text])
    return hmac.new(session_key.encode(), content.encode(), hashlib.sha256).hexdigest()
