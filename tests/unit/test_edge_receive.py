"""What a storage server makes of a chunk of an edge's log."""

from __future__ import annotations

import json

import pytest

from eventlogging.collector.answers import Answer
from eventlogging.collector.edge import receive
from eventlogging.collector.edge.formats import CLASSIC, Format
from eventlogging.collector.edge.judge import Judge, Judged
from eventlogging.config import Config
from eventlogging.intake.seal import PrivacyKey
from eventlogging.log.forwarded import markers
from tests.coroutines import run
from tests.edge import line, query
from tests.schemas import registered, snapshot

KEY = PrivacyKey("the same")
PRINT = "0123456789abcdef" * 2


def said(start: int = 0, format: str = "%25q %25t") -> bytes:
    return f"format={format}&fingerprint={PRINT}&start={start}".encode()


def test_a_chunk_judged_in_pieces_is_what_it_is_as_a_whole() -> None:
    click = {"schema": "Click", "event": {"target": "open"}}
    lines = [line(query(click) if n % 3 else "?%7B", n) for n in range(900)]
    data = "".join([*lines, "\n", line(query({"schema": "Nobody", "event": {}}))[:-1]]).encode()
    assert len(data) > 2 * receive._PIECE_BYTES
    found = receive.shipped(said(77, CLASSIC.replace("%", "%25")), data)
    assert isinstance(found, receive.Shipped)
    known = snapshot(registered())
    judged = run(receive.Receiver(Config(), KEY).judge(found, known))
    judge = Judge(Format(CLASSIC), Config(), KEY)
    judge.use(known)
    whole = judge.judge(data, 77, PRINT)
    assert judged.read == whole.read == 901
    assert (judged.outcomes, judged.sent, judged.unknown) == (
        whole.outcomes, whole.sent, whole.unknown
    )  # fmt: skip
    assert [_id(one) for one in judged.lines] == [_id(one) for one in whole.lines]
    assert judged.unknown
    answer = json.loads(receive.answer(found, judged).body)
    assert answer["end"] == 77 + len(data)
    assert sum(answer["outcomes"].values()) == answer["lines"] == 901


def _id(kept: bytes) -> tuple[str, str]:
    found = json.loads(kept)
    return found["outcome"], str(found.get("id") or found.get("event"))


def test_the_batch_is_named_by_its_log_and_its_borders() -> None:
    judged = Judged(lines=[b'{"a":1}\n', b'{"a":2}\n'])
    judged.sent["2026-11-22 03:04", "Click"] = 2
    found = receive.shipped(said(5), b"one\ntwo\n")
    assert isinstance(found, receive.Shipped)
    lines = [one.rstrip(b"\n") for one in judged.as_batch(found.name, found.chunk.start)]
    (marker,) = markers(list(enumerate(lines)))
    assert marker.origin.startswith(f"edge/{PRINT}/13/")
    assert (marker.start, marker.last) == (5, 2)
    assert marker.sent == (("2026-11-22 03:04", "Click", 2),)


@pytest.mark.parametrize(
    ("query", "body", "says"),
    [
        (b"", b"x", "fingerprint"),
        (said().replace(b"0123", b"012x"), b"x", "fingerprint"),
        (said().replace(b"0123", b""), b"x", "fingerprint"),
        (said().replace(b"start=0", b"start=-1"), b"x", "start"),
        (said().replace(b"start=0", b"start=" + b"9" * 40), b"x", "start"),
        (said().replace(b"start=0", "start=²".encode()), b"x", "start"),
        (said(), b"", "empty"),
        (said(format="%25q%25t"), b"x", "nothing parts"),
        (said(format=""), b"x", "where the event stands"),
    ],
)
def test_a_request_that_says_too_little_is_told_so(query: bytes, body: bytes, says: str) -> None:
    found = receive.shipped(query, body)
    assert isinstance(found, Answer)
    assert found.status == 400
    assert says in found.body.decode()


def test_the_formats_that_are_remembered_are_bounded() -> None:
    receiver = receive.Receiver(Config(), KEY)
    for n in range(3 * receive._MOST_FORMATS):
        receiver._judge_of(Format(f"%q\t%{{field{n}}}s"))
    assert len(receiver._judges) <= receive._MOST_FORMATS
