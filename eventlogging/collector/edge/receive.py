"""Judge chunks of edge logs that `eventlogging collect --to` sends as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs

import orjson

from eventlogging.collector import answers
from eventlogging.collector.answers import Answer
from eventlogging.collector.edge.chunks import Chunk
from eventlogging.collector.edge.formats import Format, FormatError
from eventlogging.collector.edge.judge import Judge, Judged
from eventlogging.config import Config
from eventlogging.intake.seal import PrivacyKey
from eventlogging.registry.model import Snapshot

_PIECE_BYTES = 1 << 16  # judged at a time; in between other requests have their turn
_MOST_FORMATS = 64
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Shipped:
    """A chunk of a log, known by its fingerprint, whose lines are of a format."""

    format: Format
    fingerprint: str
    chunk: Chunk

    @property
    def name(self) -> str:
        """What all copies of the chunk share."""
        return self.chunk.name(self.fingerprint)


def shipped(query: bytes, body: bytes) -> Shipped | Answer:
    """Return the chunk that a request brings; an answer where it says too little of it."""
    values = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    said = {name: values.get(name, [""])[0] for name in ("format", "fingerprint", "start")}
    fingerprint, start = said["fingerprint"], said["start"]
    is_hash = len(fingerprint) == 32 and set(fingerprint) <= set("0123456789abcdef")
    if not is_hash or not start.isdecimal() or len(start) > _MOST_DIGITS:
        return _wrong("fingerprint and start say which part of which log this is")
    if not body:
        return _wrong("the body is empty; send whole lines of the log")
    try:
        format = Format(said["format"])
    except FormatError as error:
        return _wrong(str(error))
    return Shipped(format, fingerprint, Chunk(int(start), body, True))


class Receiver:
    """Judges what edges send, each by the format of its lines."""

    def __init__(self, config: Config, key: PrivacyKey) -> None:
        self._config = config
        self._key = key
        self._judges: dict[str, Judge] = {}

    async def judge(self, shipped: Shipped, snapshot: Snapshot) -> Judged:
        """Judge a chunk piece by piece by one snapshot of the registry."""
        judge = self._judge_of(shipped.format)
        judged = Judged()
        for offset, data in _pieces(shipped.chunk.data):
            judge.use(snapshot)  # another chunk may have had its turn
            judged.add(judge.judge(data, shipped.chunk.start + offset, shipped.fingerprint))
            await asyncio.sleep(0)
        return judged

    def _judge_of(self, format: Format) -> Judge:
        found = self._judges.get(format.text)
        if found is None:
            found = Judge(format, self._config, self._key)
            if len(self._judges) >= _MOST_FORMATS:
                self._judges.clear()
            self._judges[format.text] = found
        return found


def answer(shipped: Shipped, judged: Judged) -> Answer:
    """Return what the edge is told: up to where its log is kept, and what became of the lines."""
    content = {
        "end": shipped.chunk.border,
        "lines": judged.read,
        "outcomes": {str(outcome): count for outcome, count in judged.outcomes.items()},
    }
    return Answer(200, orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE))


def _pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield whole lines, some at a time, with where they begin."""
    at = 0
    while at < len(data):
        end = data.find(b"\n", at + _PIECE_BYTES) + 1 or len(data)
        yield at, data[at:end]
        at = end


def _wrong(text: str) -> Answer:
    return answers.plain_error(400, "bad_chunk", text)
