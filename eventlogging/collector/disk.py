"""The wait for the disk: a request is answered once the log has its lines, or cannot keep them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from eventlogging.collector import answers
from eventlogging.collector.answers import Answer
from eventlogging.collector.deadlines import Deadlines
from eventlogging.collector.probe import LINE
from eventlogging.config import Config
from eventlogging.errors import LogUnavailable
from eventlogging.log.segment import Sent
from eventlogging.log.writer import Done, LogWriter

_KEEP_SECONDS = 30.0  # the longest wait
_PROBE_SECONDS = 2.0  # a disk that takes longer is not ready


class Disk:
    """The log of this process, for requests on the running event loop."""

    def __init__(self, folder: Path, config: Config) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadlines = Deadlines(_KEEP_SECONDS)
        self._writer = LogWriter(
            folder,
            segment_bytes=config.segment_bytes,
            queue_bytes=config.log_queue_bytes,
            deliver=self._deliver,
        )

    async def sweep(self) -> None:
        """Look after those that wait too long, for ever."""
        await self._deadlines.sweep()

    def close(self) -> None:
        """Write what waits, and end; blocks."""
        self._writer.close()

    async def keep(self, lines: Sequence[bytes], sent: Sent) -> Answer | None:
        """Wait until all lines of a request are durable; an answer where they cannot be kept."""
        task = self._deadlines.begin()
        try:
            error = await self.kept(lines, sent)
        except asyncio.CancelledError:
            if not self._deadlines.is_over(task):
                raise
            task.uncancel()
            return answers.unanswered()
        finally:
            self._deadlines.end(task)
        return answers.unavailable(str(error)) if error else None

    async def kept(self, lines: Sequence[bytes], sent: Sent) -> LogUnavailable | None:
        """Wait until lines are durable, however long that takes, or cannot be kept."""
        future: asyncio.Future[LogUnavailable | None] = self._loop.create_future()

        def done(error: LogUnavailable | None) -> None:
            if not future.done():
                future.set_result(error)

        try:
            self._writer.append(lines, sent, done)
        except LogUnavailable as refused:
            return refused
        return await future

    async def trouble(self) -> str | None:
        """Return why a line cannot be kept now, None where it can."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                refused = await self.keep((LINE,), {})
        except TimeoutError:
            return "the disk does not answer"
        if refused is None:
            return None
        return f"the log cannot keep events: {self._writer.trouble or 'it is full'}"

    def _deliver(self, done: Sequence[Done], error: LogUnavailable | None) -> None:
        """One wake-up of the loop for a whole batch of waiting requests."""
        self._loop.call_soon_threadsafe(_call_each, done, error)


def _call_each(done: Sequence[Done], error: LogUnavailable | None) -> None:
    for call in done:
        call(error)
