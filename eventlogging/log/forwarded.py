"""The line that stands before the lines of a forwarded batch, and says where they come from.

A web head sends each batch of its log until a storage server acknowledged it, perhaps to two of
them. Its place in the head's log is its name: of all copies, the one that is loaded first counts,
lines and tally, and the others are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from eventlogging import clock

OUTCOME = "forwarded"
_PREFIX = b'{"outcome":"forwarded"'


@dataclass(frozen=True, slots=True)
class Marker:
    """A forwarded batch: its name (`origin`, `start`), and where it stands here.

    `offset` is the marker's own, `last` that of its last line; `sent` is its tally of what was
    sent, as (minute, schema, count).
    """

    origin: str
    start: int
    offset: int
    last: int
    sent: tuple[tuple[str, str, int], ...]

    @property
    def key(self) -> tuple[str, int]:
        """What all copies of the batch share."""
        return self.origin, self.start


def marker_line(origin: str, start: int, lines: int, sent: Iterable[Sequence[object]]) -> bytes:
    """Return the line to put before the batch's `lines` lines.

    It says when it was received here, for of how long the batch waits here its events know nothing.
    """
    content = {
        "outcome": OUTCOME,
        "received": clock.now_ms(),
        "origin": origin,
        "start": start,
        "lines": lines,
        "sent": [list(one) for one in sent],
    }
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)


def markers(lines: Sequence[tuple[int, bytes]]) -> list[Marker]:
    """Return the forwarded batches among (offset, line) pairs; mostly there are none."""
    found = []
    for place, (offset, line) in enumerate(lines):
        if line.startswith(_PREFIX):
            content = orjson.loads(line)
            last = min(place + content["lines"], len(lines) - 1)
            sent = tuple((minute, name, count) for minute, name, count in content["sent"])
            origin, start = content["origin"], content["start"]
            found.append(Marker(origin, start, offset, lines[last][0], sent))
    return found


def without(
    lines: Sequence[tuple[int, bytes]], left_out: Iterable[Marker]
) -> list[tuple[int, bytes]]:
    """Return the lines that belong to none of these batches."""
    spans = [(one.offset, one.last) for one in left_out]
    return [line for line in lines if not any(first <= line[0] <= last for first, last in spans)]
