"""The machine a benchmark ran on: its shape, its disk, and who else was using it."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import psutil

_PACKAGES = ("eventlogging-server", "uvicorn", "uvloop", "orjson", "jsonschema-rs", "granian")


def cores() -> tuple[int, int]:
    """Return the core that servers are pinned to, and the one of the load generator."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def describe(folder: Path) -> dict[str, Any]:
    """Return cores, memory, CPU model, versions, and what a synced append to `folder` takes."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu_model(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "packages": {name: version(name) for name in _PACKAGES},
        "fdatasync_us": round(sync_us(folder), 1),
        "load_average": os.getloadavg(),
    }


def sync_us(folder: Path) -> float:
    """Return the median of 200 appends of 1 KB with fdatasync, in microseconds."""
    path = folder / "sync-probe"
    took = []
    with path.open("ab", buffering=0) as file:
        for _ in range(200):
            file.write(b"x" * 1023 + b"\n")
            begin = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - begin)
    path.unlink()
    return median(took) * 1e6


def busy_seconds(core: int) -> float:
    """Return how long a core has worked for programs, or was taken away from this machine."""
    times = psutil.cpu_times(percpu=True)[core]
    return float(times.user + times.nice + times.system + getattr(times, "steal", 0.0))


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and of its descendants, dead or alive."""
    total = 0.0
    process = psutil.Process(pid)
    for one in (process, *process.children(recursive=True)):
        times = one.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
