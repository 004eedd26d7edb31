"""What a forwarder sends, and what a storage server makes of it."""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from eventlogging import clock
from eventlogging.cli.run_forwarder import _beside
from eventlogging.collector import forwarding
from eventlogging.collector.answers import Answer
from eventlogging.config import Config
from eventlogging.errors import StoreUnavailable
from eventlogging.forwarder.remote import RemoteRegistry, WrongSetting
from eventlogging.forwarder.sender import Sender
from eventlogging.forwarder.storage import NoStorage, Refused, Storage
from eventlogging.intake.accept import Intake
from eventlogging.intake.context import Context
from eventlogging.intake.seal import PrivacyKey
from eventlogging.log import segment
from eventlogging.log.forwarded import markers, without
from eventlogging.registry import wire
from tests.coroutines import run
from tests.loading import Bench
from tests.schemas import registered, snapshot


def batch(*lines: bytes) -> bytes:
    body = b"".join(lines)
    return body + segment.commit_line(body, len(lines), {("2026-11-22 03:04", "Click"): len(lines)})


def commit(body: bytes, sent: Any) -> bytes:
    """A line that ends a batch, whatever its tally is."""
    content = {"lines": body.count(b"\n"), "crc": zlib.crc32(body), "sent": sent}
    return json.dumps({"commit": content}, separators=(",", ":")).encode() + b"\n"


def test_the_registry_comes_back_as_it_was() -> None:
    known = snapshot(registered(privacy={"/uid": "hmac"}, origins=("https://a.org",)))
    back = wire.from_json(json.loads(json.dumps(wire.to_json(known))))
    one, other = known.schemas["Click"], back.schemas["Click"]
    assert back.counter == known.counter
    assert (other.privacy, other.origins, other.latest) == (one.privacy, one.origins, one.latest)
    assert other.versions == one.versions


def test_batches_become_lines_behind_a_marker_each() -> None:
    one, two, three = (b'{"outcome":"probe","a":%d}\n' % n for n in (1, 2, 3))
    body = batch(one, two) + batch(three)
    taken = forwarding.take(b"origin=head/2026-11-22/x&start=100", body)
    assert not isinstance(taken, Answer)
    lines = list(enumerate(line.rstrip(b"\n") for line in taken.lines))
    found = markers(lines)
    assert [(one.start, one.offset, one.last) for one in found] == [
        (100, 0, 2), (100 + len(batch(one, two)), 3, 4),
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
        (b"origin=h&start=9223372036854775808", batch(b"{}\n")),
        (b"origin=h&start=" + b"9" * 5000, batch(b"{}\n")),
        (b"origin=h&start=0", b"{}\n" + commit(b"{}\n", 7)),
        (b"origin=h&start=0", b"{}\n" + commit(b"{}\n", [["2026-11-22 03:04", "Click"]])),
        (b"origin=h&start=0", b"{}\n" + commit(b"{}\n", [["2026-11-22 03:04", "Click", "9"]])),
        (b"origin=h&start=0", b"{}\n" + commit(b"{}\n", [["2026-11-22 03:04", "x" * 65, 9]])),
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


def test_every_line_that_intake_writes_passes_the_door() -> None:
    intake = Intake(Config(), PrivacyKey("any"))
    intake.use(snapshot(registered(), registered("Rare", sampling_rate=0.0)))
    good, bad = {"schema": "Click", "event": {"target": "a"}}, {"schema": "Click", "event": {}}
    counts = {name: {"attempted": 1} for name in ("Click", "Nobody")}
    counters = {"id": str(uuid.UUID(int=7, version=4)), "client": "test/1", "counts": counts}
    parcel = {"events": [good, bad, {**good, "schema": "Rare"}, 7], "counters": counters}
    now = clock.now_ms()
    contexts = [Context(now), Context(now, opted_out=True), Context(now, test_key="mine")]
    accepted = [intake.accept_body(json.dumps(parcel).encode(), one) for one in contexts]
    accepted.append(intake.refuse_body("malformed_json", b"{", contexts[0]))
    lines = [line for one in accepted for line in one.lines]
    kinds = {json.loads(line)["outcome"] for line in lines}
    assert kinds == {"valid", "invalid", "sampled_out", "suppressed", "counters", "test"}
    assert not isinstance(forwarding.take(b"origin=h&start=0", batch(*lines)), Answer)


@pytest.mark.parametrize(
    "line",
    [b"no JSON", b"[]", b"7", b"{}", b'{"outcome":"valid"}', b'{"outcome":"valid","schema":[]}',
     b'{"outcome":"invalid","schema":"Click","version":"1.0.0","received":"today"}',
     b'{"outcome":"sampled_out","kept":false,"received":1e300}', b'{"outcome":"counters"}',
     b'{"outcome":"suppressed","kept":false,"schema":"Click","version":"","code":"",'
     b'"received":253402300800000}'],
)  # fmt: skip
def test_a_line_that_the_loader_would_stumble_over_is_refused_at_the_door(line: bytes) -> None:
    fine = b'{"outcome":"probe"}\n'
    answer = forwarding.take(b"origin=h&start=0", batch(fine, line + b"\n"))
    assert isinstance(answer, Answer)
    assert answer.status == 400
    assert b"a line is none that this server can load" in answer.body


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
        self.got.append((origin, start, segment.split(batches, start)[1]))
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
    assert storage.got[0][1:] == (0, waiting), "whole batches, as they stand in the log"
    again = Sender(tmp_path / "log", file, "head", storage)
    assert again.step() == 0, "and is remembered"
    file.write_text("{torn")
    assert Sender(tmp_path / "log", file, "head", storage).step() == 1, "else sent again"
    assert storage.got[0] == storage.got[1]
    assert storage.got[0][0].startswith("head/")


class Saying(Storage):
    """Storage servers that each say one thing: an error, or what the registry is."""

    def __init__(self, *said: Exception | Mapping[str, Any]) -> None:
        super().__init__(["http://nowhere"], "")
        self.said = list(said)

    def registry(self, opt_outs: int) -> Mapping[str, Any]:
        now = self.said.pop(0)
        if isinstance(now, Exception):
            raise now
        return now


def test_a_head_that_runs_outlives_a_wrong_first_answer(tmp_path: Path) -> None:
    """Nobody waits for it any more, and the thread that asks must not die of it."""
    right = wire.to_json(snapshot(registered()))
    storage = Saying(
        NoStorage("none answers"), Refused("401"), {"privacy_key_id": "other", **right},
        {"privacy_key_id": "mine", **right},
    )  # fmt: skip
    registry = RemoteRegistry(storage, tmp_path / "registry.json", "mine")
    with pytest.raises(StoreUnavailable):
        registry.refresh()
    for setting in ("EVENTLOGGING_FORWARD_TOKEN", "EVENTLOGGING_PRIVACY_KEY"):
        with pytest.raises(WrongSetting, match=setting):
            registry.refresh()
    assert registry.refresh()
    assert issubclass(WrongSetting, StoreUnavailable)


class Answers:
    """Stands for the connections to storage servers, by what their addresses say."""

    def __init__(self, **status: int) -> None:
        self.status = status
        self.asked: list[str] = []

    def request(self, _method: str, url: str, **_more: Any) -> requests.Response:
        name = url.split("/")[2]
        self.asked.append(name)
        answer = requests.Response()
        answer.status_code = self.status[name]
        answer._content = b"{}"
        return answer


@pytest.mark.parametrize(
    ("one", "two", "ends"),
    [(401, 200, None), (403, 503, Refused), (503, 401, Refused), (503, 502, NoStorage)],
)
def test_every_storage_server_is_asked_before_one_is_believed_that_refuses(
    one: int, two: int, ends: type[Exception] | None
) -> None:
    storage, answers = Storage(["http://one", "http://two"], ""), Answers(one=one, two=two)
    storage._mine.session = cast(Any, answers)
    if ends is None:
        assert storage.registry(0) == {}
    else:
        with pytest.raises(ends, match=f"one answered {one}.*; .*two answered {two}"):
            storage.registry(0)
    assert answers.asked == ["one", "two"]


def test_a_head_shows_how_much_of_its_log_waits(tmp_path: Path) -> None:
    bench = Bench(f"sqlite:///{tmp_path / 'x.db'}", tmp_path / "log", registered())
    bench.send({"schema": "Click", "event": {"target": "a"}})
    bench.close()
    storage = Deaf()
    sender = Sender(tmp_path / "log", tmp_path / "forwarded.json", "head", storage)
    sender.trouble = "nobody answers"
    waiting = sender.waiting_bytes()
    assert figures(sender) == {"log_waiting_bytes": waiting, "storage_up": 0}
    storage.is_deaf, sender.trouble = False, ""
    sender.step()
    assert figures(sender) == {"log_waiting_bytes": 0, "storage_up": 1}


def figures(sender: Sender) -> dict[str, float]:
    """What Prometheus reads from the page of a head."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    run(_beside(sender)({"path": "/metrics"}, cast(Any, None), send))
    assert sent[0]["status"] == 200
    families = text_string_to_metric_families(sent[1]["body"].decode())
    return {
        one.name.removeprefix("eventlogging_"): one.samples[0].value
        for one in families
        if one.type == "gauge"
    }
