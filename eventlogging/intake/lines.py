"""The lines that the log keeps of events: made by intake, read by the loader."""

from __future__ import annotations

from typing import Any

import orjson

from eventlogging.event import Outcome, Problem
from eventlogging.intake.decode import Flaw

TEST = "test"  # the outcome of lines that test keys caused
_RAW_LIMIT = 65_536


def valid(
    *,
    schema: str,
    version: str,
    id: str,
    dt: int,
    received: int,
    index: int,
    remember: bool,
    capsule: orjson.Fragment,
    event: dict[str, Any],
    made: tuple[str, ...] = (),
) -> bytes:
    """Return the line of a valid event. `remember`: its dt is not the client's, its id is.

    `made` are JSON pointers to what intake itself put into the event, and what another arrival
    of the same event will have otherwise.
    """
    content = {
        "outcome": "valid",
        "schema": schema,
        "version": version,
        "id": id,
        "dt": dt,
        "received": received,
        "index": index,
        "remember": remember,
        "capsule": capsule,
        "event": event,
    }
    if made:
        content["made"] = made
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)


def invalid(
    *,
    schema: str,
    version: str,
    claimed: str,
    code: str,
    message: str,
    problems: tuple[Problem, ...],
    id: str | None,
    received: int,
    index: int,
    capsule: orjson.Fragment,
    sealed: bool,
    raw: str,
) -> bytes:
    """Return the line of an invalid event; `raw` is its text, or that of a broken body."""
    return orjson.dumps(
        {
            "outcome": "invalid",
            "schema": schema,
            "version": version,
            "claimed": claimed[:64],
            "code": code,
            "message": message[:4000],
            "errors": [problem.as_dict() for problem in problems],
            "id": id,
            "received": received,
            "index": index,
            "capsule": capsule,
            "sealed": sealed,
            "raw": raw[:_RAW_LIMIT],
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def contentless(
    outcome: Outcome, *, schema: str, version: str, received: int, code: str = ""
) -> bytes:
    """Return the line of an event that is counted and not kept."""
    return (
        orjson.dumps(
            {
                "outcome": outcome,
                "schema": schema,
                "version": version,
                "received": received,
                "code": code,
                "kept": False,
            }
        )
        + b"\n"
    )


def of_test_key(line: bytes, key: str) -> bytes:
    """Return what the log keeps of a test key's event, from the line it would have had.

    It has an outcome of its own, so that whatever reads the log takes it for no event of the books.
    """
    content = orjson.loads(line)
    event = content.get("raw", "")
    if "event" in content:
        event = orjson.dumps(content["event"]).decode()
    return orjson.dumps(
        {
            "outcome": TEST,
            "test_key": key,
            "verdict": content["outcome"],
            "schema": content["schema"],
            "version": content["version"],
            "claimed": content.get("claimed", content["schema"]),
            "code": content.get("code", ""),
            "errors": content.get("errors", []),
            "id": content.get("id"),
            "received": content["received"],
            "index": content.get("index", 0),
            "event": event,
            "sealed": content.get("sealed", True),
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def text_of(event: Any) -> str:
    """Return an event as JSON text, flaws marked where they are."""
    try:
        return orjson.dumps(event, default=_flaw_text).decode()
    except (orjson.JSONEncodeError, RecursionError):
        return "(too deep to show)"


def _flaw_text(value: Any) -> str:
    if isinstance(value, Flaw):
        return f"({value.code})"
    raise TypeError(type(value).__name__)
