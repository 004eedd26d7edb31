"""One run of the load generator wrk against one server."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import busy_seconds, cores, cpu_seconds
from benchmarks.servers import Served

_SCRIPT = Path(__file__).with_name("send.lua")
_QUIET = 0.10  # of a core, used by others; beyond it a run says little
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to. Shares are of one core: 1.0 is a core that was busy all the time."""

    server: str
    load: str
    connections: int
    requests_per_second: float
    events_per_second: float
    events_per_cpu_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    server_busy: float
    generator_busy: float
    others_busy: float  # by anyone else, on the server's core or the generator's, whichever is more

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def run(served: Served, load: str, bodies: Path, size: int, connections: int, seconds: int) -> Run:
    """Send as fast as `connections` connections can; raises RuntimeError for any refused request.

    `bodies` holds request bodies of `size` events each, one a line. A run that others disturbed
    is done again, three times at most; the quietest counts, however fast or slow it was.
    """
    runs = []
    for _ in range(_TRIES):
        runs.append(_run(served, load, bodies, size, connections, seconds))
        if runs[-1].others_busy <= _QUIET:
            break
    return min(runs, key=lambda one: one.others_busy)


def _run(served: Served, load: str, bodies: Path, size: int, connections: int, seconds: int) -> Run:
    served.prune()
    os.sync()  # what earlier runs left to be written is not this one's affair
    _, generator_core = cores()
    before = _used(served)
    done = subprocess.run(
        [
            "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s",
            "-s", str(_SCRIPT), served.url, "--", str(bodies),
        ],
        check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {generator_core}),
    )  # fmt: skip
    core_busy, other_core_busy, server, generator = (
        after - b for after, b in zip(_used(served), before, strict=True)
    )
    # On a machine with one core both are the same, and each is the other's disturbance.
    others = max(core_busy - server, other_core_busy - generator)
    result = json.loads(done.stdout.partition("RESULT ")[2])
    if result["errors"]:
        end = served.output.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{served.name} refused {result['errors']} of {load}: {end}")
    took = result["seconds"]
    events = result["requests"] * size
    return Run(
        server=served.name,
        load=load,
        connections=connections,
        requests_per_second=result["requests"] / took,
        events_per_second=events / took,
        events_per_cpu_second=events / server if server else 0.0,
        p50_ms=result["p50_ms"],
        p99_ms=result["p99_ms"],
        max_ms=result["max_ms"],
        server_busy=server / took,
        generator_busy=generator / took,
        others_busy=max(0.0, others) / took,
    )


def _used(served: Served) -> tuple[float, float, float, float]:
    """Return the busy seconds of both cores, of the server and of our own children."""
    core, generator_core = cores()
    server = cpu_seconds(served.process.pid)
    return busy_seconds(core), busy_seconds(generator_core), server, _children_seconds()


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
