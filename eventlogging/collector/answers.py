"""The answers of the intake: status and JSON body from verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from eventlogging.event import Outcome, Verdict
from eventlogging.intake.accept import Accepted

# What a schema says is wrong goes under "invalid"; everything before that under "error".
_BY_SCHEMA = frozenset(
    {"type_mismatch", "missing_field", "undeclared_field", "value_not_allowed", "out_of_bounds"}
    | {"bad_format", "schema_mismatch"}
)
_WHOLE_BODY_STATUS = (413, 415)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `headers` are added to the common ones."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: bytes = field(default=b"application/json")


def of_events(accepted: Accepted) -> Answer:
    """Return 201 when every event is stored, 207 when some are refused, 400 when none is stored."""
    refused = [verdict for verdict in accepted.verdicts if verdict.code]
    if not refused:
        return Answer(201, _summary(accepted))
    lists: dict[str, list[dict[str, object]]] = {"invalid": [], "error": []}
    for index, verdict in enumerate(accepted.verdicts):
        if verdict.code:
            kind = "invalid" if verdict.code in _BY_SCHEMA else "error"
            lists[kind].append(_item(index, verdict))
    if len(refused) < len(accepted.verdicts):
        status = 207
    else:
        status = refused[0].status if refused[0].status in _WHOLE_BODY_STATUS else 400
    return Answer(status, _dump(lists))


def received() -> Answer:
    """Return 202: the body was read, and will be judged and kept if the process lives."""
    return Answer(202, b'{"received":true}\n')


def unavailable(reason: str, retry_after: int = 5) -> Answer:
    """Return 503: nothing of the request was kept, and sending it again is right."""
    return _later(f"{reason}; nothing of this request was kept, send it again", retry_after)


def unanswered() -> Answer:
    """Return 503 where the disk did not answer in time: the events may still be kept."""
    return _later("the disk does not answer; send the same again, with the same ids", 30)


def no_test_key() -> Answer:
    """Return 401: nothing was kept, for it was not meant for production."""
    text = "this test key is not known, revoked or over; nothing was kept; make another one"
    return plain_error(401, "unauthorized", text, (b"www-authenticate", b'Bearer realm="test"'))


def _later(text: str, retry_after: int) -> Answer:
    retry = (b"retry-after", str(retry_after).encode())
    return plain_error(503, "unavailable", text, retry)


def plain_error(status: int, code: str, text: str, *headers: tuple[bytes, bytes]) -> Answer:
    """Return an error that concerns no event."""
    error = {"status": status, "code": code, "text": text}
    return Answer(status, _dump({"error": [error]}), headers)


def of_beacon(accepted: Accepted) -> Answer:
    """Return 204, valid or not: a browser cannot do anything about it; headers tell a person."""
    refused = [verdict for verdict in accepted.verdicts if verdict.code]
    headers = [(b"x-event-valid", b"false" if refused else b"true")]
    if refused:
        text = f"{refused[0].code}: {refused[0].text}"
        safe = "".join(c if 32 <= ord(c) < 127 else "?" for c in text)[:500]
        headers.append((b"x-validation-error", safe.encode("ascii")))
    return Answer(204, headers=tuple(headers))


def _summary(accepted: Accepted) -> bytes:
    verdicts = accepted.verdicts
    counts: dict[str, object] = {
        "accepted": sum(v.outcome is Outcome.VALID for v in verdicts),
        "sampled_out": sum(v.outcome is Outcome.SAMPLED_OUT for v in verdicts),
        "suppressed": sum(v.outcome is Outcome.SUPPRESSED for v in verdicts),
        "ids": [v.id for v in verdicts if v.outcome is Outcome.VALID],
    }
    if accepted.remark:
        counts["counters"] = f"not counted: {accepted.remark}"
    return orjson.dumps(counts)


def _item(index: int, verdict: Verdict) -> dict[str, object]:
    return {
        "index": index,
        "status": verdict.status,
        "code": verdict.code,
        "event": verdict.event,
        "context": {
            "errors": [problem.as_dict() for problem in verdict.problems],
            "errorsText": verdict.text,
        },
    }


def _dump(value: object) -> bytes:
    # Indented: people read refusals in a terminal.
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
