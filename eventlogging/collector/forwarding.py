"""Take batches of a web head's log, and tell it what the registry says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import orjson

from eventlogging.collector import answers
from eventlogging.collector.answers import Answer
from eventlogging.intake.context import Context
from eventlogging.log import segment
from eventlogging.log.forwarded import marker_line
from eventlogging.registry import wire
from eventlogging.registry.model import Snapshot

SCOPES = frozenset({"forward", "admin"})
_MOST_ORIGIN = 191
_MINUTE = len("2026-11-22 03:04")
_MOST_NAME = 64
_MOST_COUNT = 2**32  # of one batch
_LATEST_MS = 253_402_300_800_000  # the year 10000
_COUNTED = {"received": int, "schema": str, "version": str, "code": str}
_EVENT = {"received": int, "schema": str, "version": str, "index": int}
# What a line of each outcome must have; the loader passes over others.
_NEEDS: Mapping[str, Mapping[str, type]] = {
    "valid": {**_EVENT, "id": str, "dt": int, "capsule": dict, "event": dict},
    "invalid": {**_EVENT, "capsule": dict, "code": str, "errors": list, "raw": str},
    "test": {**_EVENT, "verdict": str, "test_key": str, "errors": list},
    "counters": {"received": int, "id": str, "client": str, "counts": dict},
}
_MOST_DIGITS = 18  # what is longer may be too large for a column


@dataclass(frozen=True, slots=True)
class Taken:
    """The lines to keep, and the answer once they are kept."""

    lines: list[bytes]
    answer: Answer


def refused(context: Context) -> Answer | None:
    """Return why a request may not forward; None where it may."""
    if context.scopes & SCOPES:
        return None
    wanted = "a bearer token with the scope forward (eventlogging token create)"
    if not context.scopes:
        header = (b"www-authenticate", b"Bearer")
        return answers.plain_error(401, "unauthorized", f"send {wanted}", header)
    return answers.plain_error(403, "forbidden", f"forwarding wants {wanted}")


def take(query: bytes, body: bytes) -> Taken | Answer:
    """Return what a body of whole batches, as they stand in the head's segment, becomes here.

    The query says `origin` (the head's name and segment) and `start`, the first one's position.
    """
    values = parse_qs(query.decode("latin-1"))
    origin, start = values.get("origin", [""])[0], values.get("start", [""])[0]
    is_number = start.isdecimal() and len(start) <= _MOST_DIGITS
    if not 0 < len(origin) <= _MOST_ORIGIN or not origin.isprintable() or not is_number:
        return _wrong("origin and start say which part of which segment this is")
    try:
        batches, end = segment.split(body, int(start))
    except (TypeError, ValueError):  # a tally that is none
        batches, end = [], 0
    is_whole = bool(batches) and end == int(start) + len(body)
    if not is_whole or not all(_is_count(*one) for batch in batches for one in batch.sent):
        return _wrong("the body is not made of whole batches of a log; send it again")
    if not all(_is_readable(line) for batch in batches for _, line in batch.lines):
        return _wrong(
            "a line is none that this server can load; is the head newer? then update this one"
        )
    lines: list[bytes] = []
    for batch in batches:
        lines.append(marker_line(origin, batch.start, len(batch.lines), batch.sent))
        lines += [line + b"\n" for _, line in batch.lines]
    return Taken(lines, Answer(200, orjson.dumps({"batches": len(batches), "end": end}) + b"\n"))


def _is_readable(line: bytes) -> bool:
    """Whether the loader here will understand a line: it loads all of a segment or nothing."""
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    if type(content) is not dict or type(content.get("outcome")) is not str:
        return False
    needs = _NEEDS.get(content["outcome"], {}) if content.get("kept", True) else _COUNTED
    if not all(type(content.get(key)) is kind for key, kind in needs.items()):
        return False
    return "received" not in needs or 0 <= content["received"] < _LATEST_MS


def _is_count(minute: Any, name: Any, count: Any) -> bool:
    """Whether the ledger can hold what a tally says: a minute, a schema's name, how many."""
    is_named = isinstance(minute, str) and isinstance(name, str)
    fits = is_named and len(minute) == _MINUTE and len(name) <= _MOST_NAME
    return fits and type(count) is int and 0 <= count < _MOST_COUNT


def registry(query: bytes, snapshot: Snapshot, key_id: str) -> Answer:
    """Return the snapshot, and the id of the privacy key, which must be the head's as well.

    The query may say by `opt_outs` which counter of theirs the head knows.
    """
    said = parse_qs(query.decode("latin-1")).get("opt_outs", [""])[0]
    known = int(said) if said.isdecimal() and len(said) <= _MOST_DIGITS else None
    content = {"privacy_key_id": key_id, **wire.to_json(snapshot, known)}
    return Answer(200, orjson.dumps(content))


def _wrong(text: str) -> Answer:
    return answers.plain_error(400, "bad_batch", text)
