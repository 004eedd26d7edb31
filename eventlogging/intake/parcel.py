"""A client's parcel: events, and what the client counted since it last said so.

    {"events": [capsule, …], "consent": true,
     "counters": {"id": "…", "client": "eventlogging-js/1.0.0",
                  "counts": {"NavigationTiming": {"attempted": 9, "sampled_out": 2, "sent": 7}}}}

The counts make the left side of the books measured: what was attempted in a page and never came
here. They hold no content, and those of a person who said no are not kept either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

COUNTERS = "counters"  # the outcome of lines that hold counts, of which no event is booked
KINDS = ("attempted", "sampled_out", "suppressed", "dropped", "sent")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_CLIENT = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,63}\Z")
_MOST_SCHEMAS = 200
_MOST = 1_000_000_000  # of one kind, in one report
_NOT_A_PARCEL = ("schema", "$schema", "specversion", "event")


def is_parcel(body: Mapping[str, Any]) -> bool:
    """Whether a body is a parcel, and not an event itself."""
    return type(body.get("events")) is list and not any(key in body for key in _NOT_A_PARCEL)


def counters_line(
    stated: Any, received: int, known: Mapping[str, Any], unknown: str
) -> tuple[bytes, str]:
    """Return the log's line of a report, and what is wrong with it; one of the two is empty.

    Counts of schemas that are not `known` are booked under `unknown`.
    """
    wrong = _wrong(stated)
    if wrong:
        return b"", wrong
    counts: dict[str, list[int]] = {}
    for name, said in stated["counts"].items():
        sums = counts.setdefault(name if name in known else unknown, [0] * len(KINDS))
        for place, kind in enumerate(KINDS):
            sums[place] += said.get(kind, 0)
    content = {
        "outcome": COUNTERS,
        "id": stated["id"],
        "client": stated["client"],
        "received": received,
        "counts": counts,
    }
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE), ""


def _wrong(stated: Any) -> str:
    if not isinstance(stated, dict):
        return "counters is not an object"
    id, client, counts = (stated.get(key) for key in ("id", "client", "counts"))
    if not isinstance(id, str) or not _ID.match(id):
        return "counters.id is not a lower-case UUID, by which a retry is known"
    if not isinstance(client, str) or not _CLIENT.match(client):
        return "counters.client is not a name such as eventlogging-js/1.0.0, at most 64 characters"
    if not isinstance(counts, dict) or len(counts) > _MOST_SCHEMAS:
        return f"counters.counts is not an object of at most {_MOST_SCHEMAS} schemas"
    for said in counts.values():
        if not isinstance(said, dict) or not said.keys() <= set(KINDS):
            return f"counters.counts holds something else than {', '.join(KINDS)}"
        if not all(type(n) is int and 0 <= n <= _MOST for n in said.values()):
            return f"counters.counts holds something else than whole numbers up to {_MOST}"
    return ""
