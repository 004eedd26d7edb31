"""Bodies that were answered before they were judged, until they are on disk.

They are lost with the process. Short of that each is judged, tallied and stored: what the log
cannot take now is offered again, and so is what cannot be judged without the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from eventlogging.collector.answers import Answer
from eventlogging.errors import LogUnavailable
from eventlogging.intake.accept import Accepted
from eventlogging.intake.context import Context

Judge = Callable[[bytes, Context], Awaitable[Accepted | Answer]]
Keep = Callable[[Sequence[bytes], dict[tuple[str, str], int]], Awaitable[LogUnavailable | None]]
_logger = logging.getLogger(__name__)
_MOST_BODIES = 256  # that share a write
_MOST_BYTES = 4 * 1024 * 1024
_OVERHEAD = 1000  # bytes that a waiting body takes beside itself
_AGAIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class _Waiting:
    body: bytes
    context: Context

    @property
    def size(self) -> int:
        return len(self.body) + _OVERHEAD


class HastyQueue:
    """At most `max_bytes` wait; `judge` and `keep` are what other requests wait for."""

    def __init__(self, max_bytes: int, judge: Judge, keep: Keep) -> None:
        self._max_bytes = max_bytes
        self._judge = judge
        self._keep = keep
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._closing = False

    def put(self, body: bytes, context: Context) -> bool:
        """Take a body to be judged soon; False where too much waits already."""
        item = _Waiting(body, context)
        if self._closing or self._bytes + item.size > self._max_bytes:
            return False
        self._waiting.append(item)
        self._bytes += item.size
        self._arrived.set()
        return True

    async def run(self) -> None:
        """Judge and keep what comes, for ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                unjudged = await self._round()
                if unjudged:
                    self._waiting.extend(unjudged)
                    await asyncio.sleep(_AGAIN_SECONDS)

    async def drain(self, seconds: float) -> None:
        """Take nothing more, and wait until everything is kept, not longer than that."""
        self._closing = True
        end = asyncio.get_running_loop().time() + seconds
        while self._bytes and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.02)
        if self._bytes:
            _logger.error("%d bytes of hasty bodies could not be kept and are lost", self._bytes)

    async def _round(self) -> list[_Waiting]:
        """Judge and keep some bodies together; return those that cannot be judged yet."""
        lines: list[bytes] = []
        sent: dict[tuple[str, str], int] = {}
        unjudged = []
        size = 0
        for item in self._take():
            try:
                judged = await self._judge(item.body, item.context)
            except Exception:  # a fault of ours, which must not cost the others
                _logger.exception("a hasty body could not be judged and is lost")
                self._bytes -= item.size
                continue
            if isinstance(judged, Answer):
                unjudged.append(item)
                continue
            size += item.size
            lines.extend(judged.lines)
            for key, count in judged.sent.items():
                sent[key] = sent.get(key, 0) + count
            await asyncio.sleep(0)  # requests that wait for their answer go first
        if lines:
            # The same lines again, with the ids they have: nothing of a refused batch counts.
            while await self._keep(lines, sent):
                await asyncio.sleep(_AGAIN_SECONDS)
        self._bytes -= size
        return unjudged

    def _take(self) -> list[_Waiting]:
        taken: list[_Waiting] = []
        size = 0
        while self._waiting and len(taken) < _MOST_BODIES and size < _MOST_BYTES:
            taken.append(self._waiting.popleft())
            size += taken[-1].size
        return taken
