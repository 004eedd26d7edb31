"""Deadlines of many tasks, looked after by one task: timers of their own would cost more."""

from __future__ import annotations

import asyncio
import time
from typing import Any

_SWEEP_SECONDS = 0.25
_Task = asyncio.Task[Any]


class Deadlines:
    """Cancels tasks that take longer than `seconds`, a moment later at most."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[_Task, float] = {}
        self._over: set[_Task] = set()

    def begin(self) -> _Task:
        """Start the clock of the present task, and return the task."""
        task = asyncio.current_task()
        assert task is not None
        self._running[task] = time.monotonic() + self._seconds
        return task

    def end(self, task: _Task) -> None:
        """Stop a task's clock."""
        self._running.pop(task, None)
        self._over.discard(task)

    def is_over(self, task: _Task) -> bool:
        """Whether a task was cancelled because its time was over."""
        return task in self._over

    async def sweep(self) -> None:
        """Look after the deadlines for ever."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = time.monotonic()
            for task, deadline in list(self._running.items()):
                if deadline < now and task not in self._over:
                    self._over.add(task)
                    task.cancel()
