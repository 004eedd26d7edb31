"""The events that are sent: NavigationTiming with 25 fields, an id and a time, 650 bytes or so."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from random import Random
from typing import Any

import orjson

from eventlogging import clock

ROOT = Path(__file__).parent.parent
PRIVATE = "PrivateTiming"  # NavigationTiming with two fields that every event has made private
_EXAMPLE = "schemas/NavigationTiming/examples/a-reader-on-the-desktop-site.pass.json"
_HIDDEN = '[privacy]\npageId = "hmac"\nrevId = "hmac"\n'


def events(count: int, schema: str = "NavigationTiming", *, now: int) -> list[dict[str, Any]]:
    """Return events a millisecond apart, the last at `now` (ms); no two with the same values."""
    random = Random(1)  # the same values in each run
    payload = orjson.loads((ROOT / _EXAMPLE).read_bytes())
    made = []
    for index in range(count):
        event = dict(payload)
        event["pageId"] = random.randint(10_000_000, 40_000_000)
        event["revId"] = random.randint(100_000_000, 900_000_000)
        for field in ("responseStart", "responseEnd", "firstPaint", "loadEventEnd"):
            event[field] = payload[field] + random.randint(0, 80)
        made.append(
            {
                "schema": schema,
                "version": "1.0.0",
                "id": str(uuid.UUID(int=random.getrandbits(128), version=4)),
                "dt": clock.iso(now - count + 1 + index),
                "event": event,
            }
        )
    return made


def write_bodies(path: Path, size: int, bodies: int, schema: str = "NavigationTiming") -> None:
    """Write request bodies, one a line: an event each, or arrays of `size`."""
    made = events(size * bodies, schema, now=clock.now_ms())
    groups = [made[start : start + size] for start in range(0, len(made), size)]
    lines = [orjson.dumps(group[0] if size == 1 else group) for group in groups]
    path.write_bytes(b"\n".join(lines) + b"\n")


def write_governance(folder: Path) -> None:
    """Write the starter folders, and beside them a schema with two private fields."""
    for name in ("schemas", "reviewers", "alerts", "purge"):
        shutil.copytree(ROOT / name, folder / name)
    copy = folder / "schemas" / PRIVATE
    shutil.copytree(folder / "schemas" / "NavigationTiming", copy)
    settings = copy / "schema.toml"
    settings.write_text(settings.read_text().partition("[privacy]")[0] + _HIDDEN)
