"""Processes with a spool that are killed, and the files that they leave behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.python_client import CLIENT
from tests.servers import wait_until

PROGRAM = f"""
import os, sys, time
sys.path.insert(0, {str(CLIENT)!r})
from eventlogging_client import EventLog
url, spool, number, age = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
log = EventLog(url, spool=spool, age=age, queue_events=int(sys.argv[5]))
for n in range(number):
    print(log.log("Click", {{"n": n}}), flush=True)
print("logged", flush=True)
time.sleep(60)
"""


def killed(
    url: str,
    spool: Path,
    number: int,
    age: float = 60,
    until: Callable[[], bool] | None = None,
    queue: int = 10_000,
) -> list[str]:
    """Log events in a process that is killed; return their ids."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url, str(spool), str(number), str(age), str(queue)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    ids = []
    while (line := process.stdout.readline().strip()) != "logged":
        ids.append(line)
    if until is not None:
        wait_until(until, 10)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return ids


def left_behind(url: str, spool: Path, number: int, name: str) -> list[str]:
    """Put a file of this name into the spool, as a killed process leaves it; return the ids."""
    elsewhere = spool.parent / name
    ids = killed(url, elsewhere, number)
    spool.mkdir(exist_ok=True)
    (file,) = files(elsewhere)
    file.rename(spool / f"{name}.spool")
    return ids


def files(spool: Path) -> list[Path]:
    """Return all but an empty one, without its name yet, that a killed process had just opened."""
    return sorted(path for path in spool.iterdir() if path.suffix == ".spool" or _size(path))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # it has its name by now
        return 0
