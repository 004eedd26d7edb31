"""Memory: what the web process holds while it works as hard as it can for some minutes."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from statistics import median

from benchmarks import events, servers
from benchmarks.figures import Figure, compare, spread
from benchmarks.generator import run
from benchmarks.intake import LOADS
from benchmarks.section import Options, Section

_SLICE = 10  # seconds of one kind of load
_LONG = 5.0  # minutes after which what still grows is a leak


def measure(options: Options, folder: Path) -> Section:
    """Return resident memory before and during the soak, and whether it grows."""
    governance = folder / "governance-of-memory"
    events.write_governance(governance)
    bodies = {}
    for load in ("single", "arrays of 100"):
        size, count, schema = LOADS[load]
        bodies[load] = folder / f"soak-{size}"
        events.write_bodies(bodies[load], size, count, schema)
    served = servers.eventlogging_web(folder, governance, "soak")
    samples: list[float] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.25):
            samples.append(served.rss_mb())
            served.prune()  # the log would fill the disk; no loader runs here

    idle = served.rss_mb()
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    options.say(f"memory: {options.minutes:g} minutes")
    sent = 0.0
    try:
        seconds = min(_SLICE, max(1, round(options.minutes * 60 / 4)))
        deadline = time.monotonic() + options.minutes * 60
        while time.monotonic() < deadline:
            for load, body in bodies.items():
                size = LOADS[load][0]
                done = run(served, load, body, size, 64, seconds)
                sent += done.events_per_second * seconds
    finally:
        stop.set()
        watcher.join()
        served.stop()
    quarter = max(1, len(samples) // 4)
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    target = 1.1 if options.minutes >= _LONG else None
    figures = [
        Figure("memory", "before the load", "MB", spread([idle])),
        Figure("memory", f"during {options.minutes:g} min of full load", "MB", spread(samples)),
        compare(
            "memory", "last quarter / second quarter", "MB", [median(late)], [median(early)],
            target, at_most=True,
        ),
        Figure("memory", "events sent", "million", spread([sent / 1e6])),
    ]  # fmt: skip
    return Section(figures, {"idle_mb": idle, "samples_mb": samples, "events": sent})
