"""The processes of a running platform: web, loader, jobs, and the supervisor over them."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

_logger = logging.getLogger(__name__)
_QUICK_DEATH = 5.0  # seconds; a child that dies sooner is restarted more slowly
_LONGEST_PAUSE = 10.0
_STOP_SECONDS = 15.0
LIFELINE = "EVENTLOGGING_LIFELINE"  # number of the pipe that closes when the parent dies


def set_up_logging() -> None:
    """Write the program's own messages to standard error, one line each."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def calm_garbage_collection() -> None:
    """Look for cycles seldom, and never among what was made at the start.

    Events are trees, which go by themselves; looking through them for cycles took a quarter of
    the loader's time and made the slowest answers of the collector slower.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def take_turns_quickly() -> None:
    """Let threads change every 100 µs instead of every 5 ms.

    The loader's thread that talks to the database waits that long after each packet while the
    other one makes rows; the database had nothing to do meanwhile.
    """
    sys.setswitchinterval(0.000_1)


def stop_flag() -> threading.Event:
    """Return an event that is set by Ctrl-C, SIGTERM or the supervisor's death."""
    stopped = threading.Event()

    def stop(_number: int, _frame: Any) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    watch_lifeline(stopped.set)
    return stopped


def watch_lifeline(on_end: Callable[[], None]) -> None:
    """Call `on_end` when the process that started us is gone; nothing where none watches."""
    number = os.environ.get(LIFELINE)
    if not number:
        return

    def wait() -> None:
        os.read(int(number), 1)
        on_end()

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


class Supervisor:
    """Keeps one child per command alive until stopped; children die with it, however it dies."""

    def __init__(self, commands: Sequence[str]) -> None:
        self._commands = commands
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._started: dict[str, float] = {}
        self._pause: dict[str, float] = {}
        self._read_end, self._write_end = os.pipe()

    def run(self, stopped: threading.Event) -> None:
        """Start the children, restart those that die, end them all when stopped."""
        for command in self._commands:
            self._start(command)
        while not stopped.wait(0.2):
            for command, child in list(self._children.items()):
                if child.poll() is not None:
                    self._restart(command, child.returncode, stopped)
        self._stop()

    def _start(self, command: str) -> None:
        environment = {**os.environ, LIFELINE: str(self._read_end)}
        self._children[command] = subprocess.Popen(
            [sys.executable, "-m", "eventlogging.cli.main", command],
            env=environment,
            pass_fds=(self._read_end,),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the supervisor, which ends them in order
        )
        self._started[command] = time.monotonic()

    def _restart(self, command: str, code: int, stopped: threading.Event) -> None:
        quick = time.monotonic() - self._started[command] < _QUICK_DEATH
        pause = min(self._pause.get(command, 0.25) * 2, _LONGEST_PAUSE) if quick else 0.25
        self._pause[command] = pause
        _logger.error("%s ended with %s; starting it again in %.1f s", command, code, pause)
        if not stopped.wait(pause):
            self._start(command)

    def _stop(self) -> None:
        for child in self._children.values():
            child.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for command, child in self._children.items():
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _logger.error("%s did not stop; ending it", command)
                child.kill()
                child.wait()
        os.close(self._write_end)
        os.close(self._read_end)
