"""What a forwarder sends, and what a storage server makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eventlogging.collector import forwarding
from eventlogging.collector.answers import Answer
from eventlogging.forwarder.sender import Sender
from eventlogging.forwarder.storage import NoStorage, Storage
from eventlogging.intake.context import Context
from eventlogging.log import segment
from eventlogging.log.forwarded import markers, without
from eventlogging.registry import wire
from tests.loading import Bench
from tests.schemas import registered, snapshot


def batch(*lines: bytes) -> bytes:
    body = b"".join(lines)
    return body + segment.commit_line(body, len(lines), {("2026-11-22 03:04", "Click"): len(lines)})


def test_the_registry_comes_back_as_it_was() -> None:
    known = snapshot(registered(privacy={"/uid": "hmac"}, origins=("https://a.org",)))
    back = wire.from_json(json.loads(json.dumps(wire.to_json(known))))
    one, other = known.schemas["Click"], back.schemas["Click"]
    assert back.counter == known.counter
    assert (other.privacy, other.origins, other.latest) == (one.privacy, one.origins, one.latest)
    assert other.versions == one.versions


def test_batches_become_lines_behind_a_marker_each() -> None:
    body = batch(b'{"a":1}\n', b'{"a":2}\n') + batch(b'{"a":3}\n')
    taken = forwarding.take(b"origin=head/2026-11-22/x&start=100", body)
    assert not isinstance(taken, Answer)
    lines = list(enumerate(line.rstrip(b"\n") for line in taken.lines))
    found = markers(lines)
    assert [(one.start, one.offset, one.last) for one in found] == [
        (100, 0, 2), (100 + len(batch(b'{"a":1}\n', b'{"a":2}\n')), 3, 4),
    ]  # fmt: skip
    assert found[0].sent == (("2026-11-22 03:04", "Click", 2),)
    assert without(lines, found[:1]) == lines[3:]
    assert json.loads(taken.answer.body)["end"] == 100 + len(body)


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (b"", batch(b"{}\n")),
        (b"origin=h&start=x", batch(b"{}\n")),
        (b"origin=h&start=-1", batch(b"{}\n")),
        (b"origin=" + b"h" * 200 + b"&start=0", batch(b"{}\n")),
        (b"origin=h&start=0", b""),
        (b"origin=h&start=0", b"{}\n"),
        (b"origin=h&start=0", batch(b"{}\n")[:-3]),
        (b"origin=h&start=0", batch(b"{}\n") + b"{}\n"),
        (b"origin=h&start=0", batch(b'{"a":1}\n').replace(b'"a":1', b'"a":2')),
    ],
)
def test_what_is_no_whole_batch_is_refused(query: bytes, body: bytes) -> None:
    answer = forwarding.take(query, body)
    assert isinstance(answer, Answer)
    assert answer.status == 400


def test_who_may_not_forward_is_told_what_it_takes() -> None:
    for scopes, status in ((frozenset[str](), 401), (frozenset({"read"}), 403)):
        answer = forwarding.refused(Context(0, scopes=scopes))
        assert answer is not None
        assert answer.status == status
        assert b"scope forward" in answer.body
    assert forwarding.refused(Context(0, scopes=frozenset({"forward"}))) is None


class Deaf(Storage):
    """Storage servers that do not answer for a while, and then remember what they get."""

    def __init__(self) -> None:
        super().__init__(["http://nowhere"], "")
        self.is_deaf = True
        self.got: list[tuple[str, int, int]] = []

    def forward(self, origin: str, start: int, batches: bytes) -> int:
        if self.is_deaf:
            raise NoStorage("nobody answers")
        self.got.append((origin, start, start + len(batches)))
        return start + len(batches)


def test_a_position_moves_only_with_an_acknowledgement(tmp_path: Path) -> None:
    bench = Bench(f"sqlite:///{tmp_path / 'x.db'}", tmp_path / "log", registered())
    bench.send({"schema": "Click", "event": {"target": "a"}})
    bench.close()
    storage, file = Deaf(), tmp_path / "forwarded.json"
    sender = Sender(tmp_path / "log", file, "head", storage)
    waiting = sender.waiting_bytes()
    assert waiting > 0
    with pytest.raises(NoStorage):
        sender.step()
    assert sender.waiting_bytes() == waiting
    storage.is_deaf = False
    assert sender.step() == 1
    assert sender.waiting_bytes() == 0
    again = Sender(tmp_path / "log", file, "head", storage)
    assert again.step() == 0, "and is remembered"
    file.write_text("{torn")
    assert Sender(tmp_path / "log", file, "head", storage).step() == 1, "else sent again"
    assert storage.got[0] == storage.got[1]
    assert storage.got[0][0].startswith("head/")
